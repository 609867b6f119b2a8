"""The training form: what it shows as one types, and how it starts a run."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from PIL import Image
from rich.cells import cell_len
from sample_data import SITE, make_project
from textual.widgets import Static

from batman_tui.run.screen import RunScreen
from batman_tui.train import augmentation_dialog, training_facts
from batman_tui.train.augmentation_dialog import AugmentationDialog
from batman_tui.train.model_table import ModelDialog
from batman_tui.train.option_fields import said_of_errors
from batman_tui.train.screen import TrainScreen
from batman_tui.train.start_dialog import StartDialog
from batman_tui.train.training_facts import TrainingFacts
from batman_tui.widgets.dialogs.text_dialog import TextDialog
from batman_tui.widgets.form.field import Field
from batman_tui.widgets.panel.facts import Facts
from core.common.errors import Cancelled
from core.common.hardware import GIB, Gpu
from core.common.progress import Progress
from core.common.workspace import Workspace
from core.data.importers import import_coco
from core.data.store import Project
from core.demo.shapes import make_shapes
from core.processes import job
from core.training.config.augmentation import PRESETS
from core.training.config.form import SECTIONS
from core.training.config.options import TrainingConfig
from core.training.launch import local
from core.training.launch.prepare_run import ready_run
from core.training.run.events import EventWriter, Stopped
from core.training.run.run import Run
from core.training.run.worker_process import read_worker


@pytest.fixture(autouse=True)
def _fresh_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing typed before, and no GPU but the one that a test says."""
    monkeypatch.setattr(TrainScreen, "drafts", {})
    monkeypatch.setattr(training_facts, "find_gpus", list)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A project with counts and no image files."""
    return make_project(tmp_path / "data" / "projects" / "site [1]", SITE, images=1480)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set with real images."""
    folder = tmp_path_factory.mktemp("shapes") / "set"
    make_shapes(folder, train=12, valid=4, test=4, size=64, messy=False)
    return folder


@pytest.fixture
def real(tmp_path: Path, shapes: Path) -> Path:
    """A project with images that can be trained on."""
    path = tmp_path / "data" / "projects" / "shapes"
    with Project.create(path) as project:
        import_coco(project, shapes, files="copy")
    return path


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A worker that does nothing, in place of a trainer."""
    pids: list[int] = []
    code = "import time; time.sleep(60)"
    monkeypatch.setattr(local, "worker_command", lambda run: [sys.executable, "-c", code])
    monkeypatch.setattr(local, "require_trainer", lambda: None)
    yield pids
    for pid in pids:
        subprocess.run(["kill", "-9", str(pid)], check=False)


async def opened_form(pilot, app: FrozenApp, project: Path) -> TrainScreen:
    app.open_train(project)
    await settled(pilot)
    screen = app.screen
    assert isinstance(screen, TrainScreen)
    await until(pilot, lambda: screen.query_one(TrainingFacts).data is not None)
    await settled(pilot)
    return screen


def field(screen: TrainScreen, name: str) -> Field:
    return screen.query_one(f"#field-{name}", Field)


def hint(screen: TrainScreen, name: str) -> str:
    return str(field(screen, name)._hint.content)


async def retype(pilot, screen: TrainScreen, name: str, text: str) -> None:
    field(screen, name).editor.focus()
    await pilot.press("ctrl+u", "ctrl+k", *text)
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_shows_what_will_be_trained(site: Path, opened, size: tuple[int, int]) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app, size) as pilot:
        screen = await opened_form(pilot, app, site)
        text = words_on(app)
        for part in ("Model", "base", "Epochs", "Learning rate", "38 more options with F4"):
            assert part in text, part
        facts = screen.query_one(Facts)
        assert facts.said("Data").startswith("1,480 images: 1,050 train, 290 valid, 140 test.")
        assert facts.said("Batch").startswith("2 × 8 = 16 images a step. No GPU was found")
        assert facts.said("Steps") == "66 an epoch, 3,300 in all."
        assert facts.said("Disk").startswith("A checkpoint takes about 515.2 MB, 5 periodic ones")
        assert "616 instead of 640" in facts.said("Size")
        await until(pilot, lambda: "F5 takes a few steps" in facts.said("Time"))
        assert "--estimate" not in facts.said("Time"), "an option of the shell is no key"
        command = facts.said("Command")
        assert command.startswith("batman train --project 'data/projects/site [1]' --model base")


async def test_sampling_bounds_the_steps(site: Path, opened) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_form(pilot, app, site)
        await pilot.press("f4")
        await settled(pilot)
        facts = screen.query_one(Facts)
        await retype(pilot, screen, "balance", "0.1")
        await until(pilot, lambda: facts.said("Steps") == "at least 66 an epoch, 3,300 in all.")
        assert "--balance 0.1" in facts.said("Command")
        await retype(pilot, screen, "max_per_class", "50")
        await until(pilot, lambda: facts.said("Steps").startswith("as many as the images"))
        await retype(pilot, screen, "balance", "0")
        await until(pilot, lambda: facts.said("Steps") == "at most 66 an epoch, 3,300 in all.")


async def test_every_option_has_a_field(site: Path, opened) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_form(pilot, app, site)
        names = [name for section in SECTIONS for name in section.names]
        assert [f.option for f in screen.query(Field)] == list(SECTIONS[0].names)
        await pilot.press("f4")
        await settled(pilot)
        assert [f.option for f in screen.query(Field)] == names
        assert "all options" in screen_text(app)
        await pilot.press("f4")
        await settled(pilot)
        assert not field(screen, "weight_decay").display


async def test_says_what_is_wrong_while_one_types(site: Path, opened) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, site)
        await retype(pilot, screen, "epochs", "1x")
        assert hint(screen, "epochs") == "must be a whole number, not '1x'"
        assert field(screen, "epochs").has_class("-wrong")
        assert screen.query_one(Facts).said("Command") == "Put right first: Epochs."
        await retype(pilot, screen, "epochs", "12")
        assert not field(screen, "epochs").has_class("-wrong")
        assert "--epochs 12" in screen.query_one(Facts).said("Command")
        await retype(pilot, screen, "lr", "[bold]")
        assert "[bold]" in screen_text(app), "what was typed is data"


async def test_a_wrong_form_is_not_started(site: Path, opened) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, site)
        await pilot.press("f4")
        await settled(pilot)
        await retype(pilot, screen, "weight_decay", "-1")
        await pilot.press("f4")
        assert screen.focused is field(screen, "model").editor
        await pilot.press("ctrl+s")
        await until(pilot, lambda: screen.advanced)
        assert app.screen is screen
        await until(pilot, lambda: screen.focused is field(screen, "weight_decay").editor)
        assert not (site.parents[2] / "runs").exists()


async def test_a_refusal_names_the_field_and_goes_when_it_is_put_right(
    site: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, site)
        await retype(pilot, screen, "epochs", "0")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app._notifications)
        said = [note.message for note in app._notifications]
        assert said == ["Epochs must be at least 1, not '0'."]
        app.tell("Something else")
        await retype(pilot, screen, "epochs", "2")
        assert screen.complete() is not None
        await settled(pilot)
        assert [note.message for note in app._notifications] == ["Something else"]


def test_what_is_wrong_is_said_in_sentences() -> None:
    errors = {
        "epochs": "must be at least 1, not '0'",
        "splits": "give three shares, such as 70/15/15",
        "": "mps trains on one device only: choose one GPU and one node",
    }
    assert said_of_errors(errors) == (
        "Epochs must be at least 1, not '0'. Splits: give three shares, such as 70/15/15. "
        "mps trains on one device only: choose one GPU and one node."
    )


async def test_enter_and_arrows_move_between_fields(site: Path, opened) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, site)
        await pilot.press("down", "enter", "down")
        assert screen.focused is field(screen, "grad_accum").editor
        await pilot.press("up", "up", "up")
        assert screen.focused is field(screen, "model").editor
        await pilot.press("up")
        assert screen.focused is screen.query_one("#start")


async def test_the_model_is_chosen_from_a_table(site: Path, opened) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, site)
        await pilot.press("f3")
        await settled(pilot)
        assert isinstance(app.screen, ModelDialog)
        text = words_on(app)
        for part in ("32.2 M", "560 px", "56 px", "Apache-2.0", "multiples of 56", "PML-1.0"):
            assert part in text, part
        await pilot.press("g", "enter")
        await settled(pilot)
        assert app.screen is screen
        assert field(screen, "model").text == "tiny"
        assert field(screen, "image_size").text == "128"
        assert field(screen, "epochs").text == "20"
        await pilot.press("home")
        field(screen, "model").editor.focus()
        await pilot.press("right")
        await pilot.pause()
        assert field(screen, "model").text == "nano"


async def test_a_licence_that_is_not_free_is_said(site: Path, opened) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, site)
        field(screen, "model").editor.value = "xlarge"
        await settled(pilot)
        assert "PML-1.0" in screen.query_one(Facts).said("Note")


async def test_the_batch_follows_the_gpu(
    site: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Gpu(0, "NVIDIA A100-SXM4-40GB", 40 * GIB, 40 * GIB)
    monkeypatch.setattr(training_facts, "find_gpus", lambda: [gpu])
    app = FrozenApp(site.parents[2])
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_form(pilot, app, site)
        await until(pilot, lambda: field(screen, "batch_size").text == "8")
        assert field(screen, "grad_accum").text == "2"
        assert "A100" in screen.query_one(Facts).said("Batch")
        assert hint(screen, "batch_size") == "suggested for this machine"
        await retype(pilot, screen, "batch_size", "4")
        assert field(screen, "grad_accum").text == "4"
        assert screen.query_one(Facts).said("Batch").startswith("4 × 4 = 16 images a step.")


async def test_the_command_can_be_copied_and_written(site: Path, opened) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, site)
        await retype(pilot, screen, "epochs", "3")
        await pilot.press("f6")
        await settled(pilot)
        assert isinstance(app.screen, TextDialog)
        await pilot.press("c", "w")
        await settled(pilot)
        written = (site.parents[2] / "train-site [1].sh").read_text()
        assert written.startswith("batman train --project 'data/projects/site [1]'")
        assert "--epochs 3" in written
        assert app.clipboard.strip() == written.strip()


async def test_what_was_typed_is_still_there_later(site: Path, opened) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, site)
        await retype(pilot, screen, "epochs", "33")
        await pilot.press("escape")
        await settled(pilot)
        again = await opened_form(pilot, app, site)
        assert field(again, "epochs").text == "33"
        await pilot.press("f8")
        await settled(pilot)
        assert field(again, "epochs").text == "50"
        assert "--epochs" not in again.query_one(Facts).said("Command")


async def test_splits_are_counted_again(site: Path, opened) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app, (120, 40)) as pilot:
        screen = await opened_form(pilot, app, site)
        await pilot.press("f4")
        await settled(pilot)
        field(screen, "split_policy").editor.value = "random"
        await retype(pilot, screen, "splits", "80/20")
        await until(pilot, lambda: ", 0 test" in screen.query_one(Facts).said("Data"))


async def test_an_older_count_does_not_replace_a_newer_one(
    site: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    assign, counted = training_facts.assign_project_splits, TrainingFacts.Counted
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def slow_at_first(project: Project, *wanted, **more):
        if begun.is_set():
            return assign(project, *wanted, **more)
        begun.set()
        assert go.wait(30)
        return assign(project, *wanted, **more)

    def made(*values):
        if go.is_set():
            ended.set()
        return counted(*values)

    monkeypatch.setattr(training_facts, "assign_project_splits", slow_at_first)
    app = FrozenApp(site.parents[2])
    async with opened(app, (120, 40)) as pilot:
        app.open_train(site)
        await until(pilot, lambda: isinstance(app.screen, TrainScreen) and begun.is_set())
        screen: Any = app.screen
        await pilot.press("f4")
        await until(pilot, lambda: screen.query("#field-splits"))
        await retype(pilot, screen, "splits", "0.8/0.2/0")
        field(screen, "split_policy").editor.value = "random"
        await until(pilot, lambda: ", 0 test" in screen.query_one(Facts).said("Data"))
        monkeypatch.setattr(TrainingFacts, "Counted", staticmethod(made))
        go.set()
        await until(pilot, ended.is_set)
        await settled(pilot)
        assert ", 0 test" in screen.query_one(Facts).said("Data")


async def test_an_empty_project_says_so(tmp_path: Path, opened) -> None:
    path = tmp_path / "data" / "projects" / "empty"
    Project.create(path).close()
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        await opened_form(pilot, app, path)
        assert "import a data set first" in words_on(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Not started" in screen_text(app))
        assert "has no images" in words_on(app)
        assert list((tmp_path / "runs").iterdir()) == [], "no folder is left behind"
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(app.screen, TrainScreen)


async def test_starts_a_run_and_shows_it(real: Path, opened, worker: list[int]) -> None:
    root = real.parents[2]
    app = FrozenApp(root)
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, real)
        field(screen, "model").editor.value = "tiny"
        await settled(pilot)
        await retype(pilot, screen, "epochs", "4")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        path = root / "runs" / "shapes-tiny-1"
        record = read_worker(path)
        assert record is not None
        worker.append(record.pid)
        config = Run(path).config()
        assert (config.model, config.epochs, config.image_size) == ("tiny", 4, 128)
        assert config.dataset is not None
        assert config.dataset.images == {"train": 12, "valid": 4, "test": 4}
        labels = json.loads((path / "dataset/train/_annotations.coco.json").read_text())
        assert len(labels["images"]) == 12
        await until(pilot, lambda: app.screen.run is not None)
        assert "preparing" in screen_text(app)


@pytest.mark.parametrize("resumed", [False, True])
async def test_a_refused_start_leaves_nothing_behind(
    real: Path, opened, monkeypatch: pytest.MonkeyPatch, resumed: bool
) -> None:
    def refuse(*args, **kwargs):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    root = real.parents[2]
    config = TrainingConfig(model="tiny", project=real)
    before = {}
    if resumed:
        run = ready_run(Workspace(root), config)
        writer = EventWriter(run.events_file)
        writer.write(Stopped(epoch=1, step=1, reason="SIGTERM"))
        writer.close()
        (run.path / "checkpoint_last.pth").write_bytes(b"\x80\x02")
        before = {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()}
        config = TrainingConfig(resume=run.path, epochs=30, seed=7)
    monkeypatch.setattr(local, "require_trainer", lambda: None)
    monkeypatch.setattr("subprocess.Popen", refuse)
    app = FrozenApp(root)
    async with opened(app) as pilot:
        app.push_screen(StartDialog(config))
        await until(pilot, lambda: "Not started" in screen_text(app))
        assert "cannot be started" in words_on(app)
        await pilot.press("escape")
        await settled(pilot)
    runs = root / "runs"
    assert {file: file.read_bytes() for file in runs.rglob("*") if file.is_file()} == before
    assert len(list(runs.iterdir())) == len(Workspace(root).list_runs()) == resumed


async def test_starting_can_be_cancelled(
    real: Path, opened, worker: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training.launch import dataset

    check = dataset.check_images

    def slowly(*args, **kwargs):
        # Preparing waits here until it is cancelled, however fast the machine is.
        dialog = app.screen_stack[-1]
        while isinstance(dialog, StartDialog) and not dialog._worker.is_cancelled:
            sleep(0.005)
        return check(*args, **kwargs)

    monkeypatch.setattr(dataset, "check_images", slowly)
    root = real.parents[2]
    app = FrozenApp(root)
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, real)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, StartDialog))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert not list((root / "runs").iterdir())


async def test_the_equivalent_command_is_the_same_training(site: Path, opened) -> None:
    """What the form shows as a command has the values of what it would start."""
    app = FrozenApp(site.parents[2])
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, site)
        await retype(pilot, screen, "lr", "3e-4")
        await retype(pilot, screen, "image_size", "512")
        command = screen.query_one(Facts).said("Command")
        config = screen.reading.config
        assert isinstance(config, TrainingConfig)
        assert "--lr 0.0003" in command
        assert "--image-size 512" in command
        assert (config.lr, config.image_size) == (3e-4, 512)


async def test_an_augmentation_is_chosen_by_what_it_does(
    site: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def draw(module: str, options: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        asked.append(options)
        Image.new("RGB", (320, 160), (200, 40, 40)).save(options["output"])
        return {"file": options["output"], "rows": 2, "columns": 4, "names": []}

    monkeypatch.setattr(augmentation_dialog, "run_job", draw)
    monkeypatch.setattr(local, "require_trainer", lambda: None)
    app = FrozenApp(site.parents[2])
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, site)
        await pilot.press("f12")
        await until(pilot, lambda: isinstance(app.screen, AugmentationDialog))
        dialog = app.screen
        assert dialog.table.cursor_key == "default"
        assert "quarter turns" in words_on(app)
        dialog.table.move_to("aerial")
        await pilot.press("space")
        await until(pilot, lambda: "aerial" in dialog._sheets and dialog.phase == "form")
        await until(pilot, lambda: dialog.sheet.settled)
        assert asked[0]["config"]["augmentation"] == "aerial"
        await pilot.press("space")
        assert len(asked) == 1, "it was made already"
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert screen.reading.config is not None
        assert screen.reading.config.augmentation == "aerial"
        await until(pilot, lambda: screen.query("#field-augmentation"))
        assert field(screen, "augmentation").text == "aerial"


async def test_a_few_steps_are_taken_to_know_the_time(
    site: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, on = threading.Event(), threading.Event()
    took = {"train_s": 0.5, "valid_s": 0.1, "memory": 3e9, "batch": 2, "steps": 5, "device": "cpu"}

    def take(module: str, options: Any, report: Any, cancelled: Any, **_: Any) -> dict[str, Any]:
        report(Progress("training steps", 3, 6))
        going.set()
        while not on.wait(0.01):
            if cancelled():
                raise Cancelled("Measuring was stopped.")
        return took

    monkeypatch.setattr(job, "run_job", take)
    monkeypatch.setattr(local, "require_trainer", lambda: None)
    app = FrozenApp(site.parents[2])
    async with opened(app) as pilot:
        screen = await opened_form(pilot, app, site)
        facts = screen.query_one(TrainingFacts)
        await pilot.press("f5")
        await until(pilot, lambda: "training steps 3 of 6" in words_on(app))
        await pilot.press("f5")
        await until(pilot, lambda: not facts.measuring)
        assert "measured by" not in words_on(app)
        on.set()
        await pilot.press("f5")
        await until(pilot, lambda: "measured by 5 steps" in words_on(app))
        assert "3.0 GB" in words_on(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_no_hint_of_an_option_is_cut(site: Path, opened, size: tuple[int, int]) -> None:
    app = FrozenApp(site.parents[2])
    async with opened(app, size) as pilot:
        screen = await opened_form(pilot, app, site)
        await pilot.press("f4")
        await until(pilot, lambda: screen.query("#field-augmentation"))
        await settled(pilot)
        for preset in ("", *PRESETS):
            screen.form.type("augmentation", preset)
            for batch in ("4", "auto"):
                screen.form.type("batch_size", batch)
                screen._refresh()
                for of in screen.query(Field):
                    said = of.query_one(".field--hint", Static)
                    assert cell_len(str(said.visual)) <= said.size.width, of.option
