"""How large a batch a GPU takes, without trying it.

The memory model: a fixed part (CUDA context, weights, gradients, optimiser, averaged weights)
and a part for each image that grows with the number of patches the encoder sees at the largest
size of multi-scale training (rfdetr goes up to the image size and five times its divisor).

    GiB = FIXED + 20 bytes * parameters + batch * PER_IMAGE * cost(model) * patches / PATCHES_BASE

`FIXED` and `PER_IMAGE` are set so that `base` at 640 pixels gives the guide's table: 4 for a
24 GiB RTX 3090, 8 for an A100 with 40 GiB, 16 for 80 GiB and more (an effective batch of 16 is
the aim, more is not recommended). rfdetr's own table allows twice that at smaller sizes, so the
answer errs on the safe side. `batman probe` measures instead of reckoning.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.common.hardware import GIB, Gpu, find_gpus
from core.models.sizes import ModelSize, get_model, resolve_image_size
from core.training.config.options import TrainingConfig
from core.training.config.probe_results import recall

# Batches that share out an effective batch of 16 without a rest.
BATCHES = (16, 8, 4, 2, 1)
EFFECTIVE = 16

FIXED_GIB = 2.4
PER_IMAGE_GIB = 4.4
# 616 pixels, which base takes for 640, and five times its divisor: 64 by 64 patches of 14.
PATCHES_BASE = 64**2
# Weights, gradients, two moments of AdamW and the averaged weights, in 32 bits.
BYTES_PER_PARAMETER = 20

# What one image keeps for the backward pass, relative to base and for as many patches: bytes of
# saved tensors, counted on the CPU with torch's saved_tensors_hooks on rfdetr 1.11.2's networks in
# training mode, 1,600 patches. Base and small 0.955 GiB in 32 bits, nano 0.850 (two decoder layers
# instead of three), medium and large 1.059 (four), large-deprecated 2.281 (the wider encoder). The
# sizes of rfdetr-plus are taken to be as wide. Small with gradient checkpointing 0.486, in bfloat16
# 0.658 GiB. `benchmarks/activations.py` counts them again.
_COST = {"tiny": 0.15, "nano": 0.9, "medium": 1.1, "large": 1.1, "large-deprecated": 2.4,
         "xlarge": 2.4, "2xlarge": 2.4}  # fmt: skip
_CHECKPOINTED = 0.5
_FP32 = 1.45


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A batch for each GPU, the batches to accumulate, and why, in one sentence."""

    batch_size: int
    grad_accum: int
    reason: str


def memory_needed(config: TrainingConfig, batch_size: int) -> float:
    """Return the GPU memory in GiB that training `config` with `batch_size` is reckoned to need."""
    model = get_model(config.model)
    return _fixed(model) + batch_size * _per_image(config, model)


def recommend(
    config: TrainingConfig, *, memory_gib: float | None, gpu_name: str = "this GPU"
) -> Recommendation:
    """Return the batch to train `config` with on GPUs of `memory_gib` each (None: on the CPU).

    The largest of 1, 2, 4, 8 and 16 that fits, accumulated to an effective batch of 16 over all
    GPUs.
    """
    model = get_model(config.model)
    size, _ = resolve_image_size(config.model, config.image_size)
    if "batch_size" in model.preset:
        batch = int(model.preset["batch_size"])
        return Recommendation(batch, 1, f"{model.name} is small: {batch} at once learns best.")
    if memory_gib is None:
        return Recommendation(
            2,
            EFFECTIVE // 2,
            "No GPU was found: 2 at once, added up to 16. Training on a CPU is slow; "
            "tiny is the size made for it.",
        )
    devices = config.num_gpus * config.num_nodes
    room = (memory_gib - _fixed(model)) / _per_image(config, model)
    # One GPU's share of the effective batch; the guide gives 16 to each of four GPUs all the same.
    batch = next((size for size in BATCHES if size <= room), 1)
    accum = max(1, EFFECTIVE // (batch * devices))
    need = memory_needed(config, batch)
    words = f"{batch} images at {size} pixels need about {need:.0f} of {gpu_name}'s "
    words += f"{memory_gib:.0f} GiB"
    if room < 1:
        words = (
            f"Even 1 image at {size} pixels needs about {need:.0f} GiB, more than {gpu_name}'s "
            f"{memory_gib:.0f}: take a smaller model or image size"
        )
    elif accum > 1:
        words += f"; {accum} batches make an effective {batch * accum * devices}"
    return Recommendation(batch, accum, words + ".")


def accum_for(advice: Recommendation, batch: int, devices: int) -> int:
    """Return the batches to add up when `batch` is taken instead of the one that is advised.

    That many images a step as with the advice, 16 at most; for the advised batch itself what is
    advised with it, so that typing it again changes nothing.
    """
    if batch == advice.batch_size:
        return advice.grad_accum
    images = min(EFFECTIVE, advice.batch_size * advice.grad_accum * devices)
    return max(1, images // (batch * devices))


def recommend_here(config: TrainingConfig, gpus: list[Gpu] | None = None) -> Recommendation:
    """Return the batch to train `config` with on this machine's GPUs, or on its CPU.

    The GPU with the least free memory of those that would be used decides; what was found on one
    like it by trying (`batman probe`) goes before the memory model. `gpus` are the ones found, if
    the caller has looked already.
    """
    gpu = tightest_gpu(config, find_gpus() if gpus is None else gpus)
    if gpu is None:
        return recommend(config, memory_gib=None)
    tried = recall(config, gpu) if idle(gpu) else None
    if tried is None or "batch_size" in get_model(config.model).preset:
        return recommend(config, memory_gib=_usable(gpu) / GIB, gpu_name=gpu.name)
    batch = next(size for size in BATCHES if size <= tried)
    accum = max(1, EFFECTIVE // (batch * config.num_gpus * config.num_nodes))
    return Recommendation(batch, accum, f"Tried on {gpu.name}: up to {tried} images at once fit.")


def tightest_gpu(config: TrainingConfig, found: list[Gpu]) -> Gpu | None:
    """Return the GPU with the least memory to use of those in `found` that `config` trains on.

    None when it trains on none of them.
    """
    if config.device in ("cpu", "mps") or not found:
        return None
    if config.device.startswith("cuda:"):
        wanted = int(config.device.removeprefix("cuda:"))
        used = found[wanted : wanted + 1] or found[:1]
    else:
        used = found[: config.num_gpus]
    return min(used, key=_usable)


def idle(gpu: Gpu) -> bool:
    """Tell whether nobody else takes a part of the GPU's memory worth mentioning."""
    return gpu.memory_total - gpu.memory_free <= 0.1 * gpu.memory_total


def _usable(gpu: Gpu) -> int:
    """Return the bytes to reckon with: all of them, unless somebody else is using the GPU."""
    return gpu.memory_total if idle(gpu) else gpu.memory_free


def _fixed(model: ModelSize) -> float:
    return FIXED_GIB + model.params * 1e6 * BYTES_PER_PARAMETER / GIB


def _per_image(config: TrainingConfig, model: ModelSize) -> float:
    side, _ = resolve_image_size(model.name, config.image_size)
    if config.multi_scale:
        side += 5 * model.divisor
    cost = _COST.get(model.name, 1.0) * (side / model.patch_size) ** 2 / PATCHES_BASE
    if config.gradient_checkpointing:
        cost *= _CHECKPOINTED
    if config.precision == "fp32":
        cost *= _FP32
    return PER_IMAGE_GIB * cost
