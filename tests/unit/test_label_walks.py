"""Which pictures are walked through in the terminal, and `batman review`, which opens there."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_data import HOOK, RUN, make_labels

from batman_tui.label.session import Key, PictureSession
from batman_tui.label.walks import WALKS, first_walk, picture_before, pictures
from cli.label.review import WALKS as SAID
from cli.main import main
from core.data.labels.edit import edit
from core.data.labels.ops import Review
from core.data.labels.passes import Found, record_pass
from core.data.labels.view import picture_labels
from core.data.store import Project


@pytest.fixture
def project(tmp_path: Path):
    with Project.open(make_labels(tmp_path / "data/projects/site", images=4)) as opened:
        yield opened


def ids(project: Project, walk: str, text: str = "") -> list[int]:
    return [stop.image_id for stop in pictures(project, walk, text)]


def test_a_walk_has_what_its_name_says(project: Project) -> None:
    assert first_walk(project) == "suggested"
    assert ids(project, "suggested") == [1, 2, 3, 4]
    assert ids(project, "name", "frame_003") == [3]
    # Picture 1 has a label: it is in no queue of unlabelled ones.
    assert sorted(ids(project, "unsure")) == [2, 3, 4]
    # Persons are on no picture yet, hooks on one.
    assert sorted(ids(project, "rare")) == [2, 3, 4]
    edit(project, 2, [Review("done")])
    assert ids(project, "unreviewed") == [1, 3, 4]
    assert 2 not in ids(project, "unsure")
    (stop,) = pictures(project, "unsure", "frame_003")
    assert "2 of 2 suggestions" in stop.why or "suggestions between" in stop.why


def test_where_model_and_labels_differ_the_difference_is_looked_at_first(project) -> None:
    (stop,) = pictures(project, "differ", "frame_001")
    # The label was not found, and three hooks were found without a label.
    assert "labelled but not found" in stop.why
    label = picture_labels(project, 1).boxes[0]
    assert Key("label", label.id) in stop.first
    assert len([key for key in stop.first if key.kind == "suggestion"]) == 3
    session = PictureSession(picture_labels(project, 1), first=stop.first)
    keys = [each.key for each in session.things()]
    assert keys == list(stop.first)[: len(keys)]


def test_a_loose_box_is_looked_at_first(project: Project) -> None:
    # The label is at 10, 10, 20, 20: this overlaps it by 0.68.
    record_pass(project, RUN, [(1, [Found(HOOK, (12.0, 12, 20, 20), 0.9)])])
    (stop,) = pictures(project, "differ", "frame_001")
    assert stop.why == "1 in a loose box"
    assert stop.first == (Key("label", picture_labels(project, 1).boxes[0].id),)


def test_the_picture_before_is_that_of_the_same_video(project: Project) -> None:
    assert [picture_before(project, number) for number in (1, 2, 4)] == [None, 1, 3]
    with project.change("images.set", "another video") as change:
        change.update("images", 3, {"grp": "other.mp4"})
    assert picture_before(project, 4) == 2
    assert picture_before(project, 3) is None


def test_the_command_line_knows_every_walk() -> None:
    assert list(SAID) == [walk.id for walk in WALKS]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], {"walk": "", "narrow": "", "crops": False}),
        (["--crops"], {"walk": "", "narrow": "", "crops": True}),
        (["--walk", "differ", "--where", "split:valid"],
         {"walk": "differ", "narrow": "split:valid", "crops": False}),
    ],
    ids=str,
)  # fmt: skip
def test_review_opens_the_app_there(project, tmp_path, monkeypatch, words, wanted) -> None:
    opened = []
    monkeypatch.setenv("TEXTUAL_DRIVER", "served")
    monkeypatch.setattr(
        "cli.label.review.open_review",
        lambda workspace, path, **rest: opened.append((path, rest)) or 0,
    )
    assert main(["--workspace", str(tmp_path), "review", "site", *words]) == 0
    assert opened == [(project.path, wanted)]


def test_review_of_nothing_and_without_a_terminal_is_told(
    project, tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    assert main(["--workspace", str(tmp_path), "review", "sites"]) != 0
    assert "site" in capsys.readouterr().err
    assert main(["--workspace", str(tmp_path), "review", "site"]) != 0
    assert "needs a terminal" in capsys.readouterr().err
