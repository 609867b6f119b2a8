"""COCO's metrics by ultrafast-pycocotools, or by pycocotools where that is not installed.

Both give the same numbers to the last bit: `benchmarks/coco_backends.py` holds them against each
other on random cases (10,000 unless told), and says why this package and no other was chosen.
Imports either when it is called: for the processes that evaluate and train.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from core.metrics.boxes import Found, Matching, Measured, Objects

Measure = Callable[[Objects, Found, int, int, Sequence[int]], Measured]


def measure(
    objects: Objects, found: Found, images: int, classes: int, limits: Sequence[int]
) -> Measured:
    """Measure `found` against `objects` on so many images and classes.

    At most the greatest of `limits` of an image and class count; each of them has its place in the
    arrays, in rising order. Raises ImportError where neither package is installed.
    """
    return _chosen()(objects, found, images, classes, sorted(limits))


def _chosen() -> Measure:
    try:
        import ultrafast_pycocotools  # noqa: F401
    except ImportError:
        return by_pycocotools
    return by_ultrafast


def by_ultrafast(
    objects: Objects, found: Found, images: int, classes: int, limits: Sequence[int]
) -> Measured:
    """`measure` by ultrafast-pycocotools (0.1.14), which counts on all processors."""
    from ultrafast_pycocotools import COCO, COCOeval

    with _silence():
        there = _there(COCO(verbose=False), objects, images, classes)
        rows = np.column_stack([found.images + 1, found.boxes, found.scores, found.classes + 1])
        evaluation = COCOeval(there, there.loadRes(rows), "bbox")
        _set(evaluation.params, images, classes, limits)
        evaluation.evaluate()
        evaluation.accumulate()
    of, _ = evaluation.per_instance(0.5, "all")
    partner = np.asarray(of["gt_id"], dtype=np.int64)
    arrays = evaluation.eval
    return Measured(
        precision=arrays["precision"],
        recall=arrays["recall"],
        scores=arrays["scores"],
        matching=Matching(
            found=np.asarray(of["dt_id"], dtype=np.int64) - 1,
            objects=np.where(partner > 0, partner - 1, -1),
            ignored=np.asarray(of["ignore"], dtype=bool),
        ),
    )


def by_pycocotools(
    objects: Objects, found: Found, images: int, classes: int, limits: Sequence[int]
) -> Measured:
    """`measure` by pycocotools (2.0.11), the reference."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with _silence():
        there = _there(COCO(), objects, images, classes)
        seen = COCO()
        seen.dataset = {**there.dataset, "annotations": list(_records(found))}
        seen.createIndex()
        evaluation = COCOeval(there, seen, "bbox")
        _set(evaluation.params, images, classes, limits)
        evaluation.evaluate()
        evaluation.accumulate()
    # The list goes by class, then size, then image; all sizes are the first.
    entries = [
        entry
        for start in range(0, classes * 4 * images, 4 * images)
        for entry in evaluation.evalImgs[start : start + images]
        if entry is not None and len(entry["dtIds"])
    ]

    def joined(name: str, kind: type) -> Any:
        """Return a column of all entries, of those with a row for each IoU the first."""
        parts: list[Any] = [np.asarray(entry[name], dtype=kind) for entry in entries]
        return np.concatenate([p[0] if p.ndim > 1 else p for p in parts] or [np.zeros(0, kind)])

    arrays = evaluation.eval
    return Measured(
        precision=arrays["precision"],
        recall=arrays["recall"],
        scores=arrays["scores"],
        matching=Matching(
            found=joined("dtIds", np.int64) - 1,
            # A match is told by the object's id, from 1; 0 is none.
            objects=joined("dtMatches", np.int64) - 1,
            ignored=joined("dtIgnore", bool),
        ),
    )


def _there(coco: Any, objects: Objects, images: int, classes: int) -> Any:
    """Return `coco` filled with the objects, whose ids are their rows from 1."""
    rows = zip(
        objects.images.tolist(), objects.classes.tolist(), objects.boxes.tolist(),
        objects.areas.tolist(), objects.crowd.tolist(), strict=True,
    )  # fmt: skip
    coco.dataset = {
        "images": [{"id": number + 1} for number in range(images)],
        "categories": [{"id": number + 1} for number in range(classes)],
        "annotations": [
            {"id": row, "image_id": image + 1, "category_id": of + 1, "bbox": box, "area": area,
             "iscrowd": int(crowd)}
            for row, (image, of, box, area, crowd) in enumerate(rows, 1)
        ],
    }  # fmt: skip
    coco.createIndex()
    return coco


def _records(found: Found) -> Iterator[dict[str, Any]]:
    rows = zip(
        found.images.tolist(), found.classes.tolist(), found.boxes.tolist(),
        found.scores.tolist(), strict=True,
    )  # fmt: skip
    for row, (image, of, box, score) in enumerate(rows, 1):
        yield {
            "id": row, "image_id": image + 1, "category_id": of + 1, "bbox": box, "score": score,
            "area": box[2] * box[3], "iscrowd": 0,
        }  # fmt: skip


def _set(params: Any, images: int, classes: int, limits: Sequence[int]) -> None:
    params.imgIds = list(range(1, images + 1))
    params.catIds = list(range(1, classes + 1))
    params.maxDets = list(limits)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what both print of what they do from the output."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
