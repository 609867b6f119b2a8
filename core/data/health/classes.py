"""Rules on classes and labels: too few, missing from a split, out of balance, images without."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.common.text import clean, plural
from core.data.classes import ClassRow, list_classes
from core.data.classes.look_alikes import look_alikes, odd_letters
from core.data.health.boxes import Boxes
from core.data.health.report import EXAMPLES, Finding
from core.data.store import Project
from core.late import late

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


FEW = 10
"""Fewer annotations than this teach a class nothing: own reasoning, from few-shot detection's
usual 10 and 30 shots, which reach a fraction of the accuracy (Wang et al., 2020)."""
IMAGES = 3
"""Train, valid and test each need an image with the class."""
IMBALANCE = 50.0
"""Largest class over smallest, from which on it is worth a word. COCO itself has 1,300."""
UNLABELLED = 0.5
"""Share of images without boxes from which on they are serious; some are useful background."""
_NAMES = 8


def check_classes(
    project: Project, boxes: Boxes, splits: Mapping[int, str | None]
) -> list[Finding]:
    """Return the findings on classes, and on images without any box.

    `splits` has the split of every visible image.
    """
    classes = list_classes(project)
    used = [row for row in classes if row.annotations]
    found = [
        *_look_alikes(classes),
        *_empty(classes),
        *_few(used),
        *_missing(boxes, splits, used),
        *_balance(used),
    ]
    return found + _unlabelled(boxes, splits)


def _empty(classes: list[ClassRow]) -> list[Finding]:
    rows = [row for row in classes if not row.annotations]
    if not rows:
        return []
    return [
        Finding(
            kind="class-empty",
            severity="notice",
            message=f"{plural(len(rows), 'class', 'classes')} without annotations: {_list(rows)}.",
            hint="Each takes a place in the model for nothing.",
            subject="class",
            ids=tuple(row.id for row in rows),
            fix="delete the classes",
        )
    ]


def _look_alikes(classes: list[ClassRow]) -> list[Finding]:
    """Find classes with different names that look the same."""
    ids = {row.name: row.id for row in classes}
    groups = look_alikes(ids)
    if not groups:
        return []
    said = []
    for group in groups[:_NAMES]:
        odd = [(clean(name), odd_letters(name)) for name in group]
        said.append(" and ".join(f"'{n}'" + (f" (with {o})" if o else "") for n, o in odd))
    more = f"; and {len(groups) - _NAMES} more" if len(groups) > _NAMES else ""
    return [
        Finding(
            kind="class-look-alike",
            severity="serious",
            message=f"Different classes look the same: {'; '.join(said)}{more}.",
            hint="Merge them, or rename one: as they are, one object is learned as two classes.",
            subject="class",
            ids=tuple(ids[name] for group in groups for name in group),
        )
    ]


def _few(used: list[ClassRow]) -> list[Finding]:
    rows = [row for row in used if row.annotations < FEW or row.images < IMAGES]
    if not rows:
        return []
    return [
        Finding(
            kind="class-scarce",
            severity="serious",
            message=(
                f"{plural(len(rows), 'class', 'classes')} with fewer than {FEW} annotations or"
                f" {IMAGES} images: {_list(rows)}."
            ),
            hint="Too little to learn and to test. Add data, merge, or delete them.",
            subject="class",
            ids=tuple(row.id for row in rows),
        )
    ]


def _missing(boxes: Boxes, splits: Mapping[int, str | None], used: list[ClassRow]) -> list[Finding]:
    """Find classes that an imported split lacks; without a train split none was imported."""
    there = set(splits.values())
    if "train" not in there:
        return []
    names = ("train", "valid", "test", None)
    images = np.array(sorted(splits), dtype=np.int64)
    codes = np.array([names.index(splits[image]) for image in images.tolist()])
    of_box = codes[np.searchsorted(images, boxes.images)]
    seen: dict[int, set[str | None]] = defaultdict(set)
    for pair in np.unique(boxes.classes * len(names) + of_box).tolist():
        seen[pair // len(names)].add(names[pair % len(names)])
    found = []
    for split, meaning in (
        ("train", "The model never sees them in training, and is tested on them."),
        ("valid", "Their accuracy is not measured, and the best checkpoint is chosen without."),
    ):
        rows = [row for row in used if seen[row.id] - {None} and split not in seen[row.id]]
        if rows and split in there:
            found.append(
                Finding(
                    kind=f"class-not-in-{split}",
                    severity="serious" if split == "train" else "notice",
                    message=(
                        f"{plural(len(rows), 'class', 'classes')} not in the {split} split:"
                        f" {_list(rows)}."
                    ),
                    hint=f"{meaning} Move images, or draw new splits (--split-policy random).",
                    subject="class",
                    ids=tuple(row.id for row in rows),
                )
            )
    return found


def _balance(used: list[ClassRow]) -> list[Finding]:
    if len(used) < 2:
        return []
    most = max(used, key=lambda row: row.annotations)
    least = min(used, key=lambda row: row.annotations)
    ratio = most.annotations / least.annotations
    if ratio < IMBALANCE:
        return []
    return [
        Finding(
            kind="class-imbalance",
            severity="notice",
            message=(
                f"'{clean(most.name)}' has {ratio:,.0f} times as many annotations as"
                f" '{clean(least.name)}' ({most.annotations:,} and {least.annotations:,})."
            ),
            hint=(
                "Add images of the rare classes, or train with --balance, --max-per-class or"
                " --filter-classes."
            ),
            subject="class",
            ids=(most.id, least.id),
        )
    ]


def _unlabelled(boxes: Boxes, splits: Mapping[int, str | None]) -> list[Finding]:
    labelled = set(np.unique(boxes.images).tolist())
    ids = [image for image in splits if image not in labelled]
    total = len(splits)
    if not ids:
        return []
    return [
        Finding(
            kind="image-unlabelled",
            severity="serious" if len(ids) >= UNLABELLED * total else "notice",
            message=f"{plural(len(ids), 'image')} without a box ({len(ids) / total:.0%}).",
            hint="Right for pictures of nothing; wrong if they were not labelled yet.",
            subject="image",
            ids=tuple(ids),
            images=tuple(ids[:EXAMPLES]),
        )
    ]


def _list(rows: list[ClassRow]) -> str:
    names = ", ".join(clean(row.name) for row in rows[:_NAMES])
    return names + (f" and {len(rows) - _NAMES} more" if len(rows) > _NAMES else "")
