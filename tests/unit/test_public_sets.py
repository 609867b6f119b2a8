"""What public data sets and tools' own examples hold, made again small: it comes in, or is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from import_data import png
from tool_data import annotation, labelme, put, read, result, rows, shape, task

from core.common.errors import ImportFailed
from core.data.importers.balance.likely_mistakes import LooksWrong, weigh
from core.data.importers.balance.sheet import sheet_of
from core.data.importers.dataset import DataSet
from core.data.importers.detect_format import guess_kind, recognise
from core.data.importers.formats.registry import FORMATS
from core.data.importers.formats.voc import read_voc
from core.data.importers.report import Watch

READ = {item.name: item.read for item in FORMATS}
VOC = (
    "<annotation><filename>{}</filename><size><width>40</width><height>30</height></size><object>"
    "<name>tree</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
    "</object></annotation>"
)


def told(data: DataSet) -> list[tuple[str, str]]:
    return [(problem.kind, problem.detail) for problem in data.problems.listed]


def test_polygons_of_a_group_are_one_object_as_labelme2coco_has_it(tmp_path: Path) -> None:
    left = shape("polygon", (2, 2), (10, 2), (10, 20)) | {"label": "bus", "group_id": 0}
    right = shape("polygon", (30, 5), (50, 5), (50, 40)) | {"label": "bus", "group_id": 0}
    other = shape("polygon", (60, 5), (70, 5), (70, 40)) | {"label": "car", "group_id": 0}
    alone = shape("polygon", (1, 1), (5, 1), (5, 5)) | {"label": "bus", "group_id": None}
    boxes = shape("rectangle", (1, 1), (5, 5)) | {"label": "bus", "group_id": 0}
    folder = put(tmp_path, {"a.json": labelme(left, other, right, alone, boxes), "a.png": None})
    data = read("labelme", folder)
    assert [(row[1], row[2]) for row in rows(data)] == [
        ("bus", (2, 2, 48, 38)),
        ("car", (60, 5, 10, 35)),
        ("bus", (1, 1, 4, 4)),
        ("bus", (1, 1, 4, 4)),
    ]
    assert told(data) == [("parts of one object", "2 polygons of group 0 are one object")]
    assert data.balance.objects == 4


def test_what_labelme_calls_ignore_is_no_class(tmp_path: Path) -> None:
    skipped = shape("polygon", (2, 2), (10, 2), (10, 20)) | {"label": "__ignore__", "group_id": 1}
    seen = shape("rectangle", (2, 2), (10, 8)) | {"label": "bus"}
    folder = put(tmp_path, {"a.json": labelme(skipped, seen, skipped), "a.png": None})
    data = read("labelme", folder)
    assert [label.name for label in data.labels] == ["bus"]
    assert [kind for kind, _ in told(data)] == ["ignored object"]


def test_points_of_darwin_are_left_out_aloud_and_objects_keep_their_places(tmp_path: Path) -> None:
    def item(**keys: object) -> dict[str, object]:
        return {"id": "1", "name": "nose", "slot_names": ["0"], "properties": [], **keys}

    value = {
        "version": "2.0",
        "item": {"name": "a.png", "path": "/", "slots": [{"slot_name": "0", "type": "image"}]},
        "annotations": [
            item(keypoint={"x": 1, "y": 2}),
            item(mask={}),
            item(bounding_box={"x": 1, "y": 2, "w": 3, "h": 4}),
            item(raster_layer={"dense_rle": [0, 4800], "total_pixels": 4800}),
        ],
    }
    data = read("darwin", put(tmp_path, {"a.json": value, "a.png": None}))
    assert [row[2] for row in rows(data)] == [(1, 2, 3, 4)]
    assert told(data) == [
        ("no box", "a point: nose"),
        ("no box", "a mask whose pixels are in no raster layer of this picture"),
    ]
    assert data.problems.listed[1].where.endswith("annotation 2")


def test_open_images_in_a_folder_of_images_for_each_split(tmp_path: Path) -> None:
    table = "ImageID,LabelName,XMin,XMax,YMin,YMax\nb,/m/0,0.25,1,0.5,1\n"
    names = "LabelName,DisplayName\n/m/0,Tree\n"
    put(tmp_path, {"images/train/b.png": None})
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/oidv6-train-annotations-bbox.csv").write_text(table)
    (tmp_path / "annotations/oidv6-class-descriptions.csv").write_text(names)
    whole = tmp_path / "annotations/oidv6-train-annotations-human-imagelabels.csv"
    whole.write_text("ImageID,Source,LabelName,Confidence\nb,verification,/m/0,1\n")
    data = READ["open-images"](tmp_path, Watch())
    (picture,) = data.images
    width, height = picture.width, picture.height
    assert picture.split == "train"
    assert data.balance.left == {str(whole): "no table of boxes"}
    assert [row[1:3] for row in rows(data)] == [
        ("Tree", (width / 4, height / 2, 3 * width / 4, height / 2))
    ]


def test_the_names_of_tables_are_splits_only_when_one_is(tmp_path: Path) -> None:
    table = "image_path,xmin,ymin,xmax,ymax,label\n{}.png,1,2,11,12,tree\n"
    for name in ("site_1", "site_2"):
        (tmp_path / f"{name}.csv").write_text(table.format(name))
        (tmp_path / f"{name}.png").write_bytes(png(40, 30))
    assert READ["csv"](tmp_path, Watch()).balance.splits == {}
    (tmp_path / "site_2.csv").rename(tmp_path / "test.csv")
    splits = READ["csv"](tmp_path, Watch()).balance.splits
    assert splits == {"site_1.csv": None, "test.csv": "test"}


def test_a_second_format_beside_the_first_is_named(tmp_path: Path) -> None:
    table = "image_path,xmin,ymin,xmax,ymax,label\na.png,1,2,11,12,tree\n"
    (tmp_path / "boxes.csv").write_text(table)
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(png(40, 30))
        (tmp_path / f"{name}.xml").write_text(VOC.format(f"{name}.png"))
    (tmp_path / "build.xml").write_text("<project/>")
    sheet = sheet_of([READ["csv"](tmp_path, Watch())], tmp_path, Watch())
    assert sheet.labels.left == {"no file of this format but Pascal VOC's": 2}
    assert sheet.other == {".xml": 1}


def test_voc_whose_xml_lies_deep_is_recognised(tmp_path: Path) -> None:
    xml = tmp_path / "WIDER_train/Annotations/a.xml"
    xml.parent.mkdir(parents=True)
    xml.write_text(VOC.format("a.png"))
    put(tmp_path, {"WIDER_train/0--Parade/a.png": None})
    assert guess_kind(tmp_path) == "voc"
    assert len(read_voc(tmp_path, Watch())) == 1


def test_one_xml_file_of_another_kind_is_said_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<playlist/>")
    with pytest.raises(ImportFailed, match=r"^'a\.xml' is no Pascal VOC annotation: its root is"):
        read_voc(tmp_path, Watch())


def test_lines_of_vatic_are_not_taken_for_dota(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text('0 412 0 842 124 1 0 0 1 "pc" "attr1"\n')
    assert guess_kind(tmp_path) is None


@pytest.mark.parametrize(
    ("files", "title"),
    [
        (
            {
                "task/schema.json": json.dumps({"task_type": "object-detection"}),
                "task/a.json": '{"file_name":"a.jpg","predictions":[{"category_id":1}]}',
            },
            "Lightly",
        ),
        ({"a.xml": "<sequence name='M'><frame><target_list/></frame></sequence>"}, "UA-DETRAC"),
        ({"class_names.txt": "_background_\n", "SegmentationClass/a.png": ""}, "masks"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, files: dict[str, str], title: str) -> None:
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    found = recognise(tmp_path)
    assert found is not None
    assert found.kind is None
    assert title in found.title
    assert found.instead


def test_no_format_says_its_title_twice() -> None:
    assert [item.name for item in FORMATS if item.source.startswith(f"{item.title}:")] == []
    assert [item.name for item in FORMATS if item.title.startswith(item.source.split(":")[0])] == []


def test_a_table_of_all_beside_those_of_the_splits_gives_each_box_once(tmp_path: Path) -> None:
    head, line = "filename,width,height,class,xmin,ymin,xmax,ymax\n", "{}.png,40,30,fox,1,2,9,12\n"
    # A picture's second box is in one table only, and twice there.
    twice = "a.png,40,30,fox,3,3,8,8\n" * 2
    tables = {"all": "ab", "test": "b", "train": "a"}
    put(tmp_path, {"images/a.png": None, "images/b.png": None})
    (tmp_path / "data").mkdir()
    for name, pictures in tables.items():
        text = head + "".join(map(line.format, pictures)) + (twice if name == "train" else "")
        (tmp_path / f"data/{name}_labels.csv").write_text(text)
    data = READ["csv"](tmp_path, Watch())
    assert sorted((picture.name, picture.split) for picture in data.images) == [
        ("a.png", "train"),
        ("b.png", "test"),
    ]
    assert len(data) == 4
    assert data.balance.objects == 4
    (problem,) = [p for p in data.problems.listed if p.kind == "boxes in two tables"]
    assert problem.where == "all_labels.csv"
    names = "'test_labels.csv', 'train_labels.csv'"
    assert problem.detail == f"2 boxes of it are in {names} too, and taken once"


def test_the_same_labels_in_two_files_stop_an_import(tmp_path: Path) -> None:
    region: dict[str, Any] = {
        "shape_attributes": {"name": "rect", "x": 2, "y": 3, "width": 10, "height": 8},
        "region_attributes": {"class": "fox"},
    }
    other = {**region, "shape_attributes": {**region["shape_attributes"], "x": 9}}
    value = {"a.png1": {"filename": "a.png", "size": 1, "regions": [region, other]}}
    put(tmp_path, {"project.json": value, "export.json": value, "a.png": None})
    data = read("via", tmp_path)
    with pytest.raises(LooksWrong, match=r"2 of 4 objects lie exactly .* 'export.json'"):
        weigh(data, tmp_path, Watch(), anyway=False)
    weigh(data, tmp_path, Watch(), anyway=True)
    (tmp_path / "export.json").unlink()
    weigh(read("via", tmp_path), tmp_path, Watch(), anyway=False)


def test_a_point_of_label_studio_is_called_one(tmp_path: Path) -> None:
    nose = result("keypointlabels", label="nose", x=22.5, y=31.7, width=0.18)
    folder = put(tmp_path, {"a.json": [task("a.png", annotation(nose))], "a.png": None})
    assert ("no box", "a point") in told(read("label-studio", folder))


def test_a_class_of_labelme_may_be_called_so(tmp_path: Path) -> None:
    """As rafaelpadilla/review_object_detection_metrics has it, `data/database/detections`."""
    plane = {"class": "aeroplane", "points": [[29, 9], [20, 13]], "shape_type": "rectangle"}
    value = {"imagePath": "a.png", "imageWidth": 200, "imageHeight": 100, "imageData": ""}
    folder = put(tmp_path, {"a.json": value | {"shapes": [plane]}, "a.png": None})
    assert rows(read("labelme", folder)) == [("a.png", "aeroplane", (20, 9, 9, 4))]


def test_ids_of_open_images_may_be_file_names_and_its_decimals_commas(tmp_path: Path) -> None:
    """As the same repository has it, `data/database/gts/openimages_format`."""
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf\n"
    line = 'a.png,,train,,"0,526",1,"0,0955223881","0,8805970149",,\n'
    put(tmp_path, {"all_bounding_boxes.csv": header + line, "a.png": None})
    data = read("open-images", tmp_path)
    assert rows(data) == [("a.png", "train", (105.2, 9.55, 94.8, 78.51))]
    assert told(data) == []
