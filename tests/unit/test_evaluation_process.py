"""What a screen shows of an evaluation, and what the command evaluates."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cli.exits import Exit
from cli.main import main
from core.common.errors import BatmanError
from core.data.images.class_colours import TRUTH, class_colour
from core.evaluation import EvaluationOptions
from core.evaluation.display import (
    boxes_in_order,
    curve_chart,
    curves_chart,
    draw,
    drawn_boxes,
    mixups,
)
from core.evaluation.result import Box, ClassResult, Confusion, EvaluationResult, WorstImage


def test_a_curve_ends_where_the_recall_ends() -> None:
    curve = [1.0] * 51 + [0.5] * 10 + [0.0] * 40
    row = ClassResult(
        name="a", annotations=5, curve=curve, recall=0.5, threshold=0.42, f1=0.66, precision=1.0
    )
    chart = curve_chart(row)
    line = chart.curves[0]
    assert line.x[60] == pytest.approx(0.6)
    assert line.y[60] == 0.5
    assert line.y[61] != line.y[61], "beyond the recall that was reached nothing was measured"
    assert [(mark.x, mark.label) for mark in chart.marks] == [(0.5, "best F1 0.660 at 0.42")]
    assert chart.extent() == (0.0, 1.0)
    assert curve_chart(ClassResult(name="b", annotations=0)).extent() is None


def test_curves_together_name_what_each_covers() -> None:
    def result(name: str, objects: int, level: float) -> ClassResult:
        return ClassResult(name=name, annotations=objects, ap50=level, curve=[level] * 101)

    rows = [result(f"class {n}", n, n / 10) for n in range(1, 9)]
    rows.append(ClassResult(name="never seen", annotations=0))
    both = curve_chart(rows[3], rows)
    assert [(c.name, c.said) for c in both.curves] == [
        ("class 4", "AP50 0.400"), ("all classes", "AP50 0.450"),
    ]  # fmt: skip
    assert both.curves[1].y[50] == pytest.approx(0.45)
    # Of one class there is no mean to draw.
    assert len(curve_chart(rows[0], [rows[0], rows[-1]]).curves) == 1
    # As many as there are colours, those with the most objects.
    assert [c.name for c in curves_chart(rows).curves] == [f"class {n}" for n in range(8, 2, -1)]
    assert curves_chart(rows[-1:]).extent() is None


def test_mistakes_of_a_confusion_matrix() -> None:
    table = Confusion(labels=["a", "b", "background"], matrix=[[8, 2, 0], [0, 5, 5], [3, 0, 0]])
    found = [(row.truth, row.taken, row.count, row.share) for row in mixups(table)]
    assert found == [
        ("b", "background", 5, 0.5),
        ("background", "a", 3, None),
        ("a", "b", 2, 0.2),
    ]


def box(bbox: tuple[float, float, float, float], right: bool, score: float | None = None) -> Box:
    return Box(class_name="a", bbox=bbox, right=right, score=score)


def evaluation(dataset: Path, image: WorstImage) -> EvaluationResult:
    return EvaluationResult(
        checkpoint="best.pth", model="tiny", resolution=64, dataset=str(dataset), split="test",
        images=1, annotations=2, predictions=2, classes=["a"], max_detections=500, map50_95=None,
        map50=None, map75=None, ar=None, coco100={}, confidence=0.5, precision=0, recall=0, f1=0,
        per_class=[], sizes=[], confusion=Confusion(labels=[], matrix=[]), worst=[image],
        device="cpu", seconds=1, images_per_s=1, finished_at=0,
    )  # fmt: skip


def test_a_mistake_is_drawn_where_it_is(tmp_path: Path) -> None:
    image = WorstImage(
        image_id=1, file="a.png", width=100, height=50, false_positives=1, missed=1,
        picture="worst/001.png",
        truth=[box((10, 10, 20, 20), False), box((60, 10, 20, 20), True)],
        predictions=[box((61, 11, 20, 20), True, 0.9), box((-5, 35, 30, 30), False, 0.6)],
    )  # fmt: skip
    result = evaluation(tmp_path / "dataset", image)
    (tmp_path / "dataset" / "test").mkdir(parents=True)
    # The file is twice the size that the boxes are in.
    Image.new("RGB", (200, 100)).save(tmp_path / "dataset" / "test" / "a.png")
    drawn = draw(result, tmp_path, image, (200, 200))
    assert drawn.size == (200, 100)
    colour = class_colour(1)
    missed = {drawn.getpixel((20, y)) for y in range(20, 60)}
    assert missed == {colour, (0, 0, 0)}, "dashed"
    assert {drawn.getpixel((122, y)) for y in range(22, 62)} == {colour}, "a line without a break"
    assert drawn.getpixel((120, 40)) == TRUTH
    assert drawn.getpixel((0, 80)) == colour, "a box past the edge is drawn at it"
    assert colour in {drawn.getpixel((25, y)) for y in range(83, 87)}, "struck out"
    assert drawn.getpixel((100, 10)) == (0, 0, 0)
    wrong_first = boxes_in_order(image)
    assert [(found.right, found.score) for found in wrong_first] == [
        (False, None), (False, 0.6), (True, 0.9),
    ]  # fmt: skip
    said = drawn_boxes(image, {"a": colour}, 1, 1, labelled=True)
    assert [(found.pen, found.label) for found in said] == [
        ("thin", "a"), ("solid", "a 0.90"), ("struck", "a 0.60"), ("dashed", "a missed"),
    ]  # fmt: skip


def test_without_the_data_set_the_drawing_is_shown(tmp_path: Path) -> None:
    image = WorstImage(
        image_id=1, file="a.png", width=100, height=50, false_positives=0, missed=0,
        picture="worst/001.png", truth=[], predictions=[],
    )  # fmt: skip
    result = evaluation(tmp_path / "gone", image)
    with pytest.raises(BatmanError):
        draw(result, tmp_path, image, (50, 50))
    (tmp_path / "worst").mkdir()
    Image.new("RGB", (100, 50), (1, 2, 3)).save(tmp_path / "worst" / "001.png")
    assert draw(result, tmp_path, image, (50, 50)).getpixel((5, 5)) == (1, 2, 3)


def test_a_model_file_may_stand_where_the_run_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[EvaluationOptions] = []

    def evaluated(options: EvaluationOptions, *, quiet: bool = False) -> str:
        seen.append(options)
        raise BatmanError("far enough")

    monkeypatch.setattr("cli.model.evaluate.evaluate_in_child", evaluated)
    monkeypatch.setattr("core.models.backend.require_model", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").touch()
    assert main(["evaluate", "model.onnx", "--split", "test"]) == Exit.WRONG
    assert seen == [EvaluationOptions(tmp_path / "model.onnx", "test")]
    assert main(["evaluate", "other.onnx"]) == Exit.WRONG
    assert "no run 'other.onnx'" in capsys.readouterr().err
