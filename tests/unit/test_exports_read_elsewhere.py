"""What supervision and rfdetr read in our exports is what we mean: boxes, crowds, areas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from import_data import coco, png, put, put_yolo, taken

from core.data.exporters import export_coco, export_voc, export_yolo
from core.data.exporters.tools.createml import export_createml
from core.data.exporters.tools.labelme import export_labelme
from core.data.importers import import_coco, import_yolo
from core.data.store import Project
from core.evaluation.evaluate import count_sizes
from core.evaluation.ground_truth import read_truth

CLASSES = ["car", "vehicle", "Überweg"]
BOX = ("car", [1.5, 2.25, 21.5, 12.25])
PARTS = ("Überweg", [10.0, 10.0, 50.0, 30.0])
CROWD = ("car", [0.0, 0.0, 64.0, 48.0])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crowd, an outline of two parts, an area that was given, a parent, an empty image."""
    folder = tmp_path_factory.mktemp("elsewhere")
    triangles = [[10, 10, 30, 10, 10, 30], [30, 30, 50, 30, 50, 10]]
    for split in ("train", "valid"):
        value = coco(
            categories=[
                {"id": 3, "name": "car", "supercategory": "vehicle"},
                {"id": 7, "name": "vehicle", "supercategory": "none"},
                {"id": 9, "name": "Überweg"},
            ],
            annotations=[
                {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1.5, 2.25, 20, 10],
                 "area": 111, "batman": {"source": "model", "model": "m", "score": 0.7}},
                {"id": 2, "image_id": 1, "category_id": 9, "bbox": [10, 10, 40, 20],
                 "segmentation": triangles},
                {"id": 3, "image_id": 1, "category_id": 3, "bbox": [0, 0, 64, 48], "iscrowd": 1,
                 "segmentation": {"counts": [0, 12, 3060], "size": [48, 64]}},
            ],
        )  # fmt: skip
        for name in ("a.png", "b.png"):
            # Names differ between the splits, as in one folder of Pascal VOC they must.
            put(folder / "set" / split / f"{split} {name}")
        for image in value["images"]:
            image["file_name"] = f"{split} {image['file_name']}"
            image["batman"] = {"review": "done", "group": "a video"}
        put(folder / "set" / split / "_annotations.coco.json", json.dumps(value))
    with Project.create(folder / "p") as project:
        assert import_coco(project, folder / "set").counts() == {}
        export_coco(project, folder / "coco")
        written = json.loads((folder / "coco/valid/_annotations.coco.json").read_text())
        assert {record["batman"]["review"] for record in written["images"]} == {"done"}
        assert "batman" in written["annotations"][0]
        export_yolo(project, folder / "yolo")
        export_voc(project, folder / "voc")
        export_createml(project, folder / "createml")
        export_labelme(project, folder / "labelme")
    return folder


def seen(dataset: Any) -> dict[str, list[tuple[str, list[float]]]]:
    """Class and corners of the objects by image, as supervision has them."""
    return {
        Path(path).name: [
            (dataset.classes[number], [round(value, 2) for value in corners])
            for corners, number in zip(found.xyxy.tolist(), found.class_id.tolist(), strict=True)
        ]
        for path, found in dataset.annotations.items()
    }


def test_supervision_reads_crowds_and_areas_of_coco(out: Path) -> None:
    sv = pytest.importorskip("supervision")
    for split in ("train", "valid"):
        folder = out / "coco" / split
        read = sv.DetectionDataset.from_coco(str(folder), str(folder / "_annotations.coco.json"))
        assert read.classes == sorted(CLASSES)
        assert seen(read) == {f"{split} a.png": [BOX, PARTS, CROWD], f"{split} b.png": []}
        data = next(found.data for path, found in read.annotations.items() if "a.png" in path)
        assert [int(flag) for flag in data["iscrowd"]] == [0, 0, 1]
        assert [float(area) for area in data["area"]] == [111, 400, 12]


def test_pycocotools_finds_every_object_of_what_numbered_from_0(tmp_path: Path) -> None:
    """Roboflow numbers annotations from 0; pycocotools 2.0.11 takes 0 for unmatched."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    value = coco(
        annotations=[
            {"id": number, "image_id": 1, "category_id": 1, "bbox": [15 * number, 5, 10, 10]}
            for number in range(4)
        ]
    )
    for image in value["images"]:
        put(tmp_path / "set" / "train" / image["file_name"])
    put(tmp_path / "set" / "train" / "_annotations.coco.json", json.dumps(value))
    with Project.create(tmp_path / "p") as project:
        assert import_coco(project, tmp_path / "set").counts() == {}
        export_coco(project, tmp_path / "out")
    truth = COCO(str(tmp_path / "out/train/_annotations.coco.json"))
    keys = ("image_id", "category_id", "bbox")
    found = truth.loadRes(
        [{**{key: each[key] for key in keys}, "score": 0.9} for each in truth.anns.values()]
    )
    measured = COCOeval(truth, found, "bbox")
    measured.evaluate()
    measured.accumulate()
    measured.summarize()
    assert len(truth.anns) == 4
    assert measured.stats[0] == pytest.approx(1.0)


def test_supervision_reads_yolo_and_voc_without_the_crowd(out: Path) -> None:
    sv = pytest.importorskip("supervision")
    for split in ("train", "valid"):
        folder = out / "yolo" / split
        read = sv.DetectionDataset.from_yolo(
            str(folder / "images"), str(folder / "labels"), str(out / "yolo" / "data.yaml")
        )
        assert read.classes == sorted(CLASSES)
        assert seen(read) == {f"{split} a.png": [BOX, PARTS], f"{split} b.png": []}
    voc = sv.DetectionDataset.from_pascal_voc(
        str(out / "voc" / "JPEGImages"), str(out / "voc" / "Annotations")
    )
    # Whole pixels, in both of which a box begins and ends.
    whole = [("car", [2.0, 2.0, 22.0, 12.0]), PARTS]
    assert seen(voc) == {
        "train a.png": whole, "train b.png": [], "valid a.png": whole, "valid b.png": [],
    }  # fmt: skip


def test_supervision_reads_createml_and_labelme_as_we_do(out: Path, tmp_path: Path) -> None:
    """A second reader of the tools' files: supervision's, and ours of the same ones."""
    sv = pytest.importorskip("supervision")
    for split in ("train", "valid"):
        folder = out / "createml" / "images" / split
        file = next(folder.glob("*.json"))
        read = seen(sv.DetectionDataset.from_createml(str(folder), str(file)))
        assert read == {f"{split} a.png": [BOX, PARTS], f"{split} b.png": []}
        folder = out / "labelme" / "images" / split
        assert seen(sv.DetectionDataset.from_labelme(str(folder), str(folder))) == read
        for kind in ("createml", "labelme"):
            ours = taken(out / kind / "images" / split, tmp_path / f"{kind} {split}")
            assert [(name, [x, y, x + w, y + h]) for _, _, name, x, y, w, h in ours] == sorted(
                read[f"{split} a.png"]
            )


def test_rfdetr_reads_what_it_trains_on_and_the_crowd_for_its_validation(out: Path) -> None:
    datasets = pytest.importorskip("rfdetr.datasets.coco")
    folder = out / "coco" / "valid"
    read = datasets.CocoDetection(
        folder, folder / "_annotations.coco.json", transforms=None, remap_category_ids=True
    )
    # Also `vehicle`, of which there is no box, has its place.
    assert read.cat2label == {1: 0, 2: 1, 3: 2}
    targets = [read[place][1] for place in range(len(read))]
    assert [target["labels"].tolist() for target in targets] == [[0, 2], []]
    assert targets[0]["boxes"].tolist() == [BOX[1], PARTS[1]]
    assert targets[0]["area"].tolist() == [111, 400]
    regions = datasets.crowd_regions_from_coco(read.coco)
    assert [len(found) for found in regions.values()] == [1]


def test_polygons_of_yolo_decide_the_size_in_an_evaluation(tmp_path: Path) -> None:
    # A triangle whose box has 40 x 40 pixels: medium, but 800 pixels of its own: small.
    folder = put_yolo(
        tmp_path / "set",
        **{"train/labels/a.txt": "0 0.1 0.1 0.5 0.1 0.5 0.5\n",
           "valid/labels/b.txt": "0 0.3 0.3 0.4 0.4\n"},
    )  # fmt: skip
    for split, name in (("train", "a.png"), ("valid", "b.png")):
        put(folder / split / "images" / name, png(100, 100) + name.encode())
    with Project.create(tmp_path / "p") as project:
        assert import_yolo(project, folder).counts() == {}
        export_coco(project, tmp_path / "out")
    sizes = {
        split: count_sizes(read_truth(tmp_path / "out", split, ["boom", "hook"]))
        for split in ("train", "valid")
    }
    assert sizes["train"] == {"small": 1, "medium": 0, "large": 0}
    assert sizes["valid"] == {"small": 0, "medium": 1, "large": 0}, "a box alone"
