"""Tracks with their key frames, out for CVAT and in again."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from import_data import png, put

from core.data.exporters import export_cvat_video
from core.data.importers.import_named import import_named
from core.data.labels.tracks.view import list_tracks, track_boxes
from core.data.store import Project

FILM = "night <1>.mp4"
DRAWN = {"source": "interpolation"}


@pytest.fixture
def project(tmp_path: Path):
    """A video of seven frames, and a picture of none; two classes with odd names."""
    with Project.create(tmp_path / "yard") as made:
        with made.change("import", "made") as change:
            change.insert("imports", {"kind": "m", "origin": "h", "at": "2026", "active": 1})
            for name in ("crane & co", '"vest"'):
                of = change.insert("classes", {"name": name})
                change.insert("labels", {"import_id": 1, "name": name, "class_id": of})
            for number in range(1, 9):
                put(made.images_dir / f"1/{number}.png", png(64, 48))
                frame = {"grp": FILM, "time": float(number)} if number < 8 else {}
                row = {"path": f"1/{number}.png", "name": f"{number}.png", "split": "valid"}
                more = {"import_id": 1, "width": 64, "height": 48}
                change.insert("images", {**row, **more, **frame})
        yield made


def track(project: Project, boxes: dict[int, tuple[float, dict[str, Any]]], label: int = 1) -> int:
    """Add a track with a box at each picture: its left side, and what else is known of it."""
    with project.change("t", "t") as change:
        number = change.insert("tracks", {"grp": FILM, "class_id": label})
        for image, (x, more) in boxes.items():
            box = {"x": x, "y": 4.25, "w": 16.0, "h": 12.0}
            row = {"image_id": image, "label_id": label, "track": number, **box, **more}
            change.insert("annotations", row)
    return number


def told(project: Project) -> list[Any]:
    return [
        (
            t.video,
            t.class_name,
            [(b.picture.place, b.box, b.key) for b in track_boxes(project, t.id)],
        )
        for t in list_tracks(project)
    ]


def written(folder: Path, video: str) -> list[list[tuple[int, bool, bool, float]]]:
    """Frame, whether it is a key frame, whether it is outside, and left side of each shape."""
    root = ElementTree.parse(folder / "valid" / video / "annotations.xml").getroot()
    return [
        [
            (
                int(box.attrib["frame"]),
                box.attrib["keyframe"] == "1",
                box.attrib["outside"] == "1",
                float(box.attrib["xtl"]),
            )
            for box in one.findall("box")
        ]
        for one in root.findall("track")
    ]


def by_cvat(shapes: list[tuple[int, bool, bool, float]], last: int) -> dict[int, float]:
    """What CVAT shows of a track: key frames, a straight line between them, until it is outside."""
    keys = [shape for shape in shapes if shape[1]]
    seen: dict[int, float] = {}
    for one, other in zip(keys, [*keys[1:], None], strict=True):
        if one[2]:
            continue
        end = other[0] if other else last + 1
        for frame in range(one[0], end):
            slope = 0.0 if other is None or other[2] else (other[3] - one[3]) / (end - one[0])
            seen[frame] = one[3] + slope * (frame - one[0])
    return seen


def test_tracks_with_key_frames_go_out_and_come_in(project: Project, tmp_path: Path) -> None:
    track(project, {1: (2, {}), 2: (4, DRAWN), 3: (6, {}), 6: (9.5, {}), 7: (9.5, {})})
    track(project, {3: (30, {}), 4: (31, DRAWN), 5: (32, {"source": "person"})}, label=2)
    report = export_cvat_video(project, tmp_path / "out")
    assert (report.images, report.annotations, report.left_out) == (8, 8, {})
    one, two = written(tmp_path / "out", "night _1_.mp4")
    assert one == [
        (0, True, False, 2), (1, False, False, 4), (2, True, False, 6), (3, True, True, 6),
        (5, True, False, 9.5), (6, True, False, 9.5),
    ]  # fmt: skip
    assert by_cvat(one, 6) == {0: 2, 1: 4, 2: 6, 5: 9.5, 6: 9.5}
    assert by_cvat(two, 6) == {2: 30, 3: 31, 4: 32}
    text = (tmp_path / "out/valid/night _1_.mp4/annotations.xml").read_text()
    assert text.count('source="manual"') == 2, "boxes drawn between two are no model's"
    frames = tmp_path / "out/valid/night _1_.mp4/images"
    assert sorted(path.name for path in frames.iterdir()) == [f"frame_{n:06}.png" for n in range(7)]
    with Project.create(tmp_path / "again") as again:
        back = import_named(again, tmp_path / "out", "cvat")
        assert (back.counts(), back.splits) == ({}, {"valid": 8})
        assert told(again) == told(project)
        assert export_cvat_video(again, tmp_path / "out2").annotations == 8
    name = "valid/night _1_.mp4/annotations.xml"
    assert (tmp_path / "out" / name).read_text() == (tmp_path / "out2" / name).read_text()


def test_boxes_that_cvat_would_draw_elsewhere_are_key_frames(
    project: Project, tmp_path: Path
) -> None:
    # Even in time, which these frames are not; drawn at the end of a track, and before a gap.
    track(project, {1: (2, {}), 2: (9, DRAWN), 3: (10, {}), 4: (11, DRAWN), 6: (12, DRAWN)})
    report = export_cvat_video(project, tmp_path / "out")
    (shapes,) = written(tmp_path / "out", "night _1_.mp4")
    assert by_cvat(shapes, 6) == {0: 2, 1: 9, 2: 10, 3: 11, 5: 12}
    assert report.left_out == {"boxes drawn between key frames (written as key frames)": 3}
    with Project.create(tmp_path / "again") as again:
        import_named(again, tmp_path / "out", "cvat")
        assert [box[1] for box in told(again)[0][2]] == [box[1] for box in told(project)[0][2]]


def test_what_cvats_tracks_cannot_hold_is_counted(project: Project, tmp_path: Path) -> None:
    model = {"source": "model", "model": "night-3", "score": 0.5}
    number = track(project, {1: (2, model), 2: (3, {**model, "edited": 1})})
    with project.change("t", "t") as change:
        box = {"x": 3.0, "y": 4.0, "w": 9.0, "h": 9.0}
        change.insert("annotations", {"image_id": 3, "label_id": 2, "track": number, **box})
        change.insert("annotations", {"image_id": 8, "label_id": 1, **box})
        change.update("images", 2, {"review": "done"})
    report = export_cvat_video(project, tmp_path / "out")
    assert report.left_out == {
        "names of models": 2,
        "scores of models": 2,
        "tracks of several classes (written as several)": 1,
        "tracks of boxes that are on none (written as tracks of one frame)": 1,
        "reviews of images": 1,
    }
    text = (tmp_path / "out/valid/night _1_.mp4/annotations.xml").read_text()
    assert text.count('source="semi-auto"') == text.count('source="manual"') == 1
    assert written(tmp_path / "out", "pictures") == [[(0, True, False, 3)]]
