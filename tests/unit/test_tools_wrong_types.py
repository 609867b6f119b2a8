"""Values of the wrong type in the files of labelling programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tool_data import (
    READERS,
    annotation,
    asset,
    darwin_2,
    drawn,
    labelme,
    put,
    region,
    result,
    shape,
    task,
)

from core.common.errors import ImportFailed
from core.data.importers.report import Watch

WRONG: dict[str, Callable[[Any], dict[str, Any]]] = {
    "labelme": lambda v: {
        "a.json": labelme(v, shape(v, label="x"), shape("circle") | {"points": v})
    },
    "label-studio": lambda v: {
        "p.json": [
            task("a.png", annotation(v, result("rectanglelabels", x=v, y=v)), id=v),
            task("a.png", annotation() | {"result": v}, annotations=v, predictions=v),
            task("a.png", data={"image": v}),
        ]
    },
    "createml": lambda v: {
        "a.createml.json": [
            {"image": "a.png", "annotations": [v, {"label": v, "coordinates": v}]},
            {"image": "a.png", "annotations": v},
            {"image": v},
            v,
        ]
    },
    "via": lambda v: {
        "v.json": {
            "_via_img_metadata": {
                "a": {"filename": "a.png", "regions": [v, {"shape_attributes": v}]},
                "b": {"filename": v, "regions": v},
            },
            "_via_settings": v,
        }
    },
    "vott": lambda v: {
        "v.json": {
            "securityToken": "t",
            "tags": [v],
            "assets": {
                "a": asset("a.png", v, region("RECTANGLE", "a") | {"boundingBox": v, "tags": v}),
                "b": {"asset": {"name": v, "size": v, "path": v}, "regions": v},
                "c": v,
            },
        }
    },
    "supervisely": lambda v: {
        "meta.json": {"classes": [v]},
        "ds/ann/a.png.json": {
            "objects": [
                v,
                drawn("rectangle", v),
                drawn("bitmap", bitmap=v),
                drawn("graph", nodes=v),
            ],
            "tags": [v],
            "size": v,
        },
    },
    "darwin": lambda v: {
        "a.json": darwin_2(
            {"name": v}, {"name": "a", "bounding_box": v}, {"name": "a", "polygon": v}
        ),
        "b.json": {"item": {"slots": [v], "name": v, "path": v}, "annotations": [v]},
    },
}


@pytest.mark.parametrize("wrong", [None, 5, "text", [1], {"a": 1}, True, float("nan")], ids=str)
@pytest.mark.parametrize("kind", WRONG)
def test_values_of_the_wrong_type_are_told_and_never_a_traceback(
    tmp_path: Path, kind: str, wrong: Any
) -> None:
    files = {"a.png": None, "ds/img/a.png": None} if kind == "supervisely" else {"a.png": None}
    folder = put(tmp_path, WRONG[kind](wrong) | files)
    try:
        data = READERS[kind](folder, Watch())
    except ImportFailed:
        return
    assert len(data) == 0
    assert data.problems.counts
