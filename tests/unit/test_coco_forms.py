"""Odd but valid COCO: ids, shapes, panoptic files and keypoints, and the areas of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from import_data import coco, put_coco
from PIL import Image

from core.data.exporters import export_coco
from core.data.health.fixes import fix
from core.data.health.report import Finding
from core.data.importers import import_coco
from core.data.importers.coco.records import key_of, shape_of
from core.data.importers.coco.shape_area import shape_area
from core.data.store import Project
from core.evaluation.ground_truth import read_truth
from core.training.config.options import TrainingConfig
from core.training.launch.dataset import prepare

RING = [10, 10, 50, 10, 50, 30, 10, 30]
TRIANGLE = [[0, 0, 40, 0, 0, 40]]
SQUARE = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 40, 40]}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p") as project:
        yield project


def exported(project: Project, out: Path) -> dict[str, Any]:
    export_coco(project, out)
    found: dict[str, Any] = json.loads((out / "train" / "_annotations.coco.json").read_text())
    return found


@pytest.mark.parametrize(
    ("value", "key"),
    [(7, 7), (7.0, 7), ("7", 7), ("7.0", 7), (0, 0), ("0", 0), (0.0, 0), (1.5, 1.5), ("1.5", 1.5),
     ("-3", -3), ("aa-1", "aa-1"), ("1e5", "1e5"), (10**25, 10**25), ("9" * 25, "9" * 25)],
)  # fmt: skip
def test_an_id_is_the_same_however_it_is_written(value: Any, key: Any) -> None:
    assert key_of(value, "here") == key


@pytest.mark.parametrize(
    "value",
    [RING, [RING], [[10, 10], [50, 10], [50, 30], [10, 30]], [[str(v) for v in RING]],
     [[[10, 10], [50, 10], [50, 30], [10, 30]]]],
)  # fmt: skip
def test_a_polygon_is_the_same_however_it_is_nested(value: Any) -> None:
    assert shape_of(value) == [RING]


@pytest.mark.parametrize("box", [{"bbox": [10, 10, 40, 20]}, {}])
def test_a_flat_polygon_is_taken(project: Project, tmp_path: Path, box: dict[str, Any]) -> None:
    note = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": RING, **box}
    import_coco(project, put_coco(tmp_path / "set", coco(annotations=[note])))
    (record,) = exported(project, tmp_path / "out")["annotations"]
    assert (record["bbox"], record["segmentation"]) == ([10, 10, 40, 20], [RING])


@pytest.mark.parametrize(
    ("shape", "kept"),
    [([[1, 1, 9, 9]], []), ([RING, [1, 1]], [RING]), ([[*RING, 3]], [RING]),
     ({"size": [48, 64]}, []), ("polygon", [])],
)  # fmt: skip
def test_what_is_no_shape_is_said_and_the_box_is_kept(
    project: Project, tmp_path: Path, shape: Any, kept: Any
) -> None:
    note = {**SQUARE, "segmentation": shape}
    report = import_coco(project, put_coco(tmp_path / "set", coco(annotations=[note])))
    assert report.counts() == {"bad shape": 1}
    assert exported(project, tmp_path / "out")["annotations"][0]["segmentation"] == kept


def test_a_crowd_is_one_however_the_flag_is_written(project: Project, tmp_path: Path) -> None:
    flags = [1, 1.0, "1", True, 0, "0", None, False]
    notes = [{**SQUARE, "id": n, "iscrowd": flag} for n, flag in enumerate(flags)]
    import_coco(project, put_coco(tmp_path / "set", coco(annotations=notes)))
    found = exported(project, tmp_path / "out")["annotations"]
    assert [record["iscrowd"] for record in found] == [1, 1, 1, 1, 0, 0, 0, 0]


def test_a_box_is_measured_around_the_keypoints_that_are_labelled(
    project: Project, tmp_path: Path
) -> None:
    points = [0, 0, 0, 10, 12, 2, 30, 20, 1, 0, 0, 0]
    note = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": points, "num_keypoints": 2}
    report = import_coco(project, put_coco(tmp_path / "set", coco(annotations=[note])))
    assert report.counts() == {"no box": 1}
    assert exported(project, tmp_path / "out")["annotations"][0]["bbox"] == [10, 12, 20, 8]


# Panoptic


def panoptic(folder: Path, *segments: dict[str, Any]) -> Path:
    """A panoptic file whose first image has these segments, 70,000 and 300 in its PNG."""
    numbers = np.zeros((48, 64), int)
    numbers[5:25, 5:15] = 70_000
    numbers[30:, :] = 300
    colours = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], -1)
    place = folder / "panoptic_train" / "a.png"
    place.parent.mkdir(parents=True)
    Image.fromarray(colours.astype(np.uint8)).save(place)
    notes = [{"image_id": 1, "file_name": "a.png", "segments_info": list(segments)}]
    things = [{"id": 1, "name": "car", "isthing": 1}, {"id": 2, "name": "sky", "isthing": 0}]
    value = coco(annotations=notes, categories=things)
    return put_coco(folder, value, name="panoptic_train.json")


def test_the_things_of_a_panoptic_file_are_boxes(project: Project, tmp_path: Path) -> None:
    thing = {"id": 70_000, "category_id": 1, "bbox": [5, 5, 10, 20], "area": 170, "iscrowd": 0}
    crowd = {"id": 9, "category_id": "1", "bbox": [30, 5, 10, 20], "area": 200, "iscrowd": 1}
    stuff = {"id": 300, "category_id": 2, "bbox": [0, 30, 64, 18], "area": 1152, "iscrowd": 0}
    report = import_coco(project, panoptic(tmp_path / "set", thing, crowd, stuff))
    assert report.counts() == {"stuff region": 1}
    assert report.classes == ["car"]
    found = exported(project, tmp_path / "out")["annotations"]
    assert [(a["bbox"], a["area"], a["iscrowd"]) for a in found] == [
        ([5, 5, 10, 20], 170, 0), ([30, 5, 10, 20], 200, 1),
    ]  # fmt: skip


def test_a_segment_without_a_box_is_measured_in_the_png(project: Project, tmp_path: Path) -> None:
    segments = ({"id": 70_000, "category_id": 1}, {"id": 4, "category_id": 1})
    report = import_coco(project, panoptic(tmp_path / "set", *segments))
    assert [(p.kind, p.action, p.where.partition(": ")[2]) for p in report.problems] == [
        ("no box", "left out", "annotation 4 of a.png of a.png"),
    ]
    assert exported(project, tmp_path / "out")["annotations"][0]["bbox"] == [5, 5, 10, 20]


# Areas

MASK = {"size": [48, 64], "counts": [0, 20, 28, 20, 28, 20, 28 + 48 * 61]}


@pytest.mark.parametrize(
    ("record", "area"),
    [
        ({}, 1600),
        ({"segmentation": TRIANGLE}, 800),
        ({"segmentation": [[0, 0, 20, 0, 20, 20, 0, 20], [0, 20, 40, 20, 40, 40]]}, 800),
        ({"segmentation": MASK}, 60),
        ({"area": 812.5}, 812.5),
        ({"area": "812.5"}, 812.5),
        ({"area": 812.5, "segmentation": TRIANGLE}, 812.5),
        ({"area": 1600}, 1600),
        ({"area": 0}, 1600),
        ({"area": -3, "segmentation": TRIANGLE}, 800),
        ({"area": None}, 1600),
        # A box that is clipped to 34 × 40: what the whole object had is too large for it.
        ({"bbox": [30, 0, 40, 40], "area": 1600}, 34 * 40),
        ({"bbox": [30, 0, 40, 40], "area": 700}, 700),
    ],
)
def test_the_area_is_the_given_one_or_the_shapes_or_the_boxes(
    project: Project, tmp_path: Path, record: dict[str, Any], area: float
) -> None:
    import_coco(project, put_coco(tmp_path / "set", coco(annotations=[{**SQUARE, **record}])))
    found = exported(project, tmp_path / "out")["annotations"]
    assert [note["area"] for note in found] == [area]


def test_a_run_is_validated_with_the_areas_of_the_objects(project: Project, tmp_path: Path) -> None:
    notes = [
        {**SQUARE, "area": 812.5}, {**SQUARE, "id": 2, "segmentation": TRIANGLE},
        {**SQUARE, "id": 3, "segmentation": MASK}, {**SQUARE, "id": 4},
    ]  # fmt: skip
    for split in ("train", "valid"):
        put_coco(tmp_path / "set" / split, coco(annotations=notes))
    import_coco(project, tmp_path / "set")
    config = TrainingConfig(split_policy="imported")
    prepare(project, config, tmp_path / "out")
    for split in ("train", "valid"):
        found = json.loads((tmp_path / "out" / split / "_annotations.coco.json").read_text())
        assert [note["area"] for note in found["annotations"]] == [812.5, 800, 60, 1600]
    truth = read_truth(tmp_path / "out", "valid", ["hook"])
    assert [note["area"] for note in truth.annotations] == [812.5, 800, 60, 1600]


@pytest.mark.parametrize("polygon", [RING, [RING], TRIANGLE])
def test_a_masks_area_is_counted_in_its_pixels(polygon: Any) -> None:
    masks = pytest.importorskip("pycocotools.mask")
    (mask,) = masks.frPyObjects(shape_of(polygon), 48, 64)
    text = json.dumps({"size": mask["size"], "counts": mask["counts"].decode()})
    assert shape_area(text) == masks.area(mask)


def test_a_box_that_is_clipped_later_loses_the_area_of_the_whole(
    project: Project, tmp_path: Path
) -> None:
    notes = [{**SQUARE, "area": 1400}]
    import_coco(project, put_coco(tmp_path / "set", coco(annotations=notes)))
    with project.change("test", "wider") as change:
        change.update("annotations", 1, {"w": 80.0})
    finding = Finding("box-past-edge", "error", "", "", "annotation", (1,), fix="clip")
    assert fix(project, finding) is not None
    row = "SELECT w, area FROM annotations"
    assert tuple(project.db.execute(row).fetchone()) == (64, None)
    project.undo()
    assert tuple(project.db.execute(row).fetchone()) == (80, 1400)
