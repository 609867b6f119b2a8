"""Messy data as people bring it: read as it is meant, or told; what is a mistake stops."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from import_data import coco, png, put, taken, voc_xml

from core.common.errors import ImportFailed
from core.data.importers.balance import sizes
from core.data.importers.balance.likely_mistakes import LooksWrong
from core.data.importers.import_named import import_named
from core.data.importers.report import ImportReport
from core.data.store import Project

LINE = "0 .5 .5 .25 .5\n"
Row = tuple[str, float, float, float, float]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project") as made:
        yield made


def rows(project: Project) -> list[Row]:
    found = project.db.execute("SELECT class_name, x, y, w, h FROM v_annotations ORDER BY id")
    return [tuple(round(v, 3) if isinstance(v, float) else v for v in row) for row in found]  # type: ignore[misc]


def told(report: ImportReport) -> list[tuple[str, str]]:
    return [(problem.kind, problem.detail) for problem in report.problems]


def pictures(root: Path, *names: str, size: tuple[int, int] = (64, 48)) -> Path:
    for name in names:
        put(root / name, png(*size) + name.encode())
    return root


def yolo(root: Path, line: str = LINE, yaml: str = "names: [car]\n", n: int = 4) -> Path:
    for number in range(n):
        pictures(root, f"train/images/{number}.png")
        put(root / "train" / "labels" / f"{number}.txt", line)
    put(root / "data.yaml", f"train: train/images\n{yaml}")
    return root


# Pictures of another size than the data set says


def labelled(root: Path, kind: str, size: tuple[int, int], n: int = 4) -> Path:
    """Pictures of 64 × 48 with labels of pictures of `size`, in COCO, Pascal VOC or a table."""
    names = [f"{number}.png" for number in range(n)]
    pictures(root, *names)
    if kind == "voc":
        for name in names:
            put(root / f"{name[:-4]}.xml", voc_xml(name, ("car", 2, 3, 30, 40), size=size))
    elif kind == "csv":
        lines = [f"{name},{size[0]},{size[1]},car,2,3,30,40" for name in names]
        put(root / "a.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\n" + "\n".join(lines))
    else:
        images = [
            {"id": n, "file_name": name, "width": size[0], "height": size[1]}
            for n, name in enumerate(names)
        ]
        objects = [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [2, 3, 30, 40]}
            for n in range(len(names))
        ]
        put(root / "x.json", json.dumps(coco(images=images, annotations=objects)))
    return root


@pytest.mark.parametrize("size", [(128, 96), (48, 64)])
@pytest.mark.parametrize("kind", ["coco", "voc", "csv"])
def test_pictures_of_another_size_than_their_labels_stop(
    project: Project, tmp_path: Path, kind: str, size: tuple[int, int]
) -> None:
    root = labelled(tmp_path / "set", kind, size)
    with pytest.raises(LooksWrong, match="4 of 4 pictures are of another size") as stopped:
        import_named(project, root)
    assert f"the file is 64 × 48, the data set says {size[0]} × {size[1]}" in stopped.value.message
    report = import_named(project, root, anyway=True)
    assert report.counts()["image of another size"] == report.annotations == 4


def test_a_turned_picture_may_be_recorded_either_way(project: Project, tmp_path: Path) -> None:
    from PIL import Image

    root = labelled(tmp_path / "set", "coco", (64, 48))
    for number in range(4):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (48, 64) if number % 2 else (64, 48)).save(
            root / f"{number}.png", exif=exif
        )
    assert told(import_named(project, root)) == []


def test_files_that_are_no_pictures_are_left_out_and_told(project: Project, tmp_path: Path) -> None:
    root = labelled(tmp_path / "set", "coco", (64, 48))
    put(root / "0.png", b"")
    put(root / "1.png", "<html>404</html>")
    report = import_named(project, root)
    assert (report.images, report.annotations) == (2, 2)
    assert told(report) == [
        ("unreadable image", "it is empty"),
        ("unreadable image", "its size cannot be read"),
        ("image left out", "its picture cannot be read"),
        ("image left out", "its picture cannot be read"),
    ]
    assert report.balance["images"]["left"] == {"it cannot be read": 2}


def test_of_a_large_set_some_pictures_are_opened_and_all_if_one_is_odd(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "SAMPLE", 4)
    opened: list[str] = []
    real = sizes._sizes
    monkeypatch.setattr(sizes, "_sizes", lambda one: opened.append(one.name) or real(one))
    root = labelled(tmp_path / "set", "coco", (64, 48), n=12)
    import_named(project, root)
    assert sorted(opened, key=lambda name: int(name[:-4])) == ["0.png", "3.png", "6.png", "9.png"]
    pictures(root, "3.png", "4.png", size=(32, 24))
    report = import_named(project, root, "coco-dir", anyway=True)
    assert report.counts()["image of another size"] == 2


# Corners


KITTI = "Car 0 0 0 24 18 4 6 1 1 1 1 1 1 1\n"
SWAPPED: dict[str, dict[str, Any]] = {
    "kitti": {"image_2/a.png": None, "label_2/a.txt": KITTI},
    "csv": {"a.png": None, "a.csv": "filename,xmin,ymin,xmax,ymax,class\na.png,24,18,4,6,Car\n"},
    "open-images": {
        "a.png": None,
        "a-bbox.csv": "ImageID,LabelName,XMin,XMax,YMin,YMax\na,Car,.375,.0625,.375,.125\n",
    },
    "bdd100k": {
        "a.png": None,
        "a.json": [
            {
                "name": "a.png",
                "labels": [{"category": "Car", "box2d": {"x1": 24, "y1": 18, "x2": 4, "y2": 6}}],
            }
        ],
    },
    "azure": {
        "a.png": None,
        "a.jsonl": {
            "image_url": "a.png",
            "label": {"label": "Car", "topX": 0.375, "topY": 0.375, "bottomX": 0.0625,
                      "bottomY": 0.125},
        },
    },
    "paligemma": {
        "a.png": None,
        "a.jsonl": {
            "image": "a.png",
            "prefix": "detect Car",
            "suffix": "<loc0384><loc0384><loc0128><loc0064> Car",
        },
    },
}  # fmt: skip


def put_all(root: Path, files: dict[str, Any]) -> Path:
    for name, value in files.items():
        text = value if value is None or isinstance(value, str | bytes) else json.dumps(value)
        put(root / name, text)
    return root


@pytest.mark.parametrize("kind", SWAPPED)
def test_swapped_corners_are_put_in_order_and_told(
    project: Project, tmp_path: Path, kind: str
) -> None:
    report = import_named(project, put_all(tmp_path / "set", SWAPPED[kind]))
    assert report.kind == kind
    assert rows(project) == [("Car", 4.0, 6.0, 20.0, 12.0)]
    assert ("corners swapped", "x 24 to 4, y 18 to 6: put in order") in told(report)


def test_boxes_past_the_left_edge_are_no_corners(project: Project, tmp_path: Path) -> None:
    """One person at the upper left, followed through a sequence of pictures."""
    for number in range(1, 6):
        pictures(tmp_path / "set", f"s/img1/{number:06}.png")
    boxes = ["-3,2,30,40", "1,2,30,40", "2,3,30,40", "3,4,30,40", "4,5,30,40"]
    text = "".join(f"{n},1,{box},1,1,1\n" for n, box in enumerate(boxes, 1))
    put(tmp_path / "set" / "s" / "gt" / "gt.txt", text)
    assert import_named(project, tmp_path / "set").annotations == 5


# Names that are numbers, classes without names


def test_numbers_are_names_of_classes_and_pictures(project: Project, tmp_path: Path) -> None:
    root = tmp_path / "set"
    pictures(root, "12.png")
    value = coco(
        images=[{"id": 1, "file_name": 12, "width": 64, "height": 48}],
        categories=[{"id": 1, "name": 7}],
        annotations=[{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
    )
    put(root / "x.json", json.dumps(value))
    import_named(project, root)
    shape = {"label": 5, "points": [[1, 2], [4, 6]], "shape_type": "rectangle"}
    put_all(tmp_path / "b", {"b.png": None, "b.json": {
        "version": "5", "shapes": [shape], "imagePath": "b.png", "imageData": None}})  # fmt: skip
    import_named(project, tmp_path / "b", "labelme")
    assert rows(project) == [("7", 1, 2, 3, 4), ("5", 1, 2, 3, 4)]


def test_names_that_differ_by_spaces_are_one_class_and_told(
    project: Project, tmp_path: Path
) -> None:
    root = pictures(tmp_path / "set", "a.png")
    value = coco(
        images=[{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
        categories=[{"id": 1, "name": "car"}, {"id": 2, "name": " car"}],
        annotations=[
            {"id": n, "image_id": 1, "category_id": n, "bbox": [n, 2, 3, 4]} for n in (1, 2)
        ],
    )
    put(root / "x.json", json.dumps(value))
    report = import_named(project, root, "coco-dir")
    assert report.classes == ["car"]
    assert report.counts() == {"duplicate category name": 1}


@pytest.mark.parametrize(
    ("names", "classes"), [("car\nbus\n", ["bus", "car"]), (None, ["class_0", "class_1"])]
)
def test_a_table_with_numbers_of_classes_alone(
    project: Project, tmp_path: Path, names: str | None, classes: list[str]
) -> None:
    root = pictures(tmp_path / "set", "a.png", "b.png")
    put(root / "a.csv", "image_id,class_id,x_min,y_min,x_max,y_max\na,0,1,2,30,40\nb,1,1,2,3,4\n")
    if names:
        put(root / "classes.txt", names)
    report = import_named(project, root)
    assert report.classes == classes
    assert report.counts() == ({} if names else {"no names": 1})


def test_class_numbers_of_a_table_from_1_stop(project: Project, tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", "a.png", "b.png")
    put(root / "a.csv", "image_id,class_id,x_min,y_min,x_max,y_max\na,1,1,2,30,40\nb,2,1,2,3,4\n")
    put(root / "classes.txt", "car\nbus\n")
    with pytest.raises(LooksWrong, match=r"class numbers of 'a\.csv' seem to begin at 1"):
        import_named(project, root)


@pytest.mark.parametrize(
    "columns",
    ["left,top,width,height", "x,y,w,h", "xmin,ymin,width,height", "x_center,y_center,width,height",
     "cx,cy,w,h"],
)  # fmt: skip
def test_a_table_of_sides_and_of_centres(project: Project, tmp_path: Path, columns: str) -> None:
    root = pictures(tmp_path / "set", "a.png")
    place = "14,12" if "c" in columns.split(",")[0] else "4,6"
    put(root / "a.csv", f"filename,{columns},label\na.png,{place},20,12,car\n")
    import_named(project, root)
    assert rows(project) == [("car", 4.0, 6.0, 20.0, 12.0)]


def test_the_split_of_a_table_tells_pictures_of_one_name_apart(
    project: Project, tmp_path: Path
) -> None:
    root = pictures(tmp_path / "set", "images/train/a.png", "images/test/a.png")
    for split in ("train", "test"):
        text = "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,64,48,car,1,2,30,40\n"
        put(root / f"{split}_labels.csv", text)
    report = import_named(project, root)
    assert report.splits == {"train": 1, "test": 1}


# YOLO


def test_class_numbers_from_1_stop(project: Project, tmp_path: Path) -> None:
    """Each object but the last class's would be of the class before its own."""
    line = "1 .5 .5 .2 .2\n2 .2 .2 .1 .1\n1 .8 .8 .1 .1\n"
    root = yolo(tmp_path / "set", line, "names: [car, bus]\n")
    with pytest.raises(LooksWrong, match="seem to begin at 1: 4 of 12 objects are of class 2"):
        import_named(project, root)
    assert import_named(project, root, anyway=True).annotations == 8


def test_class_numbers_that_are_ids_of_a_coco_file_stop(project: Project, tmp_path: Path) -> None:
    """As SAHI 0.12.8 writes them: the first would be of the second class, the other of none."""
    line = "1 .5 .5 .2 .2\n7 .2 .2 .1 .1\n1 .8 .8 .1 .1\n"
    root = yolo(tmp_path / "set", line, "names: [car, bus]\n")
    with pytest.raises(LooksWrong, match="label files, 1, 7, seem to be the ids of a COCO file"):
        import_named(project, root)
    assert import_named(project, root, anyway=True).annotations == 8


def test_a_stray_class_number_stops_nothing(project: Project, tmp_path: Path) -> None:
    line = "0 .5 .5 .2 .2\n7 .2 .2 .1 .1\n1 .8 .8 .1 .1\n0 .3 .3 .1 .1\n"
    root = yolo(tmp_path / "set", line, "names: [car, bus]\n")
    report = import_named(project, root)
    assert (report.annotations, report.counts()) == (12, {"unknown category": 4})


@pytest.mark.parametrize(
    ("yaml", "kind", "detail"),
    [
        ("nc: 5\nnames: [car]\n", "number of classes", "nc says 5, and names has 1"),
        ("names: [car, car]\n", "duplicate category name", "'car' is the name of class 0 too"),
        ("names: [car]\nval: train/images\n", "image listed twice", "it is in train"),
    ],
)
def test_what_a_description_of_yolo_says_twice_is_told(
    project: Project, tmp_path: Path, yaml: str, kind: str, detail: str
) -> None:
    report = import_named(project, yolo(tmp_path / "set", yaml=yaml))
    assert {problem.kind for problem in report.problems} == {kind}
    assert report.problems[0].detail.startswith(detail)


def test_a_models_file_beside_a_description_is_none(project: Project, tmp_path: Path) -> None:
    root = yolo(tmp_path / "set")
    (root / "data.yaml").rename(root / "mine.yaml")
    put(root / "yolov8n.yaml", "nc: 80\nscales: {n: [1, 2]}\nbackbone: []\n")
    assert import_named(project, root).classes == ["car"]


# Pascal VOC


BOX = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>20</xmax><ymax>30</ymax></bndbox>"
CAR = ("car", 1.0, 2.0, 19.0, 28.0)
XML: dict[str, tuple[str, str, list[Row], list[str]]] = {
    "a name space": ('<annotation xmlns="http://x">', BOX, [CAR], []),
    "an empty line first": ('\n<?xml version="1.0"?>\n<annotation>', BOX, [CAR], []),
    "an ampersand": ("<annotation><folder>a & b</folder>", BOX, [CAR], []),
    "decimal commas": (
        "<annotation>",
        BOX.replace(">2<", ">2,5<"),
        [("car", 2.5, 3.0, 17.5, 27.0)],
        [],
    ),
    "two boxes": ("<annotation>", BOX + BOX, [CAR], ["several boxes"]),
}


@pytest.mark.parametrize("name", XML)
def test_xml_as_it_is_written_by_hand(project: Project, tmp_path: Path, name: str) -> None:
    head, box, expected, kinds = XML[name]
    root = pictures(tmp_path / "set", "a.png")
    objects = f"<object><name>car</name>{box}</object>"
    put(root / "a.xml", f"{head}<filename>a.png</filename>{objects}</annotation>")
    report = import_named(project, root, "voc")
    assert rows(project) == expected
    assert list(report.counts()) == kinds


def test_lists_of_voc_may_name_paths(project: Project, tmp_path: Path) -> None:
    root = tmp_path / "set"
    for number in range(4):
        pictures(root, f"JPEGImages/{number}.png")
        put(root / "Annotations" / f"{number}.xml", voc_xml(f"{number}.png", ("car", 2, 3, 20, 30)))
    put(root / "ImageSets" / "Main" / "Train.txt", "Annotations/0.xml\nJPEGImages/1.png\n")
    put(root / "ImageSets" / "Main" / "val.txt", "./2\n3.xml\n")
    assert import_named(project, root).splits == {"train": 2, "valid": 2}


def test_what_macos_packs_beside_pictures_is_none_of_voc(project: Project, tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", "a.png")
    put(root / "a.xml", voc_xml("a.png", ("car", 2, 3, 20, 30)))
    put(root / "._a.png", b"\0\5\x16\7")
    put(root / "._a.xml", b"\0\5\x16\7")
    report = import_named(project, root)
    assert (report.images, report.counts()) == (1, {})


# COCO further below


def below(root: Path, *folders: str) -> Path:
    for number, folder in enumerate(folders):
        pictures(root, f"{folder}/images/{number}.png")
        value = coco(
            images=[{"id": 1, "file_name": f"{number}.png", "width": 64, "height": 48}],
            annotations=[{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
        )
        put(root / folder / "annotations" / "x.json", json.dumps(value))
    return root


def test_coco_in_folders_within_the_splits(project: Project, tmp_path: Path) -> None:
    report = import_named(project, below(tmp_path / "set", "train", "Validation"))
    assert (report.kind, report.splits) == ("coco", {"train": 1, "valid": 1})


def test_several_sets_of_coco_below_are_named(project: Project, tmp_path: Path) -> None:
    root = below(tmp_path / "set", "north", "south")
    with pytest.raises(ImportFailed, match=r"2 annotation files of COCO below .*north/annot") as no:
        import_named(project, root)
    assert "Name the one to import" in no.value.hint
    assert import_named(project, root / "south" / "annotations" / "x.json").annotations == 1


# Several pictures of one task of Label Studio


@pytest.mark.parametrize("told_by", ["label_config.xml", "the names", "nothing"])
def test_pictures_side_by_side_in_a_task(project: Project, tmp_path: Path, told_by: str) -> None:
    root = pictures(tmp_path / "set", "a.png", "b.png", size=(200, 100))

    def box(to: str, x: int) -> dict[str, Any]:
        value = {"x": x, "y": 20, "width": 30, "height": 40, "rectanglelabels": ["car"]}
        size = {"original_width": 200, "original_height": 100}
        return {"type": "rectanglelabels", "to_name": to, "value": value, **size}

    left, right = ("left", "right") if told_by == "the names" else ("i1", "i2")
    results = [box(left, 10), box(right, 20)]
    data = {"left": "a.png", "right": "b.png"}
    annotations = [{"id": 2, "result": results, "was_cancelled": False}]
    put(root / "x.json", json.dumps([{"id": 1, "data": data, "annotations": annotations}]))
    if told_by == "label_config.xml":
        put(root / "label_config.xml", '<View><Image name="i2" value="$right"/>'
            '<Image name="i1" value="$left"/></View>')  # fmt: skip
    if told_by == "nothing":
        with pytest.raises(ImportFailed) as failed:
            import_named(project, root)
        assert "it is on 'i1', one of several pictures of its task" in failed.value.hint
        return
    import_named(project, root)
    found = project.db.execute(
        "SELECT name, x FROM v_annotations JOIN v_images ON v_images.id = image_id ORDER BY name"
    )
    assert list(map(tuple, found)) == [("a.png", 20.0), ("b.png", 40.0)]


# What is named


TRACKED = "0 0 Car 0 0 -1.57 4 6 24 18 1.5 1.6 3.7 1.0 1.7 13.2 -1.6\n"
NAMED: dict[str, tuple[dict[str, Any], str, str]] = {
    "KITTI's tracking": (
        {"image_02/0000/000000.png": None, "label_02/0000.txt": TRACKED},
        "KITTI's tracking",
        "gt/gt.txt",
    ),
    "VisDrone's videos": (
        {"sequences/u/1.png": None, "annotations/u.txt": "1,0,10,20,30,40,1,4,0,0\n"},
        "VisDrone's videos",
        "gt/gt.txt",
    ),
    "keras-yolo3": (
        {"a.png": None, "train.txt": "a.png 1,2,30,40,0 5,6,20,30,1\n", "classes.txt": "a\nb\n"},
        "lists with boxes behind the names",
        "a CSV table",
    ),
    "names and corners": (
        {"a.png": None, "ground-truth/a.txt": "sofa 176 206 225 266\ntv set 2 10.5 173 238\n"},
        "text of names and corners",
        "a CSV table",
    ),
    "AutoML Vision": (
        {"a.png": None, "x.csv": "TRAIN,gs://b/a.png,car,0.1,0.2,,,0.3,0.4,,\n"},
        "Google's AutoML Vision",
        "a CSV table",
    ),
    "Detectron2": (
        {"a.png": None, "x.json": [{"file_name": "a.png", "annotations": [{"bbox_mode": 0}]}]},
        "Detectron2's list",
        "convert_to_coco_json",
    ),
    "an empty folder": ({"below/nothing/.keep": ""}, "the folder is empty", "Check the path"),
}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_not_read_is_named_with_a_way_out(
    project: Project, tmp_path: Path, name: str
) -> None:
    files, what, way = NAMED[name]
    with pytest.raises(ImportFailed) as refused:
        import_named(project, put_all(tmp_path / "set", files))
    assert what in refused.value.message
    assert way in refused.value.hint


def of_yolo(root: Path) -> list[Path]:
    yolo(root)
    put(root / "classes.txt", "car\n")
    inner = root / "train"
    return [inner / "labels", inner / "images", inner / "labels" / "0.txt", root / "classes.txt"]


def of_voc(root: Path) -> list[Path]:
    pictures(root, "images/train/a.png")
    put(root / "annotations" / "train" / "a.xml", voc_xml("a.png", ("car", 2, 3, 20, 30)))
    return [root / "images" / "train", root / "annotations" / "train" / "a.xml"]


@pytest.mark.parametrize(("make", "kind"), [(of_yolo, "yolo"), (of_voc, "voc")])
def test_a_part_of_a_set_is_not_taken_for_the_whole(
    project: Project, tmp_path: Path, make: Callable[[Path], list[Path]], kind: str
) -> None:
    """The pictures alone would come in as ones that show nothing."""
    root = tmp_path / "a set"
    for part in make(root):
        with pytest.raises(ImportFailed, match="of a data set") as refused:
            import_named(project, part)
        way = refused.value.hint.partition(f"batman import {kind} ")[2].strip("'")
        assert way.startswith(str(root))
    report = import_named(project, root / "train" if kind == "yolo" else root)
    assert report.annotations


@pytest.mark.parametrize("kind", ["auto", "own"])
@pytest.mark.parametrize("make", ["voc", "kitti"])
def test_labels_whose_pictures_lie_beside_are_not_without_them(
    project: Project, tmp_path: Path, make: str, kind: str
) -> None:
    root = tmp_path / "set"
    if make == "voc":
        pictures(root, "JPEGImages/a.png")
        part = put(root / "Annotations" / "a.xml", voc_xml("a.png", ("car", 2, 3, 20, 30))).parent
    else:
        pictures(root, "image_2/a.png")
        part = put(root / "label_2" / "a.txt", KITTI).parent
    with pytest.raises(ImportFailed, match=r"The pictures are missing.* But it is a part of") as no:
        import_named(project, part, "auto" if kind == "auto" else make)
    assert f"batman import {make} {root}" in no.value.hint


def test_one_split_of_yolo_takes_its_names_from_above(project: Project, tmp_path: Path) -> None:
    report = import_named(project, yolo(tmp_path / "set") / "train")
    assert (report.classes, report.images) == (["car"], 4)
    assert list(report.counts()) == ["names of the whole set"]


def test_pictures_with_nothing_beside_them_come_in(project: Project, tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", "images/a.png", "images/b.png")
    assert import_named(project, root / "images").images == 2


def test_a_damaged_archive_and_other_files_are_named(project: Project, tmp_path: Path) -> None:
    put(tmp_path / "a.zip", b"PK\3\4")
    with pytest.raises(ImportFailed, match="it is no whole ZIP archive"):
        import_named(project, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w"):
        pass
    with pytest.raises(ImportFailed, match="the archive is empty"):
        import_named(project, tmp_path / "b.zip")
    root = yolo(tmp_path / "set")
    with pytest.raises(ImportFailed, match=r"'0\.png' does not describe a YOLO data set"):
        import_named(project, root / "train" / "images" / "0.png", "yolo")
    put(tmp_path / "v" / "a.xml", voc_xml("a.png"))
    with pytest.raises(ImportFailed, match=r"'a\.xml' is one file: Pascal VOC has one for each"):
        import_named(project, tmp_path / "v" / "a.xml", "voc")


def test_sizes_that_a_table_of_fractions_says_do_not_matter(tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", "a.png", "b.png")
    text = "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,640,480,car,.125,.25,.5,.5\n"
    put(root / "a.csv", text)
    assert taken(root, tmp_path / "p") == [("a.png", "", "car", 8.0, 12.0, 24.0, 12.0)]
