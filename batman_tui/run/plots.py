"""The two plots of the run screen: the loss, and whatever else one wants to see beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.reactive import reactive

from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.plot.plot import Plot
from core.plots.run_charts import (
    LOSS,
    LOSS_PARTS,
    MEASURES,
    SMOOTHING,
    X_AXES,
    ChartMaker,
    Measure,
    Options,
    is_smoothed,
    place,
)
from core.training.live.follow import RunSnapshot
from core.training.run.worker_process import ENDED


class RunPlots(Horizontal):
    """Draws `run`. Both plots share their x axis: part that is shown, cursor, and unit."""

    run: reactive[RunSnapshot | None] = reactive(None, init=False, repaint=False)
    parts: reactive[bool] = reactive(False, init=False, repaint=False)
    measure: reactive[int] = reactive(0, init=False, repaint=False)
    options: reactive[Options] = reactive(Options(), init=False, repaint=False)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._charts = ChartMaker()

    def compose(self) -> ComposeResult:
        """Lay out the plots in their panels."""
        yield Panel(Plot(id="loss"), title=LOSS.title, id="loss-panel")
        yield Panel(Plot(id="measure"), title=MEASURES[0].title, id="measure-panel")

    def watch_run(self) -> None:
        """Draw the run as it is now."""
        self._draw_loss()
        self._draw_measure()

    def watch_parts(self) -> None:
        """Draw other curves of the loss."""
        self._draw_loss()

    def watch_measure(self) -> None:
        """Draw another measure."""
        self._draw_measure()

    def watch_options(self) -> None:
        """Draw both in another way."""
        self.watch_run()

    def _draw_loss(self) -> None:
        self._draw("loss", LOSS_PARTS if self.parts else LOSS, self.options)

    def _draw_measure(self) -> None:
        measure = MEASURES[self.measure]
        # A score between 0 and 1 says nothing on a logarithmic axis.
        log = self.options.log and not measure.per_validation
        self._draw("measure", measure, replace(self.options, log=log))

    def _draw(self, name: str, measure: Measure, options: Options) -> None:
        if self.run is None:
            return
        plot = self.query_one(f"#{name}", Plot)
        plot.message = _waiting(self.run, measure.empty)
        plot.chart = self._charts.chart(self.run, measure, options)
        panel = self.query_one(f"#{name}-panel", Panel)
        panel.heading = measure.title
        smoothed = is_smoothed(measure) and options.smoothing
        notes = [f"smooth {options.smoothing:g}"] if smoothed else []
        panel.badge = " · ".join(notes + (["log"] if options.log else []))

    @on(Plot.Moved)
    def _moved(self, message: Plot.Moved) -> None:
        for plot in self.query(Plot):
            if plot is not message.plot:
                plot.follow(message.view, message.cursor)

    def next_measure(self) -> None:
        """Plot the next measure that this run has something of."""
        for step in range(1, len(MEASURES) + 1):
            at = (self.measure + step) % len(MEASURES)
            if self.run is None or self._charts.chart(self.run, MEASURES[at], self.options).curves:
                self.measure = at
                return

    def next_axis(self) -> None:
        """Count x in steps, epochs or time."""
        at = (X_AXES.index(self.options.x_axis) + 1) % len(X_AXES)
        self.options = replace(self.options, x_axis=X_AXES[at])

    def smooth(self, by: int) -> None:
        """Smooth more, or less; after the strongest comes none."""
        at = (SMOOTHING.index(self.options.smoothing) + by) % len(SMOOTHING)
        self.options = replace(self.options, smoothing=SMOOTHING[at])

    def flip_scale(self) -> None:
        """Make the y axis logarithmic, or linear again."""
        self.options = replace(self.options, log=not self.options.log)

    def point_at(self, event: Any) -> None:
        """Put the cursor on an event of the run."""
        if self.run is not None:
            for plot in self.query(Plot):
                plot.cursor = place(self.run, event, self.options.x_axis)


def _waiting(run: RunSnapshot, empty: str) -> str:
    if run.behind:
        return "Reading the run"
    if run.state in ENDED:
        return "The run ended before its first step"
    if run.state == "prepared":
        return "Nobody has started it yet"
    if run.state == "waiting":
        return "Its sweep has not come to it yet"
    if run.wait is not None:
        return "It waits in the cluster's queue"
    return "Loading the model and the data" if run.state == "preparing" else empty
