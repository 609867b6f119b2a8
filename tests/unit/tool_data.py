"""Files as the code of labelling programs writes them, and their boxes as plain rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from import_data import png

from core.data.importers.dataset import DataSet
from core.data.importers.detect_format import guess_kind
from core.data.importers.formats.registry import FORMATS
from core.data.importers.report import Watch

Row = tuple[str, str, tuple[float, ...]]


READERS = {item.name: item.read for item in FORMATS}


def put(folder: Path, files: dict[str, Any]) -> Path:
    """Write files: a picture of 200 × 100 pixels for None, text, or a value as JSON."""
    for name, value in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if value is None:
            path.write_bytes(png(200, 100))
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            path.write_text(text, encoding="utf-8")
    return folder


def read(kind: str, folder: Path) -> DataSet:
    assert guess_kind(folder) == kind
    return READERS[kind](folder, Watch())


def rows(data: DataSet) -> list[Row]:
    images, labels, boxes = data.columns()
    return [
        (data.images[i].name, data.labels[n].name, tuple(round(float(v), 2) for v in b))
        for i, n, b in zip(images, labels, boxes, strict=True)
    ]


# labelme 4.0.0's examples/primitives, made smaller.
def shape(kind: str | None, *points: tuple[float, float], label: Any = "car") -> dict[str, Any]:
    return {
        "label": label,
        "points": [list(point) for point in points],
        "group_id": None,
        "shape_type": kind,
        "flags": {},
    }


def labelme(*shapes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": 100,
        "imageWidth": 200,
    } | changes


# Label Studio, as in label-studio-sdk's tests/custom/converter/data/test_export_coco/data.json.
def result(kind: str, key: str | None = None, label: str = "car", **value: Any) -> dict[str, Any]:
    return {
        "id": str(value),
        "type": kind,
        "value": value | {key or kind: [label]},
        "origin": "manual",
        "to_name": "image",
        "from_name": "label",
        "image_rotation": 0,
        "original_width": 200,
        "original_height": 100,
    }


def annotation(*results: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "result": list(results),
        "was_cancelled": False,
        "created_at": "2025-05-02T08:49:24.923036Z",
        "updated_at": "2025-05-02T08:49:24.923046Z",
    } | changes


def task(image: str, *annotations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": 3,
        "annotations": list(annotations),
        "file_upload": "1f2e3d4c-a.png",
        "drafts": [],
        "predictions": [],
        "data": {"image": image},
    } | changes


RECTANGLE: dict[str, Any] = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0, "rotation": 0}


# VoTT 2
def asset(name: str, *regions: dict[str, Any], state: int = 2) -> dict[str, Any]:
    about = {
        "format": "png",
        "id": f"id of {name}",
        "name": name,
        "path": f"file:/home/me/some%20where/{name}",
        "size": {"width": 200, "height": 100},
        "state": state,
        "type": 1,
    }
    return {"asset": about, "regions": list(regions), "version": "2.1.0"}


def region(kind: str, *tags: str, **box: float) -> dict[str, Any]:
    points = [{"x": 1, "y": 2}, {"x": 9, "y": 2}, {"x": 9, "y": 12}]
    return {"id": "r", "type": kind, "tags": list(tags), "boundingBox": box, "points": points}


# Supervisely
def drawn(kind: str, points: list[list[float]] | None = None, **rest: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "geometryType": kind,
        "classTitle": "car",
        "tags": [],
        "points": {"exterior": points or [], "interior": []},
    } | rest


# Darwin JSON 2.0 as in darwin-py's e2e_tests/data/import, 1.0 as V7 wrote it before.
def points(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"x": x, "y": y} for x, y in pairs]


DARWIN_BOX = {"x": 36.019, "y": 50.273, "w": 67.608, "h": 38.138}


TRIANGLE = points((1, 2), (9, 2), (9, 12))


def darwin_2(*annotations: dict[str, Any], name: str = "a.png", path: str = "/") -> dict[str, Any]:
    slot = {
        "type": "image",
        "slot_name": "0",
        "width": 200,
        "height": 100,
        "source_files": [{"file_name": name, "url": "https://v7"}],
    }
    return {
        "version": "2.0",
        "schema_ref": "https://darwin-public.s3.eu-west-1.amazonaws.com/darwin_json/2.0/schema.json",
        "item": {"name": name, "path": path, "slots": [slot]},
        "annotations": [{"id": "x", "slot_names": ["0"], **item} for item in annotations],
    }


LABELME = {
    "version": "5.5.0",
    "flags": {},
    "shapes": [
        {
            "label": "car",
            "points": [[5, 5], [20, 25]],
            "group_id": None,
            "shape_type": "rectangle",
            "flags": {},
        }
    ],
    "imagePath": "a.png",
    "imageData": None,
    "imageHeight": 60,
    "imageWidth": 80,
}
# One picture with one box in each of the formats.
_VIA = {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}
_CENTRE = {"x": 50, "y": 40, "width": 20, "height": 10}
SETS: dict[str, dict[str, Any]] = {
    "cvat": {
        "annotations.xml": '<annotations><version>1.1</version><image id="0" name="a.png">'
        '<box label="car" xtl="1" ytl="2" xbr="9" ybr="9"/></image></annotations>',
        "a.png": None,
    },
    "labelme": {"a.json": LABELME, "a.png": None},
    "label-studio": {
        "p.json": [task("a.png", annotation(result("rectanglelabels", **RECTANGLE)))],
        "a.png": None,
    },
    "createml": {
        "a.json": [{"image": "a.png", "annotations": [{"label": "car", "coordinates": _CENTRE}]}],
        "a.png": None,
    },
    "via": {
        "v.json": {
            "a.png9": {
                "filename": "a.png",
                "size": 9,
                "regions": [{"shape_attributes": _VIA, "region_attributes": {"type": "car"}}],
            }
        },
        "a.png": None,
    },
    "vott": {
        "a-asset.json": asset(
            "a.png", region("RECTANGLE", "car", left=1, top=2, width=3, height=4)
        ),
        "a.png": None,
    },
    "supervisely": {
        "meta.json": {"classes": [{"title": "car"}]},
        "ds/ann/a.png.json": {"objects": [drawn("rectangle", [[1, 2], [9, 9]])], "tags": []},
        "ds/img/a.png": None,
    },
    "darwin": {
        "a.json": darwin_2({"name": "car", "bounding_box": DARWIN_BOX}),
        "a.png": None,
    },
}
