"""The rules of COCO that an evaluation goes by: ids, sizes of objects, crowds, limits."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import test_orientation_everywhere as orientation

from core.data.exporters.coco import categories_of
from core.data.importers.coco.records import category
from core.evaluation.display import protocol, protocol_in_short
from core.evaluation.ground_truth import Truth, read_truth
from core.evaluation.result import SIZES, EvaluationResult
from core.inference.records import RecordWriter
from core.models.detector import Detector, Floats, Pixels, Prediction

IMAGES = [{"id": 1, "file_name": "a.png", "width": 200, "height": 200},
          {"id": 2, "file_name": "b.png", "width": 200, "height": 200}]  # fmt: skip


def truth(folder: Path, annotations: list[dict[str, Any]], **changes: Any) -> Truth:
    folder = folder / "valid"
    folder.mkdir(exist_ok=True, parents=True)
    content = {
        "images": IMAGES,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "hook"}, {"id": 2, "name": "boom"}],
        **changes,
    }
    (folder / "_annotations.coco.json").write_text(json.dumps(content))
    return read_truth(folder.parent, "valid", ["boom", "hook"])


def note(box: list[float], category: Any = 1, image: Any = 1, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": box, **more}


def found(box: list[float], score: float, category: int = 1, image: int = 1) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": box, "score": score}


@pytest.mark.parametrize(
    ("ids", "numbers"),
    [(["1", "2"], [1, 2]), ([1.0, 2.0], [1, 2]), ([0, "0x"], [0, 1]), (["a", "b"], [1, 2]),
     ([1.5, 7], [8, 7]), ([10**25, 3], [4, 3])],
)  # fmt: skip
def test_ids_are_taken_as_an_import_takes_them(
    tmp_path: Path, ids: list[Any], numbers: list[int]
) -> None:
    images = [{**image, "id": key} for image, key in zip(IMAGES, ids, strict=True)]
    categories = [{"id": ids[0], "name": "hook"}, {"id": ids[1], "name": "boom"}]
    notes = [note([1, 1, 9, 9], ids[0], ids[1], id="x"), note([1, 1, 9, 9], ids[1], ids[0])]
    seen = truth(tmp_path, notes, images=images, categories=categories)
    assert [image["id"] for image in seen.images] == numbers
    assert seen.category_of == numbers[::-1]
    got = [(a["image_id"], a["category_id"]) for a in seen.annotations]
    assert got == [(numbers[1], numbers[0]), (numbers[0], numbers[1])]
    # Predictions are written with the ids of the data set, for whoever reads both.
    (named,) = seen.as_named([found([1, 1, 9, 9], 0.5, numbers[0], numbers[1])])
    assert (named["image_id"], named["category_id"]) == (ids[1], ids[0])


def test_a_number_and_its_text_are_one_id(tmp_path: Path) -> None:
    seen = truth(tmp_path, [note([1, 1, 9, 9], "2", "1"), note([1, 1, 9, 9], 1.0, 2.0)])
    assert [(a["image_id"], a["category_id"]) for a in seen.annotations] == [(1, 2), (2, 1)]
    assert not seen.notes


def test_annotations_of_no_image_are_said(tmp_path: Path) -> None:
    assert "1 annotation of images" in truth(tmp_path, [note([1, 1, 9, 9], 1, 7)]).notes[0]


def test_an_area_is_read_as_an_import_reads_it(tmp_path: Path) -> None:
    triangle = [0, 0, 40, 0, 0, 40]
    notes = [note([0, 0, 40, 40], **more) for more in (
        {}, {"area": 812.5}, {"segmentation": [triangle]}, {"segmentation": triangle},
        {"area": 0, "segmentation": [triangle]},
    )]  # fmt: skip
    assert [a["area"] for a in truth(tmp_path, notes).annotations] == [1600, 812.5, 800, 800, 800]


def test_objects_at_the_ends_of_a_size_are_counted_as_pycocotools_does(tmp_path: Path) -> None:
    from pycocotools.cocoeval import Params

    from core.evaluation.coco import measure
    from core.evaluation.evaluate import count_sizes

    assert [list(ends) for ends in SIZES.values()] == Params("bbox").areaRng[1:]
    sides = [31, 32, 33, 95, 96, 97]
    notes = [note([0, 0, side, side], image=1 + n % 2) for n, side in enumerate(sides)]
    seen = truth(tmp_path, notes)
    counts = count_sizes(seen)
    assert counts == {"small": 2, "medium": 4, "large": 2}
    # What pycocotools looks for in each size, by finding everything in one size only.
    metrics = measure(seen, [found([0, 0, 32, 32], 0.9, image=2)], 500)
    small, medium = metrics.ar(size=1), metrics.ar(size=2)
    assert (small, medium) == (pytest.approx(1 / 2), pytest.approx(1 / 4))


def test_crowds_count_neither_way_in_the_confusion_matrix(tmp_path: Path) -> None:
    from core.evaluation.coco import measure
    from core.evaluation.confusion import confusion

    seen = truth(tmp_path, [
        note([0, 0, 100, 100], iscrowd=1), note([150, 150, 40, 40]), note([10, 10, 20, 20], 2),
    ])  # fmt: skip
    predictions = [
        found([150, 150, 40, 40], 0.9),
        found([0, 0, 98, 98], 0.9),  # the crowd as a whole
        found([10, 10, 20, 20], 0.9),  # one of the crowd, where another class's object is
        found([40, 40, 20, 20], 0.9),  # one of the crowd
        found([40, 40, 20, 20], 0.8, 2),  # of another class: nothing is there
        found([60, 150, 20, 20], 0.7),  # outside the crowd: nothing is there
    ]
    table = confusion(seen, predictions, measure(seen, predictions, 500), ["boom", "hook"], 0.5)
    assert table.labels == ["boom", "hook", "background"]
    assert table.matrix == [[0, 0, 1], [0, 1, 0], [1, 1, 0]]


def test_an_exported_parent_that_is_a_class_is_no_class_less_for_rfdetr(tmp_path: Path) -> None:
    coco = pytest.importorskip("rfdetr.datasets.coco")
    names = ["car", "person", "vehicle"]
    parents = {"car": "vehicle", "person": "person", "vehicle": "thing"}
    categories = categories_of(names, parents)
    # Of `vehicle` there is a box in valid only.
    assert [c["name"] for c in coco.filter_parent_categories(categories, {1})] == names
    assert [category(0, record) for record in categories] == [
        (number, name, parents[name]) for number, name in enumerate(names, 1)
    ]


def test_the_table_and_the_json_number_classes_alike(tmp_path: Path) -> None:
    boxes = np.array([[1, 2, 5, 6], [3, 3, 9, 9]], np.float32)
    seen = Prediction(boxes, np.array([0.9, 0.8], np.float32), np.array([1, 0]))
    with RecordWriter(tmp_path, ["boom", "hook"]) as writer:
        writer.add("a.png", (20, 20), seen, source=tmp_path / "a.png")
    with (tmp_path / "detections.csv").open() as file:
        rows = [(row["class"], int(row["class_id"])) for row in csv.DictReader(file)]
    found = json.loads((tmp_path / "detections.coco.json").read_text())
    called = {c["id"]: c["name"] for c in found["categories"]}
    numbers = [note["category_id"] for note in found["annotations"]]
    assert rows == [(called[number], number) for number in numbers]


@pytest.mark.parametrize(
    ("at_100", "said"), [(0.2528, "0.2528 (here 0.2608)"), (0.2608, "give the same")]
)
def test_the_protocol_is_named_and_both_values_where_they_differ(at_100: float, said: str) -> None:
    result = cast("EvaluationResult", SimpleNamespace(
        max_detections=500, map50_95=0.2608, coco100={"map50_95": at_100},
    ))  # fmt: skip
    assert said in protocol(result)
    assert "up to 500 detections" in protocol(result)
    short = protocol_in_short(result)
    assert short.startswith("mAP: up to 500 detections an image and class, as rfdetr; COCO's 100: ")
    assert short.endswith("0.2528" if at_100 < 0.26 else "the same")
    assert len(short) <= 78, "fits where a terminal is 80 wide"


@pytest.mark.parametrize("tag", range(1, 9))
def test_a_model_is_measured_on_what_was_labelled(tmp_path: Path, tag: int) -> None:
    """Also on pictures that are mirrored or on their head: their size does not tell."""
    pytest.importorskip("rfdetr", reason="needs the train extra")
    from core.evaluation.evaluate import predict_split

    class White(Detector):
        """Finds the white box, and draws the picture as it sees it."""

        def forward(self, batch: Pixels) -> tuple[Floats, Floats]:
            boxes, logits = (
                np.zeros((len(batch), 1, 4), np.float32),
                np.full((len(batch), 1, 2), -9.0),
            )
            for place, image in enumerate(batch):
                rows, columns = np.where((image > 200).all(axis=2))
                x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
                boxes[place, 0] = np.array([x0 + x1, y0 + y1, 2 * (x1 - x0), 2 * (y1 - y0)]) / 480
                logits[place, 0, 0] = 4.0
            return boxes, logits.astype(np.float32)

    orientation.coco(tmp_path, tag, ".png", orientation.SIZE)
    detector = White(
        tmp_path / "m.pth", classes=["white"], model_size="none", resolution=240, num_select=1,
        device="cpu", batch_size=2,
    )  # fmt: skip
    (found,) = predict_split(detector, read_truth(tmp_path, "valid", ["white"]))
    assert found["bbox"] == pytest.approx(orientation.BOX, abs=1.0)


def test_training_measures_what_rfdetr_does_and_says_what_was_right() -> None:
    """The averages of rfdetr's own metric, and the matches that it finds in a second pass."""
    coco_map = pytest.importorskip("rfdetr.training.coco_map")
    import torch
    from rfdetr.evaluation import matching

    from core.training.worker.coco_validation import CocoMetric

    draw = np.random.default_rng(3)
    kwargs = {"class_metrics": True, "max_detection_thresholds": [1, 10, 500]}
    ours, theirs = CocoMetric(**kwargs), coco_map.OnePassCocoMeanAveragePrecision(**kwargs)
    theirs.iou_thresholds = np.linspace(0.5, 0.95, 10).tolist()
    theirs.rec_thresholds = np.linspace(0.0, 1.0, 101).tolist()
    empty = ours.compute()
    assert float(empty["map"]) == -1.0
    assert ours.matches == {}
    ours.reset()
    second = matching.init_matching_accumulator()
    for image in range(24):
        there = draw.integers(0, 6) if image else 0  # the first has nothing in it
        corners = draw.uniform(0, 300, (there, 2))
        boxes = np.concatenate([corners, corners + draw.uniform(30, 150, (there, 2))], axis=1)
        near = draw.integers(0, there, 40) if there else np.zeros(0, int)
        found = {
            "boxes": torch.tensor(boxes[near] + draw.normal(0, 3, (len(near), 4))).float(),
            "scores": torch.tensor(draw.random(len(near))).float(),
            # 9 is a class that there is no object of.
            "labels": torch.tensor(draw.choice([0, 3, 4, 9], len(near)), dtype=torch.int64),
        }
        target = {
            "boxes": torch.tensor(boxes).float(),
            "labels": torch.tensor(draw.choice([0, 3, 4], there), dtype=torch.int64),
        }
        matching.merge_matching_data(
            second, matching.build_matching_data([found], [target], 0.5, "bbox")
        )
        target["iscrowd"] = torch.tensor(draw.random(there) < 0.2).long()
        for metric in (ours, theirs):
            metric.update([found], [target])
    one, other = ours.compute(), theirs.compute()
    assert one.keys() == other.keys()
    for name, value in other.items():
        assert torch.allclose(one[name], value, rtol=0, atol=1e-6), name
    # Without its crowds, what is right is the same as rfdetr's second pass says.
    ours.groundtruth_crowds = [torch.zeros_like(crowd) for crowd in ours.groundtruth_crowds]
    ours._computed = None
    ours.compute()
    for number, of in ours.matches.items():
        assert of.objects == second[number]["total_gt"]
        order, again = np.argsort(-of.scores), np.argsort(-np.asarray(second[number]["scores"]))
        assert of.scores[order] == pytest.approx(np.asarray(second[number]["scores"])[again])
        assert of.right[order].tolist() == np.asarray(second[number]["matches"])[again].tolist()
