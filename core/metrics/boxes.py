"""What is measured against what: objects and predictions of a data set, as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """N objects that are there. Images and classes are places, from 0, in the order of their ids.

    `boxes` (N, 4) are left, top, width, height in pixels; `areas` (N,) decide an object's size;
    what is in a crowd counts neither way.
    """

    images: Ints
    classes: Ints
    boxes: Floats
    areas: Floats
    crowd: Flags


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """N predictions, as `Objects`; of equal `scores` (N,) the first counts first."""

    images: Ints
    classes: Ints
    boxes: Floats
    scores: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """What M predictions match at IoU 0.5, whatever their size; those past the limit are not here.

    `found` (M,) and `objects` (M,) are rows of `Found` and `Objects`, the latter -1 where there is
    no match. `ignored` (M,) marks what matches a crowd and counts neither way.
    """

    found: Ints
    objects: Ints
    ignored: Flags


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """COCO's arrays, -1 where there is nothing to measure, and the matching.

    `precision` and `scores` are (10 IoUs 0.50 to 0.95, 101 recalls, K classes, 4 sizes, M limits),
    `recall` (10, K, 4, M); sizes are all, small, medium, large.
    """

    precision: Floats
    recall: Floats
    scores: Floats
    matching: Matching
