"""Tracks of MOTChallenge: they come in as the project's, and go out for CVAT to read."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from core.data.exporters import export_mot
from core.data.importers.import_named import import_named
from core.data.labels.edit import edit
from core.data.labels.ops import parse_ops
from core.data.labels.tracks.view import list_tracks, list_videos, track_boxes
from core.data.store import Project

GT = "1,5,1,1,10,10,1,1,1\n2,5,3,1,10,10,1,1,1\n2,5,40,1,10,10,1,1,1\n2,9,20,20,8,8,1,3,0.5\n"


@pytest.fixture
def project(tmp_path: Path):
    for name in ("MOT17-02", "MOT17-04"):
        images = tmp_path / "mot" / "train" / name / "img1"
        images.mkdir(parents=True)
        for number in (1, 2, 3):
            Image.new("RGB", (64, 48)).save(images / f"{number:06d}.jpg")
        (images.parent / "gt").mkdir()
        (images.parent / "gt" / "gt.txt").write_text(GT)
    with Project.create(tmp_path / "street") as made:
        import_named(made, tmp_path / "mot", "mot")
        yield made


def told(project: Project) -> list[tuple[object, ...]]:
    return [
        (t.video, t.class_name, [(b.picture.place, b.box) for b in track_boxes(project, t.id)])
        for t in list_tracks(project)
    ]


def test_each_sequence_has_its_tracks_with_one_box_a_picture(project: Project) -> None:
    walker = [(0, (0, 0, 10, 10)), (1, (2, 0, 10, 10))]
    car = [(1, (19, 19, 8, 8))]
    assert told(project) == [
        (video, name, boxes)
        for video in ("MOT17-02", "MOT17-04")
        for name, boxes in (("pedestrian", walker), ("car", car))
    ]
    assert [(v.name, v.pictures, v.tracks) for v in list_videos(project)] == [
        ("MOT17-02", 3, 2), ("MOT17-04", 3, 2),
    ]  # fmt: skip


def test_tracks_go_out_and_come_in_as_they_were(project: Project, tmp_path: Path) -> None:
    edit(project, 3, parse_ops([{"op": "add", "class": 1, "box": [5.5, 6, 7, 8]}]))
    report = export_mot(project, tmp_path / "out")
    assert (report.images, report.annotations) == (6, 9)
    assert report.left_out == {
        "tracks of boxes that are on none (written as -1)": 3,
        "origins of boxes (by a person or a model, changed by hand)": 1,
    }
    sequence = tmp_path / "out" / "train" / "MOT17-02"
    assert sorted(file.name for file in (sequence / "img1").iterdir()) == [
        "000001.jpg", "000002.jpg", "000003.jpg",
    ]  # fmt: skip
    number = list_tracks(project)[0].id
    names = (sequence / "gt" / "labels.txt").read_text().splitlines()
    place = names.index("pedestrian") + 1
    lines = (sequence / "gt" / "gt.txt").read_text().splitlines()
    assert lines[0] == f"1,{number},0,0,10,10,1,{place},1"
    assert any(line.startswith("3,-1,5.5,6,7,8,1,") for line in lines)
    assert "seqLength=3" in (sequence / "seqinfo.ini").read_text()
    with Project.create(tmp_path / "again") as again:
        import_named(again, tmp_path / "out", "mot")
        assert told(again) == told(project)
        assert again.summary().annotations == 9
