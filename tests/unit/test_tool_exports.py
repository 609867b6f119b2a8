"""A project goes out for a labelling program and comes back the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from import_data import check, coco, put_coco

from core.common.errors import Cancelled, ExportFailed
from core.data import classes, exporters
from core.data.exporters import ExportReport
from core.data.importers import import_coco
from core.data.importers.detect_format import guess_kind
from core.data.importers.import_named import import_named
from core.data.store import Project

EXPORTS: dict[str, Callable[..., ExportReport]] = {
    "cvat": exporters.export_cvat,
    "label-studio": exporters.export_label_studio,
    "labelme": exporters.export_labelme,
    "createml": exporters.export_createml,
}
ODD = "hook <&\"'> [b] \u0e01 \U0001f697"
OUTLINE = [[10.5, 5.25, 40.0, 5.25, 40.0, 30.125]]


def annotated(folder: Path, *, shapes: bool = False) -> Path:
    """A data set with odd names, fractions of pixels, an empty image and a class without a box."""
    value = coco()
    value["categories"] = [
        {"id": 1, "name": ODD},
        {"id": 2, "name": "boom"},
        {"id": 3, "name": "unused"},
    ]
    boxes = [(1, 1, [10.123, 7.5, 20.25, 10.0]), (1, 2, [0, 0, 80, 60]), (2, 2, [11.5, 2.5, 3, 4])]
    value["annotations"] = [
        {"id": n, "image_id": image, "category_id": label, "bbox": box, "area": 1, "iscrowd": 0}
        for n, (image, label, box) in enumerate(boxes, 1)
    ]
    if shapes:
        box = [10.5, 5.25, 29.5, 24.875]
        more = {"category_id": 1, "image_id": 1, "area": 1, "bbox": box}
        value["annotations"] += [
            more | {"id": 7, "iscrowd": 0, "segmentation": OUTLINE},
            more | {"id": 8, "iscrowd": 0, "segmentation": [*OUTLINE, *OUTLINE]},
            more | {"id": 9, "iscrowd": 1, "segmentation": {"counts": [1, 2], "size": [60, 80]}},
        ]
    return put_coco(folder, value)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "cranes") as made:
        yield made


def whole(project: Project) -> list[Any]:
    """Return all that these formats hold: splits, classes, boxes and outlines by image."""
    rows = project.db.execute(
        "SELECT images.split, classes.name, x, y, w, h, segmentation FROM annotations"
        " JOIN v_images AS images ON images.id = annotations.image_id"
        " JOIN labels ON labels.id = annotations.label_id"
        " JOIN classes ON classes.id = labels.class_id WHERE annotations.deleted = 0"
    )
    shown = sorted(
        (str(row[0]), row[1], *(round(v, 3) for v in row[2:6]), str(row[6])) for row in rows
    )
    splits = project.db.execute("SELECT split, count(*) FROM v_images GROUP BY split").fetchall()
    return [shown, sorted(map(str, map(tuple, splits)))]


@pytest.mark.parametrize("kind", EXPORTS)
def test_what_goes_out_comes_back(project: Project, tmp_path: Path, kind: str) -> None:
    for split in ("train", "val", "test"):
        annotated(tmp_path / "set" / split)
    import_coco(project, tmp_path / "set")
    import_coco(project, annotated(tmp_path / "more"))
    before = whole(project)
    assert before[1] == ["('test', 2)", "('train', 2)", "('valid', 2)", "(None, 2)"]
    report = EXPORTS[kind](project, tmp_path / "out")
    assert (report.images, report.annotations) == (8, 12)
    assert report.left_out == ({"classes without a box": 1} if kind == "createml" else {})
    assert guess_kind(tmp_path / "out") == kind
    with Project.create(tmp_path / "back") as back:
        again = import_named(back, tmp_path / "out", kind)
        assert again.counts() == {}
        assert whole(back) == before
        names = {ODD, "boom"} if kind == "createml" else {ODD, "boom", "unused"}
        assert {item.name for item in classes.list_classes(back)} == names
        check(back)


@pytest.mark.parametrize("kind", EXPORTS)
def test_outlines_and_crowds_are_kept_or_counted(
    project: Project, tmp_path: Path, kind: str
) -> None:
    import_coco(project, annotated(tmp_path / "set", shapes=True))
    report = EXPORTS[kind](project, tmp_path / "out")
    outlines = 2 if kind == "createml" else 1
    assert report.left_out["crowd regions"] == 1
    assert report.left_out["outlines, whose boxes are written"] == outlines
    assert report.annotations == 5
    with Project.create(tmp_path / "back") as back:
        import_named(back, tmp_path / "out", kind)
        found = [
            json.loads(text)
            for (text,) in back.db.execute("SELECT segmentation FROM annotations")
            if text
        ]
        assert found == ([] if kind == "createml" else [OUTLINE])
        boxes = back.db.execute("SELECT count(*) FROM annotations WHERE w = 29.5").fetchone()
        assert boxes[0] == 2


@pytest.mark.parametrize("kind", EXPORTS)
def test_nothing_is_left_of_an_export_that_fails(
    project: Project, tmp_path: Path, kind: str
) -> None:
    import_coco(project, annotated(tmp_path / "set"))
    with pytest.raises(Cancelled):
        EXPORTS[kind](project, tmp_path / "out", cancelled=lambda: True)
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(ExportFailed):
        EXPORTS[kind](project, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
