"""Splits set by hand or drawn anew, each as one step that can be undone, and their counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import ConfigError
from core.splits import SPLITS, Policy, Shares, SplitPlan, assign_project_splits
from core.store import HistoryEntry, Project
from core.text import did_you_mean, plural

NO_SPLIT = "none"


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


def split_counts(project: Project) -> SplitCounts:
    """Return how many images and annotations each split has, in all and of every class."""
    names = (*SPLITS, NO_SPLIT)
    images = dict.fromkeys(names, 0)
    images.update(
        project.db.execute("SELECT coalesce(split, 'none'), count(*) FROM v_images GROUP BY split")
    )
    rows: dict[str, SplitRow] = {
        name: SplitRow(name, dict.fromkeys(names, 0), dict.fromkeys(names, 0))
        for (name,) in project.db.execute("SELECT name FROM classes")
    }
    for name, split, boxes, shown in project.db.execute(
        "SELECT a.class_name, coalesce(i.split, 'none'), count(*), count(DISTINCT i.id)"
        " FROM v_annotations a JOIN v_images i ON i.id = a.image_id GROUP BY 1, 2"
    ):
        rows[name].annotations[split] = boxes
        rows[name].images[split] = shown
    (torn,) = project.db.execute(
        "SELECT count(*) FROM (SELECT grp FROM v_images WHERE grp IS NOT NULL"
        " GROUP BY grp HAVING count(DISTINCT coalesce(split, 'none')) > 1)"
    ).fetchone()
    ordered = sorted(rows.values(), key=lambda row: (row.name.casefold(), row.name))
    return SplitCounts(images, tuple(ordered), torn)


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
    """Draw a split for every image by `core.splits.assign_splits` and keep it, as one step.

    `shares` are those of train, valid and test. With the policy "random" all images are drawn,
    with "auto" and "imported" those that have a split keep it. Returns the history entry, None
    when nothing changed, and the plan with its notes. Raises ConfigError for shares that are
    negative or do not sum to 1, and for a project without images.
    """
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6 or shares[0] <= 0:
        raise ConfigError(
            "The shares of train, valid and test must be from 0 to 1 and sum to 1.",
            "Give for example 0.7, 0.15 and 0.15.",
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
