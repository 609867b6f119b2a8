"""The top of the run screen: state, what is trained, how far it is and how fast it goes."""

from __future__ import annotations

import time

import numpy as np
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from batman_tui.widgets.table.cells import bar
from core.common.text import clean, duration
from core.plots import ticks
from core.training.live.follow import RunSnapshot
from core.training.run.events import Finished
from core.training.run.wait import Wait, wait_parts
from core.training.run_list.columns import STATE_SIGNS

_COLOURS: dict[str, str] = {
    "waiting": "$secondary", "prepared": "$secondary", "queued": "$secondary",
    "preparing": "$secondary", "running": "$success", "stopping": "$warning",
    "stopped": "$warning", "finished": "$primary", "failed": "$error", "lost": "$error",
    "unreadable": "$error",
}  # fmt: skip
BADGES: dict[str, tuple[str, str]] = {
    state: (sign, _COLOURS[state]) for state, sign in STATE_SIGNS.items()
}
MEANINGS = {
    "waiting": "its sweep has not come to it yet",
    "prepared": "press r to start it",
    "preparing": "loading the model and the data",
    "stopping": "stops after this step and writes a checkpoint",
    "stopped": "press r to go on",
    "lost": "its process is gone",
    "unreadable": "its files cannot be read",
}


def badge(state: str) -> Content:
    """A state as a coloured sign and a word; the sign differs too, for terminals without colour."""
    sign, colour = BADGES.get(state, ("?", "$foreground"))
    return Content.assemble((f"{sign} {state}", f"bold {colour}"))


class RunHeader(Widget):
    """Three lines. What does not fit is left out from the right, the least important part."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    RunHeader { height: 3; padding: 0 1; background: $surface; }
    """

    run: reactive[RunSnapshot | None] = reactive(None)

    def render(self) -> Content:
        """Return the three lines."""
        if self.run is None:
            return Content("")
        width = self.size.width
        lines = (
            _fitting(self._what(self.run), "  ", width),
            self._progress(self.run, width),
            _fitting(self._pace(self.run), "   ", width),
        )
        if self.run.wait is not None:
            lines = (lines[0], *_queued(self.run.wait, width))
        return Content("\n").join([line.truncate(width, ellipsis=True) for line in lines])

    def _what(self, run: RunSnapshot) -> list[Content]:
        parts = [badge(run.state), Content.styled(clean(run.name), "bold")]
        start, config = run.started, run.config
        if start is not None:
            parts += [
                Content(f"{clean(start.model)} at {start.image_size} px"),
                Content(_batch(start.batch_size, start.grad_accum, start.effective_batch)),
                Content.styled(clean(start.gpu or start.device), "$foreground-muted"),
            ]
        elif config is not None:
            parts.append(Content(f"{config.model} at {config.image_size} px"))
        return parts

    def _progress(self, run: RunSnapshot, width: int) -> Content:
        epochs = run.started.epochs if run.started else run.config.epochs if run.config else 0
        in_epoch = min(run.epoch + (run.state in ("running", "stopping")), epochs)
        words = f"epoch {in_epoch}/{epochs}"
        if run.total_steps:
            words += f"  step {run.step:,}/{run.total_steps:,}"
        left = self._left(run)
        percent = f" {run.progress:4.0%}"
        room = min(max(width - len(words) - len(left) - len(percent) - 4, 0), 60)
        pieces: list[Content] = [Content(f"{words}  ")]
        if room >= 6:
            filled = bar(run.progress, room)
            full = filled.rstrip()
            pieces.append(Content.styled(full, BADGES.get(run.state, ("", "$primary"))[1]))
            pieces.append(Content.styled("░" * (room - len(full)), "$foreground 25%"))
        pieces += [Content(percent), Content.styled(f"  {left}" if left else "", "bold")]
        return Content("").join(pieces)

    @staticmethod
    def _left(run: RunSnapshot) -> str:
        if isinstance(run.ended, Finished):
            early = ", early" if run.ended.reason == "patience" else ""
            return f"done in {duration(run.ended.seconds)}{early}"
        if run.state in MEANINGS:
            return MEANINGS[run.state]
        if run.eta is not None:
            return f"{duration(run.eta)} left"
        return ""

    def _pace(self, run: RunSnapshot) -> list[Content]:
        parts: list[Content] = []

        def say(name: str, value: str, note: str = "") -> None:
            parts.append(
                Content.assemble(
                    (name, "$foreground-muted"), " ", (value, "bold"), (note, "$foreground-muted")
                )
            )

        series = run.series
        if run.best is not None:
            say("best mAP", f"{run.best.map50_95:.3f}", f" (epoch {run.best.epoch})")
        if len(series):
            say("loss", ticks.number(float(series.loss[-1])))
            recent = slice(-20, None)
            say("images/s", _mean(series.images_per_s[recent]))
            waiting = _share(series.data_s[recent], series.step_s[recent])
            say("step", f"{_mean(series.step_s[recent])} s", waiting)
            if np.isfinite(series.gpu_mem_mb[-1]):
                say("GPU", f"{series.gpu_mem_mb[-1] / 1000:.1f} GB")
            if np.isfinite(series.rss_mb[-1]):
                say("memory", f"{series.rss_mb[-1] / 1000:.1f} GB")
            say("lr", ticks.number(float(series.lr[-1]), 3))
        return parts


def _queued(wait: Wait, width: int) -> tuple[Content, Content]:
    """Two lines: how long and why it waits; its place, its start, where."""
    since, *rest = wait_parts(wait, time.time())
    why = rest.pop(0) if wait.why else ""
    job = f"job {wait.job}" if wait.job else "its job"
    rest.append(f"{job} on {clean(wait.cluster)}" if wait.cluster else job)
    first = Content.assemble((since, "bold"), f": {why}" if why else "")
    return first, _fitting([Content(part) for part in rest], "   ", width)


def _fitting(parts: list[Content], gap: str, width: int) -> Content:
    """The parts on one line, without the last ones that do not fit."""
    used = -len(gap)
    kept: list[Content] = []
    for part in parts:
        used += len(gap) + part.cell_length
        if used > width and len(kept) >= 2:
            break
        kept.append(part)
    return Content(gap).join(kept)


def _batch(size: int, accum: int, effective: int) -> str:
    if size == effective:
        return f"batch {size}"
    devices = effective // max(size * accum, 1)
    times = f"{size} × {accum}" + (f" × {devices} GPUs" if devices > 1 else "")
    return f"batch {times} = {effective}"


def _mean(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    return ticks.number(float(finite.mean()), 3) if finite.size else "–"


def _share(part: np.ndarray, whole: np.ndarray) -> str:
    """How much of a step is waiting for data, when that is worth saying."""
    known = np.isfinite(part) & np.isfinite(whole)
    total = float(whole[known].sum()) if known.any() else 0.0
    share = float(part[known].sum()) / total if total > 0 else 0.0
    return f" ({share:.0%} waiting for data)" if share >= 0.1 else ""
