"""The list of runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from run_data import epoch_events, failed, finished, make_run, running, stopped

from batman_tui.run.screen import RunScreen
from batman_tui.runs.preview import RunsPreview
from batman_tui.runs.screen import RunsScreen
from batman_tui.settings import load
from batman_tui.widgets.dialogs.columns_dialog import ColumnsDialog
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from batman_tui.widgets.plot.plot import Plot
from core.training.run.events import encode_event


@pytest.fixture
def workspace_with_runs(tmp_path: Path) -> Path:
    for name, events in (
        ("site-small-1", finished),
        ("site-small-2", stopped),
        ("site-[bold]-3", failed),
        ("site-small-4", running),
    ):
        make_run(tmp_path, name, events(name))
    return tmp_path


async def listed(pilot, app: FrozenApp) -> RunsScreen:
    await pilot.press("2")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.table.row_count)
    await settled(pilot)
    assert isinstance(app.screen, RunsScreen)
    return app.screen


async def test_lists_runs_with_their_figures(workspace_with_runs: Path, opened) -> None:
    app = FrozenApp(workspace_with_runs)
    async with opened(app, (140, 40)) as pilot:
        await listed(pilot, app)
        lines = screen_text(app).splitlines()
        line = next(line for line in lines if "✔ finished" in line)
        assert "site-small-1" in line
        for part in ("✔ finished", "building-site", "small", "20/20", "1 h ago", "25m 44s"):
            assert part in line, part
        assert any("site-[bold]-3" in line and "✖ failed" in line for line in lines)
        assert any("4 · 1 going on" in line for line in lines)


async def test_any_setting_can_be_a_column(tmp_path: Path, opened) -> None:
    for name, rate, batch in (("a", 1e-4, 4), ("b", 5e-5, "auto"), ("c", 3e-4, 16)):
        make_run(tmp_path, name, finished(name), lr=rate, batch_size=batch)
    app = FrozenApp(tmp_path)
    async with opened(app, (100, 24)) as pilot:
        screen = await listed(pilot, app)
        usual = [column.key for column in screen.table.columns]
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        await pilot.press("enter")
        await settled(pilot)
        assert load().runs_columns == (), "nothing was chosen but what is usual"
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        dialog = app.screen
        assert "lr" in dialog._names
        dialog.table.marks = {"name", "lr", "batch_size", "loss"}
        await pilot.press("enter")
        await settled(pilot)
        assert [column.key for column in screen.table.columns] == [
            "name", "loss", "batch_size", "lr",
        ]  # fmt: skip
        heading = next(line for line in screen_text(app).splitlines() if "Learning rate" in line)
        assert "Batch size" in heading
        assert "5e-05" in screen_text(app)
        screen.table.sort_by("lr")
        assert [path.name for path in screen.table.visible_keys] == ["b", "a", "c"]
        screen.table.sort_by("batch_size")
        assert [path.name for path in screen.table.visible_keys] == ["a", "c", "b"]
    assert load().runs_columns == ("name", "loss", "batch_size", "lr")
    again = FrozenApp(tmp_path, runs_columns=load().runs_columns)
    async with opened(again, (100, 24)) as pilot:
        screen = await listed(pilot, again)
        assert len(screen.table.columns) == 4
        await pilot.press("v")
        await until(pilot, lambda: isinstance(again.screen, ColumnsDialog))
        again.screen.table.marks = set()
        await pilot.press("enter")
        await settled(pilot)
        assert [column.key for column in screen.table.columns] == usual


async def test_an_empty_workspace_says_what_to_do(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        await pilot.press("2")
        await settled(pilot)
        assert "press t to train" in screen_text(app)
        await pilot.press("enter", "s", "r")
        assert isinstance(app.screen, RunsScreen)


async def test_figures_follow_the_run_and_the_cursor_stays(
    workspace_with_runs: Path, opened
) -> None:
    app = FrozenApp(workspace_with_runs)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        path = workspace_with_runs / "runs" / "site-small-4"
        screen.table.move_to(path)
        with (path / "events.jsonl").open("ab") as file:
            for epoch in (9, 10):
                file.write(b"".join(encode_event(e) for e in epoch_events(epoch)))
        screen._look([path])
        await until(pilot, lambda: screen.table.row(path).epoch == 10)
        assert screen.table.cursor_key == path
        assert "10/20" in screen_text(app)


async def test_new_runs_appear(workspace_with_runs: Path, opened) -> None:
    app = FrozenApp(workspace_with_runs)
    async with opened(app) as pilot:
        screen = await listed(pilot, app)
        make_run(workspace_with_runs, "brand-new", running("brand-new", 1))
        screen._look(None, fresh=True)
        await until(pilot, lambda: "brand-new" in screen_text(app))


async def test_filter_and_sort(workspace_with_runs: Path, opened) -> None:
    app = FrozenApp(workspace_with_runs)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        await pilot.press("slash", *"failed", "enter")
        await pilot.pause()
        assert [key.name for key in screen.table.visible_keys] == ["site-[bold]-3"]
        assert "1 of 4" in screen_text(app)
        await pilot.press("slash", "escape")
        screen.table.sort_by("map", reverse=True)
        await pilot.pause()
        best = [screen.table.row(key).best_map50_95 for key in screen.table.visible_keys]
        assert best == sorted(best, reverse=True)


async def test_enter_opens_the_run(workspace_with_runs: Path, opened) -> None:
    app = FrozenApp(workspace_with_runs)
    async with opened(app) as pilot:
        screen = await listed(pilot, app)
        screen.table.move_to(workspace_with_runs / "runs" / "site-small-2")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run)
        assert app.screen.run.name == "site-small-2"
        assert app.screen.run.state == "stopped"


async def test_a_broken_run_is_listed(workspace_with_runs: Path, opened) -> None:
    path = workspace_with_runs / "runs" / "broken"
    path.mkdir()
    (path / "training_config.json").write_text("{not json")
    app = FrozenApp(workspace_with_runs)
    async with opened(app) as pilot:
        await listed(pilot, app)
        assert "broken" in screen_text(app)


async def test_a_damaged_note_is_marked_and_not_written_over(
    workspace_with_runs: Path, opened
) -> None:
    path = workspace_with_runs / "runs" / "site-small-2"
    (path / "notes.json").write_text("{half")
    app = FrozenApp(workspace_with_runs)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        screen.table.move_to(path)
        await until(pilot, lambda: "! 'notes.json' cannot be read" in screen_text(app))
        assert "! stopped" in screen_text(app)
        await pilot.press("n")
        await until(pilot, lambda: "Mend the file" in screen_text(app))
        assert app.screen is screen, "nobody is asked for a note that cannot be kept"
        assert (path / "notes.json").read_text() == "{half"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run)
        await until(pilot, lambda: "notes.json' cannot be read" in screen_text(app))


# The curves below the list


def legends(app: FrozenApp) -> dict[str, list[str]]:
    """What each plot of the preview shows."""
    return {
        plot.id or "": [curve.name for curve in plot.chart.curves]
        for plot in app.screen.query(RunsPreview).first().query(Plot)
    }


async def test_the_run_with_the_cursor_is_drawn(workspace_with_runs: Path, opened) -> None:
    app = FrozenApp(workspace_with_runs)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        for name in ("site-small-1", "site-small-4"):
            screen.table.move_to(workspace_with_runs / "runs" / name)
            await until(
                pilot, lambda name=name: set(map(tuple, legends(app).values())) == {(name,)}
            )
        assert not any(plot.can_focus for plot in screen.query(Plot)), "the list keeps the keys"
        curve = screen.query_one("#preview-map50_95", Plot).chart.curves[0]
        before = len(curve.x)
        path = workspace_with_runs / "runs" / "site-small-4"
        with (path / "events.jsonl").open("ab") as events:
            events.write(b"".join(encode_event(event) for event in epoch_events(9)))
        screen._tick()
        await until(
            pilot,
            lambda: len(screen.query_one("#preview-map50_95", Plot).chart.curves[0].x) > before,
        )


async def test_marked_runs_are_drawn_together(workspace_with_runs: Path, opened) -> None:
    app = FrozenApp(workspace_with_runs)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        both = screen.table.visible_keys[:2]
        for path in both:
            screen.table.move_to(path)
            await pilot.press("space")
        await until(pilot, lambda: legends(app)["preview-loss"] == [path.name for path in both])
        screen.table.move_to(both[0])
        await pilot.press("space")
        await until(pilot, lambda: legends(app)["preview-loss"] == [both[1].name])


async def test_a_small_terminal_keeps_the_list(workspace_with_runs: Path, opened) -> None:
    app = FrozenApp(workspace_with_runs)
    async with opened(app, (80, 16)) as pilot:
        screen = await listed(pilot, app)
        preview = screen.query_one(RunsPreview)
        assert not preview.display
        assert legends(app) == {"preview-loss": [], "preview-map50_95": []}
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: bool(legends(app)["preview-loss"]))
        assert preview.display


async def test_marked_runs_that_ended_are_deleted(workspace_with_runs: Path, opened) -> None:
    app = FrozenApp(workspace_with_runs)
    runs = workspace_with_runs / "runs"
    async with opened(app) as pilot:
        screen = await listed(pilot, app)
        for name in ("site-small-1", "site-[bold]-3", "site-small-4"):
            screen.table.move_to(runs / name)
            await pilot.press("space")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await settled(pilot)
        text = words_on(app)
        assert "Delete 2 runs?" in text
        assert "site-[bold]-3" in text
        assert "1 marked run still goes on, and is left alone." in text
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert (runs / "site-small-1").is_dir()
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press(*"delete", "enter")
        await until(pilot, lambda: screen.table.row_count == 2)
        assert sorted(path.name for path in runs.iterdir()) == ["site-small-2", "site-small-4"]
        assert screen.table.marks == {runs / "site-small-4"}


async def test_a_run_that_goes_on_is_not_deleted(workspace_with_runs: Path, opened) -> None:
    app = FrozenApp(workspace_with_runs)
    async with opened(app) as pilot:
        screen = await listed(pilot, app)
        screen.table.move_to(workspace_with_runs / "runs" / "site-small-4")
        assert screen.check_action("delete", ()) is None
