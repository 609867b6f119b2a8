"""CVAT's own XML, for images and for videos, as CVAT 2 writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from import_data import png

from core.common.errors import ImportFailed
from core.data.importers.formats.tools.cvat import read_cvat
from core.data.importers.import_named import import_named
from core.data.importers.report import Watch
from core.data.labels.tracks.view import list_tracks, track_boxes
from core.data.store import Project

LABELS = (
    "<labels><label><name>car</name></label><label><name>dog</name></label>"
    "<label><name>body</name><type>skeleton</type></label>"
    "<label><name>1</name><type>points</type><parent>body</parent></label></labels>"
)
IMAGES = f"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><project>{LABELS}</project></meta>
<image id="0" name="a.png" subset="Train" task_id="3" width="80" height="60">
  <box label="car" source="manual" occluded="0" xtl="5.50" ytl="5.00" xbr="20.00" ybr="25.00">
    <attribute name="parked">true</attribute></box>
  <box label="car" occluded="0" xtl="30.00" ytl="20.00" xbr="50.00" ybr="30.00" rotation="90.00"/>
  <polygon label="dog" occluded="0" points="1.00,2.00;30.00,4.00;6.00,50.00" z_order="1"/>
  <ellipse label="dog" cx="40.00" cy="30.00" rx="20.00" ry="10.00" rotation="90.00" z_order="0"/>
  <polyline label="dog" points="1.0,2;3,4;5,6;7,8"/>
  <points label="dog" points="1,2"/>
  <mask label="car" rle="1, 2, 1" left="10" top="20" width="2" height="2" z_order="0"/>
  <skeleton label="body" z_order="0"><points label="1" outside="1" occluded="0" points="1,1"/>
    <points label="1" outside="0" occluded="0" points="10,12"/>
    <points label="1" outside="0" occluded="0" points="20,32"/></skeleton>
  <tag label="dog" source="manual"/>
</image>
<image id="1" name="a.png" subset="Validation" task_id="4" width="80" height="60"></image>
<image id="2" name="gone.png" subset="Test" task_id="5" width="80" height="60">
  <box label="car" xtl="1" ytl="1" xbr="9" ybr="9"/></image>
</annotations>"""


def video(tracks: str, step: int = 1, size: int = 4, first: int = 10) -> str:
    return (
        f"<annotations><version>1.1</version><meta><task><name>t</name><size>{size}</size>"
        f"<mode>interpolation</mode><start_frame>{first}</start_frame><stop_frame>99</stop_frame>"
        f"<frame_filter>step={step}</frame_filter>{LABELS}</task><source>t.mp4</source></meta>"
        f"{tracks}</annotations>"
    )


def box(frame: int, x: float, *, outside: int = 0, rest: str = "") -> str:
    return (
        f'<box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" xtl="{x}" ytl="4.00"'
        f' xbr="{x + 10}" ybr="14.00" z_order="0" {rest}></box>'
    )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as made:
        yield made


def put(folder: Path, xml: str, *pictures: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "annotations.xml").write_text(xml, encoding="utf-8")
    for name in pictures:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(80, 60))
    return folder


def rows(folder: Path) -> list[tuple[str, str, tuple[float, ...]]]:
    """Return file name, class and box of each annotation, by reading alone."""
    data = read_cvat(folder, Watch())
    images, labels, boxes = data.columns()
    return [
        (data.images[i].target, data.labels[n].name, tuple(round(float(v), 3) for v in b))
        for i, n, b in zip(images, labels, boxes, strict=True)
    ]


def test_images_with_shapes_of_every_kind(project: Project, tmp_path: Path) -> None:
    source = put(tmp_path / "set", IMAGES, "images/Train/a.png", "images/Validation/a.png")
    (source / "images" / "other.png").write_bytes(png(80, 60))
    at = "images/Train/a.png"
    assert rows(source) == [
        (at, "car", (5.5, 5.0, 14.5, 20.0)),
        (at, "car", (35.0, 15.0, 10.0, 20.0)),
        (at, "dog", (1.0, 2.0, 29.0, 48.0)),
        (at, "dog", (30.0, 10.0, 20.0, 40.0)),
        (at, "dog", (1.0, 2.0, 6.0, 6.0)),
        (at, "car", (10.0, 20.0, 2.0, 2.0)),
        (at, "body", (10.0, 12.0, 10.0, 20.0)),
    ]
    report = import_named(project, source, "cvat")
    assert (report.images, report.splits) == (2, {"train": 1, "valid": 1})
    assert report.counts() == {
        "shape taken as a box": 5,
        "no box": 2,
        "missing image": 1,
        "same picture in two splits": 1,
    }
    shapes = project.db.execute("SELECT segmentation FROM annotations").fetchall()
    assert [text for (text,) in shapes if text] == [
        "[[45.0,15.0,45.0,35.0,35.0,35.0,35.0,15.0]]",
        "[[1.0,2.0,30.0,4.0,6.0,50.0]]",
    ]
    data = read_cvat(source, Watch())
    assert data.balance.objects == 9
    assert list(data.balance.left) == [str(source / "images" / "other.png")]
    assert data.balance.splits == {"Train": "train", "Validation": "valid", "Test": "test"}


def test_tracks_between_key_frames_and_outside(tmp_path: Path) -> None:
    tracks = (
        f'<track id="0" label="car">{box(10, 0)}{box(16, 20)}{box(22, 20, outside=1)}{box(25, 5)}'
        "</track>"
        f'<track id="1" label="dog">{box(13, 1)}</track>'
        '<track id="2" label="dog"><polygon frame="10" keyframe="1" outside="0"'
        ' points="1,1;9,1;9,9"/><polygon frame="16" keyframe="1" outside="0"'
        ' points="1,1;9,1;9,9"/></track>'
    )
    pictures = [f"images/frame_{n:06d}.PNG" for n in (10, 13, 16, 19, 22, 25)]
    source = put(tmp_path / "set", video(tracks, step=3), *pictures)
    found = [(name[-6:-4], label, b[0]) for name, label, b in rows(source)]
    assert found == [
        ("10", "car", 0.0),
        ("13", "car", 10.0),
        ("16", "car", 20.0),
        ("19", "car", 20.0),
        ("25", "car", 5.0),
        ("13", "dog", 1.0),
        ("10", "dog", 1.0),
        ("16", "dog", 1.0),
    ]
    data = read_cvat(source, Watch())
    assert data.problems.counts == {"no box": 1}, "the frame between two polygons is told"
    assert {picture.grp for picture in data.images} == {"t.mp4"}
    assert len(data.images) == 6


def test_tracks_of_a_video_are_those_of_the_project(project: Project, tmp_path: Path) -> None:
    drawn = box(16, 2).replace('keyframe="1"', 'keyframe="0"')
    tracks = (
        f'<track id="0" label="car">{box(10, 0)}{box(16, 20)}{box(16, 21)}</track>'
        f'<track id="7" label="dog">{box(13, 1)}{drawn}</track>'
    )
    pictures = [f"images/frame_{n:06d}.PNG" for n in (10, 13, 16)]
    import_named(project, put(tmp_path / "set", video(tracks, step=3), *pictures), "cvat")
    car, dog = list_tracks(project, "t.mp4")
    assert (car.class_name, car.labels, car.sources) == (
        "car", 3, {"import": 2, "interpolation": 1},
    )  # fmt: skip
    assert (dog.class_name, dog.labels, dog.sources) == (
        "dog", 2, {"import": 1, "interpolation": 1},
    )  # fmt: skip
    assert [box.key for box in track_boxes(project, car.id)] == [True, False, True]
    project.undo()
    assert list_tracks(project) == []


def test_a_turned_track_turns_the_shorter_way(tmp_path: Path) -> None:
    turned = box(0, 20, rest='rotation="350.00"') + box(2, 20, rest='rotation="10.00"')
    source = put(
        tmp_path / "set",
        video(f'<track id="0" label="car">{turned}</track>', first=0),
        *[f"images/frame_{n:06d}.png" for n in range(3)],
    )
    assert rows(source)[1][2] == (20.0, 4.0, 10.0, 10.0), "between 350 and 10 it stands upright"


def test_a_task_made_of_pictures_is_numbered_by_their_order(tmp_path: Path) -> None:
    tracks = f'<track id="0" label="car">{box(10, 1)}{box(11, 2, outside=1)}</track>'
    source = put(tmp_path / "set", video(tracks, size=2), "images/b.png", "images/a.png")
    assert rows(source) == [("images/a.png", "car", (1.0, 4.0, 10.0, 10.0))]
    assert read_cvat(source, Watch()).problems.counts == {"frames without numbers": 1}


def test_a_video_without_its_frames_says_how_to_get_them(project: Project, tmp_path: Path) -> None:
    source = put(tmp_path / "set", video(f'<track id="0" label="car">{box(10, 1)}</track>'))
    (source / "t.mp4").touch()
    with pytest.raises(ImportFailed, match="frames") as told:
        import_named(project, source, "cvat")
    assert "ffmpeg -i t.mp4" in told.value.hint
    assert "Save images" in told.value.hint


@pytest.mark.parametrize(
    "text", ["", "<annotations>", "<annotation/>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "\0"]
)
def test_a_damaged_file_is_told_in_one_line(project: Project, tmp_path: Path, text: str) -> None:
    source = put(tmp_path / "set", text, "a.png")
    with pytest.raises(ImportFailed) as told:
        import_named(project, source, "cvat")
    assert "annotations.xml" in told.value.hint
    assert project.summary().images == 0


def test_a_name_does_not_lead_out_of_the_data_set(project: Project, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png(80, 60))
    xml = IMAGES.replace('name="a.png" subset="Train"', 'name="../secret.png"')
    source = put(tmp_path / "set", xml, "images/Validation/a.png")
    report = import_named(project, source, "cvat")
    assert report.images == 1
    counts = report.counts()
    assert (counts["missing image"], counts["unsafe file name"]) == (1, 1)
