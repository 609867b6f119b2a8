"""CSV and KITTI as they are written: what another reader finds in them, and that it comes back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from import_data import boxes, check, coco, png, put, put_coco

from core.data.exporters import export_csv, export_kitti, export_open_images
from core.data.importers import import_coco
from core.data.importers.commit import commit
from core.data.importers.formats.tables.csv_boxes import read_csv
from core.data.importers.formats.tables.kitti import read_kitti
from core.data.importers.formats.tables.open_images import read_open_images
from core.data.importers.report import Watch
from core.data.store import Project

BOXES = [(1.0, 2.0, 10.0, 12.0), (20.5, 8.25, 30.125, 30.0), (0.0, 0.0, 64.0, 48.0),
         (1 / 3, 2 / 3, 40.1, 20.7)]  # fmt: skip
FORMATS = [(export_csv, read_csv), (export_kitti, read_kitti)]


@pytest.fixture
def project(tmp_path: Path):
    """Two splits, an image without boxes, odd names, fractions of pixels, a crowd."""
    value: dict[str, Any] = coco()
    names = ['light, "red"; old', "boom"]
    for category, name in zip(value["categories"], names, strict=True):
        category["name"] = name
    value["annotations"] = [
        {"id": number, "image_id": 1, "category_id": 1 + number % 2, "bbox": box}
        for number, box in enumerate(BOXES, 1)
    ]
    value["annotations"].append(
        {"id": 9, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "iscrowd": 1}
    )
    put_coco(tmp_path / "set" / "train", value)
    put_coco(tmp_path / "set" / "valid", coco(annotations=coco()["annotations"][:1]))
    put(tmp_path / "set" / "valid" / "b.png", png(64, 48))
    with Project.create(tmp_path / "cranes") as made:
        import_coco(made, tmp_path / "set")
        yield made


@pytest.mark.parametrize(("export", "read"), FORMATS, ids=["csv", "kitti"])
def test_it_comes_back(project: Project, tmp_path: Path, export: Any, read: Any) -> None:
    report = export(project, tmp_path / "out")
    assert (report.images, report.annotations) == (4, 5)
    assert report.left_out["crowd regions"] == 1
    with Project.create(tmp_path / "back") as back:
        again = commit(back, read(tmp_path / "out", Watch()))
        check(back)
        assert again.splits == {"train": 2, "valid": 2}
        told = {"image without labels": 2} if export is export_csv else {}
        assert again.counts() == told
        expected = [row for row in boxes(project) if row[3:] != (1.0, 1.0, 9.0, 9.0)]
        if export is export_kitti:
            assert report.left_out["space in a class name (written as _)"] == 1
            expected = [(*row[:2], row[2].replace(" ", "_"), *row[3:]) for row in expected]
        # Exports give each image a name of its own.
        here = [(row[0], row[1].replace("~1", ""), *row[2:]) for row in boxes(back)]
        assert [row[:3] for row in here] == [row[:3] for row in expected]
        for one, other in zip(here, expected, strict=True):
            assert one[3:] == pytest.approx(other[3:], abs=1e-7)


def test_the_table_is_tensorflows(project: Project, tmp_path: Path) -> None:
    export_csv(project, tmp_path / "out")
    with (tmp_path / "out" / "train" / "_annotations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax"]
    assert rows[1] == {
        "filename": "a.png", "width": "64", "height": "48", "class": 'light, "red"; old',
        "xmin": "20.5", "ymin": "8.25", "xmax": "50.625", "ymax": "38.25",
    }  # fmt: skip
    assert {row["filename"] for row in rows} == {"a.png"}
    assert (tmp_path / "out" / "train" / "b.png").is_file()


def test_kittis_lines_have_the_kits_fifteen_values(project: Project, tmp_path: Path) -> None:
    export_kitti(project, tmp_path / "out")
    lines = (tmp_path / "out" / "training" / "label_2" / "a.txt").read_text().splitlines()
    assert [len(line.split(" ")) for line in lines] == [15] * 4
    assert lines[0] == "boom 0 0 -10 1 2 11 14 -1 -1 -1 -1000 -1000 -1000 -10"
    assert (tmp_path / "out" / "training" / "label_2" / "b.txt").read_text() == ""
    assert (tmp_path / "out" / "validation" / "image_2" / "a~1.png").is_file()


def test_open_images_has_groups_for_crowds_and_codes_for_classes(
    project: Project, tmp_path: Path
) -> None:
    report = export_open_images(project, tmp_path / "out")
    assert (report.images, report.annotations, report.left_out) == (4, 6, {})
    with (tmp_path / "out" / "class-descriptions-boxable.csv").open(newline="") as file:
        names = dict(csv.reader(file))
    with (tmp_path / "out" / "train-annotations-bbox.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["ImageID"] for row in rows} == {"a"}
    assert [row["IsGroupOf"] for row in rows] == ["0"] * 4 + ["1"]
    assert {row["IsOccluded"] for row in rows} == {"-1"}
    here = [
        (names[row["LabelName"]], *(float(row[side]) for side in ("XMin", "XMax", "YMin", "YMax")))
        for row in rows
    ]
    assert here[1] == ('light, "red"; old', 20.5 / 64, 50.625 / 64, 8.25 / 48, 38.25 / 48)
    assert (tmp_path / "out" / "validation" / "a~1.png").is_file()
    with Project.create(tmp_path / "back") as back:
        again = commit(back, read_open_images(tmp_path / "out", Watch()))
        check(back)
        assert again.splits == {"train": 2, "valid": 2}
        assert again.counts() == {"image without labels": 2}
        crowds = "SELECT count(*) FROM annotations WHERE iscrowd = 1"
        assert back.db.execute(crowds).fetchone() == project.db.execute(crowds).fetchone()
        for one, other in zip(boxes(back), boxes(project), strict=True):
            assert (one[0], one[2]) == (other[0], other[2])
            assert one[3:] == pytest.approx(other[3:], abs=1e-6)
