"""Evaluation of a trained model: it says what training said, and what pycocotools says."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path

import pytest
from engine_models import CLASSES
from PIL import Image

from core.common.errors import BatmanError, Cancelled
from core.common.progress import Progress
from core.evaluation import EvaluationOptions, EvaluationResult, evaluate
from core.evaluation.display import mixups
from core.evaluation.wrong_images import MISTAKES, images_showing
from core.models.find import ONNX, TORCH
from core.processes.job import run_job
from core.training.run.run import Run

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def evaluated(learned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated") / "valid"
    evaluate(EvaluationOptions(learned, output=folder, worst=5))
    return folder


@pytest.mark.parametrize(("which", "backend"), [("learned", ONNX), ("trained", TORCH)])
def test_the_metrics_are_those_of_training(
    which: str, backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run = request.getfixturevalue(which)
    result = evaluate(EvaluationOptions(run, output=tmp_path / "out", backend=backend))
    results = Run(run).results()
    assert results is not None
    best = results["best"]
    for name in ("map50_95", "map50", "map75", "precision", "recall", "f1"):
        assert getattr(result, name) == pytest.approx(best[name], abs=1e-3), name
    for item in result.per_class:
        assert item.ap == pytest.approx(best["per_class"][item.name], abs=1e-3)
    assert result.trained_map50_95 == best["map50_95"]
    assert result.notes == []
    assert result.run == which


def test_plain_pycocotools_agrees_on_the_files(learned: Path, evaluated: Path) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    result = EvaluationResult.load(evaluated)
    with contextlib.redirect_stdout(io.StringIO()):
        annotations = Run(learned).config().dataset_dir(learned) / "valid/_annotations.coco.json"
        truth = COCO(str(annotations))
        measured = COCOeval(truth, truth.loadRes(str(evaluated / "predictions.json")), "bbox")
        measured.evaluate()
        measured.accumulate()
        measured.summarize()
    assert result.map50_95 is not None
    assert result.map50_95 > 0.2
    names = ("map50_95", "map50", "map75")
    for name, value in zip(names, measured.stats[:3], strict=True):
        assert result.coco100[name] == pytest.approx(value, abs=1e-6)
        # Twenty predictions an image: the larger limit changes nothing.
        assert getattr(result, name) == pytest.approx(value, abs=1e-6)
    for size, value in zip(result.sizes, measured.stats[3:6], strict=True):
        assert (-1 if size.ap is None else size.ap) == pytest.approx(value, abs=1e-6)


def test_curves_thresholds_and_confusions_fit_together(learned: Path, evaluated: Path) -> None:
    result = EvaluationResult.load(evaluated)
    assert [item.name for item in result.per_class] == CLASSES
    assert sum(item.annotations for item in result.per_class) == result.annotations
    for row, item in enumerate(result.per_class):
        assert len(item.curve) == len(item.curve_scores) == 101
        # The curve's mean is AP50, and precision never rises with recall on it.
        assert sum(item.curve) / 101 == pytest.approx(item.ap50, abs=1e-5)
        assert all(a >= b for a, b in zip(item.curve, item.curve[1:], strict=False))
        assert item.f1 is not None
        assert item.threshold is not None
        assert item.f1 > 0.5
        assert sum(result.confusion.matrix[row]) == item.annotations
    assert result.confusion.labels == [*CLASSES, "background"]
    assert [size.name for size in result.sizes] == ["small", "medium", "large"]
    # Objects of exactly 32² or 96² pixels are of both sizes, as pycocotools counts.
    truth = Run(learned).config().dataset_dir(learned) / "valid" / "_annotations.coco.json"
    areas = [annotation["area"] for annotation in json.loads(truth.read_text())["annotations"]]
    both = sum(area in (32**2, 96**2) for area in areas)
    assert sum(size.annotations for size in result.sizes) == result.annotations + both


def test_the_worst_images_are_drawn_worst_first(learned: Path, evaluated: Path) -> None:
    result = EvaluationResult.load(evaluated)
    wrong = [image.false_positives + image.missed for image in result.worst]
    assert wrong == sorted(wrong, reverse=True)
    assert 0 < len(wrong) <= 5
    assert min(wrong) > 0
    for image in result.worst:
        assert image.missed == sum(not box.right for box in image.truth)
        assert image.false_positives == sum(not box.right for box in image.predictions)
        assert all((box.score or 0) >= result.confidence for box in image.predictions)
        found = sum(box.right for box in image.predictions)
        assert found == sum(box.right for box in image.truth)
        with Image.open(evaluated / image.picture) as picture:
            assert min(picture.size) >= 384
    # All others with a mistake are kept too, so that each of a confusion can be listed.
    most = max(mixups(result.confusion), key=lambda mixup: mixup.count)
    showing, whole = images_showing(evaluated, result, most)
    assert whole
    assert 0 < len(showing) <= most.count
    every = json.loads((evaluated / MISTAKES).read_bytes())
    assert [image["image_id"] for image in every[: len(wrong)]] == [
        image.image_id for image in result.worst
    ]
    drawn = {path.name for path in (evaluated / "worst").iterdir()}
    assert drawn == {Path(image.picture).name for image in result.worst}
    for name in ("pr_curves.png", "confusion_matrix.png"):
        with Image.open(evaluated / name) as picture:
            assert picture.width > 300
    assert not (learned / "evaluation").exists()


def test_categories_belong_to_classes_by_name(
    learned: Path, evaluated: Path, tmp_path: Path
) -> None:
    dataset = tmp_path / "other"
    shutil.copytree(Run(learned).config().dataset_dir(learned) / "valid", dataset / "val")
    path = dataset / "val" / "_annotations.coco.json"
    coco = json.loads(path.read_text())
    for annotation in coco["annotations"]:
        annotation["category_id"] = {0: 9, 1: 4}[annotation["category_id"]]
    extra = {**coco["annotations"][0], "id": 10_000, "category_id": 7}
    coco["annotations"].append(extra)
    coco["categories"] = [
        {"id": 4, "name": "square"}, {"id": 7, "name": "star"}, {"id": 9, "name": "disc"},
    ]  # fmt: skip
    path.write_text(json.dumps(coco))
    result = evaluate(EvaluationOptions(learned, dataset=dataset, output=tmp_path / "out"))
    expected = EvaluationResult.load(evaluated)
    assert result.map50_95 == pytest.approx(expected.map50_95, abs=1e-9)
    assert [item.ap for item in result.per_class] == pytest.approx(
        [item.ap for item in expected.per_class]
    )
    assert any("'star'" in note for note in result.notes)


def test_a_failure_leaves_the_earlier_evaluation(learned: Path, evaluated: Path) -> None:
    before = (evaluated / "evaluation.json").read_bytes()
    seen: list[Progress] = []

    def cancelled() -> bool:
        return any(step.stage == "predicting" for step in seen)

    with pytest.raises(Cancelled):
        evaluate(EvaluationOptions(learned, output=evaluated), seen.append, cancelled)
    with pytest.raises(BatmanError, match="no split 'tset'"):
        evaluate(EvaluationOptions(learned, split="tset", output=evaluated))
    assert (evaluated / "evaluation.json").read_bytes() == before
    assert [path.name for path in evaluated.parent.iterdir()] == ["valid"]


def test_a_child_process_evaluates(learned: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "test", list[Progress]()
    options = EvaluationOptions(learned, "test", output=out)
    assert run_job("core.evaluation", options, seen.append) == {"folder": str(out)}
    assert Progress("predicting", 24, 24) in seen
    assert EvaluationResult.load(out).split == "test"
