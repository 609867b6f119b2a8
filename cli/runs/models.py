"""The model sizes as a table: `batman train --list-models`."""

from __future__ import annotations

from cli.output import say, say_table
from core.models.sizes import MODELS


def say_models() -> None:
    """Print every size with its figures, and where those come from."""
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
