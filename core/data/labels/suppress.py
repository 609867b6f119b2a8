"""Which of a model's overlapping boxes stay.

Of boxes of one class, the one with the highest score stays, and those go that overlap it by 0.5 or
more (intersection over union), or lie in it by 0.85 of their own area or more: the rules by which
labelme 7.1 thins out what its detectors find. SAM 3 returns one object several times
(wkentaro/labelme, pull request 2088), DETR models hardly ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.data.labels.matching import as_boxes, overlaps, shared_area
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike
else:
    np = late("numpy")


OVERLAP = 0.5
CONTAINED = 0.85


def suppress(boxes: ArrayLike, scores: Sequence[float], classes: Sequence[int]) -> list[int]:
    """Return the positions of the boxes that stay, the highest score first.

    `boxes` (n, 4) are x, y, w, h in pixels; `scores` and `classes` have n entries.
    """
    rows = as_boxes(boxes)
    of_class = np.asarray(classes, dtype=np.int64)
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    areas = rows[:, 2] * rows[:, 3]
    stays: list[int] = []
    gone = np.zeros(len(rows), dtype=bool)
    for place in order:
        if gone[place]:
            continue
        stays.append(int(place))
        this = rows[place : place + 1]
        shared = shared_area(this, rows)[0]
        inside = np.divide(shared, areas, out=np.zeros_like(shared), where=areas > 0)
        close = (overlaps(this, rows)[0] >= OVERLAP) | (inside >= CONTAINED)
        gone |= close & (of_class == of_class[place])
    return stays
