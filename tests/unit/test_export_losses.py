"""What a format cannot hold is counted by every export that leaves it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from import_data import boxes, coco, put_coco
from PIL import Image

from core.data.exporters import (
    export_createml,
    export_csv,
    export_cvat,
    export_kitti,
    export_label_studio,
    export_labelme,
    export_voc,
    export_yolo,
)
from core.data.importers import import_coco
from core.data.importers.commit import commit
from core.data.importers.formats.tables.kitti import read_kitti
from core.data.importers.report import Watch
from core.data.store import Project

OUTLINE, UNUSED = "outlines, whose boxes are written", "classes without a box"


@pytest.fixture
def project(tmp_path: Path):
    """A box, an outline, a crowd, a class without a box, a picture upright by its EXIF tag."""
    value: dict[str, Any] = coco()
    value["categories"] = [{"id": n, "name": name} for n, name in enumerate(["a b", "a_b", "c"], 1)]
    common = {"image_id": 1, "bbox": [4, 4, 8, 8]}
    value["annotations"] = [
        {**common, "id": 1, "category_id": 1},
        {**common, "id": 2, "category_id": 2, "segmentation": [[4, 4, 12, 4, 4, 12]]},
        {**common, "id": 3, "category_id": 1, "iscrowd": 1},
    ]
    put_coco(tmp_path / "set" / "train", value)
    picture = tmp_path / "set" / "train" / "a.png"
    turned = Image.Exif()
    turned[0x0112] = 3
    with Image.open(picture) as opened:
        opened.copy().save(picture, exif=turned)
    with Project.create(tmp_path / "p") as made:
        import_coco(made, tmp_path / "set")
        yield made


@pytest.mark.parametrize(
    ("export", "lost"),
    [
        (export_yolo, {OUTLINE: 1}),
        (export_voc, {OUTLINE: 1, UNUSED: 1}),
        (export_csv, {OUTLINE: 1, UNUSED: 1}),
        (export_kitti, {OUTLINE: 1, UNUSED: 1, "space in a class name (written as _)": 1}),
        (export_createml, {OUTLINE: 1, UNUSED: 1}),
        (export_cvat, {}),
        (export_label_studio, {}),
        (export_labelme, {}),
    ],
)
def test_each_export_counts_what_it_leaves_out(
    project: Project, tmp_path: Path, export: Any, lost: dict[str, int]
) -> None:
    report = export(project, tmp_path / "out")
    assert report.left_out == {"crowd regions": 1, **lost}
    assert report.turned == 1


def test_classes_of_kitti_that_differ_by_a_space_stay_two(project: Project, tmp_path: Path) -> None:
    export_kitti(project, tmp_path / "out")
    with Project.create(tmp_path / "back") as back:
        commit(back, read_kitti(tmp_path / "out", Watch()))
        assert sorted(row[2] for row in boxes(back)) == ["a_b", "a_b_2"]
