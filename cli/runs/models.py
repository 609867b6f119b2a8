"""The model sizes as a table: `batman train --list-models`."""

from __future__ import annotations

from typing import Any

from cli.answers.printing import asked, say_json
from cli.output import say, say_table
from core.models.sizes import MODELS, ModelSize


def say_models() -> None:
    """Print every size with its figures, and where those come from."""
    if asked():
        say_json({"models": [_plain(model) for model in MODELS.values()]})
        return
    say_table(
        ["model", "params", "size", "steps", "COCO AP", "T4 ms", "licence", "use"],
        [
            (
                model.name,
                f"{model.params:g} M",
                f"{model.resolution} px",
                f"{model.divisor} px",
                None if model.coco_ap is None else f"{model.coco_ap:g}",
                None if model.latency_ms is None else f"{model.latency_ms:g}",
                model.licence,
                model.note,
            )
            for model in MODELS.values()
        ],
        right=("params", "size", "steps", "COCO AP", "T4 ms"),
        spare=("use", "licence"),
    )
    say(
        "Parameters while training, counted on the models of rfdetr 1.11.2; the size that its"
        " weights were made for, from its configuration; AP50-95 on COCO in percent, and"
        " milliseconds an image on a T4 (TensorRT, FP16), from its README. An image size must be"
        " a multiple of the steps.",
        "dim",
    )


def _plain(model: ModelSize) -> dict[str, Any]:
    return {
        "name": model.name,
        "params_millions": model.params,
        "image_size_px": model.resolution,
        "image_size_multiple_px": model.divisor,
        "coco_ap_percent": model.coco_ap,
        "t4_ms": model.latency_ms,
        "licence": model.licence,
        "use": model.note,
        "works_offline": model.weights is None,
    }
