"""Classes that change while models propose boxes of them, and what suggestions never touch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from import_data import png, put
from labelled_rows import Labelled, labelled

from core.data.classes import delete, list_classes, merge, rename
from core.data.health import check
from core.data.labels.prompts import Example, Prompts, prompts_of, set_prompts
from core.data.labels.view import picture_labels
from core.data.store import Project

A, B = (10.0, 10.0, 100.0, 80.0), (200.0, 20.0, 60.0, 60.0)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Labelled]:
    with labelled(tmp_path / "yard") as project:
        yield project


def stored(project: Project) -> dict[str, Any]:
    """All that hangs on classes, row by row."""
    return {
        table: [tuple(row) for row in project.db.execute(f"SELECT * FROM {table} ORDER BY id")]
        for table in ("classes", "labels", "suggestions", "passes", "tracks")
    }


def test_a_merged_class_hands_its_suggestions_on_and_undo_puts_them_back(made: Labelled) -> None:
    looked = made.looked(1, 2, classes=("vest", "hook"))
    open_ = made.found(looked, 1, "vest", A, 0.6)
    rejected = made.found(looked, 1, "vest", B, 0.9, state="rejected")
    made.found(looked, 2, "hook", A, 0.5)
    with made.project.change("t", "t") as change:
        change.insert("tracks", {"grp": "film", "class_id": made.classes["vest"]})
    before = stored(made.project)
    merge(made.project, ["vest"], "crane")
    crane = made.classes["crane"]
    (suggestion,) = picture_labels(made.project, 1).suggestions
    assert (suggestion.id, suggestion.class_id) == (open_, crane)
    query = "SELECT class_id FROM v_suggestions WHERE id = ?"
    assert made.project.db.execute(query, (rejected,)).fetchone()[0] == crane
    assert made.project.db.execute("SELECT class_id FROM tracks").fetchone()[0] == crane
    detail = json.loads(made.project.db.execute("SELECT detail FROM passes").fetchone()[0])
    assert detail["classes"] == [crane, made.classes["hook"]]
    made.project.undo()
    assert stored(made.project) == before
    made.project.redo()
    assert picture_labels(made.project, 1).suggestions[0].class_id == crane


def test_of_two_that_are_one_now_the_surer_stays_open(made: Labelled) -> None:
    looked = made.looked(1)
    made.found(looked, 1, "vest", A, 0.6)
    sure = made.found(looked, 1, "crane", (12, 10, 100, 80), 0.8)
    apart = made.found(looked, 1, "vest", B, 0.3)
    made.found(looked, 1, "hook", A, 0.2)
    merge(made.project, ["vest", "hook"], "crane")
    assert {s.id for s in picture_labels(made.project, 1).suggestions} == {sure, apart}
    made.project.undo()
    assert len(picture_labels(made.project, 1).suggestions) == 4


def test_what_agrees_with_a_label_after_a_merge_is_open_no_more(made: Labelled) -> None:
    looked = made.looked(1, 2)
    made.label(1, "vest", A)
    same = made.found(looked, 1, "crane", (12, 10, 100, 80), 0.8)
    apart = made.found(looked, 1, "crane", B, 0.8)
    made.label(2, "crane", A)
    theirs = made.found(looked, 2, "vest", A, 0.7)
    before = stored(made.project)
    merge(made.project, ["vest"], "crane")
    assert {s.id for s in picture_labels(made.project, 1).suggestions} == {apart}
    assert picture_labels(made.project, 2).suggestions == ()
    query = "SELECT state FROM suggestions WHERE id IN (?, ?)"
    states = made.project.db.execute(query, (same, theirs)).fetchall()
    assert [row[0] for row in states] == ["agrees", "agrees"]
    made.project.undo()
    assert stored(made.project) == before


def test_a_merged_class_hands_its_prompts_on(made: Labelled) -> None:
    label = made.label(1, "vest", A)
    set_prompts(
        made.project, made.classes["vest"],
        Prompts(("yellow vest", "safety jacket"), (Example(label),), 0.3),
    )  # fmt: skip
    merge(made.project, ["vest"], "crane")
    found = prompts_of(made.project)[made.classes["crane"]]
    assert found == Prompts(("crane", "yellow vest", "safety jacket"), (Example(label),), 0.3)
    made.project.undo()
    assert prompts_of(made.project)[made.classes["crane"]] == Prompts(("crane",))
    set_prompts(made.project, made.classes["crane"], Prompts(("tower crane",), (), 0.6))
    merge(made.project, ["vest"], "crane")
    found = prompts_of(made.project)[made.classes["crane"]]
    assert found.phrases == ("tower crane", "yellow vest", "safety jacket")
    assert found.least == 0.6


def test_renamed_and_deleted_classes_keep_their_suggestions(made: Labelled) -> None:
    looked = made.looked(1)
    made.found(looked, 1, "vest", A, 0.6)
    set_prompts(made.project, made.classes["vest"], Prompts(("yellow vest",)))
    rename(made.project, "vest", "jacket")
    assert len(picture_labels(made.project, 1).suggestions) == 1
    assert prompts_of(made.project)[made.classes["vest"]].phrases == ("yellow vest",)
    delete(made.project, ["jacket"])
    assert picture_labels(made.project, 1).suggestions == ()
    made.project.undo()
    assert len(picture_labels(made.project, 1).suggestions) == 1
    delete(made.project, ["jacket"], reassign_to="crane")
    assert picture_labels(made.project, 1).suggestions[0].class_id == made.classes["crane"]


def test_suggestions_touch_neither_counts_nor_checks(made: Labelled) -> None:
    for number in range(1, 7):
        put(made.project.images_dir / f"1/p{number}.png", png(400, 300))
        made.label(number, "crane", A)

    def told() -> tuple[Any, ...]:
        findings = [(f.kind, f.message, f.ids) for f in check(made.project).findings]
        counts = [(row.name, row.annotations, row.images) for row in list_classes(made.project)]
        return findings, counts, made.project.summary().annotations

    before = told()
    looked = made.looked(*range(1, 7))
    # Twice the same, outside, tiny, of a class without a label: a check of labels would tell.
    for box in (A, A, (-50.0, -50.0, 900.0, 900.0), (5.0, 5.0, 0.5, 0.5)):
        for state in ("open", "rejected", "agrees", "superseded"):
            made.found(looked, 1, "vest", box, 0.9, state=state)
            made.found(looked, 2, "crane", box, 0.9, state=state)
    assert told() == before
