"""Which images train the model, which choose the best checkpoint, and which test it.

New splits are drawn by iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011): the
rarest class is dealt out first, each image to the split that still lacks most of that class, so
that images with several classes keep every class near its share. Images of one group (frames of
a video) stay together, and a class with two images or more reaches both train and valid. Where all
of train is one group, its end is valid: pictures seconds apart are alike, those of a minute later
less so, and nothing can be trained without valid.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.common.errors import ConfigError
from core.common.text import plural
from core.data.images.images_per_class import classes_shown
from core.data.images.reviewed import where
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


if TYPE_CHECKING:
    from core.data.store import Project

SPLITS = ("train", "valid", "test")
TRAIN, VALID, TEST = range(3)

Policy = Literal["auto", "imported", "random"]
Shares = tuple[float, float, float]


@dataclass(frozen=True)
class SplitPlan:
    """The split of every image, by image id, and what the person should know about it."""

    splits: dict[int, str]
    notes: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return the number of images in each split."""
        found = Counter(self.splits.values())
        return {name: found[name] for name in SPLITS}


def assign_project_splits(
    project: Project,
    shares: Shares,
    seed: int,
    policy: Policy = "auto",
    *,
    only_reviewed: bool = False,
) -> SplitPlan:
    """Return a split for every visible, or reviewed, image of `project`; see `assign_splits`."""
    rows = project.db.execute(
        f"SELECT id, split, grp FROM v_images{where(only_reviewed)} ORDER BY id"
    ).fetchall()
    classes, images = classes_shown(project)
    ids = np.array([row["id"] for row in rows], dtype=np.int64)
    at = np.searchsorted(ids, images)
    there = at < len(ids)
    there[there] = ids[at[there]] == images[there]
    pairs = list(zip(at[there].tolist(), classes[there].tolist(), strict=True))
    return assign_splits(
        [row["id"] for row in rows],
        pairs,
        shares=shares,
        seed=seed,
        policy=policy,
        groups=[row["grp"] for row in rows],
        imported=[row["split"] for row in rows],
    )


def assign_splits(
    image_ids: Sequence[int],
    pairs: Sequence[tuple[int, int]],
    *,
    shares: Shares,
    seed: int,
    policy: Policy = "auto",
    groups: Sequence[str | None] | None = None,
    imported: Sequence[str | None] | None = None,
) -> SplitPlan:
    """Return a split for every image.

    `pairs` are (position in `image_ids`, class id), each at most once, for the classes an image
    shows; `groups` and `imported` hold one value an image. `shares` of train, valid and test sum
    to 1. With `policy` "imported" images keep the split of their import, with "random" none does,
    with "auto" they do where the import had a train split. Images without one are drawn by
    `shares`, and valid is taken out of train where the import had none. The same arguments give
    the same answer. Raises ConfigError if `policy` is "imported" and no image has a train split.
    """
    count = len(image_ids)
    group_of = _group_numbers(groups, count)
    labels = _labels_by_image(pairs, count)
    given = list(imported) if imported is not None and policy != "random" else [None] * count
    assigned = np.array(
        [SPLITS.index(name) if name in SPLITS else -1 for name in given], dtype=np.int8
    )
    notes: list[str] = []
    if policy == "imported" and not np.any(assigned == TRAIN):
        raise ConfigError(
            "No image was imported with a train split.",
            "Draw new splits with --split-policy random.",
        )
    if not np.any(assigned == TRAIN):
        assigned[:] = -1
    if np.any(assigned >= 0):
        assigned = _follow_groups(assigned, group_of)
        free = np.flatnonzero(assigned < 0)
        if len(free):
            notes.append(
                f"{plural(len(free), 'image')} came without a split and "
                f"{'was' if len(free) == 1 else 'were'} drawn at random."
            )
    else:
        free = np.arange(count)
    if len(free):
        assigned[free] = _stratify(free, labels, group_of, shares, seed)
    torn = _torn_groups(assigned, group_of)
    if count > 1 and not np.any(assigned == VALID):
        assigned, moved, cut = _carve_valid(assigned, labels, group_of, shares, seed)
        notes.append(
            f"All images of train are of one group, such as one video: its last {moved:,} are "
            "valid, and metrics will look better than they are. Import another video."
            if cut
            else f"There was no valid split: {plural(moved, 'image')} of train "
            f"{'was' if moved == 1 else 'were'} taken for it."
        )
    if torn:
        notes.append(
            f"{plural(torn, 'group')} of images, such as frames of one video, lie in several "
            "splits as they were imported: metrics will look better than they are."
        )
    return SplitPlan(
        {image: SPLITS[split] for image, split in zip(image_ids, assigned.tolist(), strict=True)},
        tuple(notes),
    )


def _group_numbers(groups: Sequence[str | None] | None, count: int) -> NDArray[np.int64]:
    """Number the groups; an image without a group is one of its own."""
    numbers: dict[str | int, int] = {}
    source = groups if groups is not None else [None] * count
    return np.array(
        [numbers.setdefault(at if name is None else name, len(numbers))
         for at, name in enumerate(source)],
        dtype=np.int64,
    )  # fmt: skip


def _labels_by_image(pairs: Sequence[tuple[int, int]], count: int) -> list[list[int]]:
    labels: list[list[int]] = [[] for _ in range(count)]
    for at, label in pairs:
        labels[at].append(label)
    return labels


def _follow_groups(assigned: NDArray[np.int8], group_of: NDArray[np.int64]) -> NDArray[np.int8]:
    """Give images without a split the commonest split of their group, if it has any."""
    votes: dict[int, Counter[int]] = defaultdict(Counter)
    for group, split in zip(group_of.tolist(), assigned.tolist(), strict=True):
        if split >= 0:
            votes[group][split] += 1
    result = assigned.copy()
    for at in np.flatnonzero(assigned < 0).tolist():
        group_votes = votes.get(int(group_of[at]))
        if group_votes:
            result[at] = min(group_votes, key=lambda split: (-group_votes[split], split))
    return result


def _torn_groups(assigned: NDArray[np.int8], group_of: NDArray[np.int64]) -> int:
    """Return how many groups lie in more than one split."""
    seen = np.unique(np.stack([group_of, assigned.astype(np.int64)]), axis=1)[0]
    return int(np.sum(np.bincount(seen) > 1)) if len(seen) else 0


def _carve_valid(
    assigned: NDArray[np.int8],
    labels: list[list[int]],
    group_of: NDArray[np.int64],
    shares: Shares,
    seed: int,
) -> tuple[NDArray[np.int8], int, bool]:
    """Move some of train to valid in the proportion of their shares.

    Return the splits, how many were moved, and whether a group was cut for it.
    """
    train = np.flatnonzero(assigned == TRAIN)
    both = shares[TRAIN] + shares[VALID]
    drawn = _stratify(
        train, labels, group_of, (shares[TRAIN] / both, shares[VALID] / both, 0.0), seed
    )
    if not np.any(drawn == VALID):
        # Too few images for a share of their own: the smallest group has to do, if one can go.
        units = np.unique(group_of[train], return_counts=True)
        if len(units[0]) > 1:
            drawn[group_of[train] == units[0][np.argmin(units[1])]] = VALID
    cut = len(train) > 1 and not np.any(drawn == VALID)
    if cut:
        drawn[_end_of(train, labels, shares[VALID] / both) :] = VALID
    result = assigned.copy()
    result[train] = drawn
    return result, int(np.sum(drawn == VALID)), cut


def _end_of(images: NDArray[np.int64], labels: list[list[int]], share: float) -> int:
    """Return where in `images` the last `share` of them begins; either side of it has one at least,
    and a labelled one where there are two.
    """
    at = len(images) - min(max(1, round(share * len(images))), len(images) - 1)
    labelled = [place for place, image in enumerate(images.tolist()) if labels[image]]
    return min(max(at, labelled[0] + 1), labelled[-1]) if len(labelled) > 1 else at


def _stratify(
    images: NDArray[np.int64],
    labels: list[list[int]],
    group_of: NDArray[np.int64],
    shares: Shares,
    seed: int,
) -> NDArray[np.int8]:
    """Return the split of each of `images` (positions), drawn by iterative stratification."""
    rng = np.random.default_rng(seed)
    # A unit is what moves together: the images of one group.
    unit_at: dict[int, int] = {}
    unit_of_image = [unit_at.setdefault(group, len(unit_at)) for group in group_of[images].tolist()]
    sizes = [0] * len(unit_at)
    classes: list[Counter[int]] = [Counter() for _ in unit_at]
    for image, unit in zip(images.tolist(), unit_of_image, strict=True):
        sizes[unit] += 1
        classes[unit].update(labels[image])

    # Larger units first, else at random: what comes last is best small.
    order = rng.permutation(len(sizes)).tolist()
    order.sort(key=lambda unit: -sizes[unit])
    units_of: dict[int, list[int]] = defaultdict(list)
    left: Counter[int] = Counter()
    for unit in order:
        for label in classes[unit]:
            units_of[label].append(unit)
            left[label] += 1
    totals: Counter[int] = Counter()
    for counts in classes:
        totals.update(counts)

    open_splits = [split for split in (TRAIN, VALID, TEST) if shares[split] > 0]
    room = [share * sum(sizes) for share in shares]
    wanted = {label: [share * total for share in shares] for label, total in totals.items()}
    reached: dict[int, set[int]] = defaultdict(set)
    result = [-1] * len(sizes)

    def place(unit: int, split: int) -> None:
        result[unit] = split
        room[split] -= sizes[unit]
        for label, count in classes[unit].items():
            wanted[label][split] -= count
            reached[label].add(split)
            left[label] -= 1

    while left:
        label = min(left, key=lambda name: (left[name], name))
        wants = wanted[label]
        for unit in units_of[label]:
            if result[unit] >= 0:
                continue
            missing = [split for split in (TRAIN, VALID) if split not in reached[label]]
            if missing:
                place(unit, missing[0])
            else:
                place(unit, max(open_splits, key=lambda split: (wants[split], room[split])))
        del left[label]
    for unit in order:
        if result[unit] < 0:
            place(unit, max(open_splits, key=lambda split: room[split]))
    by_unit = np.array(result, dtype=np.int8)
    return by_unit[np.array(unit_of_image, dtype=np.int64)]
