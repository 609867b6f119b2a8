"""Boxes and labels on pictures, by supervision. Imports supervision inside functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.common.text import clean
from core.models import Prediction
from core.models.detector import Pixels


class Painter:
    """Draws predictions with class names and scores, and track numbers where there are some.

    Colours follow the class, or the track. Lines and text grow with the picture.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._names = [clean(name) for name in classes]
        # OpenCV's letters are ASCII only; Pillow's are not, and are slower.
        self._plain = all(name.isascii() for name in self._names)
        self._tools: dict[tuple[int, int, bool], tuple[Any, Any]] = {}

    def draw(self, image: Pixels, found: Prediction, tracks: Sequence[int] | None = None) -> Pixels:
        """Return a copy of `image` (RGB) with what was found drawn on it."""
        import supervision as sv

        # supervision draws on BGR images.
        canvas = np.ascontiguousarray(image[:, :, ::-1])
        if len(found):
            boxes, labels = self._of_size(image.shape[1], image.shape[0], tracks is not None)
            detections = sv.Detections(
                xyxy=found.boxes,
                confidence=found.scores,
                class_id=found.class_ids,
                tracker_id=None if tracks is None else np.asarray(tracks, dtype=int),
            )
            texts = []
            for index, (label, score) in enumerate(
                zip(found.class_ids.tolist(), found.scores.tolist(), strict=True)
            ):
                number = "" if tracks is None else f"#{tracks[index]} "
                texts.append(f"{number}{self._names[label]} {score:.2f}")
            canvas = boxes.annotate(canvas, detections)
            canvas = labels.annotate(canvas, detections, texts)
        return np.ascontiguousarray(np.asarray(canvas)[:, :, ::-1])

    def _of_size(self, width: int, height: int, tracked: bool) -> tuple[Any, Any]:
        key = (width, height, tracked)
        if key not in self._tools:
            import supervision as sv

            lookup = sv.ColorLookup.TRACK if tracked else sv.ColorLookup.CLASS
            thickness = max(1, sv.calculate_optimal_line_thickness((width, height)))
            scale = max(0.4, sv.calculate_optimal_text_scale((width, height)))
            boxes = sv.BoxAnnotator(thickness=thickness, color_lookup=lookup)
            common: dict[str, Any] = {"color_lookup": lookup, "text_padding": 4}
            labels: Any
            if self._plain:
                labels = sv.LabelAnnotator(text_scale=scale, text_color=sv.Color.BLACK, **common)
            else:
                labels = sv.RichLabelAnnotator(
                    font_size=round(28 * scale), text_color=sv.Color.BLACK, **common
                )
            self._tools[key] = boxes, labels
        return self._tools[key]
