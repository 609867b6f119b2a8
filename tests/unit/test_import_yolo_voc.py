"""YOLO and Pascal VOC: layouts, coordinates, and every way the files can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from import_data import boxes, check, files_below, png, put, put_voc, put_yolo, state, voc_xml

from core.common.errors import ImportFailed
from core.data import classes
from core.data.importers import import_voc, import_yolo
from core.data.store import Project


@pytest.fixture
def project(tmp_path: Path):
    with Project.create(tmp_path / "cranes") as made:
        yield made


# YOLO


def test_yolo_boxes_are_in_pixels_and_roboflows_paths_are_found(
    project: Project, tmp_path: Path
) -> None:
    report = import_yolo(project, put_yolo(tmp_path / "set"))
    assert report.counts() == {}
    assert report.splits == {"train": 1, "valid": 1}
    assert boxes(project) == [
        ("train", "a.png", "hook", 24, 12, 16, 24),
        ("train", "a.png", "boom", 12, 9, 8, 6),
        ("valid", "b.png", "boom", 0, 0, 64, 48),
    ]
    check(project)


YAMLS: list[tuple[str, str, dict[str | None, int]]] = [
    ("names by number", "train: train/images\nnames:\n  1: boom\n  0: hook\n", {"train": 1}),
    ("a list of folders", "train: [train/images, valid/images]\nnames: [hook, boom]", {"train": 2}),
    ("a root", "path: ..\ntrain: set/train/images\nnames: [hook, boom]\n", {"train": 1}),
    ("a root elsewhere", "path: /no/such\ntrain: train/images\nnames: [a, b]", {"train": 1}),
    ("folders above images", "train: train\nval: valid\nnames: [a, b]", {"train": 1, "valid": 1}),
    ("the same folder twice", "train: train/images\nval: train/images\nnames: [a, b]",
     {"train": 1}),
    ("a list of images", "train: list.txt\nnames: [a, b]", {"train": 2}),
    ("no splits named", "names: [a, b]", {"train": 1, "valid": 1}),
    ("backslashes", "train: train\\images\nnames: [a, b]", {"train": 1}),
    ("validation", "validation: valid/images\nnames: [a, b]", {"valid": 1}),
    ("nulls", "train: train/images\nval: null\ntest:\nnames: [a, b]", {"train": 1}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "splits"), [row[1:] for row in YAMLS], ids=[row[0] for row in YAMLS]
)
def test_data_yaml(
    project: Project, tmp_path: Path, text: str, splits: dict[str | None, int]
) -> None:
    source = put_yolo(tmp_path / "set", **{
        "data.yaml": text,
        "list.txt": f"./train/images/a.png\n{tmp_path}/set/valid/images/b.png\n\n",
    })  # fmt: skip
    report = import_yolo(project, source)
    assert report.splits == splits
    names = [row[0].rpartition("/")[2] for row in project.db.execute("SELECT name FROM v_images")]
    assert report.annotations == sum({"a.png": 2, "b.png": 1}[name] for name in names)
    check(project)


def test_class_names_that_yaml_would_take_for_something_else(
    project: Project, tmp_path: Path
) -> None:
    text = "train: train/images\nnames: [yes, 1.50]\n"
    assert import_yolo(project, put_yolo(tmp_path / "set", **{"data.yaml": text})).classes == [
        "1.50", "yes",
    ]  # fmt: skip


def test_a_set_without_yaml_is_known_by_its_classes_txt(project: Project, tmp_path: Path) -> None:
    put(tmp_path / "set" / "images" / "a.png")
    put(tmp_path / "set" / "labels" / "a.txt", "1 0.5 0.5 0.5 0.5")
    put(tmp_path / "set" / "classes.txt", "hook\nboom\n\n")
    report = import_yolo(project, tmp_path / "set")
    assert (report.classes, report.annotations, report.splits) == (["boom", "hook"], 1, {"none": 1})


def test_labels_beside_images_and_images_in_odd_folders(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "images" / "set"
    put(folder / "data.yaml", "train: pics\nnames: [a]")
    put(folder / "pics" / "deep" / "X.JPG", png())
    put(folder / "pics" / "deep" / "X.txt", "0 0.5 0.5 1 1")
    report = import_yolo(project, folder)
    assert (report.images, report.annotations) == (1, 1)
    assert project.db.execute("SELECT path, name FROM v_images").fetchone()[:] == (
        "1/train/deep/X.JPG", "deep/X.JPG",
    )  # fmt: skip


def test_a_polygon_gives_its_box_and_is_kept(project: Project, tmp_path: Path) -> None:
    labels = "0 0.25 0.25 0.75 0.25 0.75 0.5\n"
    import_yolo(project, put_yolo(tmp_path / "set", **{"train/labels/a.txt": labels}))
    row = project.db.execute("SELECT x, y, w, h, segmentation FROM annotations").fetchone()
    assert row[:4] == (16, 12, 32, 12)
    assert json.loads(row[4]) == [[16, 12, 48, 12, 48, 24]]


LINES: list[tuple[str, str | bytes, dict[str, int], int]] = [
    ("empty", "", {}, 0),
    ("blank lines and a byte order mark", "\ufeff0 .5 .5 .1 .1\n\n  \n", {}, 1),
    ("confidence", "0 .5 .5 .1 .1 0.93", {"more than a box": 1}, 1),
    ("class 0.0", "0.0 .5 .5 .1 .1", {}, 1),
    ("words", "hook .5 .5 .1 .1", {"bad line": 1}, 0),
    ("too few", "0 .5 .5 .1", {"bad line": 1}, 0),
    ("an odd polygon", "0 .5 .5 .1 .1 .2 .2 .3", {"bad line": 1}, 0),
    ("NaN", "0 nan .5 .1 .1", {"non-finite number": 1}, 0),
    ("infinite class", "inf .5 .5 .1 .1", {"non-finite number": 1}, 0),
    ("overflow", "0 1e308 .5 1e308 .1", {"non-finite number": 1}, 0),
    ("unknown class", "7 .5 .5 .1 .1\n-1 .5 .5 .1 .1\n0.5 .5 .5 .1 .1", {"unknown category": 3}, 0),
    ("zero size", "0 .5 .5 0 .1", {"zero-size box": 1}, 0),
    ("pixels", "0 320 240 64 48", {"box outside the image": 1}, 0),
    ("past the edge", "0 0.95 .5 .3 .1", {"box past the edge": 1}, 1),
    ("rounded past the edge", "0 0.500001 0.5 1 1", {}, 1),
    ("a degenerate polygon", "0 .1 .1 .1 .1 .1 .1", {"zero-size box": 1}, 0),
]


@pytest.mark.parametrize(
    ("labels", "expected", "left"), [row[1:] for row in LINES], ids=[row[0] for row in LINES]
)
def test_a_bad_line_is_reported(
    project: Project, tmp_path: Path, labels: str, expected: dict[str, int], left: int
) -> None:
    source = put_yolo(tmp_path / "set", **{
        "train/labels/a.txt": labels, "data.yaml": "train: train/images\nnames: [hook, boom]",
    })  # fmt: skip
    report = import_yolo(project, source)
    assert (report.counts(), report.annotations, report.images) == (expected, left, 1)
    check(project)


@pytest.mark.parametrize("labels", [png(), b"\xff\xfe\x00\xd8", "0 .5 .5 .1 .1\0"])
def test_labels_that_are_no_text_leave_the_image_out(
    project: Project, tmp_path: Path, labels: Any
) -> None:
    report = import_yolo(project, put_yolo(tmp_path / "set", **{"train/labels/a.txt": labels}))
    assert report.counts() == {"unreadable label file": 1}
    assert (report.images, report.annotations) == (1, 1)


def test_lists_may_not_lead_out_of_the_data_set(project: Project, tmp_path: Path) -> None:
    put(tmp_path / "out.png")
    put(tmp_path / "out.txt", "0 .5 .5 1 1")
    lines = "../out.png\ntrain/images/../../../out.png\n/etc/x.png\n" + str(tmp_path / "out.png")
    lines += "\nC:\\x.png\ntrain/images/none.png\ntrain/images/../images/a.png\n"
    source = put_yolo(tmp_path / "set", **{
        "list.txt": lines, "data.yaml": "train: list.txt\nnames: [a, b]",
    })  # fmt: skip
    report = import_yolo(project, source)
    assert report.counts() == {"unsafe file name": 5, "missing image": 1}
    assert [row[0] for row in project.db.execute("SELECT name FROM v_images")] == ["a.png"]


BROKEN_YOLO: list[tuple[str, dict[str, Any], str]] = [
    ("not YAML", {"data.yaml": "names: [a, b\ntrain: : :"}, "not valid YAML at line"),
    ("a list", {"data.yaml": "- a\n- b"}, "does not describe"),
    ("empty", {"data.yaml": ""}, "does not describe"),
    ("binary", {"data.yaml": png()}, "not UTF-8"),
    ("control characters", {"data.yaml": "names: [\0]"}, "not valid YAML"),
    ("no names", {"data.yaml": "download: x"}, "does not name the classes"),
    ("names that are none", {"data.yaml": "train: train/images\nnames: x"}, "does not name"),
    ("missing folders", {"data.yaml": "train: x\nval: y\nnames: [a]"}, "train: x, val: y"),
    ("nested too deeply", {"data.yaml": "[" * 20_000}, "not valid YAML"),
    ("an image for a split", {"data.yaml": "train: train/images/a.png\nnames: [a]"}, "is an image"),
    ("a list that is binary", {"data.yaml": "train: l.txt\nnames: [a]", "l.txt": png()},
     "not a list of images"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "message"), [row[1:] for row in BROKEN_YOLO], ids=[row[0] for row in BROKEN_YOLO]
)
def test_a_broken_yolo_set_changes_nothing(
    project: Project, tmp_path: Path, files: dict[str, Any], message: str
) -> None:
    before = state(project)
    with pytest.raises(ImportFailed, match=message) as caught:
        import_yolo(project, put_yolo(tmp_path / "set", **files))
    assert caught.value.hint
    assert state(project) == before
    assert files_below(project.images_dir) == {}


def test_an_alias_bomb_in_yaml_is_no_danger(project: Project, tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    text = bomb + "train: train/images\nnames: *a29\n"
    report = import_yolo(project, put_yolo(tmp_path / "set", **{"data.yaml": text}))
    assert report.counts() == {"bad category": 9, "unknown category": 2}


def test_images_without_any_label_file_are_a_wrong_folder(project: Project, tmp_path: Path) -> None:
    put(tmp_path / "set" / "images" / "a.png")
    put(tmp_path / "set" / "data.yaml", "train: images\nnames: [a]")
    with pytest.raises(ImportFailed, match="has a label file") as caught:
        import_yolo(project, tmp_path / "set")
    assert "a.txt" in caught.value.hint
    assert "set/labels" in caught.value.hint


@pytest.mark.parametrize("reader", [import_yolo, import_voc])
def test_a_wrong_folder_is_told_what_was_looked_for(
    project: Project, tmp_path: Path, reader: Any
) -> None:
    put(tmp_path / "set" / "notes.txt", "x")
    with pytest.raises(ImportFailed, match=r"notes\.txt") as caught:
        reader(project, tmp_path / "set")
    assert "data set is a folder with" in caught.value.hint
    with pytest.raises(ImportFailed, match="There is no"):
        reader(project, tmp_path / "nothing")


# Pascal VOC


def test_voc_counts_pixels_from_1_and_includes_both_corners(
    project: Project, tmp_path: Path
) -> None:
    report = import_voc(project, put_voc(tmp_path / "set"))
    assert report.counts() == {}
    assert report.splits == {"train": 1, "valid": 1}
    assert boxes(project) == [
        ("train", "a.png", "hook", 1, 2, 10, 12),
        ("train", "a.png", "boom", 20, 8, 30, 30),
        ("valid", "b.png", "hook", 0, 0, 64, 48),
    ]
    assert json.loads(project.db.execute("SELECT detail FROM imports").fetchone()[0])[
        "counted_from"
    ] == 1  # fmt: skip
    check(project)


def test_a_set_with_a_box_at_0_counts_from_0(project: Project, tmp_path: Path) -> None:
    source = put_voc(tmp_path / "set", **{
        "Annotations/b.xml": voc_xml("b.png", ("hook", 0, 0, 64, 48)),
    })  # fmt: skip
    import_voc(project, source)
    assert [row[3:] for row in boxes(project)] == [
        (2, 3, 9, 11), (21, 9, 29, 29), (0, 0, 64, 48),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("annotations", "images", "splits"),
    [
        ("train", "train", {"train": 1}),
        ("", "", {"none": 1}),
        ("valid/annotations", "valid/images", {"valid": 1}),
        ("VOCdevkit/VOC2012/Annotations", "VOCdevkit/VOC2012/JPEGImages", {"none": 1}),
        ("VOC2007/Annotations", "VOC2007/JPEGImages", {"none": 1}),
        ("annotations", "", {"none": 1}),
        ("Annotations", "Annotations", {"none": 1}),
    ],
)
def test_voc_layouts(
    project: Project, tmp_path: Path, annotations: str, images: str, splits: dict[str, int]
) -> None:
    put(tmp_path / "set" / annotations / "a.xml", voc_xml("a.png", ("hook", 1, 1, 9, 9)))
    put(tmp_path / "set" / images / "a.png")
    report = import_voc(project, tmp_path / "set")
    assert (report.splits, report.annotations) == (splits, 1)
    check(project)


def test_two_years_with_the_same_names_stay_apart(project: Project, tmp_path: Path) -> None:
    for year in ("VOC2007", "VOC2012"):
        put_voc(tmp_path / "kit" / year)
    report = import_voc(project, tmp_path / "kit")
    assert (report.images, report.annotations) == (4, 6)
    check(project)


XMLS: list[tuple[str, Any, dict[str, int], int, int]] = [
    ("no objects", voc_xml("a.png"), {}, 2, 1),
    ("cut short", voc_xml("a.png")[:-9], {"unreadable annotation file": 1}, 1, 1),
    ("binary", png(), {"unreadable annotation file": 1}, 1, 1),
    ("empty", "", {"unreadable annotation file": 1}, 1, 1),
    ("HTML", "<html><body/></html>", {"unreadable annotation file": 1}, 1, 1),
    ("unknown encoding", "<?xml version='1.0' encoding='klingon'?><annotation/>",
     {"unreadable annotation file": 1}, 1, 1),
    ("a codec for no text", "<?xml version='1.0' encoding='punycode'?><annotation/>",
     {"unreadable annotation file": 1}, 1, 1),
    ("another encoding than it says", b'<?xml version="1.0" encoding="Shift_JIS"?>\xff\xff',
     {"unreadable annotation file": 1}, 1, 1),
    ("entities", '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>',
     {"unreadable annotation file": 1}, 1, 1),
    ("nested deeply", "<annotation>" * 50_000, {"unreadable annotation file": 1}, 1, 1),
    ("other file name", voc_xml("none.png", ("hook", 1, 1, 9, 9)), {}, 2, 2),
    ("no file name", voc_xml("", ("hook", 1, 1, 9, 9)), {}, 2, 2),
    ("unsafe file name", voc_xml("../a.png"), {"unsafe file name": 1}, 2, 1),
    ("name of the other image", voc_xml("b.png", ("hook", 1, 1, 9, 9)),
     {"name of another image": 1}, 2, 2),
    ("no size", voc_xml("a.png", ("hook", 1, 1, 9, 9), size=("", "x")), {}, 2, 2),
    ("zero size", voc_xml("a.png", ("hook", 1, 1, 9, 9), size=(0, 0)), {}, 2, 2),
    ("class of blanks", voc_xml("a.png", (" ", 1, 1, 9, 9)), {"bad category": 1}, 2, 1),
    ("words for corners", voc_xml("a.png", ("hook", "x", 1, 9, 9)), {"non-finite number": 1}, 2, 1),
    ("infinite", voc_xml("a.png", ("hook", 1, 1, "inf", 9)), {"non-finite number": 1}, 2, 1),
    ("corners swapped", voc_xml("a.png", ("hook", 9, 9, 1, 1)), {"corners swapped": 1}, 2, 2),
    ("outside", voc_xml("a.png", ("hook", 90, 90, 99, 99)), {"box outside the image": 1}, 2, 1),
    ("past the edge", voc_xml("a.png", ("hook", 50, 1, 99, 9)), {"box past the edge": 1}, 2, 2),
    ("no box", "<annotation><filename>a.png</filename><object><name>x</name></object></annotation>",
     {"no box": 1}, 2, 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("xml", "expected", "images", "left"), [row[1:] for row in XMLS], ids=[row[0] for row in XMLS]
)
def test_a_bad_xml_is_reported(
    project: Project, tmp_path: Path, xml: Any, expected: dict[str, int], images: int, left: int
) -> None:
    report = import_voc(project, put_voc(tmp_path / "set", **{"Annotations/a.xml": xml}))
    assert (report.counts(), report.images, report.annotations) == (expected, images, left)
    check(project)


def test_images_without_xml_show_nothing(project: Project, tmp_path: Path) -> None:
    source = put_voc(tmp_path / "set")
    put(source / "JPEGImages" / "c.png")
    report = import_voc(project, source)
    assert report.images == 3
    assert {row.name: row.annotations for row in classes.list_classes(project)} == {
        "boom": 1, "hook": 2,
    }  # fmt: skip
