"""No start throws away what a run has reached: said before anything is touched, with a way out."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from cli import train
from cli.main import main
from core.common.errors import RunError
from core.common.workspace import Workspace
from core.training.config.command_line import option_names
from core.training.config.options import DatasetInfo, TrainingConfig, parse_config
from core.training.config.origin import Origin
from core.training.launch.plan import create_run, plan_run, plan_settings, resume_run, would_be_path
from core.training.run.checkpoints import BEST, LAST
from core.training.run.delete import drop_checkpoints
from core.training.run.events import EventWriter, Finished, Started, Validation, read_events
from core.training.run.overwrite_guard import Setback, reached
from core.training.run.run import Run
from core.training.run.worker_process import expect_worker
from core.training.worker.main import FAILED, UNUSABLE
from core.training.worker.main import main as work
from slurm.sync.mirror_state import MirrorState


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def run(workspace: Workspace) -> Run:
    """A run that has finished its twenty epochs."""
    project = workspace.root / "data/projects/cells"
    run = create_run(workspace, TrainingConfig(model="tiny", project=project, epochs=20))
    data = DatasetInfo(
        dir=Path("dataset"), fingerprint="f", class_names=["a"], images={}, annotations={}
    )
    run.save_config(run.config().with_changes(dataset=data))
    writer = EventWriter(run.events_file)
    for event in (
        Started(
            t=1.0, run=run.name, pid=1, host="h", model="tiny", epochs=20, epoch=0, step=0,
            steps_per_epoch=5, batch_size=8, grad_accum=1, effective_batch=8, image_size=128,
            classes=["a"], device="cpu",
        ),
        Validation(
            t=8.0, epoch=18, step=90, map50_95=0.762, map50=0.9, map75=0.8, precision=0.9,
            recall=0.9, f1=0.9, best=True,
        ),
        Finished(
            t=9.0, epoch=20, step=100, best_epoch=18, best_map50_95=0.762, best_map50=0.9,
            seconds=8.0,
        ),
    ):  # fmt: skip
        writer.write(event)
    writer.close()
    best = {"epoch": 18, "map50_95": 0.762, "map50": 0.9}
    results = {"epochs_trained": 20, "best_epoch": 18, "best": best}
    (run.path / "results.json").write_text(json.dumps(results))
    for name in (BEST, LAST, "checkpoint_epoch_10.pth", "checkpoint_epoch_20.pth"):
        (run.path / name).write_bytes(
            b"\x80\x02" + name.encode()
        )  # so began what torch.save writes
    return run


def files(run: Run) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in run.path.iterdir() if p.name != ".worker.lock"}


def commands(hint: str) -> list[list[str]]:
    """Return the commands that a hint names, a line each."""
    lines = [line for line in hint.splitlines() if ": batman " in line]
    return [shlex.split(line.partition(": ")[2]) for line in lines]


def test_a_run_without_its_checkpoints_does_not_begin_again(workspace: Workspace, run: Run) -> None:
    """Dropped by `runs delete --checkpoints`: it would have begun at epoch 0 over best.pth."""
    drop_checkpoints(run)
    before = files(run)
    for start in (
        lambda: resume_run(run),
        lambda: resume_run(run, epochs=40),  # more epochs in the app
        lambda: plan_run(workspace, TrainingConfig(resume=run.path)),
    ):
        with pytest.raises(Setback, match=r"20 epochs and a best model \(mAP50-95 0\.762\)") as no:
            start()
        weights, again = commands(no.value.hint)
        assert weights[:2] == ["batman", "train"]
        assert weights[weights.index("--pretrained") + 1] == str(run.path / BEST)
        assert weights[weights.index("--project") + 1] == str(run.config().project)
        assert again == ["batman", "runs", "delete", str(run.path)]
    assert files(run) == before


def test_the_way_out_is_a_command_that_makes_a_new_run(workspace: Workspace, run: Run) -> None:
    drop_checkpoints(run)
    with pytest.raises(Setback) as caught:
        resume_run(run)
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    typed = parser.parse_args(commands(caught.value.hint)[0][2:])
    chosen = {name: getattr(typed, name) for name in option_names()}
    values = {name: value for name, value in chosen.items() if value is not None}
    new, config = plan_run(workspace, parse_config(values))
    assert new.path != run.path
    assert (config.pretrained, config.epochs, config.model) == (run.path / BEST, 20, "tiny")
    assert not config.from_scratch, "tiny's preset is not to win over the weights"


@pytest.mark.parametrize(
    "lost", [LAST, f"{LAST} events.jsonl", f"{LAST} events.jsonl results.json"]
)
def test_whatever_else_is_lost_with_the_last_checkpoint(run: Run, lost: str) -> None:
    for name in lost.split():
        (run.path / name).unlink()
    with pytest.raises(Setback) as caught:
        resume_run(run)
    resume = commands(caught.value.hint)[0]
    assert resume[resume.index("--resume") + 1] == str(run.path / "checkpoint_epoch_20.pth")
    assert resume[resume.index("--output-dir") + 1] != str(run.path)


def test_a_best_model_alone_is_not_begun_over(run: Run) -> None:
    for path in run.path.iterdir():
        if path.name not in (BEST, "training_config.json"):
            path.unlink()
    with pytest.raises(Setback, match="a best model, and no checkpoint left"):
        resume_run(run)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"epochs_trained": "x"}', b"\xff", b"[" * 9999]
)
def test_damaged_results_are_passed_over(run: Run, content: bytes) -> None:
    (run.path / "results.json").write_bytes(content)
    assert reached(run.path, 20).epoch == 20
    assert resume_run(run, epochs=40).config().resume == run.path / LAST


def test_going_back_makes_a_new_run_that_names_its_origin(workspace: Workspace, run: Run) -> None:
    before = files(run)
    back = run.path / "checkpoint_epoch_10.pth"
    for wanted in (back, Path("runs") / run.name / back.name):
        chosen = TrainingConfig(resume=wanted, epochs=30)
        assert would_be_path(workspace, chosen) == workspace.runs_dir / "cells-tiny-2"
        assert plan_settings(workspace, chosen)[0] is None
    new, config = plan_run(workspace, chosen)
    assert new.path == workspace.runs_dir / "cells-tiny-2"
    assert (config.resume, config.epochs, config.project) == (back, 30, run.config().project)
    assert config.origin == Origin(run=run.name, checkpoint=back)
    assert "stays as it is" in config.notes[0]
    assert files(run) == before
    # And that run goes on in its own folder, and keeps its origin.
    (new.path / LAST).write_bytes(b"\x80\x02")
    assert resume_run(new, epochs=40).config().origin == config.origin


def test_the_guides_new_run_names_its_origin(workspace: Workspace, run: Run) -> None:
    """Scenario 4, and the same from a checkpoint that belongs to no run."""
    chosen = TrainingConfig(
        resume=run.path / "checkpoint_epoch_10.pth", output_dir=Path("runs/continued_training"),
        epochs=50, lr=1e-5,
    )  # fmt: skip
    new, config = plan_run(workspace, chosen)
    assert new.path == workspace.runs_dir / "continued_training"
    assert (config.epochs, config.lr) == (50, 1e-5)
    assert str(config.origin) == f"checkpoint_epoch_10.pth of {run.name}"
    foreign = workspace.root / "theirs.pth"
    foreign.write_bytes(b"\x80\x02")  # so began what torch.save writes
    settings = plan_settings(workspace, TrainingConfig(resume=foreign, project=config.project))[1]
    assert settings.origin == Origin(run=None, checkpoint=foreign)


def test_the_furthest_checkpoint_goes_on_in_place(workspace: Workspace, run: Run) -> None:
    for wanted in (run.path, run.path / "checkpoint_epoch_20.pth"):
        same, config = plan_run(workspace, TrainingConfig(resume=wanted, epochs=40))
        assert same.path == run.path
        assert config.origin is None


def test_fewer_epochs_than_were_trained_are_refused_when_the_events_are_lost(run: Run) -> None:
    run.events_file.unlink()
    with pytest.raises(RunError, match="20 epochs behind it, and --epochs is 5"):
        resume_run(run, epochs=5)


@pytest.mark.parametrize(
    "kept", [BEST, LAST, "results.json", "events.jsonl", "checkpoint_epoch_10.pth"]
)
def test_no_new_run_in_a_folder_that_holds_anything_of_one(
    workspace: Workspace, run: Run, kept: str
) -> None:
    for path in run.path.iterdir():
        if path.name not in (kept, "training_config.json"):
            path.unlink()
    before = files(run)
    project = run.config().project
    for chosen in (
        TrainingConfig(model="tiny", project=project, output_dir=run.path),
        TrainingConfig(resume=run.path / kept, project=project, output_dir=run.path),
    ):
        with pytest.raises(RunError):
            plan_run(workspace, chosen)
    assert files(run) == before


@pytest.mark.parametrize("lost", ["", "checkpoints"])
def test_the_worker_by_hand_leaves_a_finished_run_as_it_is(
    run: Run, lost: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m core.training.worker RUN`: an interface of its own, which asks again."""
    pytest.importorskip("torch")
    if lost == "checkpoints":
        drop_checkpoints(run)
    before = files(run)
    monkeypatch.setattr("core.training.worker.stop.StopRequest.listen", lambda *a, **k: None)
    assert work([str(run.path)]) == UNUSABLE
    assert files(run) == before
    assert run.state() == "finished"
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert ("begin again and replace them" in said) == (lost == "checkpoints")


def test_a_start_that_somebody_waits_for_is_told_why_it_failed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that was submitted, and has lost its checkpoint by the time it runs."""
    pytest.importorskip("torch")
    drop_checkpoints(run)
    best = (run.path / BEST).read_bytes()
    expect_worker(run.path, "cluster")
    monkeypatch.setattr("core.training.worker.stop.StopRequest.listen", lambda *a, **k: None)
    assert work([str(run.path)]) == FAILED
    assert run.state() == "failed"
    assert "replace them" in run.summary().error
    assert run.summary().best_map50_95 == 0.762
    assert (run.path / BEST).read_bytes() == best


def test_a_lost_run_started_again_by_a_scheduler_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    events = read_events(run.events_file.read_bytes())[0]
    run.events_file.unlink()
    writer = EventWriter(run.events_file)
    for event in events[:-1]:
        writer.write(event)
    writer.close()
    drop_checkpoints(run)
    monkeypatch.setattr("core.training.worker.stop.StopRequest.listen", lambda *a, **k: None)
    assert work([str(run.path)]) == FAILED
    assert "no checkpoint left to go on from" in run.summary().error


def test_the_command_line_says_it_and_touches_nothing(
    workspace: Workspace,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(workspace.root)
    assert main(["runs", "delete", run.name, "--checkpoints", "--yes"]) == 0
    before = files(run)
    for words in ([], ["--epochs", "40"], ["--dry-run"]):
        capsys.readouterr()
        assert main(["train", "--resume", run.name, *words]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "no checkpoint left to go on from" in said
        assert "--pretrained" in said
    assert files(run) == before


def test_the_origin_is_shown(
    workspace: Workspace,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from batman_tui.run.lines import settings_text
    from core.training.live.follow import RunFollower

    chosen: dict[str, Any] = {"resume": run.path / "checkpoint_epoch_10.pth", "epochs": 30}
    new, config = plan_run(workspace, TrainingConfig(**chosen))
    new.save_config(config)
    monkeypatch.chdir(workspace.root)
    assert main(["runs", "show", new.name]) == 0
    assert f"checkpoint_epoch_10.pth of {run.name}" in capsys.readouterr().out
    shown = settings_text(RunFollower(new.path).poll()).plain
    assert f"checkpoint_epoch_10.pth of {run.name}" in shown


def test_a_run_of_a_cluster_goes_on_from_the_checkpoint_there(
    workspace: Workspace, run: Run
) -> None:
    """Its copy here has none: submitted, it goes on; here it would begin again."""
    drop_checkpoints(run)
    MirrorState().save(run.path)
    chosen = TrainingConfig(resume=run.path, epochs=40)
    same, config = plan_run(workspace, chosen)
    assert (same.path, config.resume) == (run.path, None)
    with pytest.raises(Setback) as caught:
        plan_run(workspace, chosen, local=True)
    assert commands(caught.value.hint)[0] == ["batman", "submit", "--resume", str(run.path)]
