"""Rules on boxes: degenerate, outside, past the edge, there twice, too small to be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.common.errors import Cancelled
from core.common.text import plural
from core.data.health.report import EXAMPLES, Finding
from core.data.store import Project
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


TWIN_IOU = 0.95
"""Boxes of one image that overlap by more are one object drawn twice."""
EDGE = 1.0
"""Pixels by which a box may pass the image's edge: rounding, not a mistake."""
VANISHING = 8.0
"""Pixels at the training size, as the root of the area, below which a box counts as vanishing.

RF-DETR's encoder sees patches of 14 or 16 pixels (`core.models.sizes`); a smaller object covers
less than a quarter of one. COCO's own "small" is below 32 pixels.
"""
SERIOUS_SHARE = 0.1
_STEP = 32
_ROWS = 50_000


@dataclass(frozen=True)
class Boxes:
    """All visible boxes, sorted by image: ids, image ids and class ids (n,), x, y, w, h (n, 4).

    `sizes` are the width and height of each box's image as the project has them (n, 2).
    """

    ids: NDArray[np.int64]
    images: NDArray[np.int64]
    classes: NDArray[np.int64]
    xywh: NDArray[np.float64]
    sizes: NDArray[np.float64]
    crowd: NDArray[np.bool_]

    @classmethod
    def load(cls, project: Project) -> Boxes:
        """Read the boxes of visible images: 1,000,000 in a few seconds.

        Tables are read one by one and joined here, which is several times as fast as the views.
        """
        images = _table(project, "SELECT id, width, height FROM v_images ORDER BY id", 3)
        labels = _table(
            project,
            "SELECT labels.id, class_id FROM labels JOIN imports ON imports.id = import_id"
            " WHERE active = 1 AND class_id IS NOT NULL ORDER BY labels.id",
            2,
        )
        table = _table(
            project,
            "SELECT id, image_id, label_id, x, y, w, h, iscrowd FROM annotations WHERE deleted = 0",
            8,
        )
        if not len(images) or not len(labels):
            table = table[:0]
        image = np.searchsorted(images[:, 0], table[:, 1])
        label = np.searchsorted(labels[:, 0], table[:, 2])
        seen = (image < len(images)) & (label < len(labels))
        image, label, table = image[seen], label[seen], table[seen]
        seen = (images[image, 0] == table[:, 1]) & (labels[label, 0] == table[:, 2])
        image, label, table = image[seen], label[seen], table[seen]
        order = np.lexsort((table[:, 0], table[:, 1]))
        image, label, table = image[order], label[order], table[order]
        return cls(
            table[:, 0].astype(np.int64),
            table[:, 1].astype(np.int64),
            labels[label, 1].astype(np.int64),
            table[:, 3:7],
            images[image, 1:3],
            table[:, 7] > 0,
        )


def _table(project: Project, query: str, columns: int) -> NDArray[np.float64]:
    cursor = project.db.cursor()
    cursor.row_factory = None
    cursor.execute(query)
    parts = [np.empty((0, columns))]
    while some := cursor.fetchmany(_ROWS):
        parts.append(np.array(some, dtype=np.float64))
    return np.concatenate(parts)


def check_boxes(
    boxes: Boxes, image_size: int, cancelled: Callable[[], bool] | None = None
) -> list[Finding]:
    """Return the findings on boxes for training at `image_size` pixels. Raises `Cancelled`."""
    x, y, w, h = boxes.xywh.T
    width, height = boxes.sizes.T
    degenerate = ~(np.isfinite(boxes.xywh).all(axis=1) & (w > 0) & (h > 0))
    known = (width > 0) & (height > 0)
    outside = ~degenerate & known & ((x + w <= 0) | (y + h <= 0) | (x >= width) | (y >= height))
    past = np.maximum.reduce([-x, -y, x + w - width, y + h - height]) > EDGE
    past &= ~degenerate & ~outside & known
    sound = ~degenerate & ~outside
    same, other = _twins(boxes, sound & ~boxes.crowd, cancelled)
    found = [
        _finding(
            boxes, degenerate, "box-degenerate", "error",
            "{} without a width or height",
            "Such boxes break training. Remove them.",
            "remove the boxes",
        ),
        _finding(
            boxes, outside, "box-outside", "error",
            "{} outside the image",
            "The image's size or the boxes are wrong. Remove them, or import again.",
            "remove the boxes",
        ),
        _finding(
            boxes, past, "box-past-edge", "serious",
            "{} past the edge of the image",
            "Clip them to the image.",
            "clip the boxes to the image",
        ),
        _finding(
            boxes, same, "box-repeated", "serious",
            "{} drawn twice (the same class, overlap above 95%)",
            "Twins teach the model to answer twice. Keep one of each.",
            "remove all but the first of each",
        ),
        _finding(
            boxes, other, "box-two-classes", "notice",
            "{} on an object that has another class too (overlap above 95%)",
            "Look at them and remove the wrong one, or merge the classes.",
            None,
        ),
        _vanishing(boxes, sound & known, image_size),
    ]  # fmt: skip
    return [finding for finding in found if finding is not None]


def _finding(
    boxes: Boxes,
    which: NDArray[np.bool_],
    kind: str,
    severity: str,
    message: str,
    hint: str,
    fix: str | None,
) -> Finding | None:
    if not which.any():
        return None
    ids = boxes.ids[which].tolist()
    return Finding(
        kind=kind,
        severity=severity,  # type: ignore[arg-type]
        message=message.format(plural(len(ids), "box")) + ".",
        hint=hint,
        subject="annotation",
        ids=tuple(ids),
        images=tuple(np.unique(boxes.images[which])[:EXAMPLES].tolist()),
        fix=fix,
    )


def _vanishing(boxes: Boxes, sound: NDArray[np.bool_], image_size: int) -> Finding | None:
    """Boxes too small at the training size: images are stretched to `image_size` squared."""
    if not sound.any():
        return None
    share = np.zeros(len(boxes.ids))
    area = boxes.xywh[sound, 2] * boxes.xywh[sound, 3]
    share[sound] = np.sqrt(area / (boxes.sizes[sound, 0] * boxes.sizes[sound, 1]))
    which = sound & (share * image_size < VANISHING)
    if not which.any():
        return None
    part = which.sum() / sound.sum()
    # The size at which all but one in a hundred boxes can be seen.
    quantile = float(np.quantile(share[sound], 0.01))
    enough = int(-(-VANISHING // max(quantile, 1e-9))) if quantile > 0 else 0
    enough = -(-enough // _STEP) * _STEP
    hint = "Leave them out, or cut the images into tiles."
    if image_size < enough <= 2048:
        hint = f"With --image-size {enough}, 99 % of all boxes are larger than that."
    return Finding(
        kind="box-vanishes",
        severity="serious" if part >= SERIOUS_SHARE else "notice",
        message=(
            f"{plural(int(which.sum()), 'box')} ({part:.1%}) smaller than"
            f" {VANISHING:.0f}×{VANISHING:.0f} pixels at the training size {image_size}."
        ),
        hint=hint,
        subject="annotation",
        ids=tuple(boxes.ids[which].tolist()),
        images=tuple(np.unique(boxes.images[which])[:EXAMPLES].tolist()),
    )


def _twins(
    boxes: Boxes, sound: NDArray[np.bool_], cancelled: Callable[[], bool] | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Mark boxes that repeat an earlier one of their image, of the same class and of another.

    Twins have nearly the same left edge, so that each box, with the boxes of an image sorted by
    it, is compared with the few that follow: an IoU above t needs x2 - x1 < (1 - t) * w1, since
    the common part is at most w1 - (x2 - x1) wide and the union at least as large as box 1.
    """
    same = np.zeros(len(boxes.ids), dtype=bool)
    other = np.zeros(len(boxes.ids), dtype=bool)
    rows = np.flatnonzero(sound)
    if len(rows) < 2:
        return same, other
    x = boxes.xywh[rows, 0]
    order = np.lexsort((x, boxes.images[rows]))
    rows = rows[order]
    images, classes = boxes.images[rows], boxes.classes[rows]
    left, top, w, h = boxes.xywh[rows].T
    right, bottom, area = left + w, top + h, w * h
    reach = (1 - TWIN_IOU) * w
    active = np.arange(len(rows) - 1)
    step = 1
    while len(active):
        if cancelled is not None and cancelled():
            raise Cancelled("The check was stopped.", "Nothing was changed.")
        follow = active + step
        inside = follow < len(rows)
        active, follow = active[inside], follow[inside]
        near = (images[active] == images[follow]) & (left[follow] - left[active] <= reach[active])
        active, follow = active[near], follow[near]
        across = np.minimum(right[active], right[follow]) - np.maximum(left[active], left[follow])
        down = np.minimum(bottom[active], bottom[follow]) - np.maximum(top[active], top[follow])
        common = np.clip(across, 0, None) * np.clip(down, 0, None)
        twin = common > TWIN_IOU * (area[active] + area[follow] - common)
        equal = classes[active] == classes[follow]
        # The one with the higher number came later, whatever the order of the edges.
        later = np.where(
            boxes.ids[rows[active]] > boxes.ids[rows[follow]], rows[active], rows[follow]
        )
        same[later[twin & equal]] = True
        other[later[twin & ~equal]] = True
        step += 1
    return same, other & ~same
