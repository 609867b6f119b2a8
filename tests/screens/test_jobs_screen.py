"""The jobs of a cluster."""

from __future__ import annotations

import csv
import threading
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from asking import forget_asks
from harness import FrozenApp, screen_text, settled, until, words_on
from job_data import LOGS, FakeCluster, T, command_line, job, jobs_app
from PIL import Image
from run_data import finished, make_run, running, started
from sample_data import SITE, make_project
from textual.pilot import Pilot
from textual.widgets import Input, Static

from batman_tui.evaluate.screen import EvaluationScreen
from batman_tui.jobs.hours_dialog import HoursDialog
from batman_tui.jobs.screen import JobsScreen
from batman_tui.pictures.viewer import Viewer
from batman_tui.run.screen import RunScreen
from batman_tui.settings import load
from batman_tui.train.screen import TrainScreen
from batman_tui.widgets.dialogs.asker import AnswerDialog, ScreenAsker
from batman_tui.widgets.dialogs.columns_dialog import ColumnsDialog
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from batman_tui.widgets.dialogs.pick import PickDialog
from batman_tui.widgets.dialogs.text_dialog import TextDialog
from batman_tui.widgets.panel.facts import Facts
from batman_tui.widgets.panel.log_view import LogView
from batman_tui.widgets.table.table import VirtualTable
from core.common.files import write_json
from core.training.run.events import Step
from core.training.run.run import Run
from slurm.hosts import Completed, HostError, NeedsPerson
from slurm.job.reasons import _BRIEF, reason_brief, reason_words
from slurm.job.record import JobRecord, read_record, write_record
from slurm.queue.job_actions import targets
from slurm.queue.job_filter import kept_filters
from slurm.queue.jobs import Job
from slurm.queue.poll import LEAST_GAP_S
from slurm.watch.pins import pinned_jobs

SIZES = [(80, 24), (120, 40)]


async def listed(pilot: Pilot[int], app: FrozenApp) -> JobsScreen:
    await pilot.press("3")
    await until(pilot, lambda: isinstance(app.screen, JobsScreen) and app.screen.table.row_count)
    await settled(pilot)
    assert isinstance(app.screen, JobsScreen)
    return app.screen


async def look(pilot: Pilot[int], screen: JobsScreen, host: FakeCluster) -> None:
    """Have the queue asked now, whatever the clock says."""
    asked = host.asked
    forget_asks(screen.cluster.poller)
    screen.batman.queue_watcher.tick()
    await until(pilot, lambda: host.asked > asked or host.error is not None)
    await settled(pilot)


def line_of(app: FrozenApp, text: str) -> str:
    return next(line for line in screen_text(app).splitlines() if text in line)


async def test_lists_jobs_with_reasons_in_words(tmp_path: Path, opened) -> None:
    app = jobs_app(tmp_path, FakeCluster())
    async with opened(app, (140, 40)) as pilot:
        await listed(pilot, app)
        for parts in (
            ("48210", "site-small-2", "● running", "1×h100-96", "g04", "3h 41m"),
            ("48213", "harbour-base [night]", "2×a100-40"),
            ("48233", "sweep-lr", "1 run 8 wait"),
            ("48240", "○ waiting", "≈10:56", "next in line"),
            ("48241", "○ waiting", "never: too long"),
            ("48242", "○ waiting", "you hold it"),
            ("48195", "✖ failed", "exit code 3"),
            ("48190", "✔ finished", "2h 46m"),
        ):
            assert all(part in line_of(app, parts[0]) for part in parts), parts
        status = line_of(app, "vega")
        assert "3 running · 11 waiting · mine" in status
        assert "a100-40 2/4" in status
        assert "h200-141 0/4" in status, "on a node that is drained"
        assert "protein" not in screen_text(app)


def due(screen: JobsScreen) -> None:
    """Let the queue be due, and the screen look at the clock."""
    forget_asks(screen.cluster.poller)
    screen.batman.queue_watcher.tick()


@pytest.mark.parametrize("size", SIZES)
async def test_a_reason_is_never_cut(tmp_path: Path, opened, size: tuple[int, int]) -> None:
    """The list has a few words, whole; the details say it in full."""
    host = FakeCluster()
    host.jobs = [
        job(str(n), "PENDING", "x" * 40, reason=code) for n, code in enumerate(_BRIEF, 100)
    ]
    host.jobs.append(job("99", "TIMEOUT", "x", reason="TimeLimit"))
    app = jobs_app(tmp_path, host)
    async with opened(app, size) as pilot:
        screen = await listed(pilot, app)
        table = screen.table
        wanted = {str(n): reason_brief(code) for n, code in enumerate(_BRIEF, 100)}
        for number, words in {**wanted, "99": "time limit"}.items():
            table.move_to(number)
            await until(pilot, lambda name=number: f" {name} " in screen_text(app))
            assert line_of(app, f" {number} ").rstrip(" │▁▂▃▄▅▆▇█").endswith(words), words
        table.move_to(str(100 + list(_BRIEF).index("Resources")))
        await until(pilot, lambda: reason_words("Resources") in words_on(app))


async def test_nobody_asks_while_another_view_is_in_front(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    app = jobs_app(tmp_path, host)
    async with opened(app) as pilot:
        await pilot.pause()
        assert host.asked == 0, "not before the screen is first shown"
        screen = await listed(pilot, app)
        assert host.asked == 1
        await pilot.press("1")
        await settled(pilot)
        due(screen)
        await settled(pilot)
        assert host.asked == 1
        await pilot.press("3")
        await until(pilot, lambda: host.asked == 2)


async def test_a_run_of_ours_is_followed_behind_another_view(tmp_path: Path, opened) -> None:
    run = make_run(tmp_path, "site-small-2", running("site-small-2"))
    host = FakeCluster()
    write_record(
        run,
        JobRecord(
            cluster="vega", host="", token="aaaa", run_dir="/scratch/selina/runs/x", log="",
            marker="", submitted_at=T, job_id="48210",
        ),
    )  # fmt: skip
    app = jobs_app(tmp_path, host)
    async with opened(app) as pilot:
        screen = await listed(pilot, app)
        await until(pilot, lambda: screen.cluster and screen.cluster.live)
        await pilot.press("1")
        await settled(pilot)
        due(screen)
        await until(pilot, lambda: host.asked == 2)
        assert screen.cluster.poller.interval >= 60


async def test_another_columns_are_chosen_and_kept(tmp_path: Path, opened) -> None:
    app = jobs_app(tmp_path, FakeCluster())
    async with opened(app, (100, 30)) as pilot:
        screen = await listed(pilot, app)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        dialog = app.screen
        dialog.table.marks = {"id", "name", "account"}
        dialog.table.move_to("account")
        for _ in range(len(dialog._names)):
            await pilot.press("K")
        await pilot.press("enter")
        await settled(pilot)
        assert [column.key for column in screen.table.columns] == ["account", "id", "name"]
        heading = next(line for line in screen_text(app).splitlines() if "Account" in line)
        assert heading.split()[1:4] == ["Account", "Job", "Name"]
    assert load().jobs_columns == ("account", "id", "name")


async def test_errors_are_shown_where_they_are_apart(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        screen.table.move_to("48213")
        await until(pilot, lambda: "48213" in screen.details.logs)
        await pilot.press("E")
        await until(pilot, lambda: bool(app._notifications))
        screen.details.logs["48213"] = ["/out", "/err"]
        host.files |= {"/out": b"said\n", "/err": b"cried\n"}
        await pilot.press("E")
        await until(pilot, lambda: "cried" in screen_text(app))
        await pilot.press("E")
        await until(pilot, lambda: "said" in screen_text(app))
        assert "cried" not in screen_text(app)


async def test_only_our_own_jobs_are_cloned(tmp_path: Path, opened) -> None:
    run = make_run(tmp_path, "site-small-2", running("site-small-2"))
    project = make_project(tmp_path / "data" / "projects" / "site", SITE, images=10)
    before = Run(run).config()
    Run(run).save_config(before.with_changes(project=project, epochs=33, lr=3e-5))
    write_record(
        run,
        JobRecord(
            cluster="vega", host="", token="aaaa", run_dir="/x", log="", marker="", submitted_at=T,
            job_id="48210", gpu="h100-96", partition="gpu-long",
        ),
    )  # fmt: skip
    app = jobs_app(tmp_path, FakeCluster())
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        screen.table.move_to("48213")
        await pilot.press("C")
        await until(pilot, lambda: bool(app._notifications))
        assert "trains no run" in " ".join(n.message for n in app._notifications)
        screen.table.move_to("48210")
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen))
        assert app.screen.form.typed["epochs"] == "33"
        assert app.screen.form.typed["lr"] == "3e-05"
        assert "output_dir" not in app.screen.form.typed
        await until(pilot, lambda: "site-small-2 again" in screen_text(app))
        await pilot.press("escape")
        await settled(pilot)
        assert app.screen is screen


async def test_details_and_log_of_the_job_with_the_cursor(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    host.files[f"{LOGS}/48213.log"] = b"epoch 1\nError: [bold] is data\n"
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        screen.table.move_to("48213")
        await until(pilot, lambda: "Error: [bold] is data" in screen_text(app))
        text = words_on(app)
        assert "48213 harbour-base [night]" in text
        assert "12m 30s of 10h 00m" in text
        shows = [argv for argv, _ in host.commands if argv[:2] == ["scontrol", "show"]]
        assert shows[-1] == ["scontrol", "show", "job", "-o", "48213"]
        asked = len(host.commands)
        # Back and forth: it is known by now, and nobody is asked again.
        screen.table.move_to("48240")
        await until(pilot, lambda: f"{LOGS}/48240.log" in screen_text(app))
        screen.table.move_to("48213")
        await until(pilot, lambda: "Error: [bold] is data" in screen_text(app))
        assert len(host.commands) == asked + 1
        # It grows, and then begins anew.
        host.files[f"{LOGS}/48213.log"] += b"epoch 2\n"
        screen.details.tail()
        await until(pilot, lambda: "epoch 2" in screen_text(app))
        host.files[f"{LOGS}/48213.log"] = b"requeued\n"
        screen.details.tail()
        await until(pilot, lambda: "requeued" in screen_text(app))
        assert "── the log began anew ──" in screen_text(app)
        await pilot.press("l")
        await until(pilot, lambda: screen.query_one(LogView).has_focus)
        await pilot.press("slash", *"epoch", "enter")
        await settled(pilot)
        log = screen.query_one(LogView)
        assert (log.search, log.has_focus) == ("epoch", True)
        assert "2 of 2" in screen_text(app)
        await pilot.press("escape")
        assert screen.table.has_focus


async def test_the_list_has_the_keys_when_the_log_that_had_them_is_hidden(
    tmp_path: Path, opened
) -> None:
    """Nobody has them otherwise; and after a dialog the filter had, which cannot be seen."""
    app = jobs_app(tmp_path, FakeCluster())
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        log = screen.query_one(LogView)
        screen.set_focus(log)
        screen.details.log_panel.empty = "There is no log yet."
        await until(pilot, lambda: screen.table.has_focus)
        screen.set_focus(None)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen and screen.focused is not None)
        assert screen.table.has_focus


async def test_the_log_follows_to_the_task_that_runs_now(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    for task in (1, 2):
        host.files[f"{LOGS}/48233_{task}.log"] = f"of task {task}\n".encode()
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        screen.table.move_to("48233")
        await until(pilot, lambda: "of task 1" in screen_text(app))
        host.jobs = [
            job("48233_2", "RUNNING", "sweep-lr", used="0:02", start=T, node="g05", array="48233",
                task="2"),
            job("48233_[3-9%2]", "PENDING", "sweep-lr", array="48233", task="3-9%2"),
        ]  # fmt: skip
        await look(pilot, screen, host)
        await until(pilot, lambda: "of task 2" in screen_text(app))
        assert "of task 1" not in screen_text(app)
        assert screen.table.cursor_key == "48233"


async def test_filter_sort_and_unfold(tmp_path: Path, opened) -> None:
    app = jobs_app(tmp_path, FakeCluster())
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        await pilot.press("slash", *"waiting h100", "enter")
        await pilot.pause()
        assert list(screen.table.visible_keys) == ["48240", "48241", "48242"]
        assert "3 of 8" in screen_text(app)
        await pilot.press("slash", "ctrl+u", *"state=pending reason:held")
        await pilot.pause()
        assert list(screen.table.visible_keys) == ["48242"]
        await pilot.press("enter", "w", *"mine", "enter")
        await until(pilot, lambda: kept_filters() == {"mine": "state=pending reason:held"})
        await pilot.press("slash", "ctrl+u", *"-@mine id=4824*", "enter")
        await pilot.pause()
        assert list(screen.table.visible_keys) == ["48240", "48241"]
        await pilot.press("slash", "escape")
        screen.table.sort_by("id")
        assert list(screen.table.visible_keys) == sorted(screen.table.visible_keys)
        screen.table.sort_by(None)
        await pilot.press("f")
        await pilot.pause()
        assert "48233_1" in screen.table.visible_keys
        assert "48233_[2-9%2]" in screen.table.visible_keys
        assert "arrays unfolded" in screen_text(app)


async def test_everyone(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    app = jobs_app(tmp_path, host)
    async with opened(app, (140, 40)) as pilot:
        screen = await listed(pilot, app)
        await pilot.press("e")
        await look(pilot, screen, host)
        assert "bruce" in line_of(app, "protein")
        assert "everyone's" in line_of(app, "vega")


async def test_several_jobs_are_cancelled_in_one_command_after_a_question(
    tmp_path: Path, opened
) -> None:
    host = FakeCluster()
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        await pilot.press("j", "space", "space", "x")
        await settled(pilot)
        assert isinstance(app.screen, ConfirmDialog)
        text = words_on(app)
        assert "Cancel 2 jobs?" in text
        assert "48213 harbour-base [night] (running)" in text
        await pilot.press("enter")
        await settled(pilot)
        assert [command_line(argv) for argv, _ in host.commands if argv[0] == "sh"] == []
        await pilot.press("x", "y")
        await until(pilot, lambda: "Cancelled 2 jobs" in screen_text(app))
        sent = [(command_line(argv), ids.split()) for argv, ids in host.commands if ids]
        assert sent == [("scancel --", ["48213", "48233"])]
        assert not screen.table.marks
        assert screen.cluster.poller.due_in <= 5


async def test_hold_release_and_requeue_go_where_they_make_sense(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        screen.table.move_to("48242")
        await pilot.pause()
        await pilot.press("h", "x", "n", "R", "r")
        await until(pilot, lambda: "Released 1 job." in screen_text(app))
        screen.table.move_to("48233")
        await pilot.pause()
        await pilot.press("R")
        await settled(pilot)
        said = " ".join(str(line.content) for line in app.screen.query(Static))
        assert "goes on from its last checkpoint" in said
        await pilot.press("y")
        await until(pilot, lambda: "Requeued 1 job." in screen_text(app))
        await pilot.press("h", "y")
        await until(pilot, lambda: "Held 1 job." in screen_text(app))
        sent = [(command_line(argv), ids.strip()) for argv, ids in host.commands if ids]
        assert sent == [
            ("scontrol release", "48242"), ("scontrol requeue", "48233_1"),
            ("scontrol hold", "48233_[2-9]"),
        ]  # fmt: skip


async def test_what_slurm_refuses_is_shown(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    host.refuse = "scancel: error: Kill job error on job id 48210: Access/permission denied\n"
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        await listed(pilot, app)
        await pilot.press("x", "y")
        await until(pilot, lambda: "permission denied" in words_on(app))


async def test_ended_jobs_offer_nothing(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    app = jobs_app(tmp_path, host)
    async with opened(app) as pilot:
        screen = await listed(pilot, app)
        screen.table.move_to("48190")
        await pilot.pause()
        assert targets([screen.chosen], "cancel") == []
        await pilot.press("x", "h", "r", "R", "u")
        await settled(pilot)
        assert isinstance(app.screen, JobsScreen)
        assert [argv for argv, _ in host.commands if argv[0] == "sh"] == []


async def test_out_of_reach_shows_the_last_answer_with_its_age(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        old = screen.cluster.poller.view.snapshot
        object.__setattr__(old, "taken_at", T - 300)
        host.error = NeedsPerson("The connection to [vega] was cut.", "Connect again.")
        await look(pilot, screen, host)
        await until(pilot, lambda: "was cut" in screen_text(app))
        text = words_on(app)
        assert "✖ The connection to [vega] was cut." in text
        assert "Shown is what was known 5 min ago." in text
        assert "F5 connects again" in text
        assert "as of 5 min ago" in line_of(app, "vega  ")
        assert "site-small-2" in screen_text(app)
        # Usable all the same.
        await pilot.press("slash", *"held", "escape", "j")
        await settled(pilot)
        host.error = None
        forget_asks(screen.cluster.poller)
        await pilot.press("f5")
        app.queue_watcher.tick()
        await until(pilot, lambda: "was cut" not in screen_text(app))


async def test_a_squeue_that_fails_is_said_and_the_rest_is_fresh(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        host.broken["squeue"] = "slurm_load_jobs error: Unable to contact slurm controller"
        await look(pilot, screen, host)
        assert "▲ squeue: Unable to contact" in screen_text(app)
        assert "site-small-2" in screen_text(app)
        assert "as of just now" in line_of(app, "vega  ")


@pytest.mark.parametrize("size", SIZES)
async def test_without_jobs_what_is_free_is_shown(
    tmp_path: Path, opened, size: tuple[int, int]
) -> None:
    host = FakeCluster()
    host.jobs, host.ended, jobs = [], [], list(host.jobs)
    app = jobs_app(tmp_path, host)
    async with opened(app, size) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "h100-96" in screen_text(app))
        screen = app.screen
        assert isinstance(screen, JobsScreen)
        host.jobs = jobs
        await look(pilot, screen, host)
        await until(pilot, lambda: screen.details.tab == "job")
        assert "State" in screen_text(app), "with jobs, it is the one with the cursor"
        screen.details.tab = "free"
        await look(pilot, screen, host)
        assert screen.details.tab == "free", "what a person chose stays"


async def test_never_reached(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    host.error = HostError("vega:22 cannot be reached: No route to host.", "Check the VPN.")
    app = jobs_app(tmp_path, host)
    async with opened(app) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "No route to host" in screen_text(app))
        assert "No answer yet." in screen_text(app)
        await pilot.press("x", "enter", "l", "u", "space", "a")
        assert isinstance(app.screen, JobsScreen)


async def test_no_cluster_says_what_to_do(tmp_path: Path, opened) -> None:
    app = jobs_app(tmp_path)
    async with opened(app) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "batman clusters add" in words_on(app))
        await pilot.press("f5", "x", "enter")
        await settled(pilot)
        assert isinstance(app.screen, JobsScreen)


async def test_the_next_cluster(tmp_path: Path, opened) -> None:
    first, second = FakeCluster(), FakeCluster("rigel")
    second.jobs = [job("7", "RUNNING", "elsewhere")]
    app = jobs_app(tmp_path, first, second)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        await pilot.press("c")
        await until(pilot, lambda: "elsewhere" in screen_text(app))
        assert "rigel" in screen_text(app)
        assert "harbour" not in screen_text(app)
        await pilot.press("c")
        await until(pilot, lambda: "harbour" in screen_text(app))
        assert screen.cluster.profile.name == "vega"


async def test_enter_opens_the_run_straight_from_the_cluster(tmp_path: Path, opened) -> None:
    run = make_run(tmp_path, "site-small-2", running("site-small-2"))
    host = FakeCluster()
    for name in ("events.jsonl", "training_config.json"):
        host.files[f"/scratch/selina/runs/x/{name}"] = (run / name).read_bytes()
    write_record(
        run,
        JobRecord(
            cluster="vega", host="", token="aaaa", run_dir="/scratch/selina/runs/x",
            log=f"{LOGS}/ours.log", marker="", submitted_at=T, job_id="48210",
        ),
    )  # fmt: skip
    host.files[f"{LOGS}/ours.log"] = b"ours\n"
    there, drawn = "/scratch/selina/runs/x/val_images", BytesIO()
    Image.new("RGB", (64, 48), (90, 40, 60)).save(drawn, "JPEG")
    for epoch in (2, 3):
        host.files[f"{there}/epoch_{epoch:04}_site-7.jpg"] = drawn.getvalue()
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        await until(pilot, lambda: "ours" in screen_text(app))
        asked = [argv for argv, _ in host.commands if argv[0] == "scontrol"]
        assert asked == [], "our own record knows where the log is"
        screen.table.move_to("48210")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run)
        assert str(app.screen.path) == "/scratch/selina/runs/x"
        assert app.screen.run.epoch > 0
        # What has come of it here is evaluated here; before that it is said.
        await pilot.press("E")
        await until(pilot, lambda: "The model is not here yet" in screen_text(app))
        (run / "best.pth").write_bytes(b"weights")
        app.screen._look()
        await until(pilot, lambda: "E Evaluate" in screen_text(app))
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, EvaluationScreen))
        assert app.screen.path == run
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        # Its pictures come when one looks at them, and only those that are not here.
        assert host.fetched == []
        app.screen.details.tab = "pictures"
        pictures = app.screen.query_one("#val-pictures", VirtualTable)
        await until(pilot, lambda: pictures.row_count == 2)
        newest, older = (f"{there}/epoch_{epoch:04}_site-7.jpg" for epoch in (3, 2))
        assert host.fetched == [newest, older]
        viewer = app.screen.query_one(Viewer)
        here = run / "val_images" / "epoch_0003_site-7.jpg"
        await until(pilot, lambda: viewer.seen == here)
        app.screen._tab_opened("pictures")
        await settled(pilot)
        assert host.fetched == [newest, older]
        host.error = HostError("gone")
        app.screen._look()
        await settled(pilot)
        assert app.screen.run.epoch > 0
        await pilot.press("escape")
        await settled(pilot)
        assert app.screen is screen


async def test_what_a_run_made_that_has_ended_is_fetched_at_once(tmp_path: Path, opened) -> None:
    run = make_run(tmp_path, "site-small-2", finished("site-small-2"))
    (run / "best.pth").unlink(missing_ok=True)
    host = FakeCluster()
    for name in ("events.jsonl", "training_config.json"):
        host.files[f"/scratch/selina/runs/x/{name}"] = (run / name).read_bytes()
    write_record(
        run,
        JobRecord(
            cluster="vega", host="", token="aaaa", run_dir="/scratch/selina/runs/x", log="",
            marker="", submitted_at=T, job_id="48210",
        ),
    )  # fmt: skip
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        screen.table.move_to("48210")
        poller = screen.cluster.poller
        assert poller.due_in > LEAST_GAP_S
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run)
        await until(pilot, lambda: poller.due_in <= LEAST_GAP_S)
        assert "site-small-2 › Run" in screen_text(app), "not by the name of its folder there"
        await pilot.press("E")
        await until(pilot, lambda: "it comes by itself in a moment" in words_on(app))


async def test_our_jobs_stay_known_without_accounting(tmp_path: Path, opened) -> None:
    run = tmp_path / "runs" / "old-one"
    run.mkdir(parents=True)
    write_json(run / "training_config.json", {})
    write_record(
        run,
        JobRecord(
            cluster="vega", host="", token="b", run_dir="/x", log="", marker="",
            submitted_at=T - 9000, job_id="40000", state="TIMEOUT", seen_at=T - 5000.0,
        ),
    )  # fmt: skip
    host = FakeCluster()
    host.ended = []
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        await listed(pilot, app)
        line = line_of(app, "old-one")
        assert "✖ timed out" in line
        assert "reached its time limit" in line


async def test_five_thousand_jobs_stay_fluid(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    host.jobs = [job(str(n), "PENDING", f"job-{n}", reason="Priority") for n in range(1, 5001)]
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        assert screen.table.row_count == 5002
        assert "5,000 waiting" in screen_text(app)
        await pilot.press("end")
        await pilot.pause()
        assert screen.table.cursor == 5001
        await pilot.press("a", "x")
        await settled(pilot)
        assert "and 4994 more" in words_on(app)
        await pilot.press("y")
        await until(pilot, lambda: any(ids for _, ids in host.commands))
        assert len(next(ids for _, ids in host.commands if ids).split()) == 5000


# Several clusters


class SlowCluster(FakeCluster):
    """A cluster that answers only while it is `free`: the queue, or else everything but that."""

    def __init__(self, name: str, *, slow_queue: bool) -> None:
        super().__init__(name)
        self.free = threading.Event()
        self.free.set()
        self.waiting = 0
        """How many threads wait for an answer now."""
        self.most = 0
        self.folders: list[str | None] = []
        """In which folders commands ran."""
        self._slow_queue = slow_queue
        self._lock = threading.Lock()

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        if ("squeue" in str(argv[2:3])) is self._slow_queue and not self.free.is_set():
            with self._lock:
                self.waiting += 1
                self.most = max(self.most, self.waiting)
            assert self.free.wait(60)
            with self._lock:
                self.waiting -= 1
        self.folders.append(options.get("cwd"))
        return super().run(argv, **options)


def trains(root: Path, cluster: str, name: str, job_id: str) -> None:
    """Make a run that goes on as the job `job_id` of `cluster`."""
    write_record(
        make_run(root, name, running(name)),
        JobRecord(
            cluster=cluster, host="", token=f"token-{name}", run_dir=f"/scratch/selina/runs/{name}",
            log="", marker="", submitted_at=T, job_id=job_id,
        ),
    )  # fmt: skip


async def test_a_cluster_is_asked_by_one_thread_at_a_time(tmp_path: Path, opened) -> None:
    vega, rigel = FakeCluster(), SlowCluster("rigel", slow_queue=True)
    rigel.jobs = [job("7", "RUNNING", "elsewhere")]
    app = jobs_app(tmp_path, vega, rigel)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        await pilot.press("c")
        await until(pilot, lambda: "elsewhere" in screen_text(app))
        rigel.free.clear()
        try:
            due(screen)
            await until(pilot, lambda: rigel.waiting == 1)
            # There and back while it thinks: what is known is shown, and it is not asked again.
            await pilot.press("c")
            await until(pilot, lambda: "harbour" in screen_text(app))
            await pilot.press("c")
            await until(pilot, lambda: "elsewhere" in screen_text(app))
            for _ in range(3):
                due(screen)
                await pilot.pause(0.05)
            assert rigel.most == 1
        finally:
            rigel.free.set()
        await settled(pilot)


async def test_a_cluster_that_hangs_does_not_hold_up_another(tmp_path: Path, opened) -> None:
    vega, rigel = SlowCluster("vega", slow_queue=True), FakeCluster("rigel")
    rigel.jobs = [job("7", "RUNNING", "elsewhere")]
    vega.free.clear()
    app = jobs_app(tmp_path, vega, rigel)
    async with opened(app, (120, 40)) as pilot:
        try:
            await pilot.press("3")
            await until(pilot, lambda: vega.waiting)
            await pilot.press("c")
            await until(pilot, lambda: "elsewhere" in screen_text(app), seconds=5)
        finally:
            vega.free.set()
        await settled(pilot)


async def test_runs_of_every_cluster_are_mirrored_at_once(tmp_path: Path, opened) -> None:
    vega, rigel = (SlowCluster(name, slow_queue=False) for name in ("vega", "rigel"))
    rigel.jobs = [job("7", "RUNNING", "elsewhere")]
    trains(tmp_path, "vega", "here", "48210")
    trains(tmp_path, "rigel", "there", "7")
    vega.free.clear()
    app = jobs_app(tmp_path, vega, rigel)
    async with opened(app, (120, 40)) as pilot:
        try:
            await listed_so_far(pilot, app)
            await until(pilot, lambda: vega.waiting)
            await pilot.press("c")
            await until(pilot, lambda: "elsewhere" in screen_text(app))
            await until(pilot, lambda: "/scratch/selina/runs/there" in rigel.folders, seconds=5)
        finally:
            vega.free.set()
        await until(pilot, lambda: "/scratch/selina/runs/here" in vega.folders)
        await settled(pilot)


async def listed_so_far(pilot: Pilot[int], app: FrozenApp) -> None:
    await pilot.press("3")
    await until(pilot, lambda: isinstance(app.screen, JobsScreen) and app.screen.table.row_count)


# Logins


async def test_a_secret_is_asked_for_in_a_dialog_and_not_shown(tmp_path: Path, opened) -> None:
    app = jobs_app(tmp_path, FakeCluster())
    answers: list[object] = []

    def log_in() -> None:
        asker = ScreenAsker(app)
        answers.append(asker.trust("vega", "ssh-ed25519", "SHA256:[abc]"))
        answers.append(asker.ask("Two [factors]", "Password: ", secret=True))
        answers.append(asker.ask("", "Code: ", secret=False))
        answers.append(asker.ask("", "More: ", secret=True))

    async with opened(app) as pilot:
        thread = threading.Thread(target=log_in)
        thread.start()
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "SHA256:[abc]" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, AnswerDialog))
        await pilot.press(*"hunter2")
        await pilot.pause()
        assert "Two [factors]" in screen_text(app)
        assert "hunter2" not in screen_text(app)
        assert app.screen.query_one(Input).value == "hunter2"
        await pilot.press("enter")
        await until(pilot, lambda: "Code:" in screen_text(app))
        await pilot.press(*"492", "enter")
        await until(pilot, lambda: "More:" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: not thread.is_alive())
    assert answers == [True, "hunter2", "492", None]


async def test_a_login_that_waits_does_not_hold_up_leaving(tmp_path: Path, opened) -> None:
    app = jobs_app(tmp_path, FakeCluster())
    answers: list[object] = []
    thread = threading.Thread(
        target=lambda: answers.append(ScreenAsker(app).ask("", "Code: ", secret=True))
    )
    async with opened(app) as pilot:
        thread.start()
        await until(pilot, lambda: isinstance(app.screen, AnswerDialog))
    thread.join(10)
    assert answers == [None]


@pytest.mark.parametrize("size", SIZES)
def test_the_jobs(tmp_path: Path, snap_compare, size: tuple[int, int]) -> None:
    host = FakeCluster()
    lines = "".join(f"epoch {n:2}  loss {3 / (n + 2):.4f}\n" for n in range(1, 31))
    host.files[f"{LOGS}/48213.log"] = lines.encode()
    app = jobs_app(tmp_path, host)

    async def ready(pilot: Pilot[int]) -> None:
        screen = await listed(pilot, app)
        screen.table.move_to("48213")
        await until(
            pilot, lambda: screen.details.shown_log is not None and screen.query_one(LogView).lines
        )
        screen.table.toggle_mark()
        screen.table.action_cursor_up()
        await until(pilot, lambda: "48213" in screen.query_one(Facts).said("job"))
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=ready)


@pytest.mark.parametrize("size", SIZES)
def test_out_of_reach(tmp_path: Path, snap_compare, size: tuple[int, int]) -> None:
    host = FakeCluster()
    app = jobs_app(tmp_path, host)

    async def ready(pilot: Pilot[int]) -> None:
        screen = await listed(pilot, app)
        screen.table.move_to("48242")
        await until(pilot, lambda: f"{LOGS}/48242.log" in screen_text(app))
        object.__setattr__(screen.cluster.poller.view.snapshot, "taken_at", T - 300)
        host.error = HostError("The connection to vega was cut.", "It is made again by itself.")
        await look(pilot, screen, host)
        screen.details.tab = "free"
        await until(pilot, lambda: "was cut" in screen_text(app))
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=ready)


async def test_what_is_shown_can_be_taken(tmp_path: Path, opened) -> None:
    host = FakeCluster()
    host.files[f"{LOGS}/48210.log"] = b"epoch 1\nepoch [2]\n"
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        assert app.screen.text == "#!/bin/bash\necho it's [bold]"
        await pilot.press("w", "escape")
        assert (tmp_path / "logs" / "job-48210.sh").read_text().startswith("#!/bin/bash")
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        text = app.screen.text
        assert "job: 48210  site-small-2" in text
        assert "| 48213 | harbour-base \\[night\\] |" in text
        await pilot.press("c", "escape")
        assert app.clipboard == text
        await pilot.press("Y")
        rows = list(csv.reader((tmp_path / "exports" / "jobs-vega.csv").open()))
        assert [row[0] for row in rows] == ["job", *screen.table.visible_keys]
        await until(pilot, lambda: "epoch [2]" in screen_text(app))
        await pilot.press("l")
        await until(pilot, lambda: app.focused is screen.details.log_panel.view)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        assert app.screen.text == "epoch 1\nepoch [2]"
        await pilot.press("escape", "escape", "S")
        # A terminal that cannot be given away: the command is told instead.
        await until(pilot, lambda: "cannot be given to a shell" in words_on(app))
        assert "batman jobs shell 48210 --cluster vega" in words_on(app)


async def test_a_shell_goes_to_the_node_that_is_chosen(
    tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = FakeCluster()
    host.jobs = [
        job("48300", "RUNNING", "wide", used="1:00", start=T - 60, node="g[04-05]"),
        *(
            job(f"48310_{task}", "RUNNING", "array", used="1:00", start=T - 60, node=node,
                array="48310", task=str(task))
            for task, node in ((1, "g11"), (2, "g12"))
        ),
        job("48320", "PENDING", "later"),
    ]  # fmt: skip
    called: list[tuple[str, str]] = []

    def open_shell(app: object, profile: object, job: Job, node: str) -> str:
        called.append((job.id, node))
        return "It has ended."

    monkeypatch.setattr("batman_tui.jobs.taking.open_shell", open_shell)
    app = jobs_app(tmp_path, host)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        for row, keys, place in (
            ("48300", ("down", "enter"), ("48300", "g05")),
            ("48310", ("down", "enter"), ("48310_2", "g12")),
            ("48310", ("escape",), None),
        ):
            called.clear()
            screen.table.move_to(row)
            await pilot.press("S")
            await until(pilot, lambda: isinstance(app.screen, PickDialog))
            await pilot.press(*keys)
            await until(pilot, lambda: app.screen is screen)
            assert called == ([place] if place else [])
        screen.table.move_to("48320")
        await settled(pilot)
        await pilot.press("S")
        await until(pilot, lambda: "Only a running job has a node" in screen_text(app))


async def test_pinned_jobs_stay_on_top_whatever_the_order(tmp_path: Path, opened) -> None:
    app = jobs_app(tmp_path, FakeCluster())
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        table = screen.table
        usual = list(table.visible_keys)
        for wanted in ("48233", "48190"):
            table.move_to(wanted)
            await pilot.press("p")
        rest = [key for key in usual if key not in ("48233", "48190")]
        # Both in the order that they had; the cursor stays on its job.
        assert table.visible_keys == ["48233", "48190", *rest]
        assert table.cursor_key == "48190"
        assert "▴ 48190" in line_of(app, "48190")
        table.sort_by("id", reverse=True)
        assert table.visible_keys[:3] == ["48233", "48190", "48242"]
        table.sort_by(None)
        # Of an array that is pinned every task is on top.
        await pilot.press("f")
        assert [key.partition("_")[0] for key in table.visible_keys[:3]] == [
            "48233", "48233", "48190",
        ]  # fmt: skip
        await pilot.press("f")
        table.move_to("48190")
        await pilot.press("p")
        assert table.visible_keys == ["48233", *(key for key in usual if key != "48233")]
    # Another session knows, and what is marked is pinned together.
    again = jobs_app(tmp_path, FakeCluster())
    async with opened(again, (120, 40)) as pilot:
        screen = await listed(pilot, again)
        assert screen.table.visible_keys[0] == "48233"
        screen.table.marks = {"48241", "48233"}
        await pilot.press("p")
        assert set(screen.table.visible_keys[:2]) == {"48241", "48233"}
        assert pinned_jobs("vega") == {"48241", "48233"}
        screen.table.marks = {"48241", "48233"}
        await pilot.press("p")
        assert screen.table.visible_keys == usual
        assert pinned_jobs("vega") == frozenset()


def cost_runs(root: Path) -> None:
    """Two runs of a project and one of another that clusters trained, and one that never began."""
    for name, project, gpus, month in (
        ("cells-1", "cells", 2, 0), ("cells-2", "cells", 1, 40), ("yard [1]", "yard=1", 4, 0),
        ("new", "cells", 1, 0),
    ):  # fmt: skip
        began = T - 3600 - month * 86400
        step = Step(
            t=began + 1800, epoch=1, step=1, loss=1.0, lr=1e-4, images_per_s=1.0, step_s=1.0,
            data_s=0.1, rss_mb=100.0, elapsed=1800.0,
        )  # fmt: skip
        run = make_run(
            root, name, [] if name == "new" else [started(name, t=began), step],
            project=root / "data" / "projects" / project,
        )  # fmt: skip
        write_record(
            run,
            JobRecord(
                cluster="vega", host="", token=name, run_dir=f"/s/{name}", log="", marker="",
                submitted_at=began - 60, job_id=f"5{gpus}", gpu="h100-96", num_gpus=gpus,
            ),
        )  # fmt: skip


async def test_gpu_hours_by_project_and_month_and_of_each_run(tmp_path: Path, opened) -> None:
    cost_runs(tmp_path)
    app = jobs_app(tmp_path, FakeCluster())
    async with opened(app, (80, 24)) as pilot:
        await listed(pilot, app)
        await pilot.press("H")
        await until(pilot, lambda: isinstance(app.screen, HoursDialog) and app.screen.costs)
        await settled(pilot)
        assert "3 runs, 3.50 GPU hours" in words_on(app)
        rows = [line.split() for line in screen_text(app).splitlines()]
        assert [row[2:5] for row in rows if "1.00" in row] == [["cells", "1", "1.00"]]
        assert [row[2:5] for row in rows if "2.00" in row] == [["yard=1", "1", "2.00"]]
        await pilot.press("Y")
        file = tmp_path / "exports" / "gpu-hours.csv"
        titles, *sums = csv.reader(file.open())
        assert titles == ["month", "project", "runs", "gpu hours"]
        assert [row[1:] for row in sums] == [
            ["yard=1", "1", "2.00"], ["cells", "1", "1.00"], ["cells", "1", "0.50"],
        ]  # fmt: skip
        assert sums[0][0] > sums[2][0], "the latest month first"
        await pilot.press("space", "Y")
        assert sorted(row[0] for row in csv.reader(file.open())) == [
            "cells-1", "cells-2", "run", "yard [1]",
        ]  # fmt: skip
        assert "2×h100-96" in line_of(app, "cells-1")
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        assert "| yard \\[1\\] | yard=1 |" in app.screen.text


async def test_shares_of_a_gpu_cost_their_part_and_unknown_ones_are_said(
    tmp_path: Path, opened
) -> None:
    cost_runs(tmp_path)
    for name, share_of in (("cells-1", 4), ("cells-2", 0)):
        run = tmp_path / "runs" / name
        record = read_record(run)
        assert record is not None
        write_record(run, record.changed(gpu="shard:a", num_gpus=1, share=1, share_of=share_of))
    app = jobs_app(tmp_path, FakeCluster())
    async with opened(app, (80, 24)) as pilot:
        await listed(pilot, app)
        await pilot.press("H")
        await until(pilot, lambda: isinstance(app.screen, HoursDialog) and app.screen.costs)
        await settled(pilot)
        assert "3 runs, 2.12 GPU hours" in words_on(app)
        assert "Without 1 run on shares of a GPU" in words_on(app)
        rows = [line.split()[2:5] for line in screen_text(app).splitlines() if "cells" in line]
        assert sorted(rows) == [["cells", "1", "0.12"], ["cells", "1", "–"]]
        await pilot.press("space")
        await settled(pilot)
        assert "0.25×a" in line_of(app, "cells-1")
        assert "1 shard:a" in line_of(app, "cells-2")
        assert "–" in line_of(app, "cells-2")


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_gpu_hours_and_pins(tmp_path: Path, snap_compare, size: tuple[int, int]) -> None:
    cost_runs(tmp_path)
    app = jobs_app(tmp_path, FakeCluster())

    async def ready(pilot: Pilot[int]) -> None:
        screen = await listed(pilot, app)
        screen.table.move_to("48233")
        # The job's details are asked for where the cursor rests, and their list is longer then.
        await until(pilot, lambda: screen.chosen and screen.chosen.job.id in screen.details.logs)
        await settled(pilot)
        await pilot.press("p", "H")
        await until(pilot, lambda: isinstance(app.screen, HoursDialog) and app.screen.costs)
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=ready)
