"""Whether an exported model says the same as the one it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.common.errors import ExportFailed
from core.common.text import clean

if TYPE_CHECKING:
    from core.models import Detector

# Of two queries whose scores nearly tie, one runtime may take the one, the other the other: what
# no class scores this high plays no part.
_LEAST = 0.05
# Images that both models look at, where nothing else is asked for.
IMAGES = 50
_SYNTHETIC = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest differences between two models over `images`: in scores, and in boxes.

    Both are relative, 0 to 1; `pixels` is the box's at the model's resolution.
    """

    images: int
    scores: float
    boxes: float
    pixels: float
    compared: int

    @property
    def largest(self) -> float:
        """The larger of the two, which must stay below the tolerance."""
        return max(self.scores, self.boxes)


def load_images(folder: Path | None, most: int, resolution: int) -> tuple[list[Any], str]:
    """Return up to `most` images (RGB arrays) to compare on, and a word on where they are from.

    Evenly spread through `folder`; drawn at random, the same each time, where there are none.
    """
    from PIL import Image

    from core.inference.inputs import find_sources

    images: list[Any] = []
    if folder is not None:
        files = [source.path for source in find_sources([folder])[0] if not source.video]
        stride = max(1, len(files) // most)
        for path in files[::stride][:most]:
            try:
                with Image.open(path) as picture:
                    images.append(np.asarray(picture.convert("RGB")))
            except Exception:  # a damaged image says nothing about the model
                continue
    if folder is not None and images:
        return images, f"{len(images)} images of {folder.parent.name}/{folder.name}"
    random = np.random.default_rng(0)
    for _ in range(_SYNTHETIC):
        # Noise of several sizes, which stands in for texture.
        coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        side = (resolution, resolution)
        smooth = np.asarray(Image.fromarray(coarse).resize(side, Image.Resampling.BICUBIC))
        noise = random.integers(-40, 41, smooth.shape)
        images.append(np.clip(smooth + noise, 0, 255).astype(np.uint8))
    return images, f"{len(images)} random images, as there were no real ones"


def compare(one: Detector, other: Detector, images: Sequence[Any], batch: int = 4) -> Difference:
    """Run both models on the same scaled images and return how far apart they are.

    Queries are compared with the nearest of the other model, because their order may differ where
    scores tie. Raises ExportFailed when the outputs do not have the same shape.
    """
    scores = boxes = 0.0
    compared = 0
    for start in range(0, len(images), batch):
        scaled = np.stack([one.prepare(image) for image in images[start : start + batch]])
        first, second = one.forward(scaled), other.forward(scaled)
        if first[0].shape != second[0].shape or first[1].shape != second[1].shape:
            raise ExportFailed(
                f"'{clean(other.path.name)}' gives {second[0].shape} boxes and {second[1].shape} "
                f"scores, the original {first[0].shape} and {first[1].shape}."
            )
        for index in range(len(scaled)):
            mine, theirs = _outputs(first, index), _outputs(second, index)
            for a, b in ((mine, theirs), (theirs, mine)):
                difference = _to_nearest(a, b)
                if difference is not None:
                    scores, boxes = max(scores, difference[0]), max(boxes, difference[1])
                    compared += difference[2]
    return Difference(len(images), scores, boxes, boxes * one.resolution, compared)


def _outputs(raw: tuple[Any, Any], index: int) -> tuple[Any, Any]:
    boxes, logits = raw[0][index], raw[1][index].astype(np.float64)
    if not (np.isfinite(boxes).all() and np.isfinite(logits).all()):
        raise ExportFailed(
            "A model gives values that are no numbers.",
            "Its training went wrong: export an earlier checkpoint.",
        )
    return boxes.astype(np.float64), 1 / (1 + np.exp(-logits))


def _to_nearest(a: tuple[Any, Any], b: tuple[Any, Any]) -> tuple[float, float, int] | None:
    """Return the largest distance in scores and boxes of `a`'s queries to `b`'s, and how many."""
    strong = a[1].max(axis=1) >= _LEAST
    if not strong.any():
        # Nothing is found in the image: the strongest query must be the same at least.
        strong = np.zeros(len(strong), dtype=bool)
        strong[int(a[1].max(axis=1).argmax())] = True
    score = np.abs(a[1][strong][:, None] - b[1][None]).max(axis=2)
    box = np.abs(a[0][strong][:, None] - b[0][None]).max(axis=2)
    nearest = np.maximum(score, box).argmin(axis=1)
    rows = np.arange(len(nearest))
    return float(score[rows, nearest].max()), float(box[rows, nearest].max()), int(strong.sum())
