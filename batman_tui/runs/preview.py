"""What the runs of the list look like: loss and mAP of the marked ones, or of the one chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.worker import get_current_worker

from batman_tui.widgets.frame.base import Guarded, Newest
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.plot.plot import Plot
from core.common.text import clean
from core.plots.compare import (
    Overlay,
)
from core.plots.compared_metrics import METRICS
from core.plots.run_charts import Options
from core.training.live.follow import RunFollower, RunSnapshot
from core.training.run.worker_process import AT_REST

# Past this many, curves in one plot can no longer be told apart.
MOST = 6
# Followers that are kept, so that going up and down the list reads each run once.
KEPT = 24
SHOWN = {"loss": METRICS["loss"], "map50_95": METRICS["map50_95"]}


class RunsPreview(Guarded, Horizontal):
    """Two plots below the list, drawn where there is room for them."""

    DEFAULT_CSS = """
    RunsPreview { height: 1fr; }
    RunsPreview > Panel { width: 1fr; height: 1fr; padding: 0 1; }
    """

    @dataclass
    class Polled(Newest):
        """The runs to show were read."""

        paths: tuple[Path, ...]
        runs: Sequence[RunSnapshot]

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._paths: tuple[Path, ...] = ()
        self._asked: tuple[Path, ...] = ()
        self._runs: Sequence[RunSnapshot] = ()
        self._followers: dict[Path, RunFollower] = {}
        self._overlays = {key: Overlay() for key in SHOWN}

    def compose(self) -> ComposeResult:
        """Lay out a plot for each metric."""
        for key, metric in SHOWN.items():
            plot = Plot(id=f"preview-{key}", message="")
            # The list keeps the keys; a run that is opened has its plots in full.
            plot.can_focus = False
            yield Panel(plot, title=metric.title)

    def on_resize(self) -> None:
        """Read what was not read while there was no room."""
        if self._paths != self._asked:
            self._poll()

    def show(self, paths: Iterable[Path]) -> None:
        """Show these runs, as many as can be told apart."""
        wanted = tuple(paths)[:MOST]
        if wanted != self._paths:
            self._paths = wanted
            self._poll()

    def look(self) -> None:
        """Read again the runs that are still going on."""
        if any(run.state not in AT_REST for run in self._runs):
            self._poll()

    def _poll(self) -> None:
        if self.display and self.size:
            self._asked = self._paths
            self._read(self._paths)

    @work(thread=True, exclusive=True, exit_on_error=False, group="preview")
    def _read(self, paths: tuple[Path, ...]) -> None:
        worker = get_current_worker()
        runs = []
        for path in paths:
            follower = self._followers.pop(path, None) or RunFollower(path)
            runs.append(follower.poll())
            self._followers[path] = follower
            if worker.is_cancelled:
                return
        while len(self._followers) > KEPT:
            self._followers.pop(next(iter(self._followers)), None)
        self.post_message(self.Polled(paths, runs))

    @on(Polled)
    def _polled(self, message: Polled) -> None:
        if message.paths != self._paths:
            return
        self._runs = message.runs
        names = [clean(path.name) for path in message.paths]
        for key, metric in SHOWN.items():
            plot = self.query_one(f"#preview-{key}", Plot)
            plot.message = "Nothing of this was measured yet" if names else ""
            plot.chart = self._overlays[key].chart(
                self._runs, metric, Options(x_axis="epoch"), names
            )
