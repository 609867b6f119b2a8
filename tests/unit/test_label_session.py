"""What each key means for the picture in hand, and that the project then does it."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_data import HOOK, PERSON, make_labels

from batman_tui.label.session import Key, PictureSession
from core.data.labels.edit import edit
from core.data.labels.ops import Accept, Add, Delete, Known, Op, Reject, Review, Set
from core.data.labels.view import picture_labels
from core.data.store import Project


@pytest.fixture
def project(tmp_path: Path):
    with Project.open(make_labels(tmp_path / "site")) as opened:
        yield opened


@pytest.fixture
def session(project: Project) -> PictureSession:
    return PictureSession(picture_labels(project, 1), class_id=HOOK)


def do(project: Project, session: PictureSession, ops: list[Op]) -> None:
    """Have the edits done as the screen does."""
    if ops:
        session.took(ops, edit(project, session.picture.image_id, ops))


def test_tab_goes_from_the_least_sure_suggestion_to_the_labels(session: PictureSession) -> None:
    order = []
    for _ in session.things():
        session.step(1)
        order.append(session.thing.score if session.thing.open else session.thing.box[1])
    assert order == [0.55, 0.7, 0.9, 10.0]
    session.step(1)
    assert session.thing.score == 0.55
    session.step(-1)
    assert session.thing.key.kind == "label"
    assert session.place() == (1, 1)


def test_the_threshold_is_a_view(session: PictureSession) -> None:
    assert len(session.suggestions()) == 3
    session.step(1)
    assert session.move_threshold(1) == 0.55
    assert session.thing is not None
    assert session.move_threshold(1) == 0.6
    assert session.thing is None
    assert len(session.suggestions()) == 2
    assert session.move_threshold(-20) == 0
    assert len(session.suggestions()) == 4
    assert session.move_threshold(100) == 0.95


def test_yes_and_no_go_on_to_the_next_suggestion(project, session: PictureSession) -> None:
    session.step(1)
    first = session.thing.key.id
    assert session.accept() == [Accept(first)]
    assert session.thing.score == 0.7
    second = session.thing.key.id
    assert session.reject() == [Reject(second)]
    assert session.thing.score == 0.9
    last = session.thing.key.id
    do(project, session, [Accept(first), Reject(second)])
    assert session.accept() == [Accept(last)]


def test_enter_takes_all_that_is_shown_and_says_done(project, session: PictureSession) -> None:
    ops = session.accept_all()
    assert [type(op) for op in ops] == [Accept, Accept, Accept, Review]
    do(project, session, ops)
    assert session.picture.review == "done"
    assert len(session.picture.boxes) == 4
    # What is below the threshold stays open.
    assert [each.score for each in session.picture.suggestions] == [0.2]
    assert session.accept_all() == []


def test_a_mended_suggestion_is_accepted_as_it_is_now(project, session: PictureSession) -> None:
    session.step(1)
    key, box = session.thing.key, session.thing.box
    assert session.nudge("l", (4, 4))
    assert session.nudge("l", (4, 4))
    assert session.thing.box == (box[0], box[1], box[2] + 8, box[3])
    # Both keys are one edit.
    assert session.settle() == [Accept(key.id, box=(box[0], box[1], box[2] + 8, box[3]))]
    assert session.settle() == []


def test_a_mended_label_is_changed_only_as_it_was_seen(project, session: PictureSession) -> None:
    label = session.picture.boxes[0]
    session.choose(Key("label", label.id))
    session.put_edge("h", (5.0, 0.0))
    box = (5.0, label.box[1], label.box[2] + label.box[0] - 5.0, label.box[3])
    ops = session.choose(None)
    assert ops == [Set(label.id, Known(label.box, label.class_id), box=box)]
    do(project, session, ops)
    assert session.picture.boxes[0].box == box
    assert session.picture.boxes[0].edited


def test_nothing_is_saved_where_nothing_moved(session: PictureSession) -> None:
    session.choose(Key("label", session.picture.boxes[0].id))
    session.nudge("l", (3, 3))
    session.nudge("l", (-3, -3))
    assert session.settle() == []


def test_a_digit_is_the_class_of_the_chosen_or_of_the_next_box(session: PictureSession) -> None:
    assert session.classify(PERSON) == []
    assert session.add((1, 1, 5, 5)) == [Add(PERSON, (1, 1, 5, 5))]
    session.step(1)
    key = session.thing.key
    assert session.thing.class_id == HOOK
    assert session.classify(PERSON) == [Accept(key.id, class_id=PERSON)]
    label = session.picture.boxes[0]
    session.choose(Key("label", label.id))
    session.nudge("j", (2, 2))
    moved = session.thing.box
    was = Known(label.box, label.class_id)
    assert session.classify(PERSON) == [Set(label.id, was, box=moved, class_id=PERSON)]


def test_delete_means_no_for_a_suggestion(session: PictureSession) -> None:
    session.step(1)
    key = session.thing.key
    assert session.delete() == [Reject(key.id)]
    label = session.picture.boxes[0]
    session.choose(Key("label", label.id))
    assert session.delete() == [Delete(label.id, Known(label.box, label.class_id))]


def test_x_rejects_only_what_is_shown(project, session: PictureSession) -> None:
    do(project, session, session.reject_all())
    assert [each.score for each in session.picture.suggestions] == [0.2]
    assert len(session.picture.boxes) == 1


def test_space_leaves_suggestions_open(project, session: PictureSession) -> None:
    do(project, session, session.as_it_is())
    assert session.picture.review == "done"
    assert len(session.picture.suggestions) == 4
    do(project, session, session.later())
    assert session.picture.review == "later"
    do(project, session, session.later())
    assert session.picture.review is None


def test_what_is_gone_is_no_longer_chosen(project, session: PictureSession) -> None:
    session.step(1)
    gone = session.thing.key.id
    edit(project, 1, [Reject(gone)])
    session.take(picture_labels(project, 1))
    assert session.chosen is None
    assert session.draft is None
