"""Filtering, noting, tagging and marking runs, and the screen that compares them."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import FrozenApp, screen_text, settled, until
from run_data import BEGAN, better, epoch_events, failed, make_run, running, started
from textual.pilot import Pilot

from batman_tui.run.screen import RunScreen
from batman_tui.runs.compare import CompareScreen
from batman_tui.runs.screen import RunsScreen
from batman_tui.widgets.dialogs.dialogs import PromptDialog
from batman_tui.widgets.plot.plot import Plot
from core.training.run.events import encode_event
from core.training.run.notes import change_tags, read_notes, write_note

SIZES = [(80, 24), (120, 40)]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    make_run(tmp_path, "site-1", running("site-1"))
    path = make_run(tmp_path, "site-2", better("site-2"), lr=5e-5, model="base", image_size=560)
    name = "building-site-[b]-3"
    make_run(tmp_path, name, failed(name), seed=3)
    change_tags(path, ["baseline", "low-lr"])
    write_note(path, "better on [small] boxes")
    return tmp_path


async def listed(pilot: Pilot[int], app: FrozenApp, count: int = 3) -> RunsScreen:
    await pilot.press("2")
    await until(
        pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.table.row_count == count
    )
    assert isinstance(app.screen, RunsScreen)
    app.screen.table.sort_by("name", reverse=True)
    app.screen.table.action_first()
    await settled(pilot)
    return app.screen


async def compared(pilot: Pilot[int], app: FrozenApp) -> CompareScreen:
    await listed(pilot, app)
    await pilot.press("space", "space", "space", "c")
    await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.runs)
    await settled(pilot)
    assert isinstance(app.screen, CompareScreen)
    return app.screen


def names(screen: RunsScreen) -> list[str]:
    return [key.name for key in screen.table.visible_keys]


async def test_the_filter_takes_words_terms_and_tags(three: Path, opened) -> None:
    app = FrozenApp(three)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        assert "#baseline #low-lr" in screen_text(app)
        await pilot.press("slash", *"tag:baseline", "enter")
        await settled(pilot)
        assert names(screen) == ["site-2"]
        await pilot.press("slash", "ctrl+u", *"map>0.3 -tag:low*", "enter")
        await settled(pilot)
        assert names(screen) == ["site-1"]
        await pilot.press("slash", "ctrl+u", *"modl=x")
        await settled(pilot)
        assert "Did you mean 'model'?" in screen_text(app)
        assert len(names(screen)) == 3, "a term that is not understood hides nothing"
        await pilot.press("escape")
        await settled(pilot)
        assert "Did you mean" not in screen_text(app)


async def test_a_filter_looks_again_when_runs_change(three: Path, opened) -> None:
    app = FrozenApp(three)
    async with opened(app, (120, 40)) as pilot:
        screen = await listed(pilot, app)
        await pilot.press("slash", *"epoch>=10", "enter")
        await settled(pilot)
        assert names(screen) == ["site-2"]
        path = three / "runs" / "site-1"
        with (path / "events.jsonl").open("ab") as file:
            for epoch in (9, 10):
                file.write(b"".join(encode_event(event) for event in epoch_events(epoch)))
        screen._look([path])
        await until(pilot, lambda: names(screen) == ["site-2", "site-1"])


async def test_a_note_is_written_shown_and_taken_away(three: Path, opened) -> None:
    path = three / "runs" / "site-2"
    app = FrozenApp(three)
    async with opened(app) as pilot:
        screen = await listed(pilot, app)
        assert "#baseline #low-lr better on [small] boxes" in screen_text(app)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, PromptDialog))
        await pilot.press("end", *" [/x]", "enter")
        await until(pilot, lambda: screen.table.row(path).note == "better on [small] boxes [/x]")
        assert "boxes [/x]" in screen_text(app)
        await pilot.press("n", "ctrl+u", "enter")
        await until(pilot, lambda: screen.table.row(path).note == "")
        assert read_notes(path).tags == ("baseline", "low-lr")
        await pilot.press("n", *"lost", "escape")
        await settled(pilot)
        assert read_notes(path).text == ""


async def test_tags_change_only_by_what_was_typed(three: Path, opened) -> None:
    path = three / "runs" / "site-2"
    app = FrozenApp(three)
    async with opened(app) as pilot:
        screen = await listed(pilot, app)
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, PromptDialog))
        change_tags(path, ["from-a-colleague"])
        await pilot.press("ctrl+u", *"a, ")
        assert "is no tag" in screen_text(app)
        await pilot.press("ctrl+u", *"Baseline #new", "enter")
        await until(pilot, lambda: "new" in screen.table.row(path).tags)
        assert read_notes(path).tags == ("baseline", "from-a-colleague", "new")


async def test_comparing_needs_two_marked_runs(three: Path, opened) -> None:
    app = FrozenApp(three)
    async with opened(app) as pilot:
        await listed(pilot, app)
        await pilot.press("space", "c")
        await settled(pilot)
        assert isinstance(app.screen, RunsScreen)
        await pilot.press("space", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.runs)
        assert [run.name for run in app.screen.runs] == ["site-2", "site-1"], "as they were listed"


async def test_curves_results_settings_and_classes(three: Path, opened) -> None:
    app = FrozenApp(three)
    async with opened(app, (120, 40)) as pilot:
        screen = await compared(pilot, app)
        plot = screen.query_one("#overlay", Plot)
        assert [curve.name for curve in plot.chart.curves] == [
            "A site-2",
            "B site-1",
            "C building-site-[b]-3",
        ]
        text = screen_text(app)
        for part in ("Learning rate", "5e-05", "0.0001 ·", "person [front]", "A site-2", "★"):
            assert part in text, part
        assert "Weight decay" not in text
        while screen.metric.key != "loss":
            await pilot.press("v")
            await settled(pilot)
        await pilot.press("L", "X")
        await settled(pilot)
        assert plot.chart.log
        assert plot.chart.x_axis == "time"
        smoothing = screen.options.smoothing
        await pilot.press("m", "V")
        await settled(pilot)
        assert screen.options.smoothing != smoothing
        assert screen.metric.key == "f1"


async def test_tabs_where_there_is_little_room(three: Path, opened) -> None:
    app = FrozenApp(three)
    async with opened(app) as pilot:
        screen = await compared(pilot, app)
        assert [curve.name for curve in screen.query_one(Plot).chart.curves] == ["A", "B", "C"]
        assert "Learning rate" not in screen_text(app)
        await pilot.press("tab", "right_square_bracket")
        await settled(pilot)
        assert "Learning rate" in screen_text(app)
        assert screen.focused is not None
        assert screen.focused.id == "settings", "the keyboard goes along"
        await pilot.press("right_square_bracket")
        await settled(pilot)
        assert "crane_hook" in screen_text(app)
        await pilot.press("z")
        await settled(pilot)
        assert "crane_hook" not in screen_text(app)


async def test_a_run_that_goes_on_is_followed_and_opened(three: Path, opened) -> None:
    app = FrozenApp(three)
    async with opened(app, (120, 40)) as pilot:
        screen = await compared(pilot, app)
        with (three / "runs" / "site-1" / "events.jsonl").open("ab") as file:
            file.write(b"".join(encode_event(event) for event in epoch_events(9)))
        screen._tick()
        await until(pilot, lambda: screen.runs[1].epoch == 9)
        await settled(pilot)
        assert "9/20" in screen_text(app)
        screen.query_one("#outcomes").focus()
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run)
        assert app.screen.run.name == "site-1"
        await pilot.press("escape")
        assert app.screen is screen


async def test_runs_without_anything_yet(tmp_path: Path, opened) -> None:
    for name in ("a", "b"):
        make_run(tmp_path, name, [started(name, t=BEGAN)])
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        await listed(pilot, app, 2)
        await pilot.press("space", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.runs)
        await settled(pilot)
        text = screen_text(app)
        assert "Nothing of this was measured yet" in text
        assert "same settings" in text
        await pilot.press("v", "X", "c")
        await settled(pilot)


@pytest.mark.parametrize("size", SIZES)
def test_the_comparison(three: Path, snap_compare, size: tuple[int, int]) -> None:
    app = FrozenApp(three)

    async def ready(pilot: Pilot[int]) -> None:
        await settled(pilot)
        await compared(pilot, app)

    assert snap_compare(app, terminal_size=size, run_before=ready)


@pytest.mark.parametrize("size", SIZES)
def test_runs_with_tags_and_marks(three: Path, snap_compare, size: tuple[int, int]) -> None:
    app = FrozenApp(three)

    async def ready(pilot: Pilot[int]) -> None:
        await settled(pilot)
        screen = await listed(pilot, app)
        await pilot.press("space", "space", "k", "k")
        await until(pilot, lambda: len(screen.table.marks) == 2)
        plots = screen.query(Plot)
        await until(pilot, lambda: all(len(plot.chart.curves) == 2 for plot in plots))
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=ready)
