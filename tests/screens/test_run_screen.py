"""The run screen: what it shows of a run folder, as it grows, and what its keys do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from harness import FrozenApp, screen_text, settled, until
from run_data import (
    BEGAN,
    epoch_events,
    failed,
    finished,
    make_run,
    running,
    stopped,
)

from batman_tui.first_screen import FirstScreen
from batman_tui.projects.screen import ProjectsScreen
from batman_tui.run.header import BADGES, RunHeader
from batman_tui.run.screen import RunScreen
from batman_tui.runs.screen import RunsScreen
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog, PromptDialog
from batman_tui.widgets.dialogs.text_dialog import TextDialog
from batman_tui.widgets.panel.log_view import LogView
from batman_tui.widgets.plot.plot import Plot
from core.training.launch import local
from core.training.live.tail import LocalFiles
from core.training.run.events import encode_event
from core.training.run.run import Run
from core.training.run.wait import Wait
from core.training.run.worker_process import expect_worker, read_worker, write_worker

NAME = "building-site-small-3"


def screen_of(app: FrozenApp) -> RunScreen:
    assert isinstance(app.screen, RunScreen)
    return app.screen


async def shown(pilot, app: FrozenApp) -> RunScreen:
    """Wait until the run was read and drawn."""
    await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run is not None)
    screen = screen_of(app)
    await until(pilot, lambda: screen.query_one(RunHeader).run is screen.run)
    await settled(pilot)
    return screen


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers that do nothing, in place of trainers; killed at the end."""
    started: list[subprocess.Popen[bytes]] = []
    code = "import time; time.sleep(60)"
    monkeypatch.setattr(local, "worker_command", lambda run: [sys.executable, "-c", code])
    monkeypatch.setattr(local, "require_trainer", lambda: None)
    yield started
    for process in started:
        process.kill()
        process.wait()


def own_worker(path: Path, started: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Give the run a live process on this machine."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started.append(process)
    write_worker(path, process.pid, since=BEGAN - 5)
    return process


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_shows_a_run(tmp_path: Path, opened, size: tuple[int, int]) -> None:
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME)))
    async with opened(app, size) as pilot:
        screen = await shown(pilot, app)
        text = screen_text(app)
        for part in ("● running", NAME, "epoch 9/20", "step 505/1,200", "42%", "14m 30s left"):
            assert part in text, part
        assert "batch 4 × 2 = 8" in text
        assert "loss" in text
        assert "50-95" in text
        assert len(screen.query_one("#loss", Plot).chart.curves[0].x) == 505
        assert "Preparing the data set" in "\n".join(screen.query_one(LogView).lines)
        if size[0] >= 100:
            assert "person [front]" in text
            assert "crane_hook" in text


@pytest.mark.parametrize("state", sorted(BADGES))
async def test_every_state_has_its_own_sign(state: str) -> None:
    signs = [sign for sign, _ in BADGES.values()]
    assert len(set(signs)) == len(signs)
    assert BADGES[state][0].strip()


async def test_grows_with_the_file(tmp_path: Path, opened) -> None:
    path = make_run(tmp_path, NAME, running(NAME, epochs=2))
    app = FrozenApp(tmp_path, run=path)
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, app)
        plot = screen.query_one("#loss", Plot)
        before = plot.chart.curves[0].x.size
        with (path / "events.jsonl").open("ab") as file:
            rest = [e for e in epoch_events(3) if getattr(e, "step", 0) > before]
            file.write(b"".join(encode_event(event) for event in rest))
            file.write(b'{"event":"step","t":1,"st')
        with (path / "train.log").open("a") as log:
            log.write("something [new]\n")
        await until(pilot, lambda: plot.chart.curves[0].x.size == 180)
        await until(pilot, lambda: screen.query_one(LogView).lines[-1] == "something [new]")
        assert "epoch 4/20" in screen_text(app)


async def test_nothing_is_drawn_while_nothing_changes(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME)))
    async with opened(app) as pilot:
        screen = await shown(pilot, app)
        plot = screen.query_one("#loss", Plot)
        chart = plot.chart
        for _ in range(3):
            screen._look()
            await settled(pilot)
        assert plot.chart is chart


async def test_an_empty_run_says_what_comes(tmp_path: Path, opened) -> None:
    path = make_run(tmp_path, NAME, [], log="")
    write_worker(path)
    app = FrozenApp(tmp_path, run=path)
    async with opened(app, (120, 40)) as pilot:
        await shown(pilot, app)
        text = screen_text(app)
        assert "preparing" in text
        assert "Loading the model and the data" in text
        assert "The log is empty so far" in text
        # One whose job waits is no run that loads, whatever the cluster calls its folder.
        expect_worker(path, "hpc")
        wait = Wait(
            job="48210", cluster="hpc", since=time.time() - 750, why="others are [first]", place=3,
            line=14, restarts=2, seen_at=time.time() + 60,
        )  # fmt: skip
        record = {"cluster": "hpc", "job_id": "48210", "wait": msgspec.to_builtins(wait)}
        (path / "job.json").write_text(json.dumps(record))
        there = tmp_path / "there" / f"{NAME}-5f3a"
        shutil.copytree(path, there, ignore=shutil.ignore_patterns("job.json"))
        app.push_screen(RunScreen(there, LocalFiles(), own=path))
        await until(pilot, lambda: "queued for 12m" in screen_text(app))
        text = screen_text(app)
        assert "others are [first]" in text
        assert "place 3 of 14   put back 2 times   job 48210 on hpc" in text
        assert "It waits in the cluster's queue" in text
        assert "5f3a" not in text


async def test_a_folder_that_goes_away_does_not_end_the_app(tmp_path: Path, opened) -> None:
    path = make_run(tmp_path, NAME, running(NAME))
    app = FrozenApp(tmp_path, run=path)
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, app)
        shutil.rmtree(path)
        screen._look()
        await settled(pilot)
        assert app.is_running


async def test_a_failed_run_explains_itself(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, failed(NAME)))
    async with opened(app) as pilot:
        screen = await shown(pilot, app)
        text = screen_text(app)
        assert "✖ failed" in text
        assert "The image 'train/a[1].jpg' is gone." in text
        assert "Put the data set back" in text
        assert {mark.kind for mark in screen.query_one("#loss", Plot).chart.marks} == {
            "restart",
            "oom",
        }
        await pilot.press("e")
        await settled(pilot)
        assert isinstance(app.screen, TextDialog)
        assert "FileNotFoundError" in app.screen.text


async def test_events_tell_the_story_and_lead_to_the_curve(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME)))
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, app)
        await pilot.press("right_square_bracket")
        await pilot.pause()
        text = screen_text(app)
        assert "The loss jumped to [24.0]" in text
        assert "wrote checkpoint_epoch_5.pth" in text
        table = screen.query_one("#events")
        row = next(key for key in table.visible_keys if "jumped" in key[1])
        table.focus()
        table.move_to(row)
        await pilot.press("enter")
        assert screen.query_one("#loss", Plot).cursor == 200
        assert screen.query_one("#measure", Plot).cursor == 200


async def test_keys_change_what_is_plotted(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME)))
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, app)
        loss, measure = screen.query_one("#loss", Plot), screen.query_one("#measure", Plot)

        def names(plot: Plot) -> list[str]:
            return [curve.name for curve in plot.chart.curves]

        assert names(loss) == ["loss", "valid"]
        await pilot.press("p")
        assert names(loss) == ["loss", "class", "box", "giou", "valid"]
        seen = []
        for _ in range(6):
            seen.append(names(measure))
            await pilot.press("v")
        assert seen[0] == ["50-95", "50", "75"]
        assert seen[1] == ["precision", "recall", "F1"]
        assert ["lr"] in seen
        assert ["images/s"] in seen
        assert ["GPU", "process"] in seen
        assert names(measure) == seen[0], "and round again"

        assert loss.chart.curves[0].smoothed is not None
        await pilot.press("M", "M")
        assert loss.chart.curves[0].smoothed is None
        await pilot.press("L")
        assert loss.chart.log
        assert not measure.chart.log, "a score has no logarithmic axis"
        await pilot.press("X")
        assert loss.chart.curves[0].x[-1] == pytest.approx(505 / 60)
        await pilot.press("X")
        assert loss.chart.x_axis == "time"
        assert loss.chart.extent() == measure.chart.extent()
        await pilot.press("plus")
        assert loss.view == measure.view != None  # noqa: E711 - a chain of equals


async def test_tabs_and_enlarging(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME)))
    async with opened(app) as pilot:
        screen = await shown(pilot, app)
        seen = []
        for _ in range(4):
            panel = next(p for p in screen.query("#run-details > Panel") if p.display)
            seen.append(panel.id)
            await pilot.press("right_square_bracket")
            await pilot.pause()
        assert seen == ["tab-log", "tab-classes", "tab-events", "tab-settings"]
        await pilot.press("z")
        await pilot.pause()
        assert screen.query_one("#loss", Plot).size.width > 70
        assert not screen.query_one("#run-details").display
        await pilot.press("z")
        await pilot.pause()
        assert screen.query_one("#run-details").display


async def test_a_list_is_enlarged_alone_where_two_are_shown(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME)))
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, app)
        log = screen.query_one(LogView)
        log.focus()
        width, height = log.size
        await pilot.press("z")
        await until(pilot, lambda: log.size.height > height + 10 and log.size.width > width + 40)
        assert not screen.query_one("#tab-classes").display
        # The next one has the room then, and the keys.
        await pilot.press("right_square_bracket")
        table = screen.query_one("#events")
        await until(pilot, lambda: table.size.height > height + 10)
        assert not screen.query_one("#tab-log").display
        assert screen.focused is table
        await pilot.press("z")
        await until(pilot, lambda: log.size == (width, height))
        assert table.display


async def test_the_focus_goes_to_the_plot_when_its_list_is_hidden(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME)))
    async with opened(app) as pilot:
        screen = await shown(pilot, app)
        screen.query_one(LogView).focus()
        await pilot.pause()
        await pilot.press("right_square_bracket")
        await pilot.pause()
        assert screen.focused is screen.query_one("#loss")


async def test_the_log_is_searched(tmp_path: Path, opened) -> None:
    log = "\n".join(f"line {n} {'needle' if n % 50 == 0 else ''}" for n in range(300)) + "\n"
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME), log=log))
    async with opened(app) as pilot:
        screen = await shown(pilot, app)
        await pilot.press("slash", *"needle", "enter")
        await pilot.pause()
        text = screen_text(app)
        assert "line 250 needle" in text
        assert "6 of 6" in text
        await pilot.press("N")
        await pilot.pause()
        assert "5 of 6" in screen_text(app)
        assert screen.focused is screen.query_one(LogView)


async def test_stop_asks_first(tmp_path: Path, opened, sleeper) -> None:
    path = make_run(tmp_path, NAME, running(NAME))
    worker = own_worker(path, sleeper)
    app = FrozenApp(tmp_path, run=path)
    async with opened(app) as pilot:
        screen = await shown(pilot, app)
        assert screen.run.state == "running"
        await pilot.press("s", "n")
        await settled(pilot)
        assert worker.poll() is None
        await pilot.press("s")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmDialog)
        await pilot.press("y")
        await until(pilot, lambda: worker.poll() is not None)
        await until(pilot, lambda: screen.run.state == "lost")
        assert "without a word" in screen_text(app)
        assert "r goes on from the last one" in screen_text(app)


async def test_closing_the_app_leaves_training_running(tmp_path: Path, opened, sleeper) -> None:
    path = make_run(tmp_path, NAME, running(NAME))
    worker = own_worker(path, sleeper)
    app = FrozenApp(tmp_path, run=path)
    async with opened(app) as pilot:
        await shown(pilot, app)
        await pilot.press("ctrl+q")
        await pilot.pause()
    assert worker.poll() is None


async def test_a_stopped_run_goes_on(tmp_path: Path, opened, sleeper) -> None:
    path = make_run(tmp_path, NAME, stopped(NAME))
    (path / "checkpoint_last.pth").write_bytes(b"\x80\x02 weights")
    app = FrozenApp(tmp_path, run=path)
    async with opened(app) as pilot:
        screen = await shown(pilot, app)
        assert screen.run.state == "stopped"
        await pilot.press("s")
        await pilot.pause()
        assert screen is app.screen, "there is nothing to stop"
        await pilot.press("r")
        await until(pilot, lambda: screen.run.state == "preparing")
        pid = read_worker(path).pid
        assert Run(path).config().resume == path / "checkpoint_last.pth"
        Run(path).stop()
        await until(pilot, lambda: not psutil.pid_exists(pid))


async def test_a_run_that_was_only_prepared_can_be_started(tmp_path: Path, opened, sleeper) -> None:
    path = make_run(tmp_path, NAME, [], log="")
    (path / "worker.json").unlink()
    app = FrozenApp(tmp_path, run=path)
    async with opened(app) as pilot:
        screen = await shown(pilot, app)
        assert screen.run.state == "prepared"
        assert "Nobody has started it yet" in screen_text(app)
        assert not screen.check_action("stop", ())
        await pilot.press("r")
        await until(pilot, lambda: screen.run.state == "preparing")
        pid = read_worker(path).pid
        Run(path).stop()
        await until(pilot, lambda: not psutil.pid_exists(pid))


async def test_a_finished_run_is_asked_for_more_epochs(tmp_path: Path, opened, sleeper) -> None:
    path = make_run(tmp_path, NAME, finished(NAME))
    (path / "checkpoint_last.pth").write_bytes(b"\x80\x02 weights")
    app = FrozenApp(tmp_path, run=path)
    async with opened(app) as pilot:
        screen = await shown(pilot, app)
        assert "done in" in screen_text(app)
        await pilot.press("r")
        await settled(pilot)
        assert isinstance(app.screen, PromptDialog)
        await pilot.press("ctrl+u", *"20", "enter")
        assert "above the 20 epochs" in screen_text(app)
        await pilot.press("ctrl+u", *"30", "enter")
        await until(pilot, lambda: screen.run.state == "preparing")
        assert Run(path).config().epochs == 30
        Run(path).stop()


async def test_more_epochs_do_not_begin_a_finished_run_again(
    tmp_path: Path, opened, sleeper
) -> None:
    """Its checkpoints were removed: it would have begun at epoch 0 over its best model."""
    path = make_run(tmp_path, NAME, finished(NAME))
    (path / "best.pth").write_bytes(b"the best")
    before = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
    app = FrozenApp(tmp_path, run=path)
    async with opened(app) as pilot:
        screen = await shown(pilot, app)
        await pilot.press("r")
        await settled(pilot)
        await pilot.press("ctrl+u", *"30", "enter")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        text = app.screen.text
        shown_text = " ".join(screen_text(app).replace("│", " ").split())
        assert "no checkpoint left to go on from" in shown_text
        assert f"--pretrained {path / 'best.pth'}" in text
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert screen.run.state == "finished"
    after = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() <= {".told-0"}


async def test_a_run_that_cannot_go_on_says_why(tmp_path: Path, opened, sleeper) -> None:
    """A run on another machine is not stopped from here."""
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME)))
    async with opened(app) as pilot:
        await shown(pilot, app)
        await pilot.press("s", "y")
        await until(pilot, lambda: "runs on elsewhere" in screen_text(app))


async def test_a_run_that_is_opened_on_is_shown_before_its_list_is_made(
    tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[list[type], bool]] = []
    put = FirstScreen._put_list_below

    def noted(first: FirstScreen) -> None:
        stack = [type(screen) for screen in app.screen_stack]
        seen.append((stack, any("\u2801" <= char <= "\u28ff" for char in screen_text(app))))
        put(first)

    monkeypatch.setattr(FirstScreen, "_put_list_below", noted)
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME)))
    async with opened(app) as pilot:
        await shown(pilot, app)
        assert seen == [([RunScreen], True)]
        await until(
            pilot, lambda: [type(one) for one in app.screen_stack] == [RunsScreen, RunScreen]
        )
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, ProjectsScreen))
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


async def test_back_leads_to_the_list(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path, run=make_run(tmp_path, NAME, running(NAME)))
    async with opened(app) as pilot:
        await shown(pilot, app)
        await pilot.press("c", "escape")
        assert isinstance(app.screen, RunScreen), "the first escape hides the cursor"
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(app.screen, RunsScreen)
        assert NAME in screen_text(app)
