"""`batman labels tracks`: from boxes of a video to a list of what is wrong with its tracks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from core.data.store import Project


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A video of six pictures of 100 × 100; a car on the first four, which jumps on the third."""
    path = tmp_path / "data/projects/yard"
    with Project.create(path) as made, made.change("import", "Import") as change:
        change.insert("imports", {"kind": "video", "origin": "o", "at": "2026", "active": 1})
        for name in ("car", "dog"):
            change.insert("classes", {"name": name})
        change.insert("labels", {"import_id": 1, "name": "car", "class_id": 1})
        change.insert("tracks", {"grp": "night", "class_id": 1})
        for number in range(6):
            name = f"night_{number}.jpg"
            row = {"import_id": 1, "path": f"1/{name}", "name": name, "grp": "night"}
            image = change.insert(
                "images", {**row, "time": number / 2, "width": 100, "height": 100}
            )
            if number < 4:
                x = (0.0, 2.0, 60.0, 62.0)[number]
                box = {"label_id": 1, "x": x, "y": 0.0, "w": 20.0, "h": 20.0, "track": 1}
                change.insert("annotations", {"image_id": image, **box})
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path))
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["labels", "tracks", *words, "--project", "yard"])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_from_a_list_to_what_is_wrong_to_what_is_right(
    yard: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, "list")
    lines = [line.split() for line in out.splitlines()]
    assert lines[1] == ["night", "6", "0", "2.5", "1", "0"]
    assert lines[-1] == ["1", "car", "night", "night_0.jpg", "night_3.jpg", "4", "import"]
    _, out, _ = run(capsys, "problems")
    assert out.splitlines()[1].split(maxsplit=6) == [
        "1.00", "box", "jump", "1", "night", "night_2.jpg", "moved by 58% of the picture",
    ]  # fmt: skip
    assert run(capsys, "split", "1", "night_2") == (
        0, "Split track 1 at night_2.jpg: 2 boxes are track 2.\n", "",
    )  # fmt: skip
    assert run(capsys, "class", "2", "dog")[1] == "Track 2 is dog: 2 labels changed.\n"
    assert run(capsys, "problems")[1] == "Nothing looks wrong.\n"
    assert run(capsys, "merge", "1", "2")[1] == "Merged track 2 into 1: 2 boxes.\n"
    (found, *_) = json.loads(run(capsys, "problems", "--json", "--limit", "1")[1])
    assert (found["what"], found["picture"]["name"]) == ("box jump", "night_2.jpg")
    assert run(capsys, "remove", "1")[1] == (
        "Removed track 1: 4 labels removed, 0 suggestions rejected.\n"
    )


def test_boxes_are_drawn_between_pictures_by_name_or_place(
    yard: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Project.open(yard) as project, project.change("labels.edit", "one missing") as change:
        change.update("annotations", 2, {"deleted": 1})
    _, out, _ = run(capsys, "interpolate", "1", "--from", "night_0.jpg", "--to", "3")
    assert out == "Drew 1 box of track 1 between keyframes.\n"
    boxes = json.loads(run(capsys, "show", "1", "--json")[1])
    assert [(box["box"][0], box["key"]) for box in boxes] == [
        (0, True), (30, False), (60, True), (62, True),
    ]  # fmt: skip
    assert "night_1.jpg" in run(capsys, "show", "1")[1]
    assert run(capsys, "approve", "1")[1] == "Approved track 1.\n"
    assert run(capsys, "approve", "1")[1] == "There was nothing to change.\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["list", "--video", "nigth"], "no video 'nigth'"),
        (["show", "9"], "no track 9"),
        (["split", "1", "night_9"], "no picture 'night_9'"),
        (["split", "1", "7"], "no picture '7'"),
        (["class", "1", "cat"], "no class 'cat'"),
        (["link", "day"], "no video 'day'"),
    ],
)
def test_what_is_not_there(
    yard: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert message in err
