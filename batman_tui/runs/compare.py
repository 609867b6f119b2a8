"""Several runs side by side: curves in one plot, results, settings that differ, classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import on, work
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from batman_tui.keys import bindings
from batman_tui.run.header import BADGES
from batman_tui.widgets.frame.base import BatmanScreen, Newest
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.plot.plot import Plot
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.text import duration, score
from core.plots.compare import (
    PROTOCOL,
    ClassRow,
    Difference,
    Outcome,
    Overlay,
    class_rows,
    differences,
    leaders,
    letter,
    next_metric,
    outcomes,
)
from core.plots.compared_metrics import METRICS, Metric
from core.plots.run_charts import SMOOTHING, X_AXES, Options, is_smoothed
from core.training.live.follow import RunFollower, RunSnapshot
from core.training.run.worker_process import AT_REST

TABS = {"outcomes": "Results", "settings": "Settings", "classes": "Classes"}
LOOK_SECONDS = 2.0
# What an entry of the plot's legend takes beside the name: marker, spaces and the value.
_LEGEND_ENTRY = 16
ALL_THE_SAME = "The runs were made with the same settings, on the same data."
NO_CLASSES = "The first validation will show every class here."


class CompareScreen(BatmanScreen):
    """Follows the run folders `paths`; each is known by a letter, in the order they were given."""

    HELP = (
        "Each run has a letter. v plots the next metric, X counts in steps, epochs or time from "
        "each run's own beginning; ★ is the best of a column, · a setting left at its default."
    )
    CSS_PATH = Path(__file__).with_name("compare.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings("compare")

    tab: reactive[str] = reactive("outcomes", init=False, repaint=False)
    metric: reactive[Metric] = reactive(METRICS["map50_95"], init=False, repaint=False)
    options: reactive[Options] = reactive(Options(x_axis="epoch"), init=False, repaint=False)

    @dataclass
    class Looked(Newest):
        """The runs were looked at; something has changed."""

        runs: Sequence[RunSnapshot]

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self.paths = tuple(paths)
        self.runs: Sequence[RunSnapshot] = ()
        self._followers = [RunFollower(path) for path in paths]
        self._overlay = Overlay()
        self._best: dict[str, set[str]] = {}
        self._looking = False

    def trail(self) -> str:
        """Say how many runs there are."""
        return f"{len(self.paths)} runs › Compare"

    def body(self) -> Iterable[Widget]:
        """Lay out the plot and the tables."""
        yield Panel(Plot(id="overlay", message="Reading the runs"), title="", id="overlay-panel")
        yield Panel(
            VirtualTable[Outcome](self._outcome_columns(), lambda row: row.letter, id="outcomes"),
            title="Results",
            id="outcomes-panel",
        )
        yield Horizontal(
            Panel(
                VirtualTable[Difference](
                    self._setting_columns(), lambda row: row.key, id="settings"
                ),
                title="Settings",
                id="settings-panel",
                empty=ALL_THE_SAME,
            ),
            Panel(
                VirtualTable[ClassRow](self._class_columns(), lambda row: row.name, id="classes"),
                title="Classes",
                id="classes-panel",
                empty=NO_CLASSES,
            ),
            id="compare-details",
        )

    def _outcome_columns(self) -> list[Column[Outcome]]:
        def score(key: str, title: str, from_width: int = 0) -> Column[Outcome]:
            def value(row: Outcome) -> str | None:
                found = getattr(row, key)
                if found is None:
                    return None
                return f"{found:.3f}{' ★' if row.letter in self._best.get(key, ()) else ''}"

            return Column(
                key, title, value, width=max(7, len(title)), from_width=from_width,
                sort=lambda row: getattr(row, key),
            )  # fmt: skip

        return [
            Column("letter", "", lambda row: row.letter, width=2, muted=True),
            Column("name", "Run", lambda row: row.name, least=12),
            Column(
                "state", "State", lambda row: f"{BADGES[row.run.state][0]} {row.run.state}",
                width=11, from_width=100,
            ),
            Column(
                "epoch", "Epoch", lambda row: f"{row.epoch}/{row.epochs}", width=7,
                sort=lambda row: row.epoch, from_width=64,
            ),
            Column("best", "At", lambda row: row.best_epoch, "number", width=4, muted=True),
            score("map50_95", "mAP50-95"),
            score("map50", "mAP50"),
            score("precision", "Prec.", 136),
            score("recall", "Recall", 136),
            score("f1", "F1", 90),
            score("last", "Last", 70),
            score("loss", "Loss", 80),
            Column(
                "took", "Took", lambda row: duration(row.seconds), width=8, muted=True,
                sort=lambda row: row.seconds,
            ),
        ]  # fmt: skip

    def _setting_columns(self) -> list[Column[Difference]]:
        def value(place: int) -> Callable[[Difference], str | None]:
            def read(row: Difference) -> str | None:
                text = row.values[place]
                if text is None:
                    return None
                return f"{text or '–'}{' ·' if row.defaults[place] else ''}"

            return read

        return [
            Column("title", "Setting", lambda row: row.title, width=14, muted=True),
            *(
                Column(letter(place), letter(place), value(place), least=8)
                for place in range(len(self.paths))
            ),
        ]

    def _class_columns(self) -> list[Column[ClassRow]]:
        def value(place: int) -> Callable[[ClassRow], str | None]:
            return lambda row: score(row.values[place])

        def order(place: int) -> Callable[[ClassRow], Any]:
            return lambda row: row.values[place]

        return [
            Column("name", "Class", lambda row: row.name, least=10),
            *(
                Column(letter(n), letter(n), value(n), width=5, sort=order(n))
                for n in range(len(self.paths))
            ),
            Column(
                "spread", "Spread", lambda row: f"{row.spread:.3f}", width=6, muted=True,
                sort=lambda row: row.spread,
            ),
        ]  # fmt: skip

    # -- looking ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Look at once, and then again and again."""
        self._arrange()
        self.query_one("#overlay").focus()
        self._look()
        self.while_in_front(LOOK_SECONDS, self._tick)

    def on_resize(self) -> None:
        """Arrange the tables for the new width."""
        self.call_after_refresh(self._arrange)

    def _tick(self) -> None:
        if any(run.state not in AT_REST for run in self.runs):
            self._look()

    def _look(self) -> None:
        if not self._looking:
            self._looking = True
            self._read()

    @work(thread=True, exit_on_error=False, group="look")
    def _read(self) -> None:
        try:
            runs = [follower.poll() for follower in self._followers]
        finally:
            self._looking = False
        same = len(runs) == len(self.runs)
        if not same or any(a is not b for a, b in zip(runs, self.runs, strict=True)):
            self.post_message(self.Looked(runs))

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        self.runs = message.runs
        rows = outcomes(self.runs)
        self._best = leaders(rows)
        self.query_one("#outcomes", VirtualTable).set_rows(rows)
        changed = differences(self.runs)
        self.query_one("#settings", VirtualTable).set_rows(changed)
        self.query_one("#settings-panel", Panel).empty = "" if changed else ALL_THE_SAME
        classes = class_rows(self.runs)
        self.query_one("#classes", VirtualTable).set_rows(classes)
        self.query_one("#classes-panel", Panel).empty = "" if classes else NO_CLASSES
        self._draw()

    # -- showing ---------------------------------------------------------------------------------

    def watch_metric(self) -> None:
        """Plot another metric."""
        self._draw()
        self.refresh_bindings()

    def watch_options(self) -> None:
        """Draw in another way."""
        self._draw()

    def watch_tab(self) -> None:
        """Show another table."""
        self._arrange()

    def _draw(self) -> None:
        plot, panel = self.query_one("#overlay", Plot), self.query_one("#overlay-panel", Panel)
        names = [f"{letter(place)} {run.name}" for place, run in enumerate(self.runs)]
        if sum(cell_len(name) + _LEGEND_ENTRY for name in names) > plot.size.width:
            names = [letter(place) for place in range(len(self.runs))]
        plot.message = "Nothing of this was measured yet" if self.runs else "Reading the runs"
        plot.chart = self._overlay.chart(self.runs, self.metric, self.options, names)
        panel.heading = self.metric.title
        notes = []
        if is_smoothed(self.metric.measure) and self.options.smoothing:
            notes.append(f"smooth {self.options.smoothing:g}")
        panel.badge = " · ".join(notes + (["log"] if plot.chart.log else []))

    def _arrange(self) -> None:
        """Show all tables, or where there is no room the chosen one."""
        wide, tables = self.size.width >= 100, not self.has_class("-only")
        self.query_one("#outcomes-panel").display = tables and (wide or self.tab == "outcomes")
        self.query_one("#compare-details").display = tables and (wide or self.tab != "outcomes")
        for name in ("settings", "classes"):
            self.query_one(f"#{name}-panel").display = wide or self.tab == name
        names = [
            Content.styled(title, "bold" if name == self.tab else "$foreground-muted")
            for name, title in TABS.items()
        ]
        for name, title in TABS.items():
            panel = self.query_one(f"#{name}-panel")
            panel.border_title = title if wide else Content("  ").join(names)
            panel.border_subtitle = "" if wide else Content.styled("] next", "$foreground-muted")
        if not wide:
            subtitle = Content.styled(f"{PROTOCOL} · ] next", "$foreground-muted")
            self.query_one("#outcomes-panel").border_subtitle = subtitle
        else:
            self.query_one("#settings-panel").border_subtitle = "· the default"
            self.query_one("#outcomes-panel").border_subtitle = PROTOCOL
        if self.runs:
            self._draw()

    # -- keys ------------------------------------------------------------------------------------

    @on(VirtualTable.Opened, "#outcomes")
    def _clicked(self) -> None:
        self.action_open()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to open a run where one is chosen, and tabs where there are some."""
        if action == "open":
            return self.focused is not None and self.focused.id == "outcomes"
        if action == "tab":
            return self.size.width < 100
        if self.why_not(action, parameters):
            return None
        return super().check_action(action, parameters)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say what cannot be done with the curves that are shown."""
        title = self.metric.title
        if action == "smooth" and not is_smoothed(self.metric.measure):
            return f"{title} is not smoothed: what has noise in it is. v plots the next."
        if action == "log_scale" and self.metric.bounded:
            return f"{title} lies between 0 and 1, so its axis is linear. v plots the next."
        return ""

    def action_open(self) -> None:
        """Watch the run with the cursor."""
        row = self.query_one("#outcomes", VirtualTable).cursor_row
        if row is not None:
            self.batman.open_run(self.paths[[r.name for r in self.runs].index(row.name)])

    def action_metric(self, by: int) -> None:
        """Plot the next metric that any of the runs has, or the one before."""
        if self.runs:
            self.metric = next_metric(self.runs, self.metric, by, self.options.x_axis)

    def action_axis(self) -> None:
        """Count x in steps, epochs or time."""
        at = (X_AXES.index(self.options.x_axis) + 1) % len(X_AXES)
        self.options = replace(self.options, x_axis=X_AXES[at])

    def action_smooth(self, by: int) -> None:
        """Smooth more, or less; after the strongest comes none."""
        at = (SMOOTHING.index(self.options.smoothing) + by) % len(SMOOTHING)
        self.options = replace(self.options, smoothing=SMOOTHING[at])

    def action_log_scale(self) -> None:
        """Make the y axis logarithmic, or linear again."""
        self.options = replace(self.options, log=not self.options.log)

    def action_tab(self) -> None:
        """Show the next table."""
        names = list(TABS)
        self.tab = names[(names.index(self.tab) + 1) % len(names)]
        focused = self.focused
        if focused is not None and focused.id in TABS:
            self.query_one(f"#{self.tab}").focus()

    def action_zoom(self) -> None:
        """Give the plot the whole screen, or go back."""
        self.toggle_class("-only")
        self.query_one("#overlay").focus()
        self._arrange()
