"""The plot: what it draws, and moving about in it by key."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from rich.color import ColorSystem
from textual.app import App, ComposeResult
from textual.events import MouseScrollUp
from textual.geometry import Region

from batman_tui.widgets.plot.plot import Plot
from core.plots.chart import Chart, Curve, Ink, Mark


def chart(points: int = 1000, *, first: int = 1, **more) -> Chart:
    x = np.arange(first, first + points, dtype=np.float64)
    loss = Curve("loss", x, 5 * np.exp(-x / 300) + 0.5)
    marks = (Mark(200.0, "warning", "odd [loss]"), Mark(700.0, "best", "epoch 3"))
    return Chart((loss,), marks, **more)


class PlotApp(App[None]):
    def __init__(self, shown: Chart) -> None:
        super().__init__()
        self.shown = shown
        self.moves: list[Plot.Moved] = []

    def compose(self) -> ComposeResult:
        yield Plot(message="Nothing [yet]")

    def on_mount(self) -> None:
        self.query_one(Plot).chart = self.shown
        self.query_one(Plot).focus()

    def on_plot_moved(self, message: Plot.Moved) -> None:
        self.moves.append(message)

    @property
    def plot(self) -> Plot:
        return self.query_one(Plot)

    def text(self) -> str:
        size = self.plot.size
        return "\n".join(self.plot.render_line(y).text for y in range(size.height))


async def test_draws_axes_legend_and_curve() -> None:
    app = PlotApp(chart())
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        rows = app.text().split("\n")
        assert "loss" in rows[0]
        assert "0.6784" in rows[0], "the last value stands in the legend"
        assert rows[-1].startswith("step")
        assert all(len(row) == 80 for row in rows)


async def test_a_step_more_of_a_long_curve_paints_the_lines_that_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = np.arange(1, 50_011, dtype=np.float64)
    loss = 5 * np.exp(-x / 9_000) + 0.5
    more = Chart((Curve("loss", x, loss),))
    fresh = PlotApp(more)
    async with fresh.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        whole = fresh.text()
    app = PlotApp(Chart((Curve("loss", x[:-10], loss[:-10]),)))
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        before = app.text()
        asked: list[Region] = []
        monkeypatch.setattr(app.plot, "refresh", lambda *regions, **_: asked.extend(regions))
        app.plot.chart = more
        rows = list(zip(before.split("\n"), app.text().split("\n"), strict=True))
        assert app.text() == whole
        differ = [row for row, (was, now) in enumerate(rows) if was != now]
        assert set(differ) <= {region.y for region in asked}
        assert 0 < len(asked) < 10, asked


async def test_without_data_it_says_what_comes_as_it_is() -> None:
    app = PlotApp(Chart())
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.pause()
        assert "Nothing [yet]" in app.text()
        assert app.plot.why_not("cursor", ()) == "Nothing [yet]."
        assert app.plot.why_not("hide_cursor", ()) == ""
        await pilot.press("plus", "c", "right", "n", "0")
        assert app.plot.view is None
        assert app.plot.cursor is None


async def test_zoom_and_pan_by_key() -> None:
    app = PlotApp(chart())
    async with app.run_test(size=(80, 20)) as pilot:
        assert app.plot.why_not("reset", ()) == "All of it is shown."
        assert app.plot.why_not("left", ()).startswith("All of it is shown: + looks closer")
        assert app.plot.why_not("next_mark", ()) == ""
        await pilot.press("plus")
        assert app.plot.why_not("left", ()) == app.plot.why_not("zoom_out", ()) == ""
        x0, x1 = app.plot.view
        assert x1 == 1000, "without a cursor it zooms on the newest"
        assert x1 - x0 == pytest.approx(499.5)
        await pilot.press("h")
        assert app.plot.view[1] < 1000
        await pilot.press("l", "l", "l")
        assert app.plot.view[1] == 1000
        await pilot.press("minus")
        assert app.plot.view is None
        await pilot.press("plus", "plus", "0")
        assert app.plot.view is None
        assert len(app.moves) == 9, "every key is told"


async def test_the_cursor_reads_values_and_marks() -> None:
    app = PlotApp(chart())
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("c")
        assert app.plot.cursor == 1000
        assert app.text().startswith(" step 1,000 ")
        await pilot.press("N", "N")
        assert app.plot.cursor == 200
        head = app.text().split("\n")[0]
        assert "step 200" in head
        assert "odd [loss]" in head
        assert "3.067" in head
        before = app.plot.cursor
        await pilot.press("left")
        assert app.plot.cursor < before
        await pilot.press("escape")
        assert app.plot.cursor is None


@pytest.mark.usefixtures("painting")
async def test_far_in_the_cursor_goes_from_point_to_point() -> None:
    app = PlotApp(chart())
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("c", "n")
        await pilot.press(*["plus"] * 20)
        x0, x1 = app.plot.view
        assert x1 - x0 < 10
        at = app.plot.cursor
        await pilot.press("left")
        assert app.plot.cursor == at - 1
        await pilot.press(*["left"] * 30)
        assert app.plot.view[0] <= app.plot.cursor <= app.plot.view[1], "the view goes along"


async def test_a_spike_in_a_cell_is_read_as_a_range() -> None:
    x = np.arange(100_000, dtype=np.float64)
    y = np.full(x.size, 0.5)
    y[50_000] = 40.0
    app = PlotApp(Chart((Curve("loss", x, y),), (Mark(50_000.0, "warning", "spike"),)))
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("n")
        assert "(0.5…40)" in app.text().split("\n")[0]


async def test_new_data_keep_the_view_or_go_along_with_the_end() -> None:
    app = PlotApp(chart())
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("plus", "plus")
        width = app.plot.view[1] - app.plot.view[0]
        app.plot.chart = chart(1200)
        await pilot.pause()
        assert app.plot.view[1] == 1200
        assert app.plot.view[1] - app.plot.view[0] == pytest.approx(width)
        await pilot.press("h")
        kept = app.plot.view
        app.plot.chart = chart(1500)
        await pilot.pause()
        assert app.plot.view == kept
        app.plot.chart = chart(1500, x_axis="time")
        await pilot.pause()
        assert app.plot.view is None, "another unit has another view"


async def test_a_click_puts_the_cursor_there_and_the_wheel_zooms() -> None:
    app = PlotApp(chart())
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        await pilot.click(Plot, offset=(43, 5))
        assert 450 < app.plot.cursor < 550
        await pilot._post_mouse_events([MouseScrollUp], Plot, (43, 5))
        assert app.plot.view is not None


async def test_plots_follow_without_an_echo() -> None:
    app = PlotApp(chart())
    async with app.run_test(size=(80, 20)) as pilot:
        app.plot.follow((100.0, 300.0), 150.0)
        await pilot.pause()
        assert app.moves == []
        assert "step 150" in app.text()


async def test_another_theme_paints_other_colours() -> None:
    app = PlotApp(chart())
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()

        def colours() -> set[str]:
            strips = [app.plot.render_line(y) for y in range(20)]
            return {str(s.style.color) for strip in strips for s in strip if s.style}

        before = colours()
        app.theme = "textual-light"
        await pilot.pause()
        assert colours() != before


@pytest.mark.parametrize("size", [(12, 3), (20, 4), (300, 90), (8, 2)])
async def test_any_size(size: tuple[int, int]) -> None:
    app = PlotApp(chart())
    async with app.run_test(size=size) as pilot:
        await pilot.press("c", "plus", "left")
        assert all(len(row) == app.plot.size.width for row in app.text().split("\n"))


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
async def test_sixteen_colours_keep_curves_apart(theme: str) -> None:
    """By colour, and by their markers for those who do not see colours."""
    x = np.arange(6.0)
    curves = tuple(Curve(str(i), x, x + i, colour=i, markers=True) for i in range(4))
    app = PlotApp(Chart(curves))
    app.theme = theme
    app.console._color_system = ColorSystem.STANDARD
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert all(marker in app.text() for marker in "●◆▲■")
        shown = set()
        for y in range(1, 20):
            for segment in app.plot.render_line(y):
                if segment.style and segment.text.strip() and segment.text[0] in "●◆▲■":
                    shown.add(segment.style.color.downgrade(ColorSystem.STANDARD).number)
        assert len(shown) == 4


async def test_a_million_points_redraw_quickly() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(1_000_000, dtype=np.float64)
    y = rng.normal(1, 0.1, x.size)
    y[345_678] = 30.0
    app = PlotApp(Chart((Curve("loss", x, y),)))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        times = []
        for _ in range(15):
            app.plot._drawn_for = None
            start = perf_counter()
            app.plot.render_line(0)
            times.append(perf_counter() - start)
        picture = app.plot.picture
        column = picture.column_of(345_678)
        assert (picture.inks[: picture.rows, column] == Ink.CURVE).sum() > 30
        # The figure that counts is the benchmark's; this only catches a redraw of another order.
        assert min(times) < 0.05


async def test_an_accuracy_of_next_to_nothing_is_written_as_in_the_tables() -> None:
    x = np.arange(1.0, 4.0)
    shown = Chart((Curve("50", x, np.array([0.0, 3e-7, 8.251e-6]), markers=True),), least=0.01)
    app = PlotApp(shown)
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert "50 0.000" in app.text().split("\n")[0]
        await pilot.press("c")
        await pilot.pause()
        assert "e-" not in app.text().split("\n")[0]
