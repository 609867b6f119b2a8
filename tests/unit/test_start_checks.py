"""What a start needs is looked at before anything is made for it, and by --dry-run alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_foreign_output import of_ultralytics, save
from test_start_run import chosen, stopped
from test_start_run import workspace as workspace

from cli.main import main
from core.common.errors import BatmanError, ConfigError
from core.common.hardware import Gpu
from core.common.workspace import Workspace
from core.data.store import Project
from core.training.config.options import TrainingConfig
from core.training.launch import devices, local
from core.training.launch.devices import require_devices, require_devices_here
from core.training.launch.local import start_local, would_start
from core.training.launch.prepare_run import ready_run
from core.training.launch.pretrained_weights import require_weights
from core.training.run.run import Run


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Training is installed here; the trainers that would have been started."""
    runs: list[Run] = []
    monkeypatch.setattr(local, "_NEEDED", ("sys",))
    monkeypatch.setattr(local, "launch_local", lambda run, begun: runs.append(run))
    return runs


def left(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in workspace.runs_dir.glob("*"))


GPU = Gpu(0, "A100", 40, 40)


@pytest.mark.parametrize(
    ("device", "gpus", "there", "message"),
    [
        ("cuda:3", 1, 1, "There is no GPU 3: this machine has 1, from 0 on."),
        ("cuda:0", 1, 0, "There is no cuda device on this machine."),
        ("cuda", 2, 1, "2 GPUs were asked for, and this machine has 1."),
        ("auto", 2, 0, "2 GPUs were asked for, and this machine has none."),
        ("auto", 3, 2, "3 GPUs were asked for, and this machine has 2."),
        ("mps", 1, 2, "There is no mps device on this machine."),
    ],
)
def test_a_device_that_is_not_there_is_refused_before_the_run_is_made(
    device: str, gpus: int, there: int, message: str,
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, started: list[Run],
) -> None:  # fmt: skip
    monkeypatch.setattr(devices.sys, "platform", "linux")
    monkeypatch.setattr(devices, "_NOT_NVML", ())
    look = lambda config: require_devices_here(config, lambda: [GPU] * there)  # noqa: E731
    monkeypatch.setattr(local, "require_devices_here", look)
    config = chosen(workspace, device=device, num_gpus=gpus)
    for start in (start_local, would_start):
        with pytest.raises(ConfigError) as refused:
            start(workspace, config)
        assert refused.value.message == message
    assert (left(workspace), started) == ([], [])


def test_devices_that_are_there_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for device, gpus, there in (
        ("auto", 1, 0), ("auto", 2, 2), ("cuda", 2, 2), ("cuda:1", 1, 2), ("cpu", 4, 0),
    ):  # fmt: skip
        require_devices(TrainingConfig(device=device, num_gpus=gpus), there, mps=False)
    require_devices(TrainingConfig(device="mps"), 0, mps=True)
    # What NVML does not know is left to the trainer: AMD's GPUs, and NVIDIA's boards.
    monkeypatch.setattr(devices, "_NOT_NVML", (tmp_path,))
    require_devices_here(TrainingConfig(device="cuda"), list)
    with pytest.raises(ConfigError):
        require_devices_here(TrainingConfig(device="cuda:1"), lambda: [GPU])


def text(path: Path) -> None:
    path.write_text("weights")


def page(path: Path) -> None:
    path.write_text("<html>404</html>" * 99)


def torn(path: Path) -> None:
    whole(path)
    path.write_bytes(path.read_bytes()[:-200])


def whole(path: Path) -> None:
    save({"model": {"a": list(range(99))}}, path)


def other(path: Path) -> None:
    save([1, 2], path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (text, "'w.pth' cannot be read as weights of RF-DETR."),
        (page, "'w.pth' cannot be read as weights of RF-DETR."),
        (torn, "'w.pth' cannot be read as weights of RF-DETR."),
        (other, "'w.pth' cannot be read as weights of RF-DETR."),
        (of_ultralytics, "'w.pth' holds a model of Ultralytics"),
        (Path.mkdir, "There are no weights at"),
        (lambda path: whole(path / "best.pth"), "is a folder, not a file of weights"),
    ],
    ids=["text", "page", "torn", "other", "ultralytics", "folder", "run"],
)
def test_weights_that_cannot_be_read_are_refused_before_the_run_is_made(
    make: Callable[[Path], None], message: str, workspace: Workspace, tmp_path: Path,
    started: list[Run],
) -> None:  # fmt: skip
    pytest.importorskip("torch")
    make(tmp_path / "w.pth")
    config = chosen(workspace, pretrained=tmp_path / "w.pth")
    for start in (start_local, would_start):
        with pytest.raises(BatmanError, match=re.escape(message)):
            start(workspace, config)
    assert (left(workspace), started) == ([], [])


def test_weights_that_can_be_read_pass(workspace: Workspace, started: list[Run]) -> None:
    torch = pytest.importorskip("torch")
    path = workspace.root / "w.pth"
    contents: list[dict[str, Any]] = [{"model": {}}, {"state_dict": {}, "loops": {}}]
    for content in contents:
        save(content, path)
        require_weights(chosen(workspace, pretrained=path))
    torch.save({"model": {}}, path, _use_new_zipfile_serialization=False)
    require_weights(chosen(workspace, pretrained=path))
    # A path is looked for in the workspace too, as it is when the run is made.
    start_local(workspace, chosen(workspace, pretrained=Path("w.pth")))
    assert [run.config().pretrained for run in started] == [path]


def test_published_weights_that_are_damaged_can_be_fetched_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RF_HOME", str(workspace.root))
    (workspace.root / "rf-detr-nano.pth").write_text("<html>")
    with pytest.raises(ConfigError, match=r"'rf-detr-nano.pth' cannot be read") as refused:
        start_local(workspace, chosen(workspace).with_changes(model="nano"))
    assert "they are fetched again" in refused.value.hint


def dry(workspace: Workspace, *words: str) -> int:
    return main(["--workspace", str(workspace.root), "train", *words, "--dry-run"])


def flat(printed: str) -> str:
    return " ".join(printed.split())


def test_a_dry_run_tells_the_numbers_of_the_run(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace.project_path("cells") / "images" / "3.png").write_bytes(b"")
    words = ["--project", "cells", "--model", "tiny", "--max-per-class", "2", "--batch-size", "4"]
    assert dry(workspace, *words) == 0
    printed = flat(capsys.readouterr().out)
    assert left(workspace) == []
    assert main(["--workspace", str(workspace.root), "train", *words, "--prepare-only"]) == 0
    (run,) = [Run(path) for path in workspace.list_runs()]
    info = run.config().dataset
    assert info is not None
    images = ", ".join(f"{name} {count}" for name, count in info.images.items())
    assert f"images {images}" in printed
    assert f"classes {', '.join(info.class_names)}" in printed
    assert f"run folder {run.path}" in printed
    assert "1 image left out, empty file" in printed
    for note in [*run.config().notes, *info.notes]:
        assert flat(note) in printed
    _, _, settings = would_start(workspace, run.config().with_changes(output_dir=None))
    assert settings.dataset is not None
    assert settings.dataset.fingerprint == info.fingerprint


def no_boxes(workspace: Workspace) -> dict[str, Any]:
    with (
        Project.open(workspace.project_path("cells")) as project,
        project.change("x", "x") as change,
    ):
        for row in project.db.execute("SELECT id FROM annotations").fetchall():
            change.delete("annotations", row["id"])
    return {}


def used_folder(workspace: Workspace) -> dict[str, Any]:
    folder = workspace.root / "mine"
    folder.mkdir()
    (folder / "results.json").write_text("{}")
    return {"output_dir": folder}


@pytest.mark.parametrize("head", [b"", b"<html>", b"PK\x03\x04 cut off"])
def test_a_dry_run_refuses_a_run_whose_checkpoint_is_broken(
    head: bytes, workspace: Workspace, started: list[Run]
) -> None:
    run = ready_run(workspace, chosen(workspace))
    stopped(run)
    (run.path / "checkpoint_last.pth").write_bytes(head)
    config = TrainingConfig(resume=run.path)
    for start in (would_start, start_local):
        with pytest.raises(BatmanError, match=r"'checkpoint_last\.pth' cannot be read"):
            start(workspace, config)
    assert started == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_boxes, "No image has a box to learn from"),
        (used_folder, "already holds a run"),
        (lambda _: {"filter_classes": ["blue"]}, "There is no class 'blue' to filter by"),
        (lambda _: {"num_nodes": 2}, "Several nodes train together on a cluster only"),
        (lambda _: {"resume": Path("nowhere")}, "There is no run 'nowhere'"),
    ],
    ids=["no boxes", "used folder", "unknown class", "nodes", "nothing to resume"],
)
def test_a_dry_run_refuses_what_the_run_would(
    spoil: Callable[[Workspace], dict[str, Any]], message: str, workspace: Workspace,
    started: list[Run],
) -> None:  # fmt: skip
    config = chosen(workspace, **spoil(workspace))
    for start in (would_start, start_local):
        with pytest.raises(BatmanError, match=re.escape(message)):
            start(workspace, config)
    assert (left(workspace), started) == ([], [])


def test_a_checkpoint_that_does_not_fit_is_refused_before_the_trainer_is_there(
    workspace: Workspace, started: list[Run]
) -> None:
    """A checkpoint that lies in no run's folder: what it says of itself is all there is."""
    pytest.importorskip("torch")
    path = workspace.root / "moved" / "checkpoint_last.pth"
    progress = {"epoch_progress": {"current": {"processed": 2}}}
    content = {
        "loops": {"fit_loop": progress}, "optimizer_states": [{}], "global_step": 9,
        "state_dict": {}, "args": {"class_names": ["red", "blue"]}, "model_name": "RFDETRNano",
    }  # fmt: skip
    save(content, path)
    config = chosen(workspace, resume=path)
    for start in (would_start, start_local):
        with pytest.raises(ConfigError, match="only in the checkpoint: blue"):
            start(workspace, config)
    assert (left(workspace), started) == ([], [])
    save(content | {"args": {"class_names": ["red", "white"]}}, path)
    assert would_start(workspace, config)[2].resume == path
    ready_run(workspace, config)
    assert left(workspace) == ["cells-tiny-1"]
