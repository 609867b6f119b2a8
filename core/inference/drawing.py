"""What a model found, drawn on images and on frames of videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from core.data.images.class_colours import Colour
from core.data.images.draw_boxes import DrawnBox, draw_boxes
from core.models.detector import Pixels, Prediction


def draw_predictions(
    image: Pixels,
    found: Prediction,
    classes: Sequence[str],
    colours: Mapping[str, Colour],
    tracks: Sequence[int | None] | None = None,
) -> Pixels:
    """Return a copy of `image` (RGB) with what was found drawn on it, the surest on top.

    `classes` are the model's, `colours` theirs by name. A label has the class and the score,
    with the track's number before them where it is on one of the `tracks`.
    """
    picture = Image.fromarray(image)
    draw_boxes(picture, predicted_boxes(found, classes, colours, tracks))
    return np.asarray(picture)


def predicted_boxes(
    found: Prediction,
    classes: Sequence[str],
    colours: Mapping[str, Colour],
    tracks: Sequence[int | None] | None = None,
) -> list[DrawnBox]:
    """Return what `draw_predictions` draws, in its order."""
    boxes = []
    for place in reversed(range(len(found))):
        name = classes[int(found.class_ids[place])]
        track = None if tracks is None else tracks[place]
        number = "" if track is None else f"#{track} "
        left, top, right, bottom = found.boxes[place].tolist()
        label = f"{number}{name} {found.scores[place]:.2f}"
        boxes.append(DrawnBox((left, top, right, bottom), colours[name], label))
    return boxes
