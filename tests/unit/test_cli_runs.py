"""`batman train`, `watch` and `runs` on runs whose worker is a stand-in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from json_shapes import holds

from cli.exits import Exit
from cli.main import main
from core.demo.shapes import make_shapes
from core.evaluation import EvaluationOptions
from core.evaluation.result import Confusion, EvaluationResult
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.config.origin import Origin
from core.training.run.events import (
    Epoch,
    Event,
    EventWriter,
    Failed,
    Finished,
    Oom,
    Started,
    Step,
    Stopped,
    Validation,
    Warning_,
)
from core.training.run.run import Run

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]

# Stands in for the trainer: writes the events of a short run, or waits to be stopped.
WORKER = """
import signal, sys, time
from pathlib import Path
from core.training.run.events import *
run = Path(sys.argv[1])
events = EventWriter(run / "events.jsonl")
events.write(Started(run=run.name, pid=1, host="here", model="tiny", epochs=2, epoch=0, step=0,
    steps_per_epoch=2, batch_size=8, grad_accum=1, effective_batch=8, image_size=128,
    classes=["a", "b"], device="cpu"))
def stop(*_):
    (run / "checkpoint_last.pth").write_bytes(bytes([0x80, 2]))
    events.write(Stopped(epoch=1, step=2, reason="asked to stop"))
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
for step in (1, 2):
    events.write(Step(epoch=1, step=step, loss=2.5, lr=1e-3, images_per_s=9.0, step_s=0.1))
events.write(Validation(epoch=1, step=2, map50_95=0.25, map50=0.5, map75=0.2, precision=0.6,
    recall=0.7, f1=0.65, per_class={"a": 0.3, "b": 0.2}, best=True))
if "wait" in sys.argv:
    signal.pause()
events.write(Finished(epoch=2, step=4, best_epoch=1, best_map50_95=0.25, best_map50=0.5,
    seconds=65))
"""


def started(epoch: int = 0, step: int = 0, **more: Any) -> Started:
    return Started(
        run="r",
        pid=1,
        host="node7",
        model="tiny",
        epochs=4,
        epoch=epoch,
        step=step,
        steps_per_epoch=10,
        batch_size=4,
        grad_accum=2,
        effective_batch=8,
        image_size=128,
        classes=["cat\x1b", "dog"],
        device="cuda",
        gpu="H100",
        **more,  # type: ignore[arg-type]
    )


def epoch(number: int, value: float) -> list[Event]:
    last = number * 10
    return [
        *(
            Step(epoch=number, step=step, loss=3.0, lr=1e-4, images_per_s=80.0, step_s=0.1)
            for step in range(last - 9, last + 1)
        ),
        Validation(
            epoch=number,
            step=last,
            map50_95=value,
            map50=value * 1.5,
            map75=value,
            precision=0.9,
            recall=0.8,
            f1=0.85,
            per_class={"cat\x1b": value, "dog": value / 2},
            best=True,
        ),
        Epoch(epoch=number, step=last, train_loss=3.0, seconds=10),
    ]


def finished(best: float) -> Finished:
    return Finished(
        epoch=4, step=40, best_epoch=4, best_map50_95=best, best_map50=best * 1.5, seconds=3700
    )


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, an empty workspace."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_run(workspace: Path, name: str, *events: Event) -> Run:
    path = workspace / "runs" / name
    path.mkdir(parents=True)
    run = Run(path)
    run.save_config(TrainingConfig(model="tiny", epochs=4, project=Path("/p/cats")))
    writer = EventWriter(run.events_file)
    for event in events:
        writer.write(event)
    writer.close()
    return run


# Stopping


def test_stopping_what_does_not_run(workspace: Path, capsys: Capture) -> None:
    make_run(workspace, "r", started(), *epoch(1, 0.2), finished(0.2))
    assert main(["runs", "stop", "r"]) == Exit.WRONG
    assert "'r' is not running" in capsys.readouterr().err
    assert main(["runs", "stop", "r", "nothere"]) == Exit.WRONG
    assert "There is no run 'nothere'" in capsys.readouterr().err


def test_a_name_with_spaces_is_quoted_in_what_to_type(workspace: Path, capsys: Capture) -> None:
    ended = Stopped(epoch=1, step=10, reason="SIGTERM")
    make_run(workspace, "my run", started(), *epoch(1, 0.2), ended)
    assert main(["watch", "my run"]) == Exit.STOPPED
    assert "batman train --resume 'my run'" in capsys.readouterr().out
    for place in ("../elsewhere", "../other/runs/elsewhere"):
        away = make_run(workspace, place, started(), *epoch(1, 0.2), ended).path
        assert main(["watch", str(away)]) == Exit.STOPPED
        assert f"batman train --resume {away}\n" in capsys.readouterr().out
    assert main(["project", "create", "my cats"]) == Exit.OK
    assert "--project 'my cats'" in capsys.readouterr().out


# Watching


def test_watching_a_finished_run(workspace: Path, capsys: Capture) -> None:
    make_run(workspace, "r", started(), *epoch(1, 0.2), *epoch(2, 0.4), finished(0.4))
    assert main(["watch", "r"]) == Exit.OK
    out = capsys.readouterr().out
    assert "Training tiny on H100 (node7): 2 classes, 4 epochs of 10 steps" in out
    assert "batch 4 × 2, 8 a step" in out
    assert out.count("mAP50-95 0.200") == 1
    assert "Finished after 4 epochs in 1h 01m" in out
    assert "cat⟨U+001B⟩" in out
    assert "\x1b" not in out
    assert f"{workspace}/runs/r/results.json" in out


def test_the_end_decides_the_exit_code(workspace: Path, capsys: Capture) -> None:
    make_run(
        workspace, "stopped", started(), *epoch(1, 0.2), Stopped(epoch=1, step=12, reason="you")
    )
    failed = Failed(kind="data", message="An image is\x1b gone.", hint="Put it back.")
    make_run(workspace, "failed", started(), *epoch(1, 0.2), failed)
    lost = make_run(workspace, "lost", started(), *epoch(1, 0.2))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    from core.training.run.worker_process import hostname  # type: ignore[attr-defined]

    record = {"pid": gone.pid, "host": hostname(), "create_time": 1.0}
    (lost.path / "worker.json").write_text(json.dumps(record))
    assert main(["watch", "stopped"]) == Exit.STOPPED
    assert "--resume stopped" in capsys.readouterr().out
    assert main(["watch", "failed"]) == Exit.FAILED
    assert "Error: An image is⟨U+001B⟩ gone.\nPut it back.\n" in capsys.readouterr().err
    assert main(["watch", "lost"]) == Exit.FAILED
    assert "--resume lost" in capsys.readouterr().err


def test_a_long_story_begins_with_its_last_validations(workspace: Path, capsys: Capture) -> None:
    events = [event for number in range(1, 10) for event in epoch(number, number / 20)]
    make_run(workspace, "r", started(), *events, finished(0.45))
    assert main(["watch", "r"]) == Exit.OK
    out = capsys.readouterr().out
    assert "… 4 earlier validations" in out
    assert [f"\nepoch {number}  mAP" in out for number in (4, 5, 9)] == [False, True, True]


def test_warnings_restarts_and_out_of_memory_are_told(workspace: Path, capsys: Capture) -> None:
    make_run(
        workspace,
        "r",
        started(),
        *epoch(1, 0.2),
        Warning_(code="nan", message="The loss is NaN.", hint="Lower it.", command="batman train"),
        Oom(batch_size=8, grad_accum=1, new_batch_size=4, new_grad_accum=2, attempt=1),
        started(1, 10, resumed_from="checkpoint_last.pth", attempt=2),
        *epoch(2, 0.4),
        finished(0.4),
    )
    assert main(["watch", "r"]) == Exit.OK
    out = capsys.readouterr().out
    assert "Warning: The loss is NaN. Lower it." in out
    assert "\n  batman train\n" in out
    assert "going on with 4 × 2" in out
    assert "Going on after epoch 1, step 10." in out


def test_an_unknown_run_names_the_nearest(workspace: Path, capsys: Capture) -> None:
    assert main(["watch"]) == Exit.WRONG
    make_run(workspace, "cats-base-1", started(), finished(0))
    assert main(["watch", "cats-base-2"]) == Exit.WRONG
    assert "cats-base-1" in capsys.readouterr().err


# Lists


def test_list_and_show(workspace: Path, capsys: Capture) -> None:
    assert main(["runs", "list"]) == Exit.OK
    assert "batman train" in capsys.readouterr().out
    make_run(workspace, "good", started(), *epoch(1, 0.2), *epoch(2, 0.5), finished(0.5))
    bad = make_run(workspace, "bad", started())
    (bad.path / "training_config.json").write_text("{")
    assert main(["runs", "list"]) == Exit.OK
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("good")]
    assert line.split()[1:7] == ["finished", "tiny", "cats", "4/4", "0.500", "0.750"]
    assert main(["runs", "list", "--json"]) == Exit.OK
    listed = {run["name"]: run for run in json.loads(capsys.readouterr().out)}
    assert listed["good"]["best_map50_95"] == 0.5
    assert "not valid JSON" in listed["bad"]["error"]
    assert main(["runs", "show", "good"]) == Exit.OK
    shown = capsys.readouterr().out
    assert "batman train --project /p/cats --model tiny --epochs 4" in shown
    assert "0.750" in shown
    assert main(["runs", "show", "good", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["config"]["epochs"] == 4


def test_what_is_kept_of_a_run_is_shown_as_what_was_read(workspace: Path, capsys: Capture) -> None:
    run = make_run(workspace, "kept", started(), *epoch(1, 0.2), *epoch(2, 0.5), finished(0.5))
    run.save_config(
        run.config().with_changes(
            origin=Origin(run="first", checkpoint=Path("/runs/first/best.pth")),
            dataset=DatasetInfo(
                dir=Path("dataset"), fingerprint="f", class_names=["cat", "dog"], images={},
                annotations={}, state=7, version="named",
            ),
        )
    )  # fmt: skip
    for path in (*run.path.rglob("*"), run.path):
        os.utime(path, (1.7e9, 1.7e9))
    assert main(["runs", "show", "kept"]) == Exit.OK
    read = capsys.readouterr().out
    for said in ("best.pth of first", "cat, dog", "version 'named' (change 7)", "0.750"):
        assert said in read
    code = (
        "import sys\nfrom cli.main import main\ncode = main(['runs', 'show', 'kept'])\n"
        "assert not {'pydantic', 'numpy'} & set(sys.modules)\nsys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (Exit.OK, read), done.stderr[-2000:]
    # What was changed since is read.
    run.save_config(run.config().with_changes(epochs=9))
    assert main(["runs", "show", "kept"]) == Exit.OK
    assert "--epochs 9" in capsys.readouterr().out


# Training


@pytest.fixture
def project(workspace: Path, capsys: Capture) -> str:
    """A project of drawn shapes in the workspace."""
    make_shapes(workspace / "shapes", train=10, valid=4, test=2, messy=False)
    assert main(["import", "coco-dir", "shapes", "--project", "cats", "--create"]) == Exit.OK
    capsys.readouterr()
    return "cats"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trains nothing: the launcher starts a script that writes a run's events."""
    script = tmp_path / "stand_in.py"
    script.write_text(WORKER)
    monkeypatch.setattr(
        "core.training.launch.local.worker_command",
        lambda run: [sys.executable, str(script), str(run.path)],
    )
    monkeypatch.setattr("core.training.launch.local.require_trainer", lambda: None)
    return script


def test_training_is_followed_to_its_end(
    workspace: Path, project: str, stand_in: Path, capsys: Capture
) -> None:
    words = ["train", "--project", project, "--model", "tiny", "--epochs", "2"]
    assert main([*words, "--output-dir", "runs/mine"]) == Exit.OK
    out = capsys.readouterr().out
    assert "2 classes; images: train 10, valid 4, test 2" in out
    assert "epoch 1  mAP50-95 0.250  mAP50 0.500" in out
    assert "Finished after 2 epochs in 1m 05s" in out
    config = Run(workspace / "runs" / "mine").config()
    assert (config.model, config.epochs, config.lr) == ("tiny", 2, 1e-3)
    # For a program the same are events, a line each, and nothing is between them.
    assert main([*words, "--output-dir", "runs/other", "--json"]) == Exit.OK
    told = holds("train", capsys.readouterr().out)
    assert [event["type"] for event in told if event["type"] != "progress"] == [
        *("run", "started", "step", "step", "validation", "finished", "ended"),
    ]
    assert (told[-1]["state"], told[-1]["exit_code"]) == ("finished", 0)
    assert told[-1]["best"]["map50"] == 0.5
    # The folder is taken now.
    assert main([*words, "--output-dir", "runs/mine"]) == Exit.WRONG
    assert "already holds a run" in capsys.readouterr().err


def test_ctrl_c_stops_training_and_a_detached_run_is_watched(
    workspace: Path, project: str, tmp_path: Path
) -> None:
    script = tmp_path / "stand_in.py"
    script.write_text(WORKER)
    driver = tmp_path / "driver.py"
    driver.write_text(
        "import sys\nimport core.training.launch.local as launcher\nfrom cli.main import main\n"
        "launcher.require_trainer = lambda: None\n"
        "launcher.worker_command = lambda run: "
        f"[sys.executable, {str(script)!r}, str(run.path), 'wait']\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(driver), *words],
            cwd=workspace,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(process: subprocess.Popen[str], text: str) -> str:
        assert process.stdout is not None
        seen = ""
        while text not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        return seen

    train = ["train", "--project", project, "--model", "tiny", "--output-dir", "runs/mine"]
    detached = start(*train, "--detach")
    out, _ = detached.communicate(timeout=60)
    assert detached.returncode == Exit.OK, out
    assert "batman watch mine" in out
    assert "batman runs stop mine" in out

    watching = start("watch", "mine")
    until(watching, "mAP50-95 0.250")
    watching.send_signal(signal.SIGINT)
    out, _ = watching.communicate(timeout=60)
    assert watching.returncode == Exit.INTERRUPTED
    assert "the run goes on" in out
    run = Run(workspace / "runs" / "mine")
    assert run.state() == "running"
    stopping = start("runs", "stop", "mine")
    out, _ = stopping.communicate(timeout=60)
    assert stopping.returncode == Exit.OK, out
    assert "batman train --resume mine" in out
    watching = start("watch", "mine")
    watching.communicate(timeout=60)
    assert watching.returncode == Exit.STOPPED

    resumed = start("train", "--resume", "mine")
    until(resumed, "mAP50-95 0.250")
    resumed.send_signal(signal.SIGINT)
    out, _ = resumed.communicate(timeout=60)
    assert resumed.returncode == Exit.STOPPED, out
    assert "with a checkpoint" in out
    assert "--resume mine" in out
    assert run.state() == "stopped"


def test_prepare_only_writes_the_run_and_starts_nothing(
    workspace: Path, project: str, capsys: Capture
) -> None:
    words = ["train", "--project", project, "--model", "tiny", "--prepare-only"]
    assert main(words) == Exit.OK
    out = capsys.readouterr().out
    assert "batman train --resume cats-tiny-1" in out
    run = Run(workspace / "runs" / "cats-tiny-1")
    assert (run.path / "dataset" / "train" / "_annotations.coco.json").is_file()
    assert run.worker() is None
    assert not run.events_file.exists()


def test_the_guides_fine_tuning_makes_a_new_run(
    workspace: Path, project: str, stand_in: Path, capsys: Capture
) -> None:
    previous = make_run(workspace, "previous_run", started(), *epoch(1, 0.2), finished(0.2))
    checkpoint = previous.path / "checkpoint_epoch_25.pth"
    checkpoint.write_bytes(b"\x80\x02")  # how files of old torch begin
    words = (
        f"train --project data/projects/{project}"
        " --resume runs/previous_run/checkpoint_epoch_25.pth"
        " --output-dir runs/continued_training --epochs 50 --lr 1e-5"
    ).split()
    assert main([*words, "--dry-run"]) == Exit.OK
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("--")}
    assert rows["--model"][0] == "tiny", "the run's own settings, as they will be taken"
    assert f"goes on with     {checkpoint}" in out
    assert not (workspace / "runs" / "continued_training").exists()
    assert main(words) == Exit.OK
    config = Run(workspace / "runs" / "continued_training").config()
    assert (config.resume, config.epochs, config.lr) == (checkpoint, 50, 1e-5)
    assert previous.config().epochs == 4


def test_a_dry_resume_shows_the_runs_own_settings(
    workspace: Path, project: str, capsys: Capture
) -> None:
    stopped = Stopped(epoch=1, step=12, reason="you")
    run = make_run(workspace, "r", started(), *epoch(1, 0.2), stopped)
    (run.path / "checkpoint_last.pth").write_bytes(b"\x80\x02")
    run.save_config(run.config().with_changes(project=workspace / "data/projects" / project))
    before = (run.path / "training_config.json").read_bytes()
    assert main(["train", "--resume", "r", "--epochs", "9", "--dry-run"]) == Exit.OK
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("--")}
    assert rows["--model"][0] == "tiny"
    assert rows["--epochs"] == ["9", "changed"]
    assert f"goes on with     {run.path}" in out
    assert (run.path / "training_config.json").read_bytes() == before
    # What was prepared is all it needs: its project may have been moved.
    data = DatasetInfo(
        dir=Path("dataset"), fingerprint="f", class_names=["a", "b"], images={}, annotations={}
    )
    run.save_config(run.config().with_changes(dataset=data))
    for split in ("train", "valid"):
        (run.path / "dataset" / split).mkdir(parents=True)
        (run.path / "dataset" / split / "_annotations.coco.json").touch()
    (workspace / "data/projects" / project).rename(workspace / "elsewhere")
    assert main(["train", "--resume", "r", "--epochs", "9", "--dry-run"]) == Exit.OK
    assert "classes          a, b" in capsys.readouterr().out


def test_dry_run_writes_nothing(workspace: Path, project: str, capsys: Capture) -> None:
    before = sorted(workspace.rglob("*"))
    words = ["train", "--project", project, "--image-size", "640", "--grad-accum", "2"]
    assert main([*words, "--dry-run"]) == Exit.OK
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("--")}
    # base takes multiples of 56 only.
    assert rows["--image-size"] == ["616", "changed"]
    assert rows["--grad-accum"] == ["2", "changed"]
    assert rows["--epochs"] == ["50"]
    assert "effective batch  16" in out
    assert "disc, square" in out
    assert "Note: base takes image sizes" in out
    assert sorted(workspace.rglob("*")) == before


@pytest.mark.parametrize(
    "words", [["disc,square"], ["disc", "square"], ["disc,", "square"], ["disc|square"]]
)
def test_classes_to_train_on_are_given_as_one_text_or_a_word_each(
    words: list[str], workspace: Path, project: str, stand_in: Path, capsys: Capture
) -> None:
    assert main(["train", "--filter-classes", *words, "--project", "cats", "--dry-run"]) == Exit.OK
    assert "disc, square" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--project"),
        (["--project", "cats", "--epochs", "many"], "epochs: must be a whole number"),
        (["--project", "cats", "--model", "bse"], "Did you mean 'base'"),
        (["--project", "cats", "--batch-sze", "4"], "did you mean '--batch-size'"),
        (["--project", "cats", "--split-policy", "randm"], "did you mean 'random'?"),
        (["--project", "cats", "--splits", "50/20/10"], "splits: the shares add up to 80"),
        (["--project", "cats", "--classes", "disc"], "--filter-classes"),
        (["--checkpoint", "best.pth"], "--resume"),
        (["--project", "cat"], "Did you mean 'cats'?"),
        (["--resume", "nowhere"], "There is no run 'nowhere'"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_written(
    words: list[str], said: str, workspace: Path, project: str, stand_in: Path, capsys: Capture
) -> None:
    assert main(["train", *words]) == Exit.WRONG
    assert said in capsys.readouterr().err
    assert not list((workspace / "runs").glob("*"))


def test_a_failed_preparation_leaves_no_run(
    workspace: Path, stand_in: Path, capsys: Capture
) -> None:
    main(["project", "create", "empty"])
    assert main(["train", "--project", "empty"]) == Exit.WRONG
    assert capsys.readouterr().err.startswith("Error: ")
    assert not list((workspace / "runs").glob("*"))


# The demo


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[EvaluationOptions]:
    """Evaluates nothing and keeps what was to be evaluated."""
    asked: list[EvaluationOptions] = []

    def evaluate(options: EvaluationOptions) -> str:
        asked.append(options)
        return "folder"

    monkeypatch.setattr("cli.app.demo.require_trainer", lambda: None)
    monkeypatch.setattr("cli.app.demo.evaluate_in_child", evaluate)
    monkeypatch.setattr("cli.app.demo.EvaluationResult.load", lambda folder: None)
    monkeypatch.setattr("cli.app.demo.show_evaluation", lambda result, folder: None)
    return asked


def test_the_demo_goes_the_whole_way_twice(
    workspace: Path, stand_in: Path, evaluated: list[EvaluationOptions], capsys: Capture
) -> None:
    assert main(["demo", "--no-tui"]) == Exit.OK
    out = capsys.readouterr().out
    for command in (
        "import coco-dir",
        "classes merge --project shapes --source square Square squares --target square",
        "train --project shapes --model tiny",
        "evaluate shapes-tiny-1 --split test",
    ):
        assert f"$ batman --workspace demo {command}" in out
    assert f"{workspace}/demo/runs/shapes-tiny-1/best.pth" in out
    stand_in.write_text(WORKER.replace("map50=0.5,", "map50=0.4,"))
    assert main(["demo", "--no-tui"]) == Exit.FAILED
    captured = capsys.readouterr()
    assert "An earlier demo is in" in captured.out
    assert "should have reached mAP50 0.5 and is at 0.40" in captured.err
    runs = [str(options.target) for options in evaluated]
    assert runs == [f"{workspace}/demo/runs/{name}-tiny-1" for name in ("shapes", "shapes-2")]


_NOTHING_FOUND = EvaluationResult(
    checkpoint="best.pth", model="tiny", resolution=128, dataset="d", split="test", images=1,
    annotations=1, predictions=0, classes=["disc"], max_detections=500, map50_95=0, map50=0,
    map75=0, ar=None, coco100={}, confidence=0.3, precision=0, recall=0, f1=0, per_class=[],
    sizes=[], confusion=Confusion(labels=[], matrix=[]), worst=[], device="cpu", seconds=1.0,
    images_per_s=1.0, finished_at=1.0,
)  # fmt: skip


def test_the_demos_commands_are_good_commands(
    workspace: Path,
    stand_in: Path,
    evaluated: list[EvaluationOptions],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    """Whoever types what the demo shows gets the same project."""
    monkeypatch.setattr("cli.app.demo.EvaluationResult.load", lambda folder: _NOTHING_FOUND)
    assert main(["demo", "--json"]) == Exit.OK
    told = capsys.readouterr()
    assert [event["type"] for event in holds("demo", told.out)[-2:]] == ["ended", "evaluation"]
    shown = [
        line.split()[2:] for line in told.err.splitlines() if line.startswith("  $ batman --work")
    ]
    for words in shown:
        if words[2] in ("import", "classes") and "undo" not in words:
            again = [word if word != "shapes" else "again" for word in words]
            assert main(again) == Exit.OK, words
    capsys.readouterr()
    classes = []
    for name in ("shapes", "again"):
        main(["--workspace", "demo", "classes", "list", "--project", name, "--json"])
        classes.append(json.loads(capsys.readouterr().out))
    assert classes[0] == classes[1]
    assert {row["name"] for row in classes[0]} == {"disc", "square"}


def test_in_a_terminal_the_demo_opens_the_app_on_its_run(
    workspace: Path,
    stand_in: Path,
    evaluated: list[EvaluationOptions],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    opened = []
    stand_in.write_text(WORKER.replace('if "wait" in sys.argv', "if True"))
    monkeypatch.setattr("cli.app.demo.is_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("cli.main.open_app", lambda where, run: opened.append((where.root, run)))
    assert main(["demo"]) == Exit.OK
    run = Run(workspace / "demo" / "runs" / "shapes-tiny-1")
    assert opened == [(workspace / "demo", run.path)]
    # The app was closed while the run went on.
    assert "watch shapes-tiny-1" in capsys.readouterr().out
    assert not evaluated
    run.stop()


def test_the_demo_says_where_the_command_is_when_only_uv_knows(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    from cli.app.demo import _where_batman_is

    here = tmp_path / "an environment" / "bin"
    here.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(here / "python"))
    monkeypatch.setenv("PATH", str(here))
    (here / "batman").write_text("")
    (here / "batman").chmod(0o755)
    monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)
    _where_batman_is()
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
    _where_batman_is()
    assert f"source '{here / 'activate'}'" in capsys.readouterr().out
