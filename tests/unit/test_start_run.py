"""From settings to a run that is ready to be launched."""

from __future__ import annotations

import errno
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.common.errors import Cancelled, ConfigError, ProjectError, RunError
from core.common.temporary import remove_tree
from core.common.workspace import Workspace
from core.data.store import Project
from core.training.config.options import TrainingConfig
from core.training.launch.dataset import Progress
from core.training.launch.prepare_run import ready_run
from core.training.run.events import EventWriter, Stopped
from core.training.run.run import Run


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with the project `cells`: twelve images, two classes."""
    space = Workspace(tmp_path)
    with (
        Project.create(space.project_path("cells")) as project,
        project.change("import", "made by a test") as change,
    ):
        import_id = change.insert(
            "imports", {"kind": "coco", "origin": "test", "at": "2026-01-01", "active": 1}
        )
        labels = []
        for name in ("red", "white"):
            class_id = change.insert("classes", {"name": name})
            labels.append(
                change.insert(
                    "labels", {"import_id": import_id, "name": name, "class_id": class_id}
                )
            )
        for number in range(12):
            Image.new("RGB", (32, 32)).save(project.images_dir / f"{number}.png")
            row = {"path": f"{number}.png", "name": f"{number}.png", "width": 32, "height": 32}
            image_id = change.insert("images", {"import_id": import_id, **row})
            box = {"label_id": labels[number % 2], "x": 1, "y": 1, "w": 9, "h": 9}
            change.insert("annotations", {"image_id": image_id, **box})
    return space


def chosen(workspace: Workspace, **more: Any) -> TrainingConfig:
    return TrainingConfig(model="tiny", project=workspace.project_path("cells"), **more)


def stopped(run: Run) -> None:
    (run.path / "checkpoint_last.pth").write_bytes(b"\x80\x02")
    writer = EventWriter(run.events_file)
    writer.write(Stopped(epoch=1, step=1, reason="SIGTERM"))
    writer.close()


def test_a_new_run_is_ready(workspace: Workspace) -> None:
    heard: list[Progress] = []
    run = ready_run(workspace, chosen(workspace), heard.append)
    config = run.config()
    assert run.name == "cells-tiny-1"
    assert config.dataset is not None
    assert config.dataset.dir == Path("dataset")
    assert config.dataset.class_names == ["red", "white"]
    assert (config.dataset_dir(run.path) / "train" / "_annotations.coco.json").is_file()
    assert heard


def test_a_resumed_run_keeps_its_data(workspace: Workspace) -> None:
    run = ready_run(workspace, chosen(workspace))
    stopped(run)
    first = run.config().dataset
    remove_tree(workspace.project_path("cells"))
    again = ready_run(workspace, TrainingConfig(resume=run.path, epochs=30))
    assert again.path == run.path
    assert again.config().dataset == first
    assert again.config().epochs == 30


def test_other_data_is_prepared_again(workspace: Workspace) -> None:
    run = ready_run(workspace, chosen(workspace))
    stopped(run)
    old = run.dataset_dir / "made before"
    old.touch()
    config = ready_run(workspace, TrainingConfig(resume=run.path, seed=7)).config()
    assert config.dataset is not None
    assert config.seed == 7
    assert not old.exists()
    # And so is a set that was deleted.
    remove_tree(run.dataset_dir)
    assert ready_run(workspace, TrainingConfig(resume=run.path)).dataset_dir.is_dir()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "nano"}, "--model tiny, and cannot go on with nano"),
        ({"image_size": 256}, "--image-size 128, and cannot go on with 256"),
        ({"filter_classes": ["red"]}, "trained on other classes: red, white"),
    ],
)
def test_what_no_checkpoint_can_go_on_with_is_said_before_anything_is_touched(
    workspace: Workspace, changes: dict[str, Any], said: str
) -> None:
    run = ready_run(workspace, chosen(workspace))
    stopped(run)
    before = run.config()
    with pytest.raises(ConfigError, match=said) as caught:
        ready_run(workspace, TrainingConfig(resume=run.path, **changes))
    assert "start a new run" in caught.value.hint
    assert ("--pretrained" in caught.value.hint) == ("model" not in changes)
    assert run.config() == before
    assert run.state() == "stopped"


def test_weights_are_no_place_to_go_on_from(workspace: Workspace) -> None:
    """Said before the run is touched, and before a folder is made for a new one."""
    run = ready_run(workspace, chosen(workspace))
    best = run.path / "best.pth"
    with zipfile.ZipFile(best, "w") as archive:
        archive.writestr("best/data.pkl", b"model model_name")
    with zipfile.ZipFile(run.path / "checkpoint_epoch_1.pth", "w") as archive:
        archive.writestr("checkpoint/data.pkl", b"state_dict optimizer_states loops")
    stopped(run)
    before = run.config()
    for output in (None, Path("runs/new")):
        with pytest.raises(RunError, match="holds weights only"):
            ready_run(workspace, TrainingConfig(resume=best, output_dir=output))
    assert run.config() == before
    assert [path.name for path in workspace.runs_dir.iterdir()] == [run.name]
    wanted = run.path / "checkpoint_epoch_1.pth"
    assert ready_run(workspace, TrainingConfig(resume=wanted)).config().resume == wanted


def test_a_run_that_was_moved_goes_on_where_it_is(workspace: Workspace) -> None:
    run = ready_run(workspace, chosen(workspace))
    stopped(run)
    moved = run.path.rename(workspace.runs_dir / "elsewhere")
    config = ready_run(workspace, TrainingConfig(resume=moved)).config()
    assert config.output_dir == moved
    assert config.resume == moved / "checkpoint_last.pth"


def test_what_fails_leaves_no_folder(workspace: Workspace) -> None:
    for config, error in (
        (TrainingConfig(), ConfigError),
        (TrainingConfig(project=workspace.project_path("none")), ProjectError),
        (chosen(workspace, filter_classes=["blue"]), ConfigError),
    ):
        with pytest.raises(error):
            ready_run(workspace, config)
    with pytest.raises(Cancelled):
        ready_run(workspace, chosen(workspace), None, lambda: True)
    assert list(workspace.runs_dir.iterdir()) == []


def test_settings_that_cannot_be_saved_leave_no_data_set(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full just when the data set of a new run stood there."""
    save = Run.save_config

    def full(run: Run, config: TrainingConfig) -> None:
        if config.dataset is None:
            save(run, config)
            return
        raise OSError(errno.ENOSPC, "No space left on device", str(run.path / "x"))

    monkeypatch.setattr(Run, "save_config", full)
    with pytest.raises(OSError, match="No space"):
        ready_run(workspace, chosen(workspace))
    assert list(workspace.runs_dir.iterdir()) == []


def test_what_fails_leaves_what_was_there(workspace: Workspace) -> None:
    run = ready_run(workspace, chosen(workspace))
    stopped(run)
    before = run.config()
    with pytest.raises(ConfigError):
        ready_run(workspace, TrainingConfig(resume=run.path, filter_classes=["blue"]))
    assert run.events_file.is_file()
    assert run.config() == before
    with pytest.raises(RunError):
        ready_run(workspace, chosen(workspace, output_dir=run.path))
    assert (run.path / "checkpoint_last.pth").is_file()


def test_a_data_set_that_is_gone_is_named(workspace: Workspace) -> None:
    run = ready_run(workspace, chosen(workspace))
    stopped(run)
    run.save_config(run.config().with_changes(project=None))
    remove_tree(run.dataset_dir)
    with pytest.raises(ConfigError, match="data set of the run 'cells-tiny-1' is gone") as raised:
        ready_run(workspace, TrainingConfig(model="tiny", resume=run.path))
    assert "--project" in raised.value.hint
    assert run.config().dataset is not None
