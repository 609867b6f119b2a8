"""Runs side by side: `core.plots.compare`, `batman runs compare`, and the list as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.exits import Exit
from cli.main import main
from core.common.errors import ConfigError
from core.plots.compare import (
    Overlay,
    by_epoch,
    class_rows,
    differences,
    leaders,
    letter,
    next_metric,
    outcomes,
)
from core.plots.compared_metrics import METRICS, metric_named
from core.plots.run_charts import Options
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.live.follow import RunFollower, RunSnapshot
from core.training.run.events import (
    Epoch,
    Event,
    Failed,
    Finished,
    Started,
    Step,
    Validation,
    encode_event,
)

Capture = pytest.CaptureFixture[str]
STEPS = 3
BEGAN = 1_000_000.0


def run_folder(
    root: Path, name: str, scores: list[dict[str, float]], *, losses: float = 1.0, **changes: Any
) -> Path:
    """A run with an epoch of three steps for each of `scores`, AP by class."""
    path = root / "runs" / name
    path.mkdir(parents=True)
    classes = sorted({key for found in scores for key in found})
    info = DatasetInfo(
        dir=Path("dataset"),
        fingerprint="ab" * 32,
        class_names=classes,
        images={"train": 10, "valid": 2, "test": 2},
        annotations={},
    )
    TrainingConfig.model_validate({"dataset": info, "epochs": 9, **changes}).save(
        path / "training_config.json"
    )
    events: list[Event] = [
        Started(
            t=BEGAN, run=name, pid=1, host="h", model="base", epochs=9, epoch=0, step=0,
            steps_per_epoch=STEPS, batch_size=1, grad_accum=1, effective_batch=1, image_size=64,
            classes=classes, device="cpu",
        )
    ]  # fmt: skip
    for epoch, found in enumerate(scores, 1):
        mean = sum(found.values()) / len(found)
        for number in range(STEPS):
            step = (epoch - 1) * STEPS + number + 1
            events.append(
                Step(t=BEGAN + step, epoch=epoch, step=step, loss=losses / step, lr=1e-4,
                     images_per_s=5, step_s=1)
            )  # fmt: skip
        t = BEGAN + epoch * STEPS
        events.append(
            Validation(t=t, epoch=epoch, step=epoch * STEPS, map50_95=mean, map50=mean * 1.5,
                       map75=mean, precision=mean, recall=0.5, f1=mean, per_class=found)
        )  # fmt: skip
        events.append(Epoch(t=t, epoch=epoch, step=epoch * STEPS, train_loss=losses, seconds=3))
    (path / "events.jsonl").write_bytes(b"".join(encode_event(event) for event in events))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    run_folder(tmp_path, "one", [{"cat": 0.2, "dog": 0.4}, {"cat": 0.5, "dog": 0.5}], losses=2)
    run_folder(
        tmp_path, "two", [{"cat": 0.7, "dog": 0.5}, {"cat": 0.1, "dog": 0.5}, {"cat": 0.3}],
        lr=1e-3, model="small", image_size=512,
    )  # fmt: skip
    run_folder(tmp_path, "new", [])
    return tmp_path


@pytest.fixture
def runs(root: Path) -> list[RunSnapshot]:
    return [RunFollower(root / "runs" / name).poll() for name in ("one", "two", "new")]


def test_what_came_of_each_run(runs: list[RunSnapshot]) -> None:
    one, two, new = rows = outcomes(runs)
    assert [row.letter for row in rows] == ["A", "B", "C"]
    assert (one.best_epoch, one.map50_95, one.last, one.loss) == (2, 0.5, 0.5, 2.0)
    assert two.best_epoch == 1
    assert two.map50_95 == pytest.approx(0.6)
    assert two.last == pytest.approx(0.3)
    assert two.seconds == 9.0
    assert (new.epoch, new.epochs, new.map50_95, new.loss) == (0, 9, None, None)
    best = leaders(rows)
    assert best["map50_95"] == {"B"}
    assert best["last"] == {"A"}
    assert best["loss"] == {"B"}, "a smaller loss is the better one"
    assert best["recall"] == set(), "all alike: nobody leads"


def test_the_time_of_a_run_is_that_which_it_trained(root: Path) -> None:
    """Not the time between two attempts; and a run that never began took none."""
    resumed, broken = run_folder(root, "resumed", [{"a": 0.1}]), run_folder(root, "broken", [])
    with (resumed / "events.jsonl").open("ab") as file:
        end = Finished(
            t=BEGAN + 9_000, epoch=1, step=STEPS, best_epoch=1, best_map50_95=0.1, best_map50=0.1,
            seconds=3.5, reason="epochs",
        )  # fmt: skip
        file.write(encode_event(end))
    failed = Failed(t=BEGAN, kind="config", message="no GPU", hint="", traceback="")
    (broken / "events.jsonl").write_bytes(encode_event(failed))
    rows = outcomes([RunFollower(path).poll() for path in (resumed, broken)])
    assert [row.seconds for row in rows] == [3.5, 0.0]


def test_only_settings_that_differ_with_defaults_marked(runs: list[RunSnapshot]) -> None:
    found = {row.key: row for row in differences(runs)}
    assert found["lr"].values == ("0.0001", "0.001", "0.0001")
    assert found["lr"].defaults == (True, False, True)
    assert found["model"].values == ("base", "small", "base")
    assert found["model"].defaults == (True, False, True)
    assert set(found) == {"lr", "model", "image_size", "classes"}
    assert found["classes"].values == ("2", "2", "0")
    assert differences(runs[:1]) == []


def test_a_run_without_settings_differs_in_nothing(runs: list[RunSnapshot]) -> None:
    blank = RunSnapshot(name="blank")
    assert differences([runs[0], blank]) == []
    row = next(row for row in differences([runs[0], runs[1], blank]) if row.key == "lr")
    assert row.values[2] is None


def test_classes_of_the_best_epochs_the_most_different_first(runs: list[RunSnapshot]) -> None:
    rows = class_rows(runs)
    assert [row.name for row in rows] == ["cat", "dog"]
    assert rows[0].values == (0.5, 0.7, None)
    assert rows[0].spread == pytest.approx(0.2)
    assert rows[1].spread == 0


def test_values_by_epoch(runs: list[RunSnapshot]) -> None:
    rows = by_epoch(runs, METRICS["map50_95"])
    assert [epoch for epoch, _ in rows] == [1, 2, 3]
    assert rows[0][1] == (pytest.approx(0.3), pytest.approx(0.6), None)
    assert rows[2][1][0] is None
    loss = by_epoch(runs, METRICS["loss"])
    assert loss[0][1][0] == pytest.approx(np.mean([2 / 1, 2 / 2, 2 / 3]))
    assert by_epoch(runs, METRICS["gpu_mem_mb"]) == []


def test_curves_of_several_runs_in_one_chart(runs: list[RunSnapshot]) -> None:
    overlay = Overlay()
    axes: list[tuple[Any, Any]] = [("step", (6, 9)), ("epoch", (2, 3)), ("time", (6, 9))]
    for x_axis, ends in axes:
        chart = overlay.chart(runs, METRICS["map50_95"], Options(x_axis=x_axis))
        assert [curve.name for curve in chart.curves] == ["A", "B"], "the new run has none"
        assert tuple(float(curve.x[-1]) for curve in chart.curves) == ends
        assert [curve.colour for curve in chart.curves] == [0, 1]
        assert chart.floor == 0.0
    options = Options(smoothing=0.6, log=True)
    chart = overlay.chart(runs, METRICS["loss"], options, ["x", "y", "z"])
    assert [curve.name for curve in chart.curves] == ["x", "y"]
    assert all(len(curve.smoothed) == len(curve.y) for curve in chart.curves)
    assert chart.log
    assert not overlay.chart(runs, METRICS["map50"], options).log


def test_metrics_by_name_and_in_turn(runs: list[RunSnapshot]) -> None:
    assert metric_named("mAP50-95").key == metric_named("map").key == "map50_95"
    with pytest.raises(ConfigError) as wrong:
        metric_named("recal")
    assert wrong.value.hint == "Did you mean 'recall'?"
    assert next_metric(runs, METRICS["f1"], 1, "step").key == "loss"
    assert next_metric(runs, METRICS["loss"], 1, "step").key == "lr", "none has a valid loss"
    assert next_metric(runs, METRICS["map50_95"], -1, "step").key == "step_s"
    assert next_metric([], METRICS["f1"], 1, "step").key == "f1"
    assert [letter(place) for place in (0, 25, 26, 52)] == ["A", "Z", "AA", "BA"]


def call(root: Path, *words: str) -> int:
    return main(["--workspace", str(root), "runs", *words])


def test_compare_prints_what_differs(root: Path, capsys: Capture) -> None:
    assert call(root, "compare", "one", "two", "--metric", "map50") == Exit.OK
    text = capsys.readouterr().out
    assert "0.600*" in text
    assert "lr          0.0001 ·  0.001" in text
    assert "seed" not in text
    assert "epoch (mAP50)" in text


def test_compare_as_csv_and_json(root: Path, capsys: Capture) -> None:
    assert call(root, "compare", "one", "two", "--csv", "--metric", "map50_95") == Exit.OK
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[2] == {"epoch": "3", "one": "", "two": "0.3"}
    assert call(root, "compare", "one", "two", "--csv") == Exit.OK
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert (rows[1]["run"], rows[1]["lr"], rows[1]["best_epoch"]) == ("two", "0.001", "1")
    assert call(root, "compare", "one", "two", "--json", "--metric", "loss") == Exit.OK
    facts = json.loads(capsys.readouterr().out)
    assert [run["name"] for run in facts["runs"]] == ["one", "two"]
    assert facts["metric"] == "loss"
    assert len(facts["epochs"]) == 3


@pytest.mark.parametrize(
    "words", [("one",), ("one", "one"), ("one", "tow"), ("one", "two", "--metric", "x")]
)
def test_what_cannot_be_compared(root: Path, capsys: Capture, words: tuple[str, ...]) -> None:
    assert call(root, "compare", *words) == Exit.WRONG
    assert capsys.readouterr().err.startswith("Error: ")


def test_notes_and_tags_in_lists(root: Path, capsys: Capture) -> None:
    assert call(root, "note", "one", "=danger, really") == Exit.OK
    assert call(root, "tag", "one", "+Good", "-old") == Exit.OK
    assert call(root, "tag", "two", "other") == Exit.OK
    assert "one: #good" in capsys.readouterr().out
    assert call(root, "list", "--filter", "tag:good map50>0.5") == Exit.OK
    text = capsys.readouterr().out
    assert "#good =danger, really" in text
    assert "two" not in text
    assert call(root, "list", "--sort", "map50_95", "--csv") == Exit.OK
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["name"] for row in rows] == ["two", "one", "new"]
    assert rows[1]["note"] == "'=danger, really", "a spreadsheet must not run it"
    assert call(root, "list", "--sort", "map50_95", "--reverse", "--json") == Exit.OK
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["one", "two", "new"]
    assert call(root, "show", "one") == Exit.OK
    assert "=danger, really" in capsys.readouterr().out
    assert call(root, "tag", "one", "-good") == Exit.OK
    assert "has no tags" in capsys.readouterr().out
    assert call(root, "list", "--filter", "nothing-like-it") == Exit.OK
    assert "None of the 3 runs" in capsys.readouterr().out
    assert call(root, "list", "--filter", "modle=x") == Exit.WRONG
