"""Splits set by hand or drawn anew, each as one step that can be undone, and their counts."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.common.errors import ConfigError
from core.common.text import did_you_mean, plural
from core.data.images.images_per_class import Ids, boxes_shown, distinct, lists_shown
from core.data.splits.assign import SPLITS, Policy, Shares, SplitPlan, assign_project_splits
from core.data.splits.shares import DEFAULT_SHARES
from core.data.store import HistoryEntry, Project
from core.late import late

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


NO_SPLIT = "none"

_FEW = 100_000
"""Annotations that are counted sooner without NumPy than it takes to load: a tenth of a second."""


@dataclass(frozen=True)
class SplitRow:
    """How often a class is in each split: `annotations` and `images` by split, "none" included."""

    name: str
    annotations: dict[str, int]
    images: dict[str, int]


@dataclass(frozen=True)
class SplitCounts:
    """The images of each split, "none" included, and its classes, by name.

    `torn` counts groups, such as the frames of one video, that lie in several splits.
    """

    images: dict[str, int]
    classes: tuple[SplitRow, ...]
    torn: int


def images_by_split(project: Project) -> dict[str, int]:
    """Return how many images each split has, and none."""
    counts = dict.fromkeys((*SPLITS, NO_SPLIT), 0)
    counts.update(
        project.db.execute("SELECT coalesce(split, 'none'), count(*) FROM v_images GROUP BY split")
    )
    return counts


def split_counts(project: Project) -> SplitCounts:
    """Return how many images and annotations each split has, in all and of every class."""
    names = (*SPLITS, NO_SPLIT)

    def counted(counts: Mapping[int, list[int]], class_id: int) -> dict[str, int]:
        return dict(zip(names, counts.get(class_id, [0] * len(names)), strict=True))

    (there,) = project.db.execute("SELECT coalesce(sum(annotations), 0) FROM labels").fetchone()
    annotations, shown = (_few_by_split if there <= _FEW else _many_by_split)(project)
    rows = [
        SplitRow(name, counted(annotations, class_id), counted(shown, class_id))
        for class_id, name in project.db.execute("SELECT id, name FROM classes")
    ]
    (torn,) = project.db.execute(
        "SELECT count(*) FROM (SELECT grp FROM v_images WHERE grp IS NOT NULL"
        " GROUP BY grp HAVING count(DISTINCT coalesce(split, 'none')) > 1)"
    ).fetchone()
    ordered = sorted(rows, key=lambda row: (row.name.casefold(), row.name))
    return SplitCounts(images_by_split(project), tuple(ordered), torn)


_BySplit = dict[int, list[int]]


def _few_by_split(project: Project) -> tuple[_BySplit, _BySplit]:
    """Return annotations and images in each split and none, by class id."""
    places = {split: place for place, split in enumerate((*SPLITS, None))}
    rows = project.db.execute("SELECT id, split FROM v_images")
    place_of = {image: places[split] for image, split in rows}
    images_of: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for class_id, listed in lists_shown(project):
        images = map(int, listed.split(","))
        images_of[class_id].update(image for image in images if image in place_of)
    annotations: _BySplit = {}
    shown: _BySplit = {}
    for class_id, counts in images_of.items():
        annotations[class_id], shown[class_id] = [0] * len(places), [0] * len(places)
        for image, count in counts.items():
            annotations[class_id][place_of[image]] += count
            shown[class_id][place_of[image]] += 1
    return annotations, shown


def _many_by_split(project: Project) -> tuple[_BySplit, _BySplit]:
    """Return what `_few_by_split` does."""
    boxes = boxes_shown(project)
    return _by_split(project, *boxes), _by_split(project, *distinct(*boxes))


def _by_split(project: Project, classes: Ids, images: Ids) -> dict[int, list[int]]:
    """Return how many of these (class id, image id) are in each split and none, by class id."""
    if not len(classes):
        return {}
    parts = len(SPLITS) + 1
    split_of = np.full(int(images.max()) + 1, -1, dtype=np.int64)
    for image, split in project.db.execute("SELECT id, split FROM v_images"):
        if image < len(split_of):
            split_of[image] = SPLITS.index(split) if split else parts - 1
    found = split_of[images]
    seen = found >= 0
    counts = np.bincount(classes[seen] * parts + found[seen])
    counts = np.append(counts, np.zeros(-len(counts) % parts, counts.dtype)).reshape(-1, parts)
    return {class_id: counts[class_id].tolist() for class_id in np.unique(classes[seen]).tolist()}


def set_splits(
    project: Project, ids: Sequence[int], split: str | None, *, groups: bool = True
) -> HistoryEntry | None:
    """Put images into `split` (None for no split) by hand, as one step.

    With `groups`, the other images of their groups go along, so that the frames of one video stay
    together. Returns None when all of them were there already. Raises ConfigError for a split
    that is none of train, valid and test.
    """
    if split is not None and split not in SPLITS:
        raise ConfigError(
            f"There is no split '{split}'; {did_you_mean(split, SPLITS)}".rstrip("; ") + ".",
            "The splits are train, valid and test.",
        )
    wanted = json.dumps(list(ids))
    where = "id IN (SELECT value FROM json_each(:ids))"
    if groups:
        where += (
            " OR grp IN (SELECT grp FROM v_images WHERE grp IS NOT NULL"
            " AND id IN (SELECT value FROM json_each(:ids)))"
        )
    with project.change("splits.set", "set splits") as change:
        rows = project.db.execute(f"SELECT id FROM v_images WHERE {where}", {"ids": wanted})
        found = [row[0] for row in rows.fetchall()]
        moved = change.update_many("images", ["split"], [(image, split) for image in found])
        if change.empty:
            return None
        along = len(set(found) - set(ids))
        text = (
            f"Put {plural(moved, 'image')} into {split}"
            if split
            else (f"Took {plural(moved, 'image')} out of their split")
        )
        if along:
            text += f" (with the rest of their groups, {along:,})"
        project.describe(change, text, {"split": split, "images": moved, "along": along})
    return project.entry(change.history_id)


def draw_splits(
    project: Project,
    shares: Shares,
    seed: int,
    *,
    policy: Policy = "random",
) -> tuple[HistoryEntry | None, SplitPlan]:
    """Draw a split for every image by `core.data.splits.assign.assign_splits` and keep it, as one
    step.

    `shares` are those of train, valid and test. With the policy "random" all images are drawn,
    with "auto" and "imported" those that have a split keep it. Returns the history entry, None
    when nothing changed, and the plan with its notes. Raises ConfigError for shares that are
    negative or do not sum to 1, and for a project without images.
    """
    # Asked so that a share that is no number fails each question.
    whole = len(shares) == 3 and all(share >= 0 for share in shares) and shares[0] > 0
    if not (whole and abs(sum(shares) - 1) <= 1e-6):
        raise ConfigError(
            "The shares of train, valid and test must be from 0 to 1 and sum to 1.",
            "Give for example {}, {} and {}.".format(*DEFAULT_SHARES),
        )
    with project.change("splits.draw", "draw splits") as change:
        plan = assign_project_splits(project, shares, seed, policy)
        if not plan.splits:
            raise ConfigError(
                "There is no image in the project.", "Import a data set: batman import --help."
            )
        moved = change.update_many("images", ["split"], list(plan.splits.items()))
        if change.empty:
            return None, plan
        counts = ", ".join(f"{name} {count:,}" for name, count in plan.counts().items())
        project.describe(
            change,
            f"Drew splits with seed {seed}: {counts}",
            {"seed": seed, "shares": list(shares), "policy": policy, "images": moved},
        )
    return project.entry(change.history_id), plan
