"""Odd but real data sets: what is taken is right, and nothing goes without a word."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from import_data import coco, png, put, voc_xml

from core.common.errors import ImportFailed
from core.data.importers.detect_format import guess_kind
from core.data.importers.import_named import import_named
from core.data.importers.report import ImportReport
from core.data.store import Project

LINE = "0 .5 .5 .25 .5\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as made:
        yield made


def boxes(project: Project) -> set[tuple[float, ...]]:
    return set(map(tuple, project.db.execute("SELECT x, y, w, h FROM annotations")))


def yolo(root: Path, line: str, yaml: str = "train: images\nnames: [car]\n", n: int = 4) -> Path:
    """A set of pictures of 64 × 48, each with a label file of this text."""
    for number in range(n):
        put(root / "images" / f"{number}.png")
        put(root / "labels" / f"{number}.txt", line)
    put(root / "data.yaml", yaml)
    return root


def told(report: ImportReport) -> list[tuple[str, str]]:
    return [(problem.kind, problem.detail) for problem in report.problems]


@pytest.mark.parametrize(
    ("points", "shape"),
    [(".4 .4 .6 .4 .6 .6 .4 .6", "[4, 2]"), (".4 .4 2 " * 4, "[4, 3]"), (".4 .4 2 " * 3, "[3, 3]")],
)
def test_key_points_behind_a_box_are_no_outline_and_are_told(
    project: Project, tmp_path: Path, points: str, shape: str
) -> None:
    """With four points of three numbers a line has as many values as KITTI's may have."""
    yaml = f"train: images\nkpt_shape: {shape}\nnames: [car]\n"
    report = import_named(project, yolo(tmp_path / "set", f"{LINE.strip()} {points}\n", yaml))
    assert report.kind == "yolo"
    assert boxes(project) == {(24.0, 12.0, 16.0, 24.0)}
    assert told(report) == [
        ("more than a box", "4 lines with key points behind the box, which is not taken")
    ]


def test_a_value_behind_a_box_is_told(project: Project, tmp_path: Path) -> None:
    report = import_named(project, yolo(tmp_path / "set", f"{LINE.strip()} 0.91\n"))
    assert report.counts() == {"more than a box": 1}


def test_objects_that_lie_on_themselves_are_told(project: Project, tmp_path: Path) -> None:
    report = import_named(project, yolo(tmp_path / "set", LINE * 3 + "0 .2 .2 .1 .1\n"))
    assert report.annotations == 16
    detail = "2 objects lie exactly on another of the same class"
    assert told(report) == [("same object twice", detail)] * 4


def test_a_label_file_of_two_images_is_told(project: Project, tmp_path: Path) -> None:
    root = yolo(tmp_path / "set", LINE)
    put(root / "images" / "0.jpg", png(64, 48))
    report = import_named(project, root)
    assert told(report) == [
        ("label file of two images", "0.txt is the label file of another image too")
    ]


def test_a_description_far_below_names_the_classes(project: Project, tmp_path: Path) -> None:
    root = tmp_path / "set"
    inner = root / "dataset" / "dataset"
    for split in ("train", "test"):
        put(inner / split / "images" / f"{split}.png")
        put(inner / split / "labels" / f"{split}.txt", LINE)
    put(inner / "data.yaml", "train: ../train/images\ntest: ../test/images\nnames: [car]\n")
    report = import_named(project, root)
    assert (report.classes, report.splits) == (["car"], {"train": 1, "test": 1})
    shutil.copytree(inner, root / "dataset" / "other")
    with pytest.raises(ImportFailed, match="There are 2 data sets"):
        import_named(project, root)


def two_corners(root: Path, boxes: list[list[float]]) -> Path:
    put(root / "a.png")
    records = [
        {"id": n, "image_id": 1, "category_id": 1, "bbox": box} for n, box in enumerate(boxes)
    ]
    put(root / "x.json", json.dumps(coco(annotations=records)))
    put(root / "b.png")
    return root


CORNERS: list[list[float]] = [
    [5, 5, 25, 25],
    [10, 10, 56, 40],
    [4, 2, 20, 30],
    [2, 3, 44, 40],
    [8, 4, 50, 40],
]


def test_boxes_of_two_corners_stop_though_most_would_fit(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match="they look like two corners") as stopped:
        import_named(project, two_corners(tmp_path / "set", CORNERS))
    assert "x1, y1, x2, y2" in stopped.value.hint
    assert import_named(project, tmp_path / "set", anyway=True).annotations == 5


def test_large_objects_at_the_upper_left_are_no_corners(project: Project, tmp_path: Path) -> None:
    inside: list[list[float]] = [[x, y, min(w, 63 - x), min(h, 47 - y)] for x, y, w, h in CORNERS]
    assert import_named(project, two_corners(tmp_path / "set", inside)).annotations == 5
    other: list[list[float]] = [*CORNERS, [40, 30, 9, 9]]
    report = import_named(project, two_corners(tmp_path / "other", other))
    assert report.counts() == {"box past the edge": 1}


def test_an_image_in_two_lists_of_voc_is_told(project: Project, tmp_path: Path) -> None:
    root = tmp_path / "set"
    for name in "abc":
        put(root / "JPEGImages" / f"{name}.png")
        put(root / "Annotations" / f"{name}.xml", voc_xml(f"{name}.png"))
    put(root / "ImageSets" / "Main" / "train.txt", "a\nb\n")
    put(root / "ImageSets" / "Main" / "val.txt", "b\nc\n")
    put(root / "ImageSets" / "Main" / "trainval.txt", "a\nb\nc\n")
    report = import_named(project, root)
    assert report.splits == {"train": 2, "valid": 1}
    assert told(report) == [("image listed twice", "it is in train, where another list has it")]


def test_cvats_voc_with_its_list_of_colours_is_voc(project: Project, tmp_path: Path) -> None:
    root = tmp_path / "set"
    put(root / "JPEGImages" / "a.png")
    put(root / "Annotations" / "a.xml", voc_xml("a.png"))
    put(root / "labelmap.txt", "# label:color_rgb:parts:actions\ncar:1,2,3::\n")
    assert guess_kind(root) == "voc"
    assert import_named(project, root).images == 1


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (
            "<polygon><x1>2</x1><y1>3</y1><x2>20</x2><y2>3</y2><x3>20</x3><y3>30</y3></polygon>",
            (1.0, 2.0, 19.0, 28.0),
        ),
        (
            "<robndbox><cx>30.5</cx><cy>20.5</cy><w>20</w><h>10</h><angle>0</angle></robndbox>",
            (20.5, 15.5, 20.0, 10.0),
        ),
    ],
)
def test_the_box_around_a_shape_of_voc(
    project: Project, tmp_path: Path, shape: str, box: tuple[float, ...]
) -> None:
    for number in range(4):
        put(tmp_path / "set" / f"{number}.png")
        head = f"<filename>{number}.png</filename>"
        text = f"<annotation>{head}<object><name>car</name>{shape}</object></annotation>"
        put(tmp_path / "set" / f"{number}.xml", text)
    report = import_named(project, tmp_path / "set")
    assert report.counts() == {"shape taken as a box": 4}
    assert boxes(project) == {box}


def test_a_table_of_make_sense_has_no_header(project: Project, tmp_path: Path) -> None:
    for name in "ab":
        put(tmp_path / "set" / f"{name}.png")
    rows = "".join(f"traffic light,5,6,20,30,{name}.png,64,48\n" for name in "ab")
    put(tmp_path / "set" / "labels_my-project.csv", rows)
    report = import_named(project, tmp_path / "set")
    assert (report.kind, report.classes) == ("csv", ["traffic light"])
    assert boxes(project) == {(5.0, 6.0, 20.0, 30.0)}


RESULTS = [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]
ITEM = {"id": "a", "annotations": [{"type": "bbox", "bbox": [1, 2, 3, 4]}]}
SAMPLE = {"filepath": "data/a.png", "ground_truth": {"detections": []}}
NOT_READ: dict[str, tuple[dict[str, Any], str, str]] = {
    "gzip": ({"a.json.gz": b"\x1f\x8b", "a.png": None}, "packed within it", "Unpack it"),
    "tar": ({"set.tar": b"x"}, "packed within it", "Unpack it"),
    "results": (
        {"r.json": RESULTS, "a.png": None},
        "detections in COCO's form",
        "beside its images",
    ),
    "classification": (
        {"train/cat/a.png": None, "train/dog/b.png": None},
        "pictures by class, without boxes",
        "Detection needs boxes",
    ),
    "classes in a table": (
        {"train/_classes.csv": b"filename, cat\na.png, 1\n", "train/a.png": None},
        "pictures by class, without boxes",
        "Detection needs boxes",
    ),
    "masks": ({"images/a.png": None, "masks/a.png": None}, "1 mask of pixels", "export polygons"),
    "unknown": ({"a.png": None, "a.json": {"shape": 1}}, "1 file (.json) of a form", "COCO, YOLO"),
    "ndjson": (
        {"x.ndjson": b'{"type": "dataset", "class_names": {"0": "car"}}\n', "a.png": None},
        "NDJSON of Ultralytics",
        "as YOLO or COCO",
    ),
    "fiftyone": ({"samples.json": {"samples": [SAMPLE]}}, "FiftyOne's own export", "COCODetection"),
    "datumaro": (
        {"annotations/default.json": {"categories": {"label": {}}, "items": [ITEM]}},
        "Datumaro's own JSON",
        "CVAT for images",
    ),
    "hugging face": (
        {"train/metadata.jsonl": {"file_name": "a.png", "objects": {}}, "train/a.png": None},
        "Hugging Face's datasets",
        "as COCO",
    ),
    "parquet": ({"train-0.parquet": b"PAR1"}, "in Parquet or Arrow", "as COCO"),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_what_is_no_data_set_here_is_named_with_a_way_out(
    project: Project, tmp_path: Path, name: str
) -> None:
    files, what, way = NOT_READ[name]
    for path, value in files.items():
        put(tmp_path / "set" / path, json.dumps(value) if isinstance(value, dict | list) else value)
    with pytest.raises(ImportFailed) as refused:
        import_named(project, tmp_path / "set")
    assert what in refused.value.message
    assert way in refused.value.hint


def test_an_archive_within_an_archive_is_named(project: Project, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.writestr("inner.zip", b"PK")
    with pytest.raises(ImportFailed, match=r"packed within it, in 'inner\.zip'"):
        import_named(project, tmp_path / "outer.zip")
    packed = put(tmp_path / "set.tar.gz", b"\x1f\x8b")
    with pytest.raises(ImportFailed, match="packed in a way that is not read"):
        import_named(project, packed)


@pytest.mark.parametrize(
    "line",
    ["0,.5,.5,.25,.5", "0, 0.5, 0.5, 0.25, 0.5", "0;0.5;0.5;0.25;0.5", "0 0,5 0,5 0,25 0,5",
     "0;0,5;0,5;0,25;0,5", "0\t.5\t.5,.25\t.5"],
)  # fmt: skip
def test_values_of_yolo_between_commas_are_read_and_told(
    project: Project, tmp_path: Path, line: str
) -> None:
    report = import_named(project, yolo(tmp_path / "set", f"{line}\n{line}\n"))
    assert report.kind == "yolo"
    assert boxes(project) == {(24.0, 12.0, 16.0, 24.0)}
    commas = [detail for kind, detail in told(report) if kind == "commas between values"]
    assert commas == ["8 lines with commas or semicolons, read as spaces"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_texts_of_yolo_in_utf16_are_read_and_told(
    project: Project, tmp_path: Path, encoding: str
) -> None:
    """As Notepad's "Unicode" and PowerShell's `>` write: all texts of a set."""
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    root = yolo(tmp_path / "set", LINE, "train: train.txt\nnames: [ein\u00f6de, car]\n")
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_bytes(f"{mark}ein\u00f6de\r\ncar\r\n".encode(encoding))
    (root / "train.txt").write_bytes(
        "".join([mark, *(f"images/{n}.png\n" for n in range(4))]).encode(encoding)
    )
    for file in (root / "labels").iterdir():
        file.write_bytes(f"{mark}1 .5 .5 .25 .5\n".encode(encoding))
    report = import_named(project, root)
    assert boxes(project) == {(24.0, 12.0, 16.0, 24.0)}
    names = {
        row[0]
        for row in project.db.execute(
            "SELECT name FROM classes WHERE id IN (SELECT class_id FROM v_annotations)"
        )
    }
    assert names == {"car"}
    assert ("UTF-16 text", "4 label files in UTF-16, read by its byte order mark") in told(report)
    splits = {row[0] for row in project.db.execute("SELECT split FROM v_images")}
    assert splits == {"train"}
