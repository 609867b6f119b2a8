"""Editing labels, suggestions and passes, and taking edits back, on a small project."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.common.errors import BatmanError
from core.data.classes import delete as delete_classes
from core.data.classes import merge
from core.data.images.rows import delete_images
from core.data.labels.bulk import accept_all, decide, reject_all
from core.data.labels.edit import EditConflict, Edited, edit
from core.data.labels.history import folded
from core.data.labels.ops import parse_ops
from core.data.labels.passes import Found, PassInfo, list_passes, record_pass
from core.data.labels.prompts import Example, Prompts, prompts_of, set_prompts
from core.data.labels.suppress import suppress
from core.data.labels.view import LabelError, picture_labels, progress
from core.data.store import ChangedSince, Project

CAR, DOG = 1, 2
RUN = PassInfo("run", "shapes-1", (CAR, DOG))


@pytest.fixture
def project(tmp_path: Path):
    """Three pictures of 100 × 80; the first has a car at 10, 10, 20, 20 from its import."""
    with Project.create(tmp_path / "street") as made:
        with made.change("import", "Import") as change:
            change.insert("imports", {"kind": "coco", "origin": "o", "at": "2026", "active": 1})
            for name in ("car", "dog"):
                change.insert("classes", {"name": name})
            change.insert("labels", {"import_id": 1, "name": "auto", "class_id": CAR})
            for name in "abc":
                row = {"import_id": 1, "path": f"1/{name}.jpg", "name": f"{name}.jpg", "grp": "v"}
                change.insert("images", {**row, "width": 100, "height": 80})
            box = {"x": 10.0, "y": 10.0, "w": 20.0, "h": 20.0}
            change.insert("annotations", {"image_id": 1, "label_id": 1, **box})
        yield made


def do(project: Project, image: int, *ops: dict[str, object], key: str | None = None) -> Edited:
    return edit(project, image, parse_ops(list(ops)), key)


def known(project: Project, image: int, at: int = 0) -> dict[str, object]:
    box = picture_labels(project, image).boxes[at]
    return {"id": box.id, "was": {"box": box.box, "class": box.class_id}}


def counts(project: Project) -> list[tuple[str, int, int]]:
    stored = project.db.execute("SELECT name, annotations, images FROM labels ORDER BY id")
    counted = project.db.execute(
        "SELECT name,"
        " (SELECT count(*) FROM annotations WHERE label_id = labels.id AND deleted = 0),"
        " (SELECT count(DISTINCT image_id) FROM annotations WHERE label_id = labels.id"
        " AND deleted = 0) FROM labels ORDER BY id"
    )
    rows = [tuple(row) for row in stored]
    assert rows == [tuple(row) for row in counted]
    return rows


def rows(project: Project) -> list[tuple[object, ...]]:
    tables = ("images", "annotations", "labels", "classes", "passes", "suggestions")
    return [
        (table, *row) for table in tables for row in project.db.execute(f"SELECT * FROM {table}")
    ]


def a_pass(project: Project, *found: tuple[int, Found]) -> int:
    by_image: dict[int, list[Found]] = {1: [], 2: [], 3: []}
    for image, item in found:
        by_image[image].append(item)
    return record_pass(project, RUN, by_image.items()).pass_id


def test_drawing_changing_and_removing_boxes(project: Project) -> None:
    done = do(project, 2, {"op": "add", "class": DOG, "box": [-5, 5, 20, 500]})
    (box,) = done.picture.boxes
    assert (box.box, box.class_id, box.source, box.edited) == ((0, 5, 15, 75), DOG, "person", False)
    assert counts(project) == [("auto", 1, 1), ("dog", 1, 1)]
    moved = {"op": "set", **known(project, 2), "box": [1, 2, 3, 4], "class": CAR}
    (box,) = do(project, 2, moved).picture.boxes
    assert (box.box, box.class_id, box.edited) == ((1, 2, 3, 4), CAR, True)
    assert counts(project) == [("auto", 2, 2), ("dog", 0, 0)]
    assert do(project, 2, {"op": "delete", **known(project, 2)}).picture.boxes == ()
    assert counts(project) == [("auto", 1, 1), ("dog", 0, 0)]
    lines = [(line.count, line.summary) for line in folded(project.history())]
    assert lines[0] == (3, "b.jpg: 1 added, 1 moved, 1 reclassed, 1 deleted")


def test_a_changed_box_loses_the_outline_that_was_the_old_ones(project: Project) -> None:
    project.db.execute("UPDATE annotations SET segmentation = '[[1,2,3,4,5,6]]', area = 7")
    do(project, 1, {"op": "set", **known(project, 1), "class": DOG})
    assert picture_labels(project, 1).boxes[0].outline
    do(project, 1, {"op": "set", **known(project, 1), "box": [0, 0, 9, 9]})
    assert not picture_labels(project, 1).boxes[0].outline
    project.undo()
    assert picture_labels(project, 1).boxes[0].outline


@pytest.mark.parametrize(
    ("op", "said"),
    [
        ({"op": "add", "class": 9, "box": [0, 0, 5, 5]}, "no class 9"),
        ({"op": "add", "class": CAR, "box": [200, 0, 5, 5]}, "no pixel"),
        ({"op": "add", "class": CAR, "box": [0, 0, 0.5, 5]}, "no pixel"),
        ({"op": "add", "class": CAR, "box": [0, 0, float("nan"), 5]}, "no pixel"),
        ({"op": "accept", "id": 5}, "not there"),
        ({"op": "copy", "image": 77}, "no picture 77"),
    ],
)
def test_what_makes_no_sense_changes_nothing(project: Project, op, said: str) -> None:
    before = rows(project)
    with pytest.raises(LabelError, match=said):
        do(project, 2, {"op": "add", "class": CAR, "box": [0, 0, 5, 5]}, op)
    assert rows(project) == before
    assert len(project.history()) == 1


@pytest.mark.parametrize(
    "text", ["{}", '[{"op": "burn"}]', '[{"op": "add", "class": "x"}]', "\xff"]
)
def test_edits_that_are_none_are_told(text: str) -> None:
    with pytest.raises(LabelError, match="no list of edits"):
        parse_ops(text)


def test_nobody_writes_over_what_changed_meanwhile(project: Project) -> None:
    seen = known(project, 1)
    do(project, 1, {"op": "set", **seen, "box": [11, 10, 20, 20]})
    with pytest.raises(EditConflict, match="changed meanwhile") as caught:
        do(project, 1, {"op": "set", **seen, "box": [0, 0, 5, 5]})
    assert caught.value.picture.boxes[0].box == (11, 10, 20, 20)
    assert caught.value.picture.newest == project.history()[0].id
    do(project, 1, {"op": "delete", **known(project, 1)})
    with pytest.raises(EditConflict, match="not there"):
        do(project, 1, {"op": "delete", **seen})


def test_a_repeated_request_is_done_once(project: Project) -> None:
    op = {"op": "add", "class": CAR, "box": [0, 0, 5, 5]}
    first, again = do(project, 2, op, key="k"), do(project, 2, op, key="k")
    assert (first.history_id, first.ids) == (again.history_id, again.ids)
    assert len(again.picture.boxes) == 1
    nothing: dict[str, object] = {"op": "review", "state": None}
    assert do(project, 2, nothing, key="n").history_id is None
    assert do(project, 2, nothing, key="n").history_id is None


def test_suggestions_are_no_labels_until_they_are_accepted(project: Project) -> None:
    number = a_pass(
        project,
        (1, Found(CAR, (11, 11, 20, 20), 0.9)),  # the label that is there
        (1, Found(DOG, (50, 50, 20, 20), 0.8)),
        (2, Found(CAR, (5, 5, 30, 30), 0.3)),
        (2, Found(9, (5, 5, 30, 30), 0.3)),  # a class that went meanwhile
    )
    assert progress(project).open_suggestions == 2
    assert counts(project) == [("auto", 1, 1)]
    assert project.summary().annotations == 1
    (line,) = list_passes(project)
    assert (line.id, line.images, dict(line.states)) == (number, 3, {"agrees": 1, "open": 2})
    (dog,) = picture_labels(project, 1).suggestions
    done = do(project, 1, {"op": "accept", "id": dog.id})
    box = next(box for box in done.picture.boxes if box.class_id == DOG)
    assert (box.source, box.model, box.score, box.edited) == ("model", "shapes-1", 0.8, False)
    assert done.picture.suggestions == ()
    with pytest.raises(EditConflict, match="accepted meanwhile"):
        do(project, 1, {"op": "reject", "id": dog.id})
    (car,) = picture_labels(project, 2).suggestions
    mended = do(project, 2, {"op": "accept", "id": car.id, "box": [6, 6, 30, 30]})
    assert mended.picture.boxes[0].edited
    # Found wrong after all: it counts as rejected, and is not asked again.
    do(project, 2, {"op": "delete", **known(project, 2)})
    a_pass(project, (2, Found(CAR, (5, 5, 30, 31), 0.9)))
    assert picture_labels(project, 2).suggestions == ()
    assert list_passes(project)[0].states == {"repeated": 1}


def test_a_later_pass_replaces_what_is_open_and_undo_brings_it_back(project: Project) -> None:
    a_pass(project, (2, Found(CAR, (5, 5, 30, 30), 0.3)), (2, Found(DOG, (5, 5, 30, 30), 0.4)))
    only_cars = PassInfo("sam3", "sam3", (CAR,))
    report = record_pass(project, only_cars, [(2, [Found(CAR, (6, 6, 30, 30), 0.7)])])
    assert (report.open, report.superseded) == (1, 1)
    assert [s.score for s in picture_labels(project, 2).suggestions] == [0.7, 0.4]
    project.undo()
    assert [s.score for s in picture_labels(project, 2).suggestions] == [0.4, 0.3]
    project.redo()
    assert [s.score for s in picture_labels(project, 2).suggestions] == [0.7, 0.4]
    project.undo()
    do(project, 1, {"op": "review", "state": "done"})  # the undone pass cannot come back
    assert project.db.execute("SELECT count(*) FROM suggestions").fetchone()[0] == 2


def test_drawing_what_was_proposed_closes_the_suggestion(project: Project) -> None:
    a_pass(project, (2, Found(CAR, (5, 5, 30, 30), 0.3)), (2, Found(DOG, (5, 5, 30, 30), 0.4)))
    done = do(project, 2, {"op": "add", "class": CAR, "box": [6, 6, 30, 30]})
    assert [s.class_id for s in done.picture.suggestions] == [DOG]


def test_many_are_accepted_and_rejected_in_one_step(project: Project) -> None:
    found = [(n, Found(c, (5 + 40 * c, 5, 30, 30), 0.2 * n)) for n in (1, 2, 3) for c in (1, 0, 2)]
    a_pass(project, *found)
    before = rows(project)
    entry = accept_all(project, CAR, 0.3)
    assert entry is not None
    assert entry.summary == "Accepted 2 suggestions of car from 0.30 on"
    assert counts(project) == [("auto", 3, 3)]
    assert accept_all(project, CAR, 0.3) is None
    entry = reject_all(project, DOG, most=0.5)
    assert entry is not None
    assert entry.detail["rejected"] == 2
    one, two = [
        row[0] for row in project.db.execute("SELECT id FROM v_suggestions WHERE state = 'open'")
    ]
    entry = decide(project, [two], [one], key="page")
    again = decide(project, [two], [one], key="page")
    assert entry is not None
    assert again == entry
    assert progress(project).open_suggestions == 0
    with pytest.raises(LabelError, match="at once"):
        decide(project, [1], [1])
    with pytest.raises(LabelError, match="no suggestion 99"):
        decide(project, [99])
    for _ in range(3):
        project.undo()
    assert rows(project) == before


def test_what_agrees_by_now_is_not_accepted_twice(project: Project) -> None:
    a_pass(project, (2, Found(CAR, (5, 5, 30, 30), 0.9)))
    project.db.execute("UPDATE suggestions SET state = 'agrees'")
    do(project, 2, {"op": "add", "class": CAR, "box": [5, 5, 30, 30]})
    project.db.execute("UPDATE suggestions SET state = 'open'")
    assert accept_all(project) is not None
    assert len(picture_labels(project, 2).boxes) == 1


def test_copying_the_boxes_of_another_picture(project: Project) -> None:
    done = do(project, 2, {"op": "copy", "image": 1})
    assert [box.box for box in done.picture.boxes] == [(10, 10, 20, 20)]
    assert do(project, 2, {"op": "copy", "image": 1}).history_id is None


def test_the_review_of_a_picture(project: Project) -> None:
    do(project, 2, {"op": "review", "state": "done"})
    do(project, 3, {"op": "review", "state": "later"})
    assert (progress(project).done, progress(project).later) == (1, 1)
    row = project.db.execute("SELECT reviewed_at, reviewed_by FROM images WHERE id = 2").fetchone()
    assert "@" in row[1]
    do(project, 2, {"op": "review", "state": None})
    row = project.db.execute("SELECT review, reviewed_by FROM images WHERE id = 2").fetchone()
    assert tuple(row) == (None, None)


def test_undo_names_the_change_that_it_expects(project: Project) -> None:
    mine = do(project, 2, {"op": "add", "class": CAR, "box": [0, 0, 5, 5]}).history_id
    theirs = do(project, 3, {"op": "add", "class": DOG, "box": [0, 0, 5, 5]}).history_id
    with pytest.raises(ChangedSince, match=r"c\.jpg") as caught:
        project.undo(expect=mine)
    assert caught.value.entry is not None
    assert caught.value.entry.id == theirs
    assert project.undo(expect=theirs) is not None
    with pytest.raises(ChangedSince):
        project.redo(expect=mine)
    assert project.redo(expect=theirs) is not None


def test_an_edit_is_taken_back_although_others_edited_elsewhere(project: Project) -> None:
    start = rows(project)
    mine = do(project, 2, {"op": "add", "class": DOG, "box": [0, 0, 5, 5]}).history_id
    do(
        project, 3, {"op": "add", "class": DOG, "box": [0, 0, 5, 5]}
    )  # by the label that `mine` made
    assert mine is not None
    entry = project.take_back(mine)
    assert (entry.kind, entry.detail["of"]) == ("labels.undo", mine)
    assert project.take_back(mine).id == entry.id
    assert picture_labels(project, 2).boxes == ()
    assert len(picture_labels(project, 3).boxes) == 1
    assert counts(project) == [("auto", 1, 1), ("dog", 1, 1)]
    assert project.take_back(entry.id).undone  # the newest: done again by undoing it
    assert len(picture_labels(project, 2).boxes) == 1
    do(project, 2, {"op": "set", **known(project, 2), "class": CAR})
    do(project, 3, {"op": "delete", **known(project, 3)})
    with pytest.raises(ChangedSince, match="changed since"):
        project.take_back(mine)
    while len(project.history()) > sum(entry.undone for entry in project.history()) + 1:
        project.undo()
    assert rows(project) == start


def number(edited: Edited) -> int:
    assert edited.history_id is not None
    return edited.history_id


def test_the_first_box_of_a_class_is_taken_back_after_a_merge(project: Project) -> None:
    mine = number(do(project, 2, {"op": "add", "class": DOG, "box": [0, 0, 5, 5]}))
    merge(project, ["dog"], "car")
    assert [box.class_id for box in picture_labels(project, 2).boxes] == [CAR]
    assert project.take_back(mine).kind == "labels.undo"
    assert picture_labels(project, 2).boxes == ()
    assert counts(project) == [("auto", 1, 1), ("dog", 0, 0)]
    before = rows(project)
    while project.undo() is not None:
        pass
    while project.redo() is not None:
        pass
    assert rows(project) == before


def test_a_box_does_not_come_back_to_a_picture_that_is_gone(project: Project) -> None:
    gone = number(do(project, 1, {"op": "delete", **known(project, 1)}))
    drawn = number(do(project, 2, {"op": "add", "class": CAR, "box": [0, 0, 5, 5]}))
    do(project, 3, {"op": "review", "state": "done"})
    back = project.take_back(drawn)
    do(project, 3, {"op": "review", "state": None})
    delete_images(project, [1, 2])
    before = rows(project)
    for change in (gone, back.id):
        with pytest.raises(ChangedSince, match="its picture, boxes or class"):
            project.take_back(change)
    assert rows(project) == before
    assert counts(project) == [("auto", 0, 0)]
    project.undo()
    assert len(project.take_back(gone).summary) > 0
    assert len(picture_labels(project, 1).boxes) == 1


def test_a_box_does_not_come_back_as_a_class_that_is_gone(project: Project) -> None:
    other = number(do(project, 1, {"op": "set", **known(project, 1), "class": DOG}))
    drawn = number(do(project, 2, {"op": "add", "class": CAR, "box": [0, 0, 5, 5]}))
    gone = number(do(project, 2, {"op": "delete", **known(project, 2)}))
    delete_classes(project, ["car"])
    before = rows(project)
    for change in (other, gone):
        with pytest.raises(ChangedSince, match="its picture, boxes or class") as error:
            project.take_back(change)
        assert "did 'Deleted" in error.value.message, "what was done since"
    assert rows(project) == before
    assert [box.class_id for box in picture_labels(project, 1).boxes] == [DOG]
    assert project.take_back(drawn).id == drawn, "it was deleted since: nothing is left to do"
    assert rows(project) == before


def test_only_edits_of_labels_are_taken_back_out_of_turn(project: Project) -> None:
    do(project, 2, {"op": "add", "class": DOG, "box": [0, 0, 5, 5]})
    with pytest.raises(ChangedSince):
        project.take_back(1)
    with pytest.raises(ChangedSince, match="no longer"):
        project.take_back(50)


def test_prompts_are_kept_with_the_class(project: Project) -> None:
    assert prompts_of(project)[CAR].phrases == ("car",)
    wanted = Prompts((" red  car", "red car", ""), (Example(1),), 0.4)
    assert set_prompts(project, CAR, wanted) is not None
    assert prompts_of(project)[CAR] == Prompts(("red car",), (Example(1),), 0.4)
    assert set_prompts(project, CAR, wanted) is None
    for bad in (Prompts(least=2), Prompts(examples=(Example(9),))):
        with pytest.raises(BatmanError):
            set_prompts(project, CAR, bad)
    project.undo()
    assert prompts_of(project)[CAR].phrases == ("car",)


def test_overlapping_boxes_of_one_class_are_one() -> None:
    boxes = [(0, 0, 10, 10), (1, 0, 10, 10), (2, 2, 3, 3), (1, 0, 10, 10), (50, 50, 5, 5)]
    assert suppress(boxes, [0.5, 0.9, 0.8, 0.7, 0.1], [1, 1, 1, 2, 1]) == [1, 3, 4]
    assert suppress([], [], []) == []
