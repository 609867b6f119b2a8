"""The area of an object as COCO has it: as it was given, or of its shape, or of its box.

COCO's own `area` is the sum of its polygons' areas or the number of a mask's pixels (instances_
val2017.json), and pycocotools 2.0.11 sorts objects into small, medium and large by it
(`cocoeval.py`, `evaluateImg`).
"""

from __future__ import annotations

import math

import msgspec

from core.data.importers.boxes import Box
from core.data.importers.coco.records import Rle, Segmentation
from core.data.importers.coco.rle_masks import mask_area


def object_area(given: float | None, shape: Segmentation | str, box: Box) -> float:
    """Return an object's area in pixels: `given` if that is a number above zero, else the shape's.

    `shape` may be JSON, as the store has it. Without a shape, and for one that is broken or has no
    area, it is that of the box.
    """
    if given is not None and 0 < given < math.inf:
        return given
    return shape_area(shape) or box[2] * box[3]


def shape_area(shape: Segmentation | str) -> float:
    """Return the area of polygons (the shoelace formula) or of a mask, 0 where there is none."""
    if isinstance(shape, str):
        try:
            shape = msgspec.json.decode(shape, type=Segmentation)
        except msgspec.DecodeError:
            return 0.0
    if isinstance(shape, Rle):
        return float(mask_area(shape))
    total = 0.0
    for points in shape or ():
        xs, ys = points[0::2], points[1::2]
        crossed = zip(xs, ys, [*xs[1:], *xs[:1]], [*ys[1:], *ys[:1]], strict=False)
        total += abs(sum(x * next_y - next_x * y for x, y, next_x, next_y in crossed)) / 2
    return total if total < math.inf else 0.0
