"""The model sizes that can be trained, as data.

Figures come from rfdetr 1.11.2: class, resolution, patch size and windows from its `config.py`
(`patch_size * num_windows` is what an image size must be a multiple of), COCO AP50-95 and the
latency on a T4 (TensorRT, FP16) from its README, parameters (training / inference) counted on the
models themselves. `tiny` is ours: rfdetr's Nano class built small enough to learn on a CPU.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from core.common.errors import ConfigError
from core.common.files import expand_user
from core.common.text import clean, did_you_mean, sentence

APACHE: Final = "Apache-2.0"
PML: Final = "PML-1.0"


def _frozen(**values: Any) -> Mapping[str, Any]:
    return MappingProxyType(values)


# Queries of every detection model of rfdetr 1.11.2 (`num_queries` in its `config.py`).
_QUERIES: Final = 300


@dataclass(frozen=True, slots=True)
class ModelSize:
    """One trainable size of RF-DETR.

    `params` and `params_inference` are millions of parameters while training and after export;
    `resolution` is the image side in pixels that the published weights were trained at; `divisor`
    is what an image side must be a multiple of; `patch_size` is the side in pixels of the
    encoder's patches; `weights` is the file name of the published weights (None: there are none,
    training starts from random weights); `coco_ap` is AP50-95 in percent
    and `latency_ms` milliseconds an image on a T4 (None: not published). `build` are arguments for
    the class's constructor; `preset` are values of `TrainingConfig` which hold for this size where
    the user has not chosen otherwise.
    """

    name: str
    class_name: str
    params: float
    params_inference: float
    resolution: int
    divisor: int
    weights: str | None
    coco_ap: float | None
    latency_ms: float | None
    note: str
    patch_size: int = 16
    licence: str = APACHE
    needs_plus: bool = False
    build: Mapping[str, Any] = field(default_factory=_frozen)
    preset: Mapping[str, Any] = field(default_factory=_frozen)

    @property
    def most_objects(self) -> int:
        """How many objects it finds on one image at most: its queries, of which each is one."""
        return int(self.build.get("num_queries", _QUERIES))

    @property
    def min_size(self) -> int:
        """Smallest image side in pixels: two windows, rfdetr's own floor for training scales."""
        return 2 * self.divisor


# Measured with rfdetr 1.11.2 on two CPU cores: on 96 pictures of shapes at 128 pixels these
# settings reach mAP50 0.88 to 0.99 in 20 epochs, about a minute. `ia_bce_loss` and the layer-wise
# decay of the learning rate are made for pretrained encoders and slow a random one down.
_TINY_BUILD = _frozen(
    num_windows=1,
    num_queries=20,
    num_select=20,
    group_detr=1,
    dec_layers=1,
    out_feature_indexes=[1],
    hidden_dim=128,
    sa_nheads=4,
    ca_nheads=4,
    ia_bce_loss=False,
)
_TINY_PRESET = _frozen(
    epochs=20,
    batch_size=8,
    image_size=128,
    lr=1e-3,
    lr_encoder=1e-3,
    lr_vit_layer_decay=1.0,
    lr_component_decay=1.0,
    weight_decay=1e-4,
    clip_max_norm=1.0,
    lr_scheduler="cosine",
    warmup_epochs=1.0,
    ema=False,
    multi_scale=False,
    augment=False,
    workers=0,
    from_scratch=True,
)

MODELS: Final[Mapping[str, ModelSize]] = MappingProxyType(
    {
        m.name: m
        for m in (
            ModelSize(
                "tiny",
                "RFDETRNano",
                3.2,
                3.2,
                128,
                16,
                None,
                None,
                None,
                "from random weights, for trying things out without a GPU or a network",
                build=_TINY_BUILD,
                preset=_TINY_PRESET,
            ),
            ModelSize(
                "nano",
                "RFDETRNano",
                30.5,
                27.7,
                384,
                32,
                "rf-detr-nano.pth",
                48.4,
                2.3,
                "fastest, for edge devices",
            ),
            ModelSize(
                "small",
                "RFDETRSmall",
                32.1,
                29.3,
                512,
                32,
                "rf-detr-small.pth",
                53.0,
                3.5,
                "fast, for edge devices",
            ),
            ModelSize(
                "base",
                "RFDETRBase",
                32.2,
                29.4,
                560,
                56,
                "rf-detr-base.pth",
                None,
                None,
                "the default; rfdetr calls it deprecated and will drop it in 2.0",
                patch_size=14,
            ),
            ModelSize(
                "medium",
                "RFDETRMedium",
                33.7,
                30.9,
                576,
                32,
                "rf-detr-medium.pth",
                54.7,
                4.4,
                "accuracy and speed in balance",
            ),
            ModelSize(
                "large",
                "RFDETRLarge",
                33.9,
                31.1,
                704,
                32,
                "rf-detr-large-2026.pth",
                56.5,
                6.8,
                "the most accurate under Apache-2.0",
            ),
            ModelSize(
                "large-deprecated",
                "RFDETRLargeDeprecated",
                135.6,
                130.3,
                560,
                56,
                "rf-detr-large.pth",
                None,
                None,
                "the first large model, for going on with old checkpoints; gone in rfdetr 2.0",
                patch_size=14,
            ),
            ModelSize(
                "xlarge",
                "RFDETRXLarge",
                128.0,
                126.4,
                700,
                20,
                "rf-detr-xlarge.pth",
                58.6,
                11.5,
                "needs the package rfdetr-plus and its licence",
                patch_size=20,
                licence=PML,
                needs_plus=True,
            ),
            ModelSize(
                "2xlarge",
                "RFDETR2XLarge",
                128.0,
                126.9,
                880,
                40,
                "rf-detr-xxlarge.pth",
                60.1,
                17.2,
                "needs the package rfdetr-plus and its licence",
                patch_size=20,
                licence=PML,
                needs_plus=True,
            ),
        )
    }
)


def get_model(name: str) -> ModelSize:
    """Return the size called `name`. Raises ConfigError naming the nearest sizes."""
    try:
        return MODELS[name]
    except KeyError:
        guess = did_you_mean(name, MODELS)
        raise ConfigError(
            f"There is no model size '{clean(name)}'.",
            f"{sentence(guess)} Sizes: {', '.join(MODELS)}.".strip(),
        ) from None


def valid_sizes(model: str, size: int) -> list[int]:
    """Return the image sizes (pixels) nearest to `size` that `model` can take, ascending.

    One number if the model takes `size` itself (or `size` lies below its smallest), else the
    nearest below and above. Raises ConfigError for an unknown model.
    """
    spec = get_model(model)
    if size <= spec.min_size:
        return [spec.min_size]
    below = size // spec.divisor * spec.divisor
    return [size] if below == size else [below, below + spec.divisor]


def resolve_image_size(model: str, requested: int) -> tuple[int, str | None]:
    """Return the image size to train `model` at for a requested one, and a note if they differ.

    The nearest size that the model can take; of two equally near, the smaller, which needs less
    memory. Raises ConfigError for an unknown model.
    """
    sizes = valid_sizes(model, requested)
    chosen = min(sizes, key=lambda s: (abs(s - requested), s))
    if chosen == requested:
        return chosen, None
    divisor = get_model(model).divisor
    others = [str(s) for s in sizes if s != chosen]
    also = f" ({others[0]} would do too)" if others else ""
    return chosen, (
        f"{model} takes image sizes that are multiples of {divisor}: "
        f"training at {chosen} instead of {requested}{also}."
    )


def weights_folder() -> Path:
    """Return the folder where rfdetr looks for published weights and downloads them to.

    `RF_HOME`, else `ROBOFLOW_HOME`, else `~/.roboflow/models` (rfdetr's `get_model_cache_dir`).
    """
    folder = os.environ.get("RF_HOME") or os.environ.get("ROBOFLOW_HOME") or "~/.roboflow/models"
    return expand_user(folder).absolute()


def weights_file(model: str) -> Path | None:
    """Return where the published weights of `model` belong, None for a size that has none.

    The file need not exist yet. Raises ConfigError for an unknown model.
    """
    spec = get_model(model)
    return None if spec.weights is None else weights_folder() / spec.weights
