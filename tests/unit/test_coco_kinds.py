"""COCO's other kinds of files beside the objects, and ids that differ by leading zeros only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from import_data import boxes, coco, put, put_coco

from core.common.errors import ImportFailed
from core.data.importers import import_coco
from core.data.importers.balance.words import rows
from core.data.importers.coco.id_map import IdMap, Seen
from core.data.store import Project
from core.evaluation.ground_truth import read_truth


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p") as project:
        yield project


def captions() -> dict[str, Any]:
    return {
        "images": coco()["images"],
        "annotations": [{"id": 1, "image_id": 1, "caption": "A hook."}],
    }


def persons() -> dict[str, Any]:
    note = {"id": 9, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "num_keypoints": 0}
    return coco(categories=[{"id": 1, "name": "person"}], annotations=[note])


def official(folder: Path, **files: dict[str, Any]) -> Path:
    """COCO's own layout; files are named by their kind."""
    for name in ("a.png", "b.png"):
        put(folder / "val2017" / name)
    for kind, value in files.items():
        put(folder / "annotations" / f"{kind}_val2017.json", json.dumps(value))
    return folder


@pytest.mark.parametrize("below", ["annotations/captions_val2017.json", "words.json"])
def test_captions_are_no_objects(project: Project, tmp_path: Path, below: str) -> None:
    set_ = put_coco(tmp_path / "set", captions(), below)
    for source in (set_, set_ / below):
        with pytest.raises(ImportFailed, match="holds captions of images") as error:
            import_coco(project, source)
        assert "instances_" in error.value.hint
    assert boxes(project) == []


def test_objects_are_taken_and_the_other_kinds_said(project: Project, tmp_path: Path) -> None:
    folder = official(
        tmp_path, instances=coco(), captions=captions(), person_keypoints=persons(),
        stuff=persons(), image_info=captions(),
    )  # fmt: skip
    report = import_coco(project, folder)
    assert (report.images, report.annotations, report.classes) == (2, 3, ["boom", "hook"])
    told = next(row for row in rows(report.balance) if row.what == "label files")
    assert (told.found, told.taken) == (4, 0)
    for name in ("captions", "person_keypoints", "stuff", "image_info"):
        assert f"annotations/{name}_val2017.json" in told.rest


def test_the_other_kinds_stop_no_import_of_many_pictures(project: Project, tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(6)]
    images = [
        {"id": number, "file_name": name, "width": 64, "height": 48}
        for number, name in enumerate(names)
    ]
    for name in names:
        put(tmp_path / "val2017" / name)
    folder = official(
        tmp_path, instances=coco(images=images), captions=captions(), person_keypoints=persons()
    )
    assert import_coco(project, folder).images == 6


def test_persons_are_taken_where_there_are_no_other_objects(
    project: Project, tmp_path: Path
) -> None:
    report = import_coco(
        project, official(tmp_path, captions=captions(), person_keypoints=persons())
    )
    assert (report.annotations, report.classes) == (1, ["person"])


def padded(image: Any, other: Any, of: Any) -> dict[str, Any]:
    """Two images with these ids, and one box of the image `of`."""
    images = [
        {"id": image, "file_name": "a.png", "width": 64, "height": 48},
        {"id": other, "file_name": "b.png", "width": 64, "height": 48},
    ]
    note = {"id": 1, "image_id": of, "category_id": 1, "bbox": [1, 2, 3, 4]}
    return coco(images=images, annotations=[note])


@pytest.mark.parametrize(
    ("image", "other", "of", "name"),
    [("007", "7", "007", "a.png"), ("007", "7", "7", "b.png"), ("007", 7, 7, "b.png"),
     ("7", "007", "007", "b.png"), ("000139", "000140", 139, "a.png"),
     (139, 140, "000139", "a.png"), ("007", 8, "07", "a.png"), (1, 1.5, 1.5, "b.png")],
)  # fmt: skip
def test_leading_zeros_make_another_id_only_beside_the_number(
    project: Project, tmp_path: Path, image: Any, other: Any, of: Any, name: str
) -> None:
    folder = put_coco(tmp_path / "train", padded(image, other, of))
    report = import_coco(project, folder)
    assert (report.images, report.counts()) == (2, {})
    assert [row[1] for row in boxes(project)] == [name]
    # Evaluating on the folder as it is takes the same picture.
    truth = read_truth(tmp_path, "train", ["boom", "hook"])
    of_file = {record["id"]: record["file_name"] for record in truth.images}
    assert [of_file[found["image_id"]] for found in truth.annotations] == [name]


def test_an_id_that_may_be_two_is_said(project: Project, tmp_path: Path) -> None:
    report = import_coco(project, put_coco(tmp_path / "set", padded("007", "7", "0007")))
    assert (report.annotations, report.counts()) == (0, {"unknown image": 1})


def test_fractions_and_texts_are_no_whole_numbers() -> None:
    ids = IdMap()
    for number in range(4):
        ids.add(number, number)
    ids.build()
    assert ids.lookup([1, 1.5]).tolist() == [1, -1]
    assert ids.lookup(["x", None, "03"]).tolist() == [-1, -1, 3]
    seen = Seen()
    assert seen.fresh([1, 2]).all()
    assert seen.fresh([2.5, "007", 7, 2]).tolist() == [True, True, True, False]
    assert Seen().fresh(["7", "007"]).all()
    rising = Seen()
    assert rising.fresh([1, 2, 2.5]).all(), "2.5 is not 2"
