"""Exported models other than ONNX, with the facts that `core.export` wrote beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.common.errors import BatmanError, ConfigError, RunError
from core.common.files import read_json
from core.common.text import clean
from core.models.detector import Detector, Floats, Pixels, choose_classes, normalise
from core.models.runtimes import RUNTIMES, Run

_ON_GPU = "tensorrt"


class ExportedDetector(Detector):
    """A model that `batman export` wrote for another runtime; see `core.models.runtimes`."""

    def __init__(self, path: Path, kind: str, run: Run, **description: Any) -> None:
        super().__init__(path, **description)
        self.kind = kind
        self._run = run

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        device: str = "auto",
        batch_size: int | None = None,
        classes: Sequence[str] | None = None,
    ) -> ExportedDetector:
        """Load the model in `path`; see `load_detector`."""
        kind, load = RUNTIMES[path.suffix]
        wanted = device.partition(":")[0]
        if wanted not in ("auto", "cuda" if kind == _ON_GPU else "cpu"):
            raise ConfigError(
                f"'{clean(path.name)}' does not run on {clean(device)}.",
                "Leave out --device: the format says where it runs.",
            )
        facts = read_facts(path)
        names = choose_classes(path, facts.get("classes"), classes, None)
        try:
            run = load(path, device)
        except BatmanError:
            raise
        except Exception as error:  # each runtime raises kinds of its own
            raise RunError(
                f"'{clean(path.name)}' cannot be loaded: {clean(str(error))[:300]}",
                "Export it again with batman export.",
            ) from error
        return cls(
            path,
            kind,
            run,
            classes=names,
            model_size=str(facts.get("model", "unknown")),
            resolution=int(facts["resolution"]),
            num_select=int(facts["num_select"]),
            device="cuda" if kind == _ON_GPU else "cpu",
            batch_size=batch_size or 4,
        )

    def forward(self, batch: Pixels) -> tuple[Floats, Floats]:
        """Run the model, image by image; see `Detector.forward`."""
        images = normalise(batch)
        found = [self._run(images[index : index + 1]) for index in range(len(images))]
        return (
            np.concatenate([boxes for boxes, _ in found]),
            np.concatenate([logits for _, logits in found]),
        )


def read_facts(path: Path) -> dict[str, Any]:
    """Return what the export wrote about the model into batman.json beside it. Raises RunError.

    Unlike ONNX, these formats do not say themselves what size of images the model takes.
    """
    shown = f"'{clean(path.name)}'"
    try:
        facts = read_json(path.with_name("batman.json"))
    except BatmanError as error:
        raise RunError(
            f"{shown} has no readable batman.json beside it, which says what images it takes.",
            "Keep the folder that batman export wrote together.",
        ) from error
    if not isinstance(facts, dict) or not all(
        isinstance(facts.get(name), int) for name in ("resolution", "num_select")
    ):
        raise RunError(f"The batman.json beside {shown} was not written by batman export.")
    return facts
