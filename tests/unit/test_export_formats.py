"""What goes out comes back the same, by our own readers and by those of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from import_data import boxes, check, coco, files_below, png, put, put_coco, state

from core.common.errors import Cancelled, ExportFailed
from core.data import classes
from core.data.exporters import export_coco, export_voc, export_yolo
from core.data.importers import import_coco, import_voc, import_yolo
from core.data.store import Project

FORMATS = [(export_coco, import_coco), (export_yolo, import_yolo), (export_voc, import_voc)]


@pytest.fixture
def project(tmp_path: Path):
    with Project.create(tmp_path / "cranes") as made:
        yield made


@pytest.fixture(scope="module")
def cells(bccd: Path, tmp_path_factory: pytest.TempPathFactory):
    with Project.create(tmp_path_factory.mktemp("cells") / "cells") as made:
        import_coco(made, bccd)
        yield made


@pytest.mark.parametrize(("export", "read"), FORMATS, ids=["coco", "yolo", "voc"])
def test_the_blood_cells_come_back(cells: Project, tmp_path: Path, export: Any, read: Any) -> None:
    report = export(cells, tmp_path / "out")
    assert (report.images, report.annotations) == (364, 4886)
    assert report.splits == {"train": 205, "valid": 87, "test": 72}
    assert (report.missing, report.left_out) == ([], {})
    with Project.create(tmp_path / "back") as back:
        again = read(back, tmp_path / "out")
        assert (again.images, again.annotations, again.counts()) == (364, 4886, {})
        assert again.classes == ["Platelets", "RBC", "WBC"]
        check(back)
        there, here = boxes(cells), boxes(back)
        assert [row[:3] for row in there] == [row[:3] for row in here]
        worst = max(
            abs(x - y)
            for a, b in zip(there, here, strict=True)
            for x, y in zip(a[3:], b[3:], strict=True)
        )
        # The real boxes are whole pixels: VOC and COCO hold them exactly, YOLO to six digits.
        assert worst < (0.002 if export is export_yolo else 1e-9)


def test_pycocotools_and_supervision_read_the_same_boxes(cells: Project, tmp_path: Path) -> None:
    from pycocotools.coco import COCO
    from supervision import DetectionDataset

    export_coco(cells, tmp_path / "out")
    names = sorted(classes_of(cells))
    for split in ("train", "valid", "test"):
        folder = tmp_path / "out" / split
        expected = sorted(row[1:] for row in boxes(cells) if row[0] == split)
        api = COCO(str(folder / "_annotations.coco.json"))
        assert [c["name"] for c in api.loadCats(api.getCatIds())] == names
        found = [
            (api.loadImgs(a["image_id"])[0]["file_name"],
             api.loadCats(a["category_id"])[0]["name"], *a["bbox"])
            for a in api.loadAnns(api.getAnnIds())
        ]  # fmt: skip
        assert sorted(found) == expected
        read = DetectionDataset.from_coco(str(folder), str(folder / "_annotations.coco.json"))
        assert read.classes == names
        seen = []
        for path in read.image_paths:
            detections = read.annotations[path]
            for corners, number in zip(detections.xyxy.tolist(), detections.class_id, strict=True):
                left, top, right, bottom = corners
                seen.append((Path(path).name, names[number], left, top, right - left, bottom - top))
        assert sorted(seen) == expected


def classes_of(project: Project) -> list[str]:
    return [row.name for row in classes.list_classes(project)]


def shapes(folder: Path) -> Path:
    """A set with fractions, a crowd, shapes, an unlabelled image and awkward names."""
    value = coco()
    value["images"] += [
        {"id": 3, "file_name": "sub/a.png", "width": 64, "height": 48},
        {"id": 4, "file_name": "x & <y> 'z'.png", "width": 64, "height": 48},
    ]
    value["categories"] = [{"id": 1, "name": "hook <&> 'a': #1"}, {"id": 2, "name": "yes"}]
    value["annotations"] += [
        {"id": 4, "image_id": 3, "category_id": 2, "bbox": [1.25, 2.5, 3.75, 4.125],
         "segmentation": [[1.25, 2.5, 5, 2.5, 5, 6.625]]},
        {"id": 5, "image_id": 4, "category_id": 1, "bbox": [5, 5, 20, 20], "iscrowd": 1,
         "segmentation": {"counts": [0, 5, 3067], "size": [48, 64]}},
        {"id": 6, "image_id": 4, "category_id": 1, "bbox": [63.9, 47.9, 0.1, 0.1]},
    ]  # fmt: skip
    put(folder / "sub" / "a.png")
    put(folder / "x & <y> 'z'.png")
    return put_coco(folder, value)


def test_coco_keeps_everything(project: Project, tmp_path: Path) -> None:
    import_coco(project, shapes(tmp_path / "set"))
    report = export_coco(project, tmp_path / "out")
    assert (report.images, report.annotations, report.splits) == (4, 6, {"train": 4})
    value = json.loads((tmp_path / "out" / "train" / "_annotations.coco.json").read_bytes())
    assert sorted(image["file_name"] for image in value["images"]) == [
        "a.png", "a~1.png", "b.png", "x & <y> 'z'.png",
    ]  # fmt: skip
    assert [a["area"] for a in value["annotations"]] == pytest.approx(
        [120, 907.5, 3072, 3.75 * 4.125 / 2, 5, 0.01]
    )
    with Project.create(tmp_path / "back") as back:
        assert import_coco(back, tmp_path / "out").counts() == {}
        query = "SELECT x, y, w, h, iscrowd, segmentation FROM annotations ORDER BY id"
        assert [tuple(r) for r in back.db.execute(query)] == [
            tuple(r) for r in project.db.execute(query)
        ]
        assert classes_of(back) == classes_of(project)


@pytest.mark.parametrize(("export", "read"), FORMATS[1:], ids=["yolo", "voc"])
def test_fractions_and_awkward_names_come_back_within_half_a_pixel(
    project: Project, tmp_path: Path, export: Any, read: Any
) -> None:
    import_coco(project, shapes(tmp_path / "set"))
    report = export(project, tmp_path / "out")
    lost = {"crowd regions": 1, "outlines, whose boxes are written": 1}
    assert (report.annotations, report.left_out) == (5, lost)
    with Project.create(tmp_path / "back") as back:
        assert read(back, tmp_path / "out").counts() == {}
        assert classes_of(back) == ["hook <&> 'a': #1", "yes"]
        names = {"sub/a.png": "a~1.png"}
        there = sorted(
            (names.get(row[1], row[1]), *row[2:])
            for row in boxes(project)
            if row[3:] != (5, 5, 20, 20)
        )
        here = sorted(row[1:] for row in boxes(back))
        assert [row[:2] for row in here] == [row[:2] for row in there]
        for a, b in zip(there, here, strict=True):
            sides = [(a[2], b[2]), (a[3], b[3]), (a[2] + a[4], b[2] + b[4])]
            # Less than a pixel becomes one pixel in VOC.
            limit = 0.5 if export is export_yolo or min(a[4:]) >= 1 else 1
            assert max(abs(x - y) for x, y in sides) <= limit
        check(back)


def test_yolo_is_what_ultralytics_expects(project: Project, tmp_path: Path) -> None:
    for split in ("train", "valid"):
        put_coco(tmp_path / "set" / split)
    import_coco(project, tmp_path / "set")
    export_yolo(project, tmp_path / "out")
    assert yaml.safe_load((tmp_path / "out" / "data.yaml").read_text()) == {
        "train": "train/images", "val": "valid/images", "nc": 2, "names": {0: "boom", 1: "hook"},
    }  # fmt: skip
    assert (tmp_path / "out" / "train" / "labels" / "a.txt").read_text() == (
        "1 0.093750 0.166667 0.156250 0.250000\n0 0.554688 0.481771 0.468750 0.630208\n"
    )
    names = set(files_below(tmp_path / "out"))
    assert {"valid/images/a~1.png", "valid/labels/a~1.txt"} <= names


def test_what_is_merged_renamed_hidden_or_undone_goes_out_as_it_is_now(
    project: Project, tmp_path: Path
) -> None:
    import_coco(project, put_coco(tmp_path / "one"))
    import_coco(project, put_coco(tmp_path / "two", coco(categories=[
        {"id": 1, "name": "Hook"}, {"id": 2, "name": "junk"},
    ])))  # fmt: skip
    import_coco(project, put_coco(tmp_path / "three"))
    project.undo()
    classes.merge(project, ["Hook"], "hook")
    classes.delete(project, ["junk"])
    report = export_coco(project, tmp_path / "out")
    assert (report.images, report.annotations, report.classes) == (4, 5, ["boom", "hook"])
    value = json.loads((tmp_path / "out" / "train" / "_annotations.coco.json").read_bytes())
    assert [a["category_id"] for a in value["annotations"]] == [2, 1, 2, 2, 2]


@pytest.mark.parametrize("export", [export_coco, export_yolo, export_voc])
def test_an_export_is_all_or_nothing(project: Project, tmp_path: Path, export: Any) -> None:
    import_coco(project, put_coco(tmp_path / "set"))
    before = state(project)
    put(tmp_path / "full" / "x", "x")
    put(tmp_path / "file", "x")
    for name in ("full", "file"):
        with pytest.raises(ExportFailed, match="already"):
            export(project, tmp_path / name)
    stop = iter([False, False, True])
    with pytest.raises(Cancelled, match="export"):
        export(project, tmp_path / "out", cancelled=lambda: next(stop, True))
    (tmp_path / "empty").mkdir()
    export(project, tmp_path / "empty")
    assert any((tmp_path / "empty").iterdir())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "cranes", "empty", "file", "full", "set",
    ]  # fmt: skip
    assert state(project) == before
    with pytest.raises(ExportFailed, match="cannot be written"):
        export(project, tmp_path / "file" / "below")


def test_nothing_to_export_is_said(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="no image to export"):
        export_coco(project, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("files", ["link", "copy"])
def test_images_are_linked_or_copied_and_missing_ones_named(
    project: Project, tmp_path: Path, files: Any
) -> None:
    import_coco(project, put_coco(tmp_path / "set"), files="reference")
    (tmp_path / "set" / "b.png").unlink()
    report = export_coco(project, tmp_path / "out", files=files)
    assert report.missing == [str(tmp_path / "set" / "b.png")]
    assert (report.images, report.annotations) == (1, 2)
    image = tmp_path / "out" / "train" / "a.png"
    assert image.read_bytes().startswith(png())
    assert image.samefile(tmp_path / "set" / "a.png") == (files == "link")
