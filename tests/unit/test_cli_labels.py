"""`batman labels`: lists of what to look at, decisions, and edits that scripts make."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from json_shapes import holds
from labelled_rows import Labelled, labelled
from PIL import Image

from cli.main import main
from core.autolabel.snap import service as snap_service
from core.autolabel.snap.which_model import SnapChoice, snap_choice
from core.data.labels.edit import edit
from core.data.labels.ops import Review
from core.data.labels.queue.compare import compare
from core.data.labels.view import picture_labels

A, B = (10.0, 10.0, 100.0, 80.0), (200.0, 20.0, 60.0, 60.0)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Labelled]:
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path))
    with labelled(tmp_path / "data/projects/yard") as project:
        yield project


class Command:
    """Runs `batman labels … --project yard` and keeps what was printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.err = ""

    def __call__(self, *words: str, code: int = 0) -> str:
        self._capsys.readouterr()
        assert main(["labels", *words, "--project", "yard"]) == code
        told = self._capsys.readouterr()
        self.err = told.err
        return told.out

    def json(self, *words: str) -> Any:
        said = self(*words, "--json")
        return holds(f"labels {words[0]}", said) if words[0] == "snap" else json.loads(said)


@pytest.fixture
def labels(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def test_compare_says_where_model_and_labels_differ(made: Labelled, labels: Command) -> None:
    assert "No pass has looked" in labels("compare")
    looked = made.looked(1, 2, 3)
    made.found(looked, 1, "crane", A, 0.9)
    made.label(2, "vest", A)
    made.found(looked, 2, "crane", A, 0.8)
    out = labels("compare")
    assert "p1.png" in out
    assert "1 found but not labelled" in out
    assert "wrong" not in out
    assert out.splitlines()[-1].startswith("2 of 3 pictures worth a look")
    told = labels.json("compare", "--where", "p2")
    assert told["total"] == 1
    (difference,) = told["images"][0]["differences"]
    assert (difference["kind"], difference["found"], difference["labelled"]) == (
        "other", "crane", "vest",
    )  # fmt: skip
    assert "2 of 3 pictures worth a look, 1 of them shown" in labels("compare", "--limit", "1")


def test_queue_passes_and_scores(made: Labelled, labels: Command) -> None:
    looked = made.looked(1, 2)
    made.found(looked, 1, "crane", A, 0.5)
    made.found(looked, 2, "crane", A, 0.95, state="rejected")
    label = made.label(2, "crane", A, source="model")
    for number in range(25):
        row = {"state": "accepted", "annotation_id": label}
        made.found(looked, 2, "crane", A, 0.7 + number / 100, **row)
    assert "p1.png" in labels("queue")
    assert labels.json("queue", "--by", "rare")["total"] == 0
    (line,) = labels.json("passes")
    assert line["states"] == {"open": 1, "rejected": 1, "accepted": 25}
    assert line["decided"]["right"] == 25
    assert "25 of 26" in labels("passes")
    (crane,) = labels.json("scores", "--pass", str(looked))
    assert crane["threshold"] is None  # 25 of 26 is 96 %
    made.found(looked, 2, "crane", A, 0.69, state="accepted", annotation_id=label)
    for _ in range(8):
        made.found(looked, 2, "crane", A, 0.69, state="accepted", annotation_id=label)
    assert labels.json("scores")[0]["threshold"] == 0.69
    assert "from 0.69 on, 34 of 35 were right" in labels("scores")
    assert labels.json("scores", "--pass", "99") == []


def test_accept_reject_and_review_are_steps_that_can_be_undone(
    made: Labelled, labels: Command
) -> None:
    looked = made.looked(1, 2)
    first = made.found(looked, 1, "crane", A, 0.9)
    second = made.found(looked, 1, "vest", B, 0.6)
    third = made.found(looked, 2, "crane", A, 0.55)
    made.found(looked, 2, "vest", B, 0.2)
    before = made.project.history(1)[0].id
    assert labels("accept", "--class", "crane", "--least", "0.8", code=2) == ""
    assert "Accept 1 suggestion?" in labels.err  # nobody is here to answer
    assert "Accepted 1 suggestion" in labels(
        "accept", "--class", "crane", "--least", "0.8", "--yes"
    )
    told = labels.json("reject", "--where", "p2", "--most", "0.3")
    assert told["detail"]["rejected"] == 1
    labels("accept", "--id", str(second))
    labels("reject", "--id", str(third))
    states = dict(made.project.db.execute("SELECT id, state FROM suggestions").fetchall())
    assert [states[i] for i in (first, second, third)] == ["accepted", "accepted", "rejected"]
    assert labels("accept", "--id", str(second), "--least", "0.3", code=2) == ""
    assert labels("accept", "--class", "crnae", "--yes", code=2) == ""
    assert "'crane'" in labels.err
    labels("review", "--images", "p1.png", "p2.png")
    labels("review", "--where", "p2", "--as", "later")
    reviews = "SELECT review FROM images ORDER BY id LIMIT 2"
    assert [row[0] for row in made.project.db.execute(reviews)] == ["done", "later"]
    labels("review", "--where", "p2", "--as", "todo")
    while labels.json("undo")["history"]["id"] > before + 1:
        pass
    assert {row[0] for row in made.project.db.execute("SELECT state FROM suggestions")} == {"open"}
    there = "SELECT count(*) FROM v_annotations"
    assert made.project.db.execute(there).fetchone()[0] == 0


def test_boxes_are_added_set_and_deleted(made: Labelled, labels: Command) -> None:
    told = labels.json(
        "add", "--image", "p1.png", "--class", "crane", "--box", "5", "6", "70", "80"
    )
    (number,) = told["ids"]
    assert told["picture"]["labels"][0]["box"] == [5, 6, 70, 80]
    assert told["picture"]["labels"][0]["source"] == "person"
    labels("set", "--id", str(number), "--class", "vest", "--box", "-3", "6", "70", "80")
    shown = labels.json("show", "--image-id", "1")["labels"][0]
    assert (shown["name"], shown["box"], shown["edited"]) == ("vest", [0, 6, 67, 80], True)
    assert "vest" in labels("show", "--image", "p1.png")
    labels("delete", "--id", str(number))
    assert labels.json("show", "--image-id", "1")["labels"] == []
    step = labels.json("undo")["history"]["id"]
    assert len(labels.json("show", "--image-id", "1")["labels"]) == 1
    labels("redo", "--expect", str(step))
    for words, said in (
        (("show", "--image", "nope.png"), "no picture named"),
        (("set", "--id", "99", "--class", "vest"), "no label 99"),
        (("set", "--id", str(number)), "nothing to set"),
        (("undo", "--expect", "1"), ""),
    ):
        assert labels(*words, code=2) == ""
        assert said in labels.err


def test_scripts_edit_with_json_and_are_told_of_conflicts(
    made: Labelled, labels: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = made.label(1, "crane", A)
    ops = [
        {"op": "add", "class": 2, "box": [1, 2, 30, 40]},
        {"op": "set", "id": label, "was": {"box": list(A), "class": 1}, "box": [11, 10, 99, 80]},
        {"op": "review", "state": "done"},
    ]
    (tmp_path / "ops.json").write_text(json.dumps(ops))
    words = ("edit", "--image", "p1.png", "--ops", str(tmp_path / "ops.json"), "--key", "once")
    told = labels.json(*words)
    assert told["picture"]["review"] == "done"
    assert len(told["picture"]["labels"]) == 2
    assert labels.json(*words)["ids"] == told["ids"]  # the same request is not done again
    assert len(picture_labels(made.project, 1).boxes) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(ops[1:2])))
    assert labels("edit", "--image", "p1.png", "--ops", "-", code=2) == ""
    assert "changed meanwhile" in labels.err
    monkeypatch.setattr("sys.stdin", io.StringIO('[{"op": "paint"}]'))
    assert labels("edit", "--image", "p1.png", "--ops", "-", code=2) == ""
    assert labels("undo", "--step", str(told["history"])).startswith("Undone:")
    assert picture_labels(made.project, 1).review is None


def test_two_pictures_of_one_name_are_told_apart(made: Labelled, labels: Command) -> None:
    with made.project.change("t", "t") as change:
        change.update("images", 2, {"name": "p1.png"})
    assert labels("show", "--image", "p1.png", code=2) == ""
    assert "--image-id: 1, 2" in labels.err


def test_a_reviewed_picture_is_settled_by_reviewing_it_again(
    made: Labelled, labels: Command
) -> None:
    made.review(1)
    made.review(2)
    looked = made.looked(1, 2)
    made.found(looked, 1, "crane", A, 0.9)
    made.found(looked, 2, "crane", A, 0.9)
    assert compare(made.project).total == 2
    edit(made.project, 1, [Review("done")])
    assert [entry.image_id for entry in compare(made.project).entries] == [2]
    labels("review", "--images", "p2.png")
    assert compare(made.project).total == 0
    assert edit(made.project, 1, [Review("done")]).history_id is None  # nothing new to settle
    assert "nothing to change" in labels("review", "--images", "p2.png")


def test_snap_puts_boxes_right_by_the_model_that_was_chosen(
    made: Labelled, labels: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model of `snapping_child` doubles the width of a box, and sees nothing in narrow ones."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(snap_service, "MODULE", "snapping_child")
    rough, narrow = made.label(1, "crane", (10, 10, 50, 40)), made.label(1, "vest", (90, 90, 2, 9))
    looked = made.looked(1)
    proposed = made.found(looked, 1, "crane", (200, 20, 60, 60), 0.6)
    elsewhere = made.label(2, "crane", A)
    ids = ["--id", str(rough), str(narrow)]
    before = made.project.history(1)[0].id

    labels("snap", code=2)
    assert "No box is named" in labels.err
    labels("snap", *ids, str(elsewhere), code=2)
    assert "of several pictures" in labels.err
    labels("snap", "--id", "99", code=2)
    assert "There is no label 99" in labels.err
    labels("snap", *ids, code=2)
    assert "file of the picture 'p1.png' is not there" in labels.err
    (made.project.images_dir / "1").mkdir(exist_ok=True)
    Image.new("RGB", (400, 300), (9, 9, 9)).save(made.project.images_dir / "1/p1.png")
    labels("snap", *ids, code=2)
    assert "No model that snaps boxes was chosen yet" in labels.err
    assert "--with a run" in labels.err
    labels("snap", *ids, "--with", "grounding-dino", code=2)
    assert "cannot snap a box" in labels.err
    labels("snap", *ids, "--keep", code=2)
    assert "Give --with too" in labels.err
    assert made.project.history(1)[0].id == before, "nothing was changed by any of these"

    run = tmp_path / "runs/night/best.pth"
    run.parent.mkdir(parents=True)
    run.touch()
    (run.parent / "training_config.json").write_text("{}")
    told = labels.json("snap", *ids, "--with", "night")
    assert [(one["kind"], one["box"]) for one in told["boxes"]] == [
        ("label", [10, 10, 100, 40]), ("label", None),
    ]  # fmt: skip
    assert snap_choice() == SnapChoice(), "for this time only"
    said = labels("snap", *ids, "--suggestion", str(proposed), "--with", "night", "--keep")
    assert snap_choice() == SnapChoice("night")
    assert "sees no object in label 2" in said
    assert f"takes suggestion {proposed} for 400" in said
    picture = picture_labels(made.project, 1)
    assert sorted(box.box for box in picture.boxes) == [
        (10, 10, 200, 40), (90, 90, 2, 9), (200, 20, 120, 60),
    ]  # fmt: skip
    assert not picture.suggestions

    assert "nothing to change" in labels("snap", "--id", str(narrow))
    labels("undo")
    assert len(picture_labels(made.project, 1).suggestions) == 1, "both boxes were one step"
