"""VGG Image Annotator, VoTT and CreateML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tool_data import asset, put, read, region, rows


def test_createml_has_centres(tmp_path: Path) -> None:
    box = {"x": 50.0, "y": 40, "width": 20, "height": "10"}
    records = [
        {"image": "a.png", "annotations": [{"label": "car", "coordinates": box}]},
        {"imagefilename": "b.png", "annotation": [{"label": "dog", "coordinates": {"x": 1}}]},
    ]
    files = {"train/_annotations.createml.json": records, "train/a.png": None, "train/b.png": None}
    data = read("createml", put(tmp_path, files | {"valid/c.png": None}))
    assert rows(data) == [("a.png", "car", (40, 35, 20, 10))]
    assert [picture.split for picture in data.images] == ["train", "train"]
    assert data.problems.counts == {"no box": 1}
    assert data.balance.objects == 2
    assert list(data.balance.left.values()) == ["CreateML's JSON does not name it"]


# VIA 2.0.12
REGIONS = [
    ({"name": "rect", "x": 10, "y": 20, "width": 30, "height": 40}, {"type": "car", "note": "x"}),
    ({"name": "circle", "cx": 50, "cy": 50, "r": 10.5}, {"type": "car"}),
    (
        {"name": "ellipse", "cx": 50, "cy": 50, "rx": 20, "ry": 10, "theta": 1.5707963},
        {"type": {"dog": True, "cat": False}},
    ),
    ({"name": "polygon", "all_points_x": [1, 9, 9], "all_points_y": [2, 2, 12]}, {"type": "car"}),
    ({"name": "polyline", "all_points_x": [1, 9], "all_points_y": [2, 12]}, {"type": "car"}),
    ({"name": "point", "cx": 5, "cy": 5}, {"type": "car"}),
    ({"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}, {"type": ""}),
]


VIA_ROWS = [
    ("car", (10, 20, 30, 40)),
    ("car", (39.5, 39.5, 21, 21)),
    ("dog", (40, 30, 20, 40)),
    ("car", (1, 2, 8, 10)),
    ("car", (1, 2, 8, 10)),
    ("object", (1, 2, 3, 4)),
]


def via_json(*, project: bool, version: int) -> dict[str, Any]:
    regions: Any = [{"shape_attributes": s, "region_attributes": a} for s, a in REGIONS]
    if version == 1:
        regions = {str(place): region for place, region in enumerate(regions)}
    records = {
        "a.png123": {"filename": "a.png", "size": 123, "regions": regions, "file_attributes": {}},
        "b.png9": {
            "filename": "b.png",
            "size": 9,
            "regions": type(regions)(),
            "file_attributes": {},
        },
    }
    settings = {"ui": {}, "core": {}, "project": {"name": "p"}}
    about = {"_via_settings": settings, "_via_img_metadata": records, "_via_attributes": {}}
    return about if project else records


def via_csv() -> str:
    head = (
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        "region_attributes"
    )
    lines = [head]
    for place, parts in enumerate(REGIONS):
        quoted = ",".join('"' + json.dumps(part).replace('"', '""') + '"' for part in parts)
        lines.append(f'a.png,123,"{{}}",{len(REGIONS)},{place},{quoted}')
    return "\n".join([*lines, 'b.png,9,"{}",0,0,"{}","{}"', ""])


@pytest.mark.parametrize(
    "file",
    [
        {"via_project.json": via_json(project=True, version=2)},
        {"via_region_data.json": via_json(project=False, version=2)},
        {"via_region_data.json": via_json(project=False, version=1)},
        {"via_export.csv": via_csv()},
    ],
    ids=["project", "json", "json of VIA 1", "csv"],
)
def test_via_has_a_class_among_its_attributes(tmp_path: Path, file: dict[str, Any]) -> None:
    data = read("via", put(tmp_path, file | {"a.png": None, "b.png": None}))
    assert [row[1:] for row in rows(data)] == VIA_ROWS
    assert len(data.images) == 2
    assert data.problems.counts == {
        "several attributes": 1,
        "shape taken as a box": 3,
        "no box": 1,
        "no name": 1,
    }


def test_vott_as_one_export_and_as_its_own_files(tmp_path: Path) -> None:
    box = {"left": 10.5, "top": 20, "width": 30, "height": 40}
    first = asset(
        "a b.png", region("RECTANGLE", "car", "new", **box), region("POLYGON", "dog", **box)
    )
    assets = [
        first,
        asset("b.png", state=1),
        asset("c.png", state=0),
        asset("d.png", region("RECTANGLE")),
    ]
    pictures = {f"{name}.png": None for name in ("a b", "b", "c", "d")}
    tags = [{"name": "car", "color": "#fff"}, {"name": "unused", "color": "#000"}]
    export = {
        "name": "p",
        "securityToken": "p Token",
        "tags": tags,
        "version": "2.2.0",
        "lastVisitedAssetId": "x",
        "assets": {item["asset"]["id"]: item for item in assets},
    }
    one = read("vott", put(tmp_path / "one", {"p-export.json": export} | pictures))
    own = {f"{n}-asset.json": item for n, item in enumerate(assets)}
    many = read(
        "vott", put(tmp_path / "many", own | {"p.vott": export | {"assets": {}}} | pictures)
    )
    for data in (one, many):
        assert rows(data) == [
            ("a b.png", "car", (10.5, 20, 30, 40)),
            ("a b.png", "dog", (1, 2, 8, 10)),
        ]
        assert [picture.name for picture in data.images] == ["a b.png", "b.png", "d.png"]
        assert data.problems.counts == {
            "several classes": 1,
            "not labelled": 1,
            "bad category": 1,
        }
    assert [label.name for label in one.labels] == ["car", "unused", "dog"]


def via_3(**changes: Any) -> dict[str, Any]:
    """A project as VIA 3 saves it: two pictures and a film."""
    options = {"0": "car", "1": "dog"}
    metadata = {
        "1_a": {"vid": "1", "flg": 0, "z": [], "xy": [2, 10, 20, 40, 50], "av": {"1": "0"}},
        "1_b": {"vid": "1", "flg": 0, "z": [], "xy": [3, 50, 50, 10], "av": {"1": "1"}},
        "1_c": {"vid": "1", "flg": 0, "z": [], "xy": [4, 50, 50, 20, 10], "av": {"1": "1"}},
        "1_d": {"vid": "1", "flg": 0, "z": [], "xy": [7, 1, 2, 9, 2, 5, 8], "av": {"1": "1"}},
        "1_e": {"vid": "1", "flg": 0, "z": [], "xy": [8, 5, 1, 9, 4, 6, 8, 2, 3], "av": {}},
        "1_f": {"vid": "1", "flg": 0, "z": [], "xy": [1, 5, 1], "av": {"1": "0"}},
        "1_g": {"vid": "1", "flg": 0, "z": [], "xy": [], "av": {"2": "night"}},
        "3_a": {"vid": "3", "flg": 0, "z": [1.5], "xy": [2, 1, 2, 3, 4], "av": {"1": "0"}},
    }
    value = {
        "project": {"pid": "__VIA_PROJECT_ID__", "vid_list": ["1", "2", "3"], "pname": "x"},
        "config": {"file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}}},
        "attribute": {
            "1": {"aname": "kind", "anchor_id": "FILE1_Z0_XY1", "type": 4, "options": options},
            "2": {"aname": "time", "anchor_id": "FILE1_Z0_XY0", "type": 1, "options": {}},
        },
        "file": {
            "1": {"fid": "1", "fname": "a.png", "type": 2, "loc": 1, "src": ""},
            "2": {"fid": "2", "fname": "b.png", "type": 2, "loc": 1, "src": ""},
            "3": {"fid": "3", "fname": "c.mp4", "type": 4, "loc": 1, "src": ""},
        },
        "metadata": metadata,
        "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["2"]}, "3": {"fid_list": ["3"]}},
    }
    return value | changes


def test_via_3_has_shapes_by_numbers_and_choices_by_ids(tmp_path: Path) -> None:
    data = read("via", put(tmp_path, {"p.json": via_3(), "a.png": None, "b.png": None}))
    assert rows(data) == [
        ("a.png", "car", (10, 20, 40, 50)),
        ("a.png", "dog", (40, 40, 20, 20)),
        ("a.png", "dog", (30, 40, 40, 20)),
        ("a.png", "dog", (1, 2, 8, 6)),
        ("a.png", "object", (2, 1, 7, 7)),
    ]
    assert [picture.name for picture in data.images] == ["a.png", "b.png"]
    assert len(data.segmentation) == 1
    told = {problem.detail for problem in data.problems.listed if problem.kind == "no box"}
    assert told == {
        "1 region or time of films or sound: import their frames",
        "a point without a box's numbers",
    }
    assert data.problems.counts["shape taken as a box"] == 3


@pytest.mark.parametrize(
    "changes", [{"metadata": {"1": 5, "2": {"vid": "1", "xy": ["a"]}}}, {"view": {"1": 3}}]
)
def test_a_project_of_via_3_with_wrong_types_is_no_defect(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    files = {"p.json": via_3(**changes), "a.png": None}
    assert rows(read("via", put(tmp_path, files))) == []
