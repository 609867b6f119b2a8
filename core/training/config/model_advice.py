"""Which model size fits the data and the GPU, and why: what the form recommends beside `base`.

`base` is what the guide trains, and the default; rfdetr calls it deprecated and drops it in 2.0.
Accuracy and speed are rfdetr's own figures (`core.models.sizes`).
"""

from __future__ import annotations

from collections.abc import Mapping

from core.common.hardware import GIB, Gpu
from core.common.text import plural
from core.models.sizes import get_model
from core.training.config.batch_size import tightest_gpu
from core.training.config.options import TrainingConfig

# From this share of boxes below 32 pixels at the training size on, more pixels help most.
MANY_SMALL = 0.4
# Fewer boxes than this are learnt as well by a smaller model, which is done sooner.
FEW_BOXES = 500


def advise_model(
    gpus: list[Gpu], boxes: int, small: float | None = None, device: str = "auto"
) -> tuple[str, str]:
    """Return the name of a model size and why, for the GPUs of this machine and the data.

    `boxes` are those there are to learn from, `small` the share of them that is below 32 pixels at
    the training size (None: unknown).
    """
    gpu = tightest_gpu(TrainingConfig(device=device), gpus)
    if gpu is None:
        return "nano", "without a GPU the smallest pretrained one is the one that gets done"
    memory = gpu.memory_total / GIB
    if memory < 10:
        return "small", f"{gpu.name} has {memory:.0f} GiB, which larger ones hardly fit in"
    if boxes < FEW_BOXES:
        return "small", f"for {boxes:,} boxes it learns as much as larger ones, and sooner"
    if small is not None and small >= MANY_SMALL and memory >= 20:
        return "large", f"{small:.0%} of the boxes are small, and it is made for more pixels"
    return "medium", "accuracy and speed in balance"


def advice_sentence(chosen: str, advised: str, why: str) -> str:
    """Return what to say of the advice beside the model that is chosen; empty when it is that."""
    if chosen == advised or chosen == "tiny":
        return ""
    better, ap = get_model(advised), ""
    if better.coco_ap and (has := get_model(chosen).coco_ap) != better.coco_ap:
        ap = f" ({better.coco_ap:g} COCO AP" + (f", {chosen} has {has:g})" if has else ")")
    return f"{advised} would fit here{ap}: {why}."


def too_many_objects(model: str, images: Mapping[int, int]) -> str:
    """Return what to say where images show more objects than `model` finds on one; else nothing.

    `images` is how many images there are by their count of boxes.
    """
    most = get_model(model).most_objects
    more = {boxes: count for boxes, count in images.items() if boxes > most}
    if not more:
        return ""
    count = sum(more.values())
    has = "has" if count == 1 else "have"
    return (
        f"{model} finds {most} objects on an image at most: {plural(count, 'image')} {has} more, "
        f"up to {max(more):,}, and it cannot find them all."
    )
