"""What is in a project's data: each figure against one worked out by hand."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from cli.exits import Exit
from cli.main import main
from core.data.stats import collect
from core.data.stats.bars import charts
from core.data.stats.collect import GRID
from core.data.store import Project
from core.plots.data_sheet import data_sheet

Capture = pytest.CaptureFixture[str]


def _picture(project: Project, import_id: int, width: int, height: int, split: str | None) -> int:
    return int(
        project.db.execute(
            "INSERT INTO images(import_id, path, name, width, height, split)"
            " VALUES (?, 'x', 'x', ?, ?, ?)",
            (import_id, width, height, split),
        ).lastrowid
        or 0
    )


def _box(project: Project, image: int, label: int, *box: float, deleted: int = 0) -> None:
    project.db.execute(
        "INSERT INTO annotations(image_id, label_id, x, y, w, h, deleted)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (image, label, *box, deleted),
    )


@pytest.fixture
def project(tmp_path: Path):
    """Two imports that stand and one that does not; 5 pictures, 6 boxes of two classes."""
    with Project.create(tmp_path / "data" / "projects" / "p") as made:
        with made.change("import", "Imports") as change:
            for number, active in ((1, 1), (2, 1), (3, 0)):
                row = {"kind": "coco", "origin": f"/{number}", "active": active}
                change.insert("imports", {**row, "at": f"2026-01-0{4 - number}T00:00:00+00:00"})
            for name in ("hook", "boom", "idle"):
                change.insert("classes", {"name": name})
            for import_id, name, class_id in (
                (1, "hook", 1),
                (1, "boom", 2),
                (2, "Hook", 1),
                (3, "hook", 1),
                (1, "gone", None),
            ):
                row = {"import_id": import_id, "name": name, "class_id": class_id}
                change.insert("labels", row)
        first = _picture(made, 1, 640, 320, "train")
        second = _picture(made, 1, 640, 320, "valid")
        third = _picture(made, 2, 100, 100, None)
        _picture(made, 2, 100, 100, "train")
        away = _picture(made, 2, 100, 100, "train")
        hidden = _picture(made, 3, 100, 100, "train")
        made.db.execute("UPDATE images SET deleted = 1 WHERE id = ?", (away,))
        # At 640 pixels: sides 32 × 64, the root of the area 45.25; the middle in cell 1, 3.
        _box(made, first, 1, 16, 32, 32, 32)
        _box(made, first, 2, 0, 0, 640, 320)
        _box(made, first, 5, 0, 0, 9, 9)  # its label has no class
        _box(made, first, 1, 0, 0, 9, 9, deleted=1)
        _box(made, second, 2, 639.5, 319.75, 0.5, 0.25)
        _box(made, third, 3, 0, 0, 100, 10)
        _box(made, third, 3, 0, 0, 100, 10)
        _box(made, third, 3, 50, 50, 0, 0)
        _box(made, away, 3, 0, 0, 50, 50)
        _box(made, hidden, 4, 0, 0, 50, 50)
        yield made


def test_every_figure(project: Project) -> None:
    stats = collect(project, 640)
    assert stats.images == {"train": 2, "valid": 1, "test": 0, "none": 1}
    assert stats.annotations == {"train": 2, "valid": 1, "test": 0, "none": 3}
    assert stats.empty == {"train": 1, "valid": 0, "test": 0, "none": 0}
    assert [(row.name, row.total) for row in stats.classes] == [
        ("hook", 4),
        ("boom", 2),
        ("idle", 0),
    ]
    hook, boom, idle = stats.classes
    assert hook.annotations == {"train": 1, "valid": 0, "test": 0, "none": 3}
    assert hook.images == {"train": 1, "valid": 0, "test": 0, "none": 1}
    assert boom.images == {"train": 1, "valid": 1, "test": 0, "none": 0}
    assert not any(idle.images.values())
    assert stats.picture_sizes == ((100, 100, 2), (640, 320, 2))
    assert stats.other_sizes == 0
    # Sides at 640: 45.25, 640, 0.5; twice 640 × 64, whose root is 202; one without an area.
    sides = dict(zip(stats.box_sides.names, stats.box_sides.counts, strict=True))
    wanted = {"32 – 63": 1, "≥ 512": 1, "0 – 3": 1, "192 – 255": 2}
    assert {key: count for key, count in sides.items() if count} == wanted
    assert (stats.small, stats.medium, stats.large) == (1, 1, 3)
    many = replace(stats, small=6, medium=0, large=4880)
    assert "small <1%, medium 0%, large 100%" in repr(charts(many)), "six are not none"
    aspects = dict(zip(stats.aspects.names, stats.aspects.counts, strict=True))
    shapes = {key: count for key, count in aspects.items() if count}
    assert shapes == {"4:5 – 5:4": 1, "2:1 – 4:1": 2, "≥ 8:1": 2}
    objects = dict(zip(stats.objects.names, stats.objects.counts, strict=True))
    assert {key: n for key, n in objects.items() if n} == {"0": 1, "1": 1, "2": 1, "3 – 4": 1}
    heat = {(r, c): n for r, row in enumerate(stats.heat) for c, n in enumerate(row) if n}
    assert heat == {(3, 1): 1, (GRID // 2, GRID // 2): 1, (GRID - 1, GRID - 1): 1, (1, 12): 2}
    # Import 2 came before import 1.
    grown = [(g.import_id, g.images, g.images_so_far, g.annotations_so_far) for g in stats.growth]
    assert grown == [(2, 2, 2, 3), (1, 2, 4, 6)]


def test_sides_follow_the_training_size(project: Project) -> None:
    small, large = collect(project, 64), collect(project, 1280)
    assert (small.small, small.medium, small.large) == (4, 1, 0)
    assert (large.small, large.medium, large.large) == (1, 1, 3)


def test_more_annotations_than_are_read_at_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = collect(project)
    monkeypatch.setattr("core.data.stats.columns._TOGETHER", 2)
    assert collect(project) == whole


def test_an_empty_project_has_figures_too(tmp_path: Path) -> None:
    with Project.create(tmp_path / "empty") as project:
        stats = collect(project)
    assert (stats.total_images, stats.total_annotations, stats.classes) == (0, 0, ())
    assert [chart.names for chart in charts(stats)] == [()] * len(charts(stats))
    assert Image.open(io.BytesIO(data_sheet(stats))).format == "PNG"


def test_charts_leave_out_empty_ends(project: Project) -> None:
    found = {chart.id: chart for chart in charts(collect(project))}
    assert found["objects"].names == ("0", "1", "2", "3 – 4")
    assert found["classes"].parts == ("train", "valid", "no split")
    assert found["classes"].counts == ((1, 0, 3), (1, 1, 0), (0, 0, 0))
    assert found["splits"].counts == ((1, 1), (1, 0), (1, 0))
    assert found["growth"].counts == ((0, 2), (2, 2))


def test_the_picture_shows_every_bar(project: Project) -> None:
    picture = Image.open(io.BytesIO(data_sheet(collect(project))))
    # The two classes with objects, four splits' pictures: more than paper and ink is drawn.
    assert len(picture.getcolors(1 << 16) or ()) > 6


def test_as_it_is_typed(project: Project, tmp_path: Path, capsys: Capture) -> None:
    words = ["--workspace", str(tmp_path), "project", "stats", "p"]
    out = tmp_path / "out"
    assert main([*words, "--json"]) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert told["annotations"]["none"] == 3
    assert main([*words, "--out", str(out), "--image-size", "64"]) == Exit.OK
    printed = capsys.readouterr().out
    assert "Box sizes at 64 px (small 80%, medium 20%, large 0%)" in printed
    assert "3 – 4" in printed
    assert "hook" in printed
    written = json.loads((out / "stats.json").read_text())
    assert written["image_size"] == 64
    assert Image.open(out / "stats.png").width == 1240
    (tmp_path / "file").write_text("")
    assert main([*words, "--out", str(tmp_path / "file" / "x")]) == Exit.WRONG
    assert "cannot be written" in capsys.readouterr().err
