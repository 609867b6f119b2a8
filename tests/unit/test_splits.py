"""Splits: near the shares for every class, whole groups, the same every time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from core.common.errors import ConfigError
from core.data.splits.assign import SPLITS, assign_splits

SHARES = (0.7, 0.15, 0.15)
Pairs = list[tuple[int, int]]


def long_tailed(images: int, classes: int, seed: int, most: int = 5) -> Pairs:
    """Images with none to `most` classes each, the n-th class about 1/n as common as the first."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, classes + 1)
    weights /= weights.sum()
    sizes = rng.integers(0, most + 1, size=images)
    return sorted(
        {(i, int(c)) for i in range(images) for c in rng.choice(classes, sizes[i], p=weights)}
    )


@pytest.mark.parametrize("seed", range(5))
def test_every_class_is_near_its_share(seed: int) -> None:
    count, pairs = 2000, long_tailed(2000, 30, seed)
    plan = assign_splits(range(count), pairs, shares=SHARES, seed=seed)
    totals = Counter(label for _, label in pairs)
    placed = Counter((label, plan.splits[at]) for at, label in pairs)
    for label, total in totals.items():
        for split, share in zip(SPLITS, SHARES, strict=True):
            assert abs(placed[label, split] - share * total) <= max(3, 0.02 * total)
    for split, share in zip(SPLITS, SHARES, strict=True):
        assert abs(plan.counts()[split] - share * count) < 0.02 * count


def test_it_is_better_than_drawing_at_random() -> None:
    count, pairs = 500, long_tailed(500, 40, 3)
    totals = Counter(label for _, label in pairs)

    def worst(splits: dict[int, str]) -> float:
        placed = Counter(label for at, label in pairs if splits[at] == "valid")
        return max(abs(placed[c] / n - 0.15) for c, n in totals.items() if n >= 10)

    ours = worst(assign_splits(range(count), pairs, shares=SHARES, seed=0).splits)
    names = np.repeat(SPLITS, [350, 75, 75])
    random = [
        worst(dict(enumerate(np.random.default_rng(s).permutation(names).tolist())))
        for s in range(20)
    ]
    assert ours < min(random)
    assert ours < float(np.median(random)) / 2.5


def test_a_rare_class_reaches_train_and_valid() -> None:
    # Ten classes of two or three images among a crowd of common ones.
    rare = [(at, 100 + at // 3) for at in range(30)] + [(30, 110), (31, 110)]
    pairs = rare + [(at, 0) for at in range(400)]
    plan = assign_splits(range(400), pairs, shares=SHARES, seed=1)
    for label in range(100, 111):
        reached = {plan.splits[at] for at, found in rare if found == label}
        assert {"train", "valid"} <= reached


def test_a_class_with_one_image_is_for_training() -> None:
    for seed in range(20):
        pairs = [(at, 0) for at in range(10)] + [(3, 1)]
        assert assign_splits(range(10), pairs, shares=SHARES, seed=seed).splits[3] == "train"


@pytest.mark.parametrize("seed", range(4))
def test_groups_stay_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 1500
    groups = [f"v{g}" if g < 60 else None for g in rng.integers(0, 90, size=count).tolist()]
    plan = assign_splits(
        range(count), long_tailed(count, 12, seed), shares=SHARES, seed=seed, groups=groups
    )
    homes: dict[str, set[str]] = {}
    for at, group in enumerate(groups):
        if group is not None:
            homes.setdefault(group, set()).add(plan.splits[at])
    assert len(homes) == 60
    assert all(len(splits) == 1 for splits in homes.values())
    assert abs(plan.counts()["train"] - 0.7 * count) < 0.05 * count


def test_the_seed_decides() -> None:
    pairs = long_tailed(300, 8, 0)
    first, again, other = (
        assign_splits(range(300), pairs, shares=SHARES, seed=seed).splits for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_imported_splits_are_kept() -> None:
    imported = ["train"] * 6 + ["valid"] * 2 + ["test"] * 2
    pairs = [(at, 0) for at in range(10)]
    kept = assign_splits(range(10), pairs, shares=SHARES, seed=5, imported=imported)
    assert list(kept.splits.values()) == imported
    assert kept.notes == ()
    drawn = assign_splits(
        range(10), pairs, shares=SHARES, seed=5, imported=imported, policy="random"
    )
    assert list(drawn.splits.values()) != imported


def test_images_without_a_split_join_those_with_one() -> None:
    imported = ["train"] * 40 + ["valid"] * 10 + [None] * 100
    plan = assign_splits(
        range(150), [(at, 0) for at in range(150)], shares=SHARES, seed=5, imported=imported
    )
    assert [plan.splits[at] for at in range(50)] == imported[:50]
    assert Counter(plan.splits[at] for at in range(50, 150)) == {
        "train": 70, "valid": 15, "test": 15,
    }  # fmt: skip
    assert "100 images" in plan.notes[0]


def test_a_frame_follows_its_video() -> None:
    plan = assign_splits(
        range(6),
        [(at, 0) for at in range(6)],
        shares=SHARES,
        seed=0,
        groups=["a", "a", "b", "b", None, None],
        imported=["valid", None, "train", None, "train", "valid"],
    )
    assert plan.splits[1] == "valid"
    assert plan.splits[3] == "train"


def test_valid_is_taken_from_train_when_it_is_missing() -> None:
    imported = ["train"] * 85 + ["test"] * 15
    pairs = [(at, at % 3) for at in range(100)]
    plan = assign_splits(range(100), pairs, shares=SHARES, seed=0, imported=imported)
    assert all(plan.splits[at] == "test" for at in range(85, 100))
    assert plan.counts() == {"train": 70, "valid": 15, "test": 15}
    assert "no valid split" in plan.notes[0]
    few = assign_splits([7, 9], [(0, 0), (1, 0)], shares=SHARES, seed=0, imported=["train"] * 2)
    assert sorted(few.splits.values()) == ["train", "valid"]


def test_an_import_without_train_is_drawn_anew() -> None:
    imported = ["test"] * 100
    pairs = [(at, 0) for at in range(100)]
    plan = assign_splits(range(100), pairs, shares=SHARES, seed=0, imported=imported)
    assert plan.counts() == {"train": 70, "valid": 15, "test": 15}
    with pytest.raises(ConfigError, match="train"):
        assign_splits(
            range(100), pairs, shares=SHARES, seed=0, imported=imported, policy="imported"
        )


def test_a_video_torn_by_the_import_is_told() -> None:
    plan = assign_splits(
        range(4),
        [(at, 0) for at in range(4)],
        shares=SHARES,
        seed=0,
        groups=["a", "a", "b", "b"],
        imported=["train", "valid", "train", "train"],
    )
    assert any("1 group" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("labelled", "valid"),
    [
        (range(20), {16, 17, 18, 19}),  # 15 of 85 parts
        (range(5), {4, *range(5, 20)}),  # labelled no further yet
        (range(18, 20), {19}),
        ([], {16, 17, 18, 19}),
    ],
)
def test_the_only_video_is_cut_in_time(labelled: Sequence[int], valid: set[int]) -> None:
    pairs = [(at, 0) for at in labelled]
    plan = assign_splits(range(20), pairs, shares=SHARES, seed=0, groups=["v"] * 20)
    assert {at for at, split in plan.splits.items() if split == "valid"} == valid
    assert plan.counts()["train"] == 20 - len(valid)
    (note,) = plan.notes
    assert f"its last {len(valid)} are valid" in note
    imported = ["train"] * 20 + ["test"] * 4
    both = assign_splits(
        range(24), pairs, shares=SHARES, seed=0, groups=["v"] * 20 + ["w"] * 4, imported=imported
    )
    assert {at for at, split in both.splits.items() if split == "valid"} == valid


def test_no_share_no_image() -> None:
    plan = assign_splits(range(50), [(at, 0) for at in range(40)], shares=(0.8, 0.2, 0.0), seed=0)
    assert plan.counts() == {"train": 40, "valid": 10, "test": 0}
    assert assign_splits([], [], shares=SHARES, seed=0).splits == {}
    assert assign_splits([5], [(0, 1)], shares=SHARES, seed=0).splits == {5: "train"}


def test_120_000_images_take_seconds() -> None:
    pairs = long_tailed(120_000, 80, 0)
    start = time.process_time()
    assign_splits(range(120_000), pairs, shares=SHARES, seed=0)
    # 0.8 s alone on one core; the limit leaves room for a loaded machine, not for a slow method.
    assert time.process_time() - start < 6
