"""Caps on the images of a class, and images of rare classes shown more often."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from core.data.store import Project
from core.training.config.class_balance import (
    balance_note,
    capped,
    class_factors,
    drawn,
    epoch_length,
    repeat_factors,
)
from core.training.config.options import TrainingConfig
from core.training.launch.dataset import prepare

PERSON, CAR, OWL = 1, 2, 3


def street(people: int = 60, cars: int = 20, both: int = 10, owls: int = 4) -> list[set[int]]:
    """Return the classes of images: many of people, few of owls, two of nothing."""
    return [
        *({PERSON} for _ in range(people)),
        *({CAR} for _ in range(cars)),
        *({PERSON, CAR} for _ in range(both)),
        *({OWL, PERSON} for _ in range(owls)),
        *(set() for _ in range(2)),
    ]


def on(images: list[set[int]], kept: list[int]) -> Counter[int]:
    return Counter(class_id for at in kept for class_id in images[at])


@pytest.mark.parametrize("most", [1, 3, 12, 25, 1000])
def test_every_class_keeps_its_number_and_the_rest_stays_out(most: int) -> None:
    images = street()
    kept = capped(images, [None] * len(images), most, seed=42)
    assert kept == sorted(set(kept))
    shown, there = on(images, kept), on(images, list(range(len(images))))
    for class_id, count in there.items():
        assert shown[class_id] >= min(most, count)
    for at in set(range(len(images))) - set(kept):
        assert all(shown[class_id] >= most for class_id in images[at])
    # Only what rarer classes bring along goes past the number.
    assert shown[OWL] == min(most, 4)
    assert sum(not images[at] for at in kept) == min(most, 2)
    assert (len(kept) == len(images)) == (most == 1000)


def test_the_seed_decides_which() -> None:
    images = street()
    first = capped(images, [None] * len(images), 5, seed=1)
    assert capped(images, [None] * len(images), 5, seed=1) == first
    assert capped(images, [None] * len(images), 5, seed=2) != first
    assert capped([], [], 5, seed=1) == []


def test_no_video_pushes_out_the_others() -> None:
    groups = ["long"] * 90 + ["short"] * 5 + ["other"] * 5
    kept = capped([{PERSON}] * 100, groups, 9, seed=3)
    assert Counter(groups[at] for at in kept) == {"long": 3, "short": 3, "other": 3}
    # What belongs to nothing comes as often as the first frames do.
    kept = capped([{PERSON}] * 100, ["long"] * 90 + [None] * 10, 11, seed=3)
    assert sum(at >= 90 for at in kept) == 10


def test_factors_are_those_of_the_paper() -> None:
    images = [{PERSON}] * 96 + [{PERSON, OWL}] * 4
    factors = class_factors(images, 0.16)
    assert factors == {PERSON: 1.0, OWL: math.sqrt(0.16 / 0.04)}
    assert repeat_factors(images, 0.16).tolist() == [1.0] * 96 + [2.0] * 4
    assert repeat_factors([set(), {OWL}], 1.0).tolist() == [1.0, math.sqrt(2)]
    assert repeat_factors(images, 0.0).tolist() == [1.0] * 100
    assert epoch_length(repeat_factors(images, 0.16)) == 104
    assert epoch_length(np.array([1.5, 1.2])) == 3
    assert epoch_length(np.full(30, 1.1)) == 33


def test_draws_come_as_often_as_the_factors_say() -> None:
    factors = np.array([1.0, 1.25, 2.5, 3.0, 1.1])
    total: Counter[int] = Counter()
    for start in np.linspace(0, 1, 1000, endpoint=False).tolist():
        counts = Counter(drawn(factors, start))
        for at, factor in enumerate(factors.tolist()):
            assert counts[at] in (math.floor(factor), math.ceil(factor))
        assert sum(counts.values()) in (8, 9)
        total += counts
    assert [total[at] / 1000 for at in range(5)] == pytest.approx(factors.tolist(), abs=0.01)
    places = drawn(factors, 0.3)
    assert all(a <= b for a, b in pairwise(places))


def test_the_note_names_the_rarest() -> None:
    names = {PERSON: "person", CAR: "car", OWL: "[owl]"}
    assert balance_note(street(), names, 0.5) == (
        "An epoch shows images of rare classes more often: '[owl]' 3.5 times, 'car' 1.3 times."
    )
    assert "none is shown more often" in balance_note(street(), names, 0.001)
    many = [{class_id} for class_id in range(9)]
    assert balance_note(many, {c: str(c) for c in range(9)}, 0.5).endswith("and 6 more classes.")


def fill(project: Project) -> None:
    """Give a project 40 images of a class, 6 of another, each a tenth of them in valid."""
    from PIL import Image

    project.images_dir.joinpath("1").mkdir()
    with project.change("import", "made") as change:
        source = change.insert(
            "imports", {"kind": "coco", "origin": "here", "at": "2026-03-14", "active": 1}
        )
        labels = {}
        for name in ("often", "seldom"):
            of = change.insert("classes", {"name": name})
            labels[name] = change.insert(
                "labels", {"import_id": source, "name": name, "class_id": of}
            )
        for number in range(46):
            path = f"1/{number}.png"
            Image.new("RGB", (20, 20)).save(project.images_dir / path)
            image = change.insert("images", {
                "import_id": source, "path": path, "name": path, "width": 20, "height": 20,
                "split": "valid" if number in (0, 1, 2, 40) else "train",
            })  # fmt: skip
            label = labels["often" if number < 40 else "seldom"]
            box = {"x": 1, "y": 1, "w": 9, "h": 9}
            change.insert("annotations", {"image_id": image, "label_id": label, **box})


def test_only_train_is_sampled_and_it_is_told(tmp_path: Path) -> None:
    with Project.create(tmp_path / "birds") as project:
        fill(project)
        plain = prepare(project, TrainingConfig(), tmp_path / "out")
        assert plain.images == {"train": 42, "valid": 4, "test": 0}
        info = prepare(project, TrainingConfig(max_per_class=8), tmp_path / "out")
        assert info.images == {"train": 13, "valid": 4, "test": 0}
        assert info.per_class["train"] == {"often": 8, "seldom": 5}
        assert len(list((info.dir / "train").glob("*.png"))) == 13
        assert "Train keeps 13 of 42 images, about 8 of each class." in info.notes
        assert info.fingerprint != plain.fingerprint
        same = prepare(project, TrainingConfig(max_per_class=8), tmp_path / "out")
        assert same.fingerprint == info.fingerprint
        loose = prepare(project, TrainingConfig(max_per_class=1000), tmp_path / "out")
        assert (loose.images, loose.fingerprint) == (plain.images, plain.fingerprint)
        assert not any("keeps" in note for note in loose.notes)
        # Balancing shows images more often; what there is to learn from is the same.
        even = prepare(project, TrainingConfig(balance=0.5), tmp_path / "out")
        assert (even.images, even.fingerprint) == (plain.images, plain.fingerprint)
        assert any("'seldom' 2.0 times" in note for note in even.notes)
