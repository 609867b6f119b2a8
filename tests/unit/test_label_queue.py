"""What is worth a look first: the model against the labels, pictures it is unsure of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from labelled_rows import Labelled, labelled

from core.data.labels.matching import as_boxes, match
from core.data.labels.prompts import Prompts, set_prompts
from core.data.labels.queue import columns, match_pictures
from core.data.labels.queue.columns import PARTS, Query, columns_of_all, in_parts, place_of
from core.data.labels.queue.compare import Comparison, compare
from core.data.labels.queue.decided import decided, decided_by_pass, decided_of_class
from core.data.labels.queue.pair_up import candidates, greedy
from core.data.labels.queue.unsure import unsure

A, B, C = (10.0, 10.0, 100.0, 80.0), (200.0, 20.0, 60.0, 60.0), (20.0, 200.0, 50.0, 50.0)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Labelled]:
    with labelled(tmp_path / "yard") as project:
        yield project


def kinds(found: Comparison) -> dict[int, list[str]]:
    """The kinds of differences by picture, in the order of the list."""
    return {entry.image_id: sorted(d.kind for d in entry.differences) for entry in found.entries}


def test_each_kind_of_difference_is_found_and_the_order_is_that_of_the_measure(
    made: Labelled,
) -> None:
    looked = made.looked(1, 2, 3, 4, 5)
    made.found(looked, 1, "crane", A, 0.9)  # 1: found but not labelled, and labelled but not found
    made.label(1, "crane", B)
    made.label(2, "crane", A)  # 2: of another class
    wrong = made.found(looked, 2, "vest", A, 0.8)
    made.label(3, "crane", A)  # 3: a loose box, IoU 0.75
    made.found(looked, 3, "crane", (10, 10, 75, 80), 0.7)
    made.label(4, "crane", A)  # 4: as it should be
    made.found(looked, 4, "crane", A, 0.9)
    made.label(6, "crane", A)  # 6: no pass looked at it
    found = compare(made.project)
    assert kinds(found) == {1: ["extra", "missing"], 2: ["other"], 3: ["loose"]}
    assert [entry.value for entry in found.entries] == [2.0, 1.0, 0.25]
    assert (found.total, found.looked_at) == (3, 5)
    assert found.counts == {"extra": 1, "missing": 1, "other": 1, "loose": 1}
    assert found.entries[0].why == "1 found but not labelled, 1 labelled but not found"
    (other,) = found.entries[1].differences
    assert (other.suggestion_id, other.found_class, other.label_class) == (wrong, 2, 1)
    assert (other.score, other.iou) == (0.8, 1.0)
    assert [e.image_id for e in compare(made.project, limit=1).entries] == [1]
    assert kinds(compare(made.project, image_ids=[3, 4])) == {3: ["loose"]}


def test_the_newest_pass_that_looked_is_held_against_the_labels_as_they_are_now(
    made: Labelled,
) -> None:
    old = made.looked(1, 2)
    made.found(old, 1, "crane", A, 0.9)
    made.found(old, 2, "crane", A, 0.9)
    new = made.looked(1, model="run:yard-2")
    assert kinds(compare(made.project)) == {2: ["extra"]}
    assert kinds(compare(made.project, pass_id=old)) == {1: ["extra"], 2: ["extra"]}
    made.label(2, "crane", A)
    assert kinds(compare(made.project)) == {}
    made.label(1, "crane", A)
    assert compare(made.project).entries[0].pass_id == new
    with made.project.change("t", "t") as change:  # as undo of the pass does
        change.update("passes", new, {"active": 0})
    assert kinds(compare(made.project)) == {}


def test_what_a_person_decided_is_settled(made: Labelled) -> None:
    looked = made.looked(1, 2, 3, 4)
    made.found(looked, 1, "crane", A, 0.9, state="rejected")
    made.found(looked, 1, "crane", B, 0.9, state="repeated")
    # Accepted and then mended a lot: neither missing nor loose.
    label = made.label(2, "crane", (60, 10, 50, 30), source="model", edited=1)
    made.found(looked, 2, "crane", A, 0.9, state="accepted", annotation_id=label)
    label = made.label(3, "crane", (10, 10, 70, 80), source="model", edited=1)
    made.found(looked, 3, "crane", A, 0.9, state="accepted", annotation_id=label)
    made.label(4, "crane", A)
    assert kinds(compare(made.project)) == {4: ["missing"]}
    # Reviewed before the pass: asked; after it: settled.
    made.review(4, at="2026-03-14T12:00:00+00:00")
    assert kinds(compare(made.project)) == {4: ["missing"]}
    made.review(4, "later", at="2026-03-16T12:00:00+00:00")
    assert kinds(compare(made.project)) == {4: ["missing"]}
    made.review(4, at="2026-03-16T12:00:01+00:00")
    assert kinds(compare(made.project)) == {}
    assert kinds(compare(made.project, settled=True)) == {4: ["missing"]}


def test_only_what_the_pass_looked_for_can_be_missing(made: Labelled) -> None:
    looked = made.looked(1, classes=("crane",))
    made.label(1, "vest", B)
    made.label(1, "hook", A)
    made.found(looked, 1, "crane", A, 0.9)  # is labelled, as something the pass does not know
    assert kinds(compare(made.project)) == {}


def test_crowds_count_neither_way(made: Labelled) -> None:
    looked = made.looked(1)
    made.label(1, "crane", A, iscrowd=1)
    assert kinds(compare(made.project)) == {}
    made.found(looked, 1, "crane", A, 0.9)
    assert kinds(compare(made.project)) == {}


def test_scores_below_what_is_shown_find_labels_but_ask_for_none(made: Labelled) -> None:
    looked = made.looked(1, 2, 3)
    made.label(1, "crane", A)
    made.found(looked, 1, "crane", A, 0.2)  # a weak find is a find
    made.found(looked, 2, "crane", A, 0.4)
    made.found(looked, 3, "vest", A, 0.9)  # the label's own class is seen less surely
    made.label(3, "crane", A)
    made.found(looked, 3, "crane", A, 0.2)
    assert kinds(compare(made.project)) == {3: ["other"]}
    assert kinds(compare(made.project, least=0.3)) == {2: ["extra"], 3: ["other"]}
    set_prompts(made.project, made.classes["crane"], Prompts(least=0.35))
    assert kinds(compare(made.project)) == {2: ["extra"], 3: ["other"]}


def test_the_surest_suggestion_takes_the_label(made: Labelled) -> None:
    looked = made.looked(1)
    made.label(1, "crane", A)
    made.found(looked, 1, "crane", (10, 10, 90, 80), 0.6)
    sure = made.found(looked, 1, "crane", (10, 10, 80, 80), 0.9)
    weak = made.found(looked, 1, "crane", A, 0.55)
    (entry,) = compare(made.project).entries
    extra = [d.suggestion_id for d in entry.differences if d.kind == "extra"]
    assert sure not in extra
    assert weak in extra
    assert entry.value == pytest.approx(2 + 0.2)


def test_suggestions_of_deleted_classes_and_labels_are_not_compared(made: Labelled) -> None:
    from core.data.classes import delete

    made.looked(1)
    made.label(1, "hook", A)
    made.label(1, "vest", B, deleted=1)
    delete(made.project, ["hook"])
    assert kinds(compare(made.project)) == {}


def test_rows_are_read_in_parts_at_the_same_time(
    made: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = [made.label(1 + at % 5, "crane", (at, 10, 20, 20)) for at in range(11)]
    project = made.project
    whole = Query({"id": "id", "x": "x"}, "FROM annotations WHERE deleted = ?", [0])
    assert len(in_parts(project, "annotations", whole)) == 1, "few rows are not worth it"
    monkeypatch.setattr(columns, "_WORTH_A_PART", 1)
    monkeypatch.setattr(columns, "cores", lambda: 3)
    parts = in_parts(project, "annotations", whole)
    read = columns_of_all(project, parts)
    assert [len(part["id"]) for part in read] == [3, 4, 4]
    assert [number for part in read for number in part["id"]] == labels
    project.db.execute("SELECT 1").fetchone()
    assert not project.db.in_transaction, "and nobody is kept from writing"

    # A writer that waits for the readers lets no new ones in: what is read beside is not.
    project.db.execute("BEGIN")
    project.db.execute("SELECT count(*) FROM annotations").fetchone()
    with closing(
        sqlite3.connect(project.path / "project.db", timeout=0, isolation_level=None)
    ) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE annotations SET x = 1")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.execute("COMMIT")
        assert columns._read_beside(project.path / "project.db", whole) is None
        again = columns_of_all(project, parts)
        assert [part["x"].tolist() for part in again] == [part["x"].tolist() for part in read]
        writer.execute("ROLLBACK")
    project.db.execute("ROLLBACK")


def test_pairing_many_is_pairing_one_by_one() -> None:
    """Against `matching` where scores put no order, and against a plain loop where they do."""
    rng = np.random.default_rng(7)
    first = np.sort(rng.integers(0, 40, 300))
    second = np.sort(rng.integers(0, 40, 280))

    def boxes(count: int) -> np.ndarray:
        corner, size = rng.integers(0, 40, (count, 2)), rng.integers(20, 60, (count, 2))
        return np.hstack([corner, corner + size]).T.astype(float)

    one, other, scores = boxes(300), boxes(280), rng.random(300)
    pairs = candidates(first, one, second, other, 0.5)
    stays = pairs.take(greedy(pairs, scores))
    got = set(zip(stays.first.tolist(), stays.second.tolist(), strict=True))
    want = set()
    taken: set[int] = set()
    sides = lambda b: as_boxes(np.column_stack([b[0], b[1], b[2] - b[0], b[3] - b[1]]))  # noqa: E731
    for at in np.argsort(-scores, kind="stable").tolist():
        here = [i for i in np.flatnonzero(second == first[at]).tolist() if i not in taken]
        best = match(sides(one[:, [at]]), sides(other[:, here])) if here else []
        if best:
            want.add((at, here[best[0].second]))
            taken.add(here[best[0].second])
    assert got == want
    assert len(got) > 80
    assert PARTS == 1024


def test_pictures_are_matched_in_parts_as_all_at_once(
    made: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = made.looked(1, 2, 3, 4, 5)
    made.found(looked, 1, "crane", A, 0.9)
    made.label(2, "crane", A)
    made.found(looked, 2, "vest", A, 0.8)
    made.label(3, "crane", A)
    made.found(looked, 3, "crane", (10, 10, 75, 80), 0.7)
    made.label(5, "crane", B)
    whole = compare(made.project)
    monkeypatch.setattr(match_pictures, "_WORTH_A_PART", 1)
    for cores in (2, 3, 5):
        monkeypatch.setattr(match_pictures, "cores", lambda cores=cores: cores)
        assert compare(made.project) == whole
    assert whole.counts == {"extra": 1, "missing": 1, "other": 1, "loose": 1}


@pytest.mark.parametrize("last", [40, 10**12])
def test_numbers_are_found_whether_they_lie_close_together_or_not(last: int) -> None:
    listed = np.array([3, 4, 9, last])
    at, there = place_of(listed, np.array([9, 5, 0, last, last + 1]))
    assert there.tolist() == [True, False, False, True, False]
    assert at[there].tolist() == [2, 3]
    nothing = place_of(np.zeros(0, np.int64), np.array([1]))
    assert not nothing[1].any()
    boxes = np.array([[0.0] * 4, [0.0] * 4, [9.0] * 4, [9.0] * 4])
    second = np.array([3, 3, 9, last])
    pairs = candidates(listed, boxes, second, boxes, 0.5)
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [
        (0, 0), (0, 1), (2, 2), (3, 3),
    ]  # fmt: skip


# Pictures without labels


def test_unlabelled_pictures_come_by_how_unsure_the_model_is(made: Labelled) -> None:
    looked = made.looked(1, 2, 3, 4, 5)
    for score in (0.95, 0.9):
        made.found(looked, 1, "crane", A, score)
    for score in (0.5, 0.4):
        made.found(looked, 2, "crane", A, score)
    made.found(looked, 3, "crane", A, 0.5, state="rejected")
    made.found(looked, 4, "crane", A, 0.5)
    made.label(4, "vest", B)  # labelled: `compare` is for these
    made.found(looked, 5, "crane", A, 0.5)
    made.review(5)
    found = unsure(made.project)
    assert [(entry.image_id, entry.value) for entry in found.entries] == [(2, 1.8), (1, 0.3)]
    assert found.total == 2
    assert found.entries[0].why == (
        "2 of 2 suggestions between 0.25 and 0.75; perhaps crane, on 0 pictures so far"
    )
    assert len(unsure(made.project, limit=1).entries) == 1


def test_rare_classes_have_an_order_of_their_own(made: Labelled) -> None:
    for _ in range(2):
        made.label(6, "crane", A)
    looked = made.looked(1, 2, 3, 4)
    made.found(looked, 1, "hook", A, 0.6)
    made.found(looked, 2, "hook", A, 0.9)
    made.found(looked, 3, "crane", A, 0.5)
    made.found(looked, 4, "hook", A, 0.3)  # below what is shown
    found = unsure(made.project, by="rare")
    assert [entry.image_id for entry in found.entries] == [2, 1]
    assert found.entries[0].rare_class == "hook"
    assert found.entries[0].why.endswith("perhaps hook, on 0 pictures so far")
    assert [entry.image_id for entry in unsure(made.project).entries] == [3, 1, 4, 2]


def test_a_project_without_passes_has_empty_lists(made: Labelled) -> None:
    assert unsure(made.project).entries == ()
    assert compare(made.project).entries == ()
    assert decided(made.project) == ()


# How right suggestions were


def test_decisions_are_counted_by_class_and_band(made: Labelled) -> None:
    looked = made.looked(1)
    right = made.label(1, "crane", A, source="model")
    mended = made.label(1, "crane", A, source="model", edited=1)
    gone = made.label(1, "crane", A, source="model", deleted=1)
    for score, more in (
        (0.62, {"state": "accepted", "annotation_id": right}),
        (0.65, {"state": "accepted", "annotation_id": mended}),
        (0.66, {"state": "accepted", "annotation_id": gone}),
        (1.0, {"state": "accepted", "annotation_id": right}),
        (0.15, {"state": "rejected"}),
        (0.5, {}),
        (0.5, {"state": "agrees"}),
        (0.5, {"state": "superseded"}),
    ):
        made.found(looked, 1, "crane", A, score, **more)
    made.found(looked, 1, "vest", A, 0.3, state="rejected")
    crane, vest = decided(made.project)
    assert (crane.counts.unchanged, crane.counts.mended, crane.counts.rejected) == (2, 1, 2)
    assert (crane.counts.n, crane.counts.right) == (5, 3)
    bands = {(band.low, band.high): (band.counts.right, band.counts.n) for band in crane.bands}
    assert bands == {(0.1, 0.2): (0, 1), (0.6, 0.7): (2, 3), (0.9, 1.0): (1, 1)}
    assert crane.threshold is None  # too few
    assert (vest.name, vest.counts.rejected) == ("vest", 1)
    assert [decided_of_class(made.project, each) for each in (1, 2, 3)] == [crane, vest, None]
    second = made.looked(2, model="run:yard-2")
    made.found(second, 2, "vest", A, 0.9, state="rejected")
    passes = decided_by_pass(made.project)
    assert [(p.model, p.counts.n, p.open) for p in passes] == [
        ("run:yard-2", 1, 0), ("run:yard-1", 6, 1),
    ]  # fmt: skip
    assert decided(made.project, second)[0].counts.n == 1


def test_the_threshold_is_the_lowest_score_with_enough_right(made: Labelled) -> None:
    looked = made.looked(1)
    label = made.label(1, "crane", A, source="model")
    accepted = {"state": "accepted", "annotation_id": label}
    for number in range(40):
        made.found(looked, 1, "crane", A, 0.6 + number / 100, **accepted)
    made.found(looked, 1, "crane", A, 0.62, state="rejected")  # 40 of 41 right: 97.6 %
    made.found(looked, 1, "crane", A, 0.3, state="rejected")
    made.found(looked, 1, "crane", A, 0.4, state="rejected")
    (crane,) = decided(made.project)
    assert crane.threshold == pytest.approx(0.6)
    assert (crane.above.right, crane.above.n) == (40, 41)
    for number in range(19):
        made.found(looked, 1, "vest", A, 0.9 + number / 1000, **accepted)
    assert decided(made.project)[1].threshold is None
    made.found(looked, 1, "vest", A, 0.5, **accepted)
    assert decided(made.project)[1].threshold == 0.5
