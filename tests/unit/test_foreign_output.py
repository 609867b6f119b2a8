"""What other tools' training leaves, given to --resume: it is named, with the way on."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_start_run import chosen
from test_start_run import workspace as workspace

from cli.main import main
from core.common.errors import RunError
from core.common.workspace import Workspace
from core.training.launch.foreign_output import refuse_foreign
from core.training.launch.prepare_run import ready_run
from core.training.run import checkpoints

RFDETR_SETTINGS = {"train_config": {}, "model_config": {}, "class_names": ["a"], "num_classes": 1}


def save(content: Any, path: Path) -> None:
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)


def of_ultralytics(path: Path) -> None:
    """Write a file as Ultralytics does: a whole model, pickled with the name of its class."""
    module = types.ModuleType("ultralytics.nn.tasks")

    class DetectionModel:
        def __init__(self) -> None:
            self.names = {0: "a"}

    DetectionModel.__module__, DetectionModel.__qualname__ = module.__name__, "DetectionModel"
    module.DetectionModel = DetectionModel  # type: ignore[attr-defined]
    for name in ("ultralytics", "ultralytics.nn", module.__name__):
        sys.modules[name] = module if name == module.__name__ else types.ModuleType(name)
    try:
        save({"epoch": 3, "model": DetectionModel(), "train_args": {}}, path)
    finally:
        for name in ("ultralytics", "ultralytics.nn", module.__name__):
            del sys.modules[name]


def rfdetr_folder(folder: Path) -> Path:
    save({"model": {}, "model_name": "RFDETRSmall"}, folder / "checkpoint_best_total.pth")
    save({"state_dict": {}, "optimizer_states": [], "loops": {}}, folder / "last.ckpt")
    (folder / "training_config.json").write_text(json.dumps(RFDETR_SETTINGS))
    return folder


def rfdetr_file(folder: Path) -> Path:
    return rfdetr_folder(folder) / "last.ckpt"


def rfdetr_before_it_wrote_settings(folder: Path) -> Path:
    (rfdetr_folder(folder) / "training_config.json").unlink()
    return folder


def original_run(folder: Path) -> Path:
    save({"model": {}, "model_name": "RFDETRBase"}, folder / "best.pth")
    return folder


def original_export(folder: Path) -> Path:
    original_run(folder)
    (folder / "class_info.json").write_text(json.dumps({"classes": ["a"], "num_classes": 1}))
    return folder


def ultralytics_folder(folder: Path) -> Path:
    of_ultralytics(folder / "weights" / "last.pt")
    (folder / "args.yaml").write_text("task: detect\n")
    return folder


def ultralytics_file(folder: Path) -> Path:
    of_ultralytics(folder / "yolo11n.pt")
    return folder / "yolo11n.pt"


@pytest.mark.parametrize(
    ("make", "what", "way"),
    [
        (
            rfdetr_folder,
            "of rfdetr's own training",
            "--model small --pretrained {}/checkpoint_best_t",
        ),
        (rfdetr_file, "of rfdetr's own training", "--pretrained {}/last.ckpt"),
        (rfdetr_before_it_wrote_settings, "of rfdetr's own", "{}/checkpoint_best_total.pth"),
        (original_run, "of the original Batman", "--model base --pretrained {}/best.pth"),
        (original_export, "of the original Batman", "--model base --pretrained {}/best.pth"),
        (ultralytics_folder, "is of Ultralytics: YOLO is another kind of model", "import yolo"),
        (ultralytics_file, "is of Ultralytics: YOLO is another kind of model", "import yolo"),
    ],
)
def test_it_is_named_with_the_way_on(
    make: Callable[[Path], Path], what: str, way: str, workspace: Workspace,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pytest.importorskip("torch")
    monkeypatch.chdir(workspace.root)
    folder = workspace.root / "theirs"
    path = make(folder)
    with pytest.raises(RunError) as refused:
        ready_run(workspace, chosen(workspace, resume=path))
    assert what in refused.value.message
    assert way.format(folder) in refused.value.hint
    assert not workspace.runs_dir.exists() or not list(workspace.runs_dir.iterdir())
    # Whatever is refused at the start is refused by --dry-run, in the same words.
    words = ["train", "--project", "cells", "--resume", str(path), "--dry-run"]
    assert main(["--workspace", str(workspace.root), *words]) == 2
    assert what in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("notes.pth", "'notes.pth' cannot be read as a checkpoint"),
        ("notes.jpg", "'notes.jpg' cannot be read as a checkpoint"),
        ("", "is no run's folder: it holds neither settings nor checkpoint_last.pth"),
    ],
)
def test_what_is_nobodys_output_is_refused_before_the_start(
    name: str, what: str, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workspace.root / "elsewhere"
    folder.mkdir()
    (folder / (name or "x.txt")).write_text("hello")
    words = ["train", "--project", "cells", "--resume", str(folder / name), "--dry-run"]
    assert main(["--workspace", str(workspace.root), *words]) == 2
    assert what in " ".join(capsys.readouterr().err.split())


def test_a_wrong_file_in_a_run_of_ours_is_refused_by_the_dry_run_too(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.root)
    run = ready_run(workspace, chosen(workspace))
    settings = run.path / "training_config.json"
    with pytest.raises(RunError, match="cannot be read as a checkpoint"):
        ready_run(workspace, chosen(workspace, resume=settings))
    words = ["train", "--project", "cells", "--resume", str(settings), "--dry-run"]
    assert main(["--workspace", str(workspace.root), *words]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "'training_config.json' cannot be read as a checkpoint" in told


def test_one_among_the_runs_is_known_by_its_name(workspace: Workspace) -> None:
    pytest.importorskip("torch")
    rfdetr_before_it_wrote_settings(workspace.runs_dir / "theirs")
    with pytest.raises(RunError, match="of rfdetr's own training"):
        ready_run(workspace, chosen(workspace, resume=Path("theirs")))


def test_ours_pass_also_where_their_settings_are_lost(workspace: Workspace, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    run = ready_run(workspace, chosen(workspace))
    refuse_foreign(run.path)
    said = {"epoch": 1, "worth": {}, "record": None}
    save({"model": {}, checkpoints.STATE_KEY: said}, run.path / "best.pth")
    (run.path / "training_config.json").write_text("{")
    refuse_foreign(run.path)
    refuse_foreign(run.path / "best.pth")
    (run.path / "training_config.json").unlink()
    refuse_foreign(run.path)
    refuse_foreign(tmp_path / "nowhere")
