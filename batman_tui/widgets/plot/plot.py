"""A live line chart: curves, legend, zoom, a cursor that reads values."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from batman_tui.keys import bindings
from batman_tui.widgets.frame.explains import Explains
from batman_tui.widgets.plot.colours import PLOT_CLASSES, PLOT_CSS, ink_styles
from batman_tui.widgets.plot.legend import legend
from core.common.text import clean
from core.plots.chart import Chart, Curve, Ink, Picture, View, zoom
from core.plots.paint import paint
from core.plots.thin_and_smooth import nearest


class Plot(Explains, Widget, can_focus=True):
    """Draws a `Chart` into its own cells and lets the keyboard move about in it.

    Setting `chart` redraws; its `view` is the widget's own business (`view`), so that new data
    does not undo a zoom. While the view ends where the data end, it goes along with new data.
    Everything is painted at once on the first line that is asked for, and kept until something
    changes: a plot that is not on the screen costs nothing.
    """

    ALLOW_SELECT = False
    BINDINGS = bindings("plot")
    HELP = "Read values with the cursor (c), zoom with + and -, move with the arrow keys."
    COMPONENT_CLASSES = PLOT_CLASSES
    DEFAULT_CSS = PLOT_CSS

    chart: reactive[Chart] = reactive(Chart(), repaint=False)
    view: reactive[View | None] = reactive(None)
    cursor: reactive[float | None] = reactive(None)
    message: reactive[str] = reactive("")
    note: reactive[str] = reactive("")

    class Moved(Message):
        """The person zoomed, moved the view or moved the cursor; plots beside it may follow."""

        def __init__(self, plot: Plot) -> None:
            super().__init__()
            self.plot = plot
            self.view = plot.view
            self.cursor = plot.cursor

        @property
        def control(self) -> Plot:
            """The plot that was moved in."""
            return self.plot

    def __init__(self, *, message: str = "", id: str | None = None, classes: str | None = None):
        super().__init__(id=id, classes=classes)
        self.set_reactive(Plot.message, message)
        self._strips: list[Strip] = []
        self._ink_styles: dict[int, Style] = {}
        self._drawn_for: Size | None = None
        self._picture: Picture | None = None

    @property
    def picture(self) -> Picture | None:
        """What is on the screen now; None before the first drawing."""
        return self._picture

    # -- drawing ---------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Return one line of the picture, painting it first when something has changed."""
        if self._drawn_for != self.size:
            self._paint()
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width)

    def redraw(self) -> None:
        """Paint again when next shown."""
        self._drawn_for = None
        self.refresh()

    def notify_style_update(self) -> None:
        """Paint again in the colours of another theme."""
        super().notify_style_update()
        self._ink_styles = {}
        self._drawn_for = None

    def watch_chart(self, old: Chart, new: Chart) -> None:
        """Draw the new data; go along with its end when the view showed the end."""
        if old.x_axis != new.x_axis:
            self.view = self.cursor = None
        elif self.view is not None and (before := old.extent()) and (now := new.extent()):
            x0, x1 = self.view
            if x1 >= before[1] and now[1] > before[1]:
                self.view = (x0 + now[1] - x1, now[1])
        if self._drawn_for != self.size or not self.is_on_screen:
            self.redraw()
            return
        # Of a long curve a step more is a number in the legend: the lines that differ are painted.
        before_it = self._strips
        self._paint()
        lines = zip_longest(before_it, self._strips)
        changed = [row for row, (was, is_now) in enumerate(lines) if was != is_now]
        if changed:
            self.refresh(*(Region(0, row, self.size.width, 1) for row in changed))

    def watch_view(self) -> None:
        """Draw another part."""
        self.redraw()

    def watch_cursor(self) -> None:
        """Draw the cursor elsewhere."""
        self.redraw()

    def watch_note(self) -> None:
        """Draw the note."""
        self.redraw()

    def watch_message(self) -> None:
        """Draw the message, when it is shown at all."""
        self.redraw()

    def _paint(self) -> None:
        width, height = self.size
        self._drawn_for = self.size
        legend = 1 if height >= 4 else 0
        picture = paint(replace(self.chart, view=self.view), width, height - legend)
        self._picture = picture
        if not self._ink_styles:
            # Working them out takes longer than painting does.
            self._ink_styles = ink_styles(self)
        styles = self._ink_styles
        if self.chart.extent() is None:
            self._strips = self._empty(width, height)
            return
        column = None if self.cursor is None else picture.column_of(self.cursor)
        lines = []
        for row in range(height - legend):
            runs = picture.runs(row)
            if column is None or row >= picture.rows:
                strip = Strip([Segment(text, styles[ink]) for text, ink, _ in runs], width)
            else:
                strip = self._with_cursor(runs, styles, column, width)
            lines.append(strip)
        if legend:
            lines.insert(0, self._legend(width, picture))
        self._strips = lines

    def _with_cursor(
        self,
        runs: list[tuple[str, int, int]],
        styles: dict[int, Style],
        column: int,
        width: int,
    ) -> Strip:
        over = self.get_component_rich_style("plot--cursor")
        segments = []
        for text, ink, start in runs:
            style = styles[ink]
            at = column - start
            if not 0 <= at < len(text):
                segments.append(Segment(text, style))
                continue
            char = text[at]
            inside = (
                Segment(char, style + Style(bgcolor=over.bgcolor))
                if ink >= Ink.CURVE
                else Segment("│", over)
            )
            segments += [Segment(text[:at], style), inside, Segment(text[at + 1 :], style)]
        return Strip([s for s in segments if s.text], width)

    def _empty(self, width: int, height: int) -> list[Strip]:
        style = self.get_component_rich_style("plot--message")
        text = clean(self.message)[:width].center(width)
        blank = Strip.blank(width, self.get_component_rich_style("plot--blank"))
        return [Strip([Segment(text, style)], width) if y == height // 2 else blank
                for y in range(height)]  # fmt: skip

    def _legend(self, width: int, picture: Picture) -> Strip:
        note = f" {self.note} " if self.note else ""
        segments: list[Segment] = []
        used = 0
        room = width - (len(note) if self.cursor is None else 0)
        for entry in legend(self.chart, picture, self.cursor, room):
            length = sum(cell_len(text) for text, _ in entry)
            if used + length > room:
                # Whole entries only: half a number reads as another number.
                break
            segments += [Segment(text, self.get_component_rich_style(name)) for text, name in entry]
            used += length
        plain = self.get_component_rich_style("plot--note")
        if self.cursor is None and used + len(note) <= width:
            segments.append(Segment(" " * (width - used - len(note)) + note, plain))
        else:
            segments.append(Segment(" " * (width - used), plain))
        return Strip(segments, width)

    # -- moving about ----------------------------------------------------------------------------

    def follow(self, view: View | None, cursor: float | None) -> None:
        """Show the same part as another plot, without telling anyone."""
        self.view, self.cursor = view, cursor

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say that there is nothing to look at, to go to, or to move."""
        if action == "hide_cursor":
            return ""  # without a cursor the key is the screen's
        if self.chart.extent() is None:
            return f"{self.message}." if self.message else "There is nothing on the plot yet."
        if action in ("next_mark", "previous_mark") and not self._ahead(action == "next_mark"):
            where = "after" if action == "next_mark" else "before"
            there = f"There is no mark {where} the cursor."
            return there if self.chart.marks else "There are no marks on the plot."
        whole = self.view is None
        if action in ("zoom_out", "reset") and whole:
            return "All of it is shown."
        if action in ("left", "right", "far_left", "far_right") and whole and self.cursor is None:
            return "All of it is shown: + looks closer, c reads values with a cursor."
        return ""

    def action_zoom_in(self) -> None:
        """Show half as much, around the cursor, the newest data or the middle."""
        self._zoom(0.5)

    def action_zoom_out(self) -> None:
        """Show twice as much."""
        self._zoom(2.0)

    def action_reset(self) -> None:
        """Show everything."""
        self.view = None
        self._tell()

    def action_left(self) -> None:
        """Move the cursor, or the view, to the left."""
        self._step(-1)

    def action_right(self) -> None:
        """Move the cursor, or the view, to the right."""
        self._step(1)

    def action_far_left(self) -> None:
        """Move ten times as far to the left."""
        self._step(-10)

    def action_far_right(self) -> None:
        """Move ten times as far to the right."""
        self._step(10)

    def action_cursor(self) -> None:
        """Show the cursor, or hide it."""
        if self.cursor is not None:
            self.cursor = None
        elif (window := self._window()) is not None:
            curve = self._leading()
            at = window[1] if curve is None else float(curve.x[-1])
            self.cursor = min(max(at, window[0]), window[1])
        self._tell()

    def action_next_mark(self) -> None:
        """Move the cursor to the next mark."""
        self._to_mark(1)

    def action_previous_mark(self) -> None:
        """Move the cursor to the mark before."""
        self._to_mark(-1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape closes the cursor first; without one it is the screen's."""
        if action == "hide_cursor":
            return self.cursor is not None
        return super().check_action(action, parameters)

    def action_hide_cursor(self) -> None:
        """Hide the cursor."""
        self.cursor = None
        self._tell()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        picture = self._picture
        if picture is None or event.x < picture.left or self.chart.extent() is None:
            return
        self.cursor = self._snap(picture.x_at(event.x))
        self._tell()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in around the mouse."""
        event.stop()
        self._zoom(0.8, event.x)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out around the mouse."""
        event.stop()
        self._zoom(1.25, event.x)

    def _tell(self) -> None:
        self.refresh_bindings()
        self.post_message(self.Moved(self))

    def _window(self) -> View | None:
        return replace(self.chart, view=self.view).window()

    def _leading(self) -> Curve | None:
        return next((curve for curve in self.chart.curves if curve.x.size), None)

    def _zoom(self, factor: float, column: int | None = None) -> None:
        window, extent = self._window(), self.chart.extent()
        if window is None or extent is None or not extent[1] > extent[0]:
            return
        if column is not None and self._picture is not None and column >= self._picture.left:
            anchor = self._picture.x_at(column)
        elif self.cursor is not None and window[0] <= self.cursor <= window[1]:
            anchor = self.cursor
        elif self.view is not None and window[1] < extent[1]:
            anchor = (window[0] + window[1]) / 2
        else:
            anchor = extent[1]
        curve = self._leading()
        spacing = 0.0 if curve is None else (curve.x[-1] - curve.x[0]) / max(curve.x.size - 1, 1)
        smallest = max(4 * spacing, (extent[1] - extent[0]) * 1e-9)
        self.view = zoom(window, factor, anchor, extent, smallest)
        self._tell()

    def _step(self, cells: int) -> None:
        window, extent = self._window(), self.chart.extent()
        if window is None or extent is None:
            return
        columns = max(self._picture.columns if self._picture else 1, 1)
        cell = (window[1] - window[0]) / columns
        if self.cursor is None:
            self._pan(window, extent, cells * max(columns // 20, 1) * cell)
        else:
            target = self._snap(self.cursor + cells * cell)
            if target == self.cursor:
                target = self._neighbour(1 if cells > 0 else -1)
            self.cursor = target
            if target < window[0]:
                self._pan(window, extent, target - window[0] - cell)
            elif target > window[1]:
                self._pan(window, extent, target - window[1] + cell)
        self._tell()

    def _pan(self, window: View, extent: View, by: float) -> None:
        if self.view is None:
            return
        by = min(max(by, extent[0] - window[0]), extent[1] - window[1])
        self.view = (window[0] + by, window[1] + by)

    def _snap(self, x: float) -> float:
        curve = self._leading()
        index = None if curve is None else nearest(curve.x, x)
        return x if curve is None or index is None else float(curve.x[index])

    def _neighbour(self, by: int) -> float:
        curve = self._leading()
        assert self.cursor is not None
        if curve is None or (index := nearest(curve.x, self.cursor)) is None:
            return self.cursor
        return float(curve.x[min(max(index + by, 0), curve.x.size - 1)])

    def _ahead(self, after: bool) -> list[float]:
        """Return the places of marks after the cursor, or before it, in order."""
        window = self._window()
        if window is None:
            return []
        here = self.cursor if self.cursor is not None else (-1.0 if after else window[1])
        places = sorted({mark.x for mark in self.chart.marks})
        return [x for x in places if (x > here if after else x < here)]

    def _to_mark(self, direction: int) -> None:
        window, extent = self._window(), self.chart.extent()
        ahead = self._ahead(direction > 0)
        if window is None or extent is None or not ahead:
            return
        self.cursor = ahead[0] if direction > 0 else ahead[-1]
        if not window[0] <= self.cursor <= window[1]:
            middle = (window[0] + window[1]) / 2
            self._pan(window, extent, self.cursor - middle)
        self._tell()
