"""A sweep in the app: begun from the training form, watched, stopped, gone on with, compared."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Event

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from test_train_screen import opened_form
from test_train_screen import real as real
from test_train_screen import shapes as shapes

from batman_tui.runs.compare import CompareScreen
from batman_tui.runs.screen import RunsScreen
from batman_tui.sweep import dialog as dialog_module
from batman_tui.sweep.dialog import SweepDialog
from batman_tui.sweep.screen import SweepScreen
from batman_tui.train import training_facts
from batman_tui.train.screen import TrainScreen
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from batman_tui.widgets.form.line_input import LineInput
from core.common.errors import BatmanError
from core.training.launch import local
from core.training.run.events import EventWriter, Finished, Started, Validation
from core.training.run.run import Run
from core.training.run.worker_process import write_worker
from core.training.sweep import control
from core.training.sweep.sweep import Sweep, find_sweep


def trained(run: Run, score: float) -> None:
    """Have a run trained, with this mAP."""
    write_worker(run.path, 2**22 + 1)
    events = EventWriter(run.events_file)
    events.write(
        Started(
            run=run.name, pid=1, host="here", model="tiny", epochs=2, epoch=0, step=0,
            steps_per_epoch=2, batch_size=8, grad_accum=1, effective_batch=8, image_size=128,
            classes=["crane"], device="cpu",
        )
    )  # fmt: skip
    events.write(
        Validation(
            epoch=1, step=2, map50_95=score, map50=0.6, map75=0.2, precision=0.6, recall=0.7,
            f1=0.65, per_class={"crane": score}, best=True,
        )
    )  # fmt: skip
    events.write(
        Finished(
            epoch=2, step=4, best_epoch=1, best_map50_95=score, best_map50=0.6, seconds=65
        )
    )  # fmt: skip
    events.close()


async def test_a_sweep_is_begun_and_seen_to_its_end(
    tmp_path: Path, real: Path, monkeypatch: pytest.MonkeyPatch, opened
) -> None:
    monkeypatch.setattr(TrainScreen, "drafts", {})
    monkeypatch.setattr(training_facts, "find_gpus", list)
    monkeypatch.setattr(local, "_NEEDED", ("sys",))
    # The process that works it off is there, and does nothing by itself.
    waits = "import signal; signal.pause()"
    monkeypatch.setattr(control, "python_command", lambda *words: [sys.executable, "-c", waits])
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        form = await opened_form(pilot, app, real)
        form.form.type("model", "tiny")
        form.form.type("from_scratch", "yes")
        form._refresh()
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, SweepDialog))
        dialog = app.screen
        line = dialog.query_one("#words", LineInput)
        line.value = "lr=1e-4,5e-5 epoch=2,3"
        await until(pilot, lambda: "did you mean 'epochs'" in words_on(app))
        await pilot.press("ctrl+s")
        assert dialog.phase == "form"
        line.value = "lr=1e-4,5e-5 epochs=2,3"
        await until(pilot, lambda: "4 runs, one after the other." in words_on(app))
        assert "shapes-sweep-1-4" in screen_text(app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SweepScreen))
        screen = app.screen
        assert isinstance(screen, SweepScreen)
        await until(pilot, lambda: len(screen.rows) == 4)
        sweep = find_sweep(app.workspace)
        try:
            await _watched(pilot, app, screen, sweep)
        finally:
            worker = sweep.worker()
            if worker is not None and worker.alive():
                os.kill(worker.pid, 9)


async def _watched(pilot, app: FrozenApp, screen: SweepScreen, sweep: Sweep) -> None:
    assert (screen.state, sweep.runs()[0].config().model) == ("running", "tiny")
    assert "◔ waiting" in screen_text(app)
    for key, said in (
        ("r", "The sweep is running: there is nothing to resume."),
        ("c", "Fewer than two of its runs have been validated yet."),
    ):
        await pilot.press(key)
        await until(pilot, lambda said=said: said in [n.message for n in app._notifications])
    # A run that waits is the sweep's to start.
    await pilot.press("enter")
    await until(pilot, lambda: "Its sweep has not come to it yet" in screen_text(app))
    await pilot.press("r")
    waits = "The run waits for its turn in a sweep: S on the list of runs shows it."
    await until(pilot, lambda: waits in [n.message for n in app._notifications])
    await pilot.press("escape")
    await until(pilot, lambda: app.screen is screen)
    one, two, three, _ = sweep.runs()
    trained(one, 0.25)
    trained(two, 0.5)
    screen._look()
    await until(pilot, lambda: screen.rows[0].name == two.name and screen.rows[0].best == 0.5)
    await settled(pilot)
    text = screen_text(app)
    assert "2 of 4 runs trained, 2 wait" in text
    assert f"Best: {two.name} with lr 1e-4, epochs 3: mAP50-95 0.500." in text
    # Side by side the best comes first as well.
    await pilot.press("c")
    await until(pilot, lambda: isinstance(app.screen, CompareScreen))
    assert app.screen.paths == (two.path, one.path)
    await pilot.press("escape")
    # What has not begun is given up, after asking.
    await pilot.press("d")
    await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
    assert three.name in words_on(app)
    await pilot.press("y")
    await until(pilot, lambda: [row.state for row in screen.rows].count("cancelled") == 2)
    assert not three.path.exists()
    await pilot.press("s")
    await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
    await pilot.press("y")
    await until(pilot, lambda: screen.state == "finished")
    # From the list of runs one key leads back.
    await pilot.press("escape")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.table.row_count)
    await settled(pilot)
    assert sweep.name in screen_text(app)
    await pilot.press("S")
    await until(pilot, lambda: isinstance(app.screen, SweepScreen))


async def test_what_was_typed_last_is_planned_before_it_is_refused(
    tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, began = Event(), Event()

    def slowly(*_: object) -> None:
        began.set()
        assert go.wait(30)
        raise BatmanError("This [cannot] be planned.")

    monkeypatch.setattr(dialog_module, "plan_sweep", slowly)
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        await settled(pilot)
        dialog = SweepDialog(tmp_path / "site", {})
        app.push_screen(dialog)
        await settled(pilot)
        dialog.query_one("#words", LineInput).value = "lr=1,2"
        await until(pilot, began.is_set)
        await pilot.press("ctrl+s")
        assert not app._notifications, "nothing is said before it is known"
        go.set()
        await until(pilot, lambda: app._notifications)
        said = [note.message for note in app._notifications]
        assert said == ["This [cannot] be planned."]
