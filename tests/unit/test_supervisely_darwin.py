"""Supervisely's projects and V7's Darwin JSON."""

from __future__ import annotations

import base64
import io
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tool_data import DARWIN_BOX, TRIANGLE, darwin_2, drawn, put, read, rows

from core.common.errors import ImportFailed


def test_supervisely_counts_both_corners_in(tmp_path: Path) -> None:
    mask = io.BytesIO()
    Image.new("1", (12, 7), 1).save(mask, "PNG")
    data_ = base64.b64encode(zlib.compress(mask.getvalue())).decode()
    objects = [
        drawn("rectangle", [[100, 50], [10, 20]]),
        drawn("polygon", [[1, 2], [9, 2], [9, 12]]),
        drawn("bitmap", bitmap={"data": data_, "origin": [5, 6]}),
        drawn("bitmap", bitmap={"data": "no", "origin": [5, 6]}),
        drawn("line", [[1, 2], [9, 12]]),
        drawn("point", [[5, 6]]),
        drawn("graph", nodes={"a": {"loc": [1, 2]}, "b": {"loc": [3, 5]}}),
    ]
    picture = {
        "description": "",
        "tags": [{"name": "val", "value": None}],
        "size": {"height": 100, "width": 200},
        "objects": objects,
    }
    meta = {"classes": [{"title": "car", "shape": "any", "color": "#fff"}, {"title": "dog"}]}
    folder = put(
        tmp_path,
        {
            "meta.json": meta,
            "ds/ann/a.png.json": picture,
            "ds/img/a.png": None,
            "ds2/ann/a.png.json": picture | {"objects": [], "tags": []},
            "ds2/img/a.png": None,
            "ds2/img/b.png": None,
        },
    )
    data = read("supervisely", folder)
    assert [row[2] for row in rows(data)] == [
        (10, 20, 91, 31),
        (1, 2, 8, 10),
        (5, 6, 12, 7),
        (1, 2, 8, 10),
        (1, 2, 2, 3),
    ]
    assert data.problems.counts == {"no box": 2, "shape taken as a box": 3}
    assert [(p.target, p.split) for p in data.images] == [
        ("ds/img/a.png", "valid"),
        ("ds2/img/a.png", None),
    ]
    assert [label.name for label in data.labels] == ["car", "dog"]
    assert list(data.balance.left) == [str(folder / "ds2" / "img" / "b.png")]


def test_darwin_2_has_shapes_of_every_kind(tmp_path: Path) -> None:
    ellipse = {"angle": 1.5707963, "center": {"x": 100, "y": 50}, "radius": {"x": 20, "y": 10}}
    value = darwin_2(
        {"name": "car", "bounding_box": DARWIN_BOX},
        {
            "name": "dog",
            "bounding_box": {"x": 1, "y": 2, "w": 8, "h": 10},
            "polygon": {"paths": [TRIANGLE]},
        },
        {"name": "dog", "ellipse": ellipse},
        {"name": "dog", "line": {"path": TRIANGLE}},
        {"name": "dog", "mask": {}},
        {"name": "dog", "keypoint": {"x": 1, "y": 1}},
        {"name": "night", "tag": {}},
        {"name": "__raster_layer__", "raster_layer": {"dense_rle": [0, 1]}},
        {"name": "car", "frames": {"0": {"bounding_box": DARWIN_BOX}}},
    )
    folder = put(tmp_path, {"a.json": value, "images/sub/a.png": None})
    put(folder, {"b.json": darwin_2(name="b.png", path="/train"), "images/train/b.png": None})
    data = read("darwin", folder)
    assert rows(data) == [
        ("a.png", "car", (36.02, 50.27, 67.61, 38.14)),
        ("a.png", "dog", (1, 2, 8, 10)),
        ("a.png", "dog", (90, 30, 20, 40)),
        ("a.png", "dog", (1, 2, 8, 10)),
    ]
    assert [picture.split for picture in data.images] == [None, "train"]
    assert len(data.segmentation) == 1
    assert data.problems.counts["shape taken as a box"] == 2
    assert data.problems.counts["no box"] == 4, "the point, the tag, the mask, the video"


def test_darwin_1_names_its_picture_otherwise(tmp_path: Path) -> None:
    value = {
        "dataset": "d",
        "image": {
            "width": 200,
            "height": 100,
            "original_filename": "a.png",
            "filename": "a.png",
            "url": "https://v7",
            "path": "/",
            "workview_url": "https://v7",
        },
        "annotations": [
            {"name": "car", "bounding_box": DARWIN_BOX, "polygon": {"path": TRIANGLE}},
            {"name": "car", "complex_polygon": {"path": [TRIANGLE, TRIANGLE]}},
        ],
    }
    data = read("darwin", put(tmp_path, {"a.json": value, "a.png": None}))
    assert [row[2] for row in rows(data)] == [(36.02, 50.27, 67.61, 38.14), (1, 2, 8, 10)]
    assert len(data.segmentation) == 2


def test_a_description_alone_holds_no_annotations(tmp_path: Path) -> None:
    meta = {"classes": [{"title": "car", "shape": "any", "color": "#fff"}]}
    files = {"meta.json": meta, "ds/img/a.png": None, "ds/ann/a.json": {"other": 1}}
    with pytest.raises(ImportFailed, match="no annotations of Supervisely"):
        read("supervisely", put(tmp_path, files))


def test_darwins_masks_are_in_a_layer_of_their_own(tmp_path: Path) -> None:
    def item(key: str, name: str, **more: Any) -> dict[str, Any]:
        return {"id": key, "name": name, "mask": {}, **more}

    # Two rows of the first mask over the whole width, then ten pixels of the second one in a row.
    runs = [0, 5 * 200, 1, 400, 0, 30, 2, 10, 0, 200 * 100 - 1000 - 400 - 40]
    layer = {
        "dense_rle": runs,
        "mask_annotation_ids_mapping": {"m1": 1, "m2": 2, "m3": 3},
        "total_pixels": 20_000,
    }
    value = darwin_2(
        item("m1", "car"),
        item("m2", "dog", bounding_box=DARWIN_BOX),
        item("m3", "dog"),
        {"id": "r", "name": "__raster_layer__", "raster_layer": layer},
    )
    data = read("darwin", put(tmp_path, {"a.json": value, "a.png": None}))
    assert rows(data) == [("a.png", "car", (0, 5, 200, 2)), ("a.png", "dog", (30, 7, 10, 1))]
    assert data.problems.counts == {"shape taken as a box": 2, "no box": 1}
    layer["dense_rle"] = [*runs, 1]
    data = read("darwin", put(tmp_path, {"a.json": value}))
    assert [row[2] for row in rows(data)] == [(36.02, 50.27, 67.61, 38.14)]
