"""The evaluation's pictures: the worst images. What matplotlib draws is in `figures`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.data.images.class_colours import Colour
from core.data.images.draw_boxes import draw_boxes
from core.data.images.exif_orientation import orientation_of, turn_for_boxes, turned
from core.data.images.picture_files import open_picture
from core.evaluation.display import drawn_boxes
from core.evaluation.result import WorstImage

# A picture keeps its size up to this side (pixels).
_MAX_SIDE = 1280


def draw_worst(
    source: Path, image: WorstImage, colours: Mapping[str, Colour], folder: Path
) -> Path:
    """Draw what is there and what was predicted, as `core.evaluation.display.drawn_boxes` says."""
    from PIL import Image

    target = folder / image.picture
    target.parent.mkdir(exist_ok=True)
    with open_picture(source) as opened:
        orientation = orientation_of(opened)
        turn = turn_for_boxes(orientation, (image.width, image.height), opened.size)
        picture = turned(opened.convert("RGB"), turn)
        scale = min(1.0, _MAX_SIDE / max(picture.size))
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        canvas = picture.resize(size)
    # Labels need room on small images.
    if max(size) < 400:
        grow = round(400 / max(size)) or 1
        canvas = canvas.resize((size[0] * grow, size[1] * grow), Image.Resampling.NEAREST)
        scale *= grow
    draw_boxes(canvas, drawn_boxes(image, colours, scale, scale, labelled=True))
    canvas.save(target, quality=88)
    return target
