"""A run told in lines: what is new between two looks at it, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple, Union

from cli.output import say, say_pairs, say_table
from core.common.text import duration, plural, sentence, shell_word, size
from core.training.live.follow import RunSnapshot
from core.training.run.events import (
    Checkpoint,
    Failed,
    Finished,
    Oom,
    Started,
    Stopped,
    Validation,
    Warning_,
)
from core.training.run.wait import Wait, wait_parts, wait_words

# A first look at a run that has long been going shows this many of its validations.
_EARLIER = 5
_MOST_CLASSES = 20

_News = Union[Started, Validation, Checkpoint, Warning_, Oom]  # noqa: UP007 - read at run time


class Line(NamedTuple):
    """A line and its rich style."""

    text: str
    style: str = ""


class Story:
    """Turns snapshots of one run into lines, each event once."""

    def __init__(self) -> None:
        self._told: set[tuple[str, float, int]] = set()
        self._first = True
        self._waited: tuple[str, int | None, int] | None = None

    def news(self, run: RunSnapshot) -> list[Line]:
        """Return lines for the starts, validations, warnings and restarts not told of yet.

        Of a run that waits for its node, how it does, whenever that has changed.
        """
        new: list[_News] = [event for event in _events(run) if _key(event) not in self._told]
        self._told.update(map(_key, new))
        lines: list[Line] = []
        wait = run.wait
        now = None if wait is None else (wait.why, wait.place, wait.restarts)
        if wait is not None and now != self._waited:
            lines.append(Line(f"{sentence(wait_words(wait, time.time()))}.", "yellow"))
        self._waited = now
        if self._first and new:
            self._first = False
            earlier = [event for event in new if isinstance(event, Validation)][:-_EARLIER]
            if earlier:
                skipped = set(map(_key, earlier))
                new = [event for event in new if _key(event) not in skipped]
                lines.append(Line(f"… {plural(len(earlier), 'earlier validation')}", "dim"))
        for event in new:
            lines += _told(event)
        return lines


def step_line(run: RunSnapshot, room: int | None = None) -> str:
    """Return where a run is, in one line; empty before its first step.

    Where the line would be longer than `room` characters, the less telling parts are left out.
    """
    if run.started is None or not len(run.series):
        return ""
    series = run.series
    parts = {
        "epoch": f"epoch {int(series.epoch[-1])}/{run.started.epochs}",
        "step": f"step {run.step:,}/{run.total_steps:,}",
        "loss": f"loss {series.loss[-1]:.4g}",
        "lr": f"lr {series.lr[-1]:.3g}",
        "speed": f"{series.images_per_s[-1]:.1f} images/s",
    }
    if series.gpu_mem_mb[-1] > 0:
        parts["memory"] = f"GPU {size(float(series.gpu_mem_mb[-1]) * 1e6)}"
    if run.eta is not None:
        parts["left"] = f"{duration(run.eta)} left"
    for spare in ("lr", "memory", "speed", "step"):
        if room is not None and len("  ".join(parts.values())) > room:
            parts.pop(spare, None)
    return "  ".join(parts.values())


def wait_line(wait: Wait, room: int) -> str:
    """Return how a run waits for its node in `room` characters; the least telling parts go."""
    words = wait_parts(wait, time.time())
    while len(words) > 1 and len("  ".join(words)) > room:
        words.pop()
    return "  ".join(words)


def say_end(run: RunSnapshot, folder: str) -> None:
    """Print how a run ended: its best metrics, by class, and where everything is."""
    end = run.ended
    say()
    if isinstance(end, Finished):
        early = f", no better since epoch {end.best_epoch}" if end.reason == "patience" else ""
        count = plural(end.epoch, "epoch", "epochs")
        say(f"Finished after {count} in {duration(end.seconds)}{early}.", "bold green")
    elif isinstance(end, Stopped):
        say(f"Stopped in epoch {end.epoch + 1}, step {end.step:,}: {end.reason}.", "bold yellow")
    best = run.best
    if best is not None:
        say()
        last = run.validations[-1]
        say_table(
            ["", "epoch", "mAP50-95", "mAP50", "mAP75", "precision", "recall", "F1"],
            [
                (name, v.epoch, *(f"{value:.3f}" for value in _metrics(v)))
                for name, v in (("best", best), ("last", last))
            ],
            right=("epoch", "mAP50-95", "mAP50", "mAP75", "precision", "recall", "F1"),
        )
        if best.per_class:
            ranked = sorted(best.per_class.items(), key=lambda item: -item[1])
            say()
            say_table(
                ["class", "mAP50-95"],
                [(name, f"{value:.3f}") for name, value in ranked[:_MOST_CLASSES]],
                right=("mAP50-95",),
            )
            if len(ranked) > _MOST_CLASSES:
                say(f"… and {plural(len(ranked) - _MOST_CLASSES, 'class')} with less.", "dim")
    say()
    say_pairs(
        [
            ("run", folder),
            ("results", f"{folder}/results.json" if end and run.best else None),
            ("best model", f"{folder}/best.pth" if best is not None else None),
        ]
    )


def _metrics(v: Validation) -> tuple[float, ...]:
    return (v.map50_95, v.map50, v.map75, v.precision, v.recall, v.f1)


def _events(run: RunSnapshot) -> list[_News]:
    starts = run.restarts if run.restarts else ()
    first = [run.started] if run.started is not None and not starts else []
    kept = [event for event in run.checkpoints if event.kind == "stop"]
    found: list[_News] = [*first, *starts, *run.validations, *run.warnings, *run.ooms, *kept]
    return sorted(found, key=lambda event: event.t)


def _key(event: _News) -> tuple[str, float, int]:
    return (type(event).__name__, event.t, event.epoch)


def _told(event: _News) -> Iterator[Line]:
    if isinstance(event, Started):
        yield from _start(event)
    elif isinstance(event, Validation):
        best = "  best" if event.best else ""
        yield Line(
            f"epoch {event.epoch}  mAP50-95 {event.map50_95:.3f}  mAP50 {event.map50:.3f}"
            f"  precision {event.precision:.3f}  recall {event.recall:.3f}{best}",
            "green" if event.best else "",
        )
    elif isinstance(event, Warning_):
        yield Line(f"Warning: {event.message} {event.hint}".rstrip(), "yellow")
        if event.command:
            yield Line(f"  {event.command}", "yellow")
    elif isinstance(event, Oom):
        yield Line(
            f"Out of memory with batches of {event.batch_size}: going on with"
            f" {event.new_batch_size} × {event.new_grad_accum} from the last checkpoint.",
            "yellow",
        )
    else:
        yield Line(f"Wrote {event.file} ({size(event.bytes)}) to go on from.", "dim")


def _start(event: Started) -> Iterator[Line]:
    where = event.gpu or event.device
    batch = f"batch {event.batch_size}"
    if event.effective_batch != event.batch_size:
        batch += f" × {event.grad_accum}, {event.effective_batch} a step"
    if event.step:
        yield Line(f"Going on after epoch {event.epoch}, step {event.step:,}.", "bold")
    yield Line(
        f"Training {event.model} on {where} ({event.host}):"
        f" {plural(len(event.classes), 'class')},"
        f" {plural(event.epochs, 'epoch', 'epochs')} of {plural(event.steps_per_epoch, 'step')},"
        f" {batch}, {event.image_size} pixels",
        "bold",
    )


def failure(run: RunSnapshot) -> tuple[str, str] | None:
    """Return what is wrong and the way out, for a run that failed or was lost; else None."""
    if run.state == "lost":
        return (
            f"The run {run.name} ended without a word: its process was killed, or the machine"
            " went down.",
            "Its train.log has the last words; go on with"
            f" batman train --resume {shell_word(run.name)}.",
        )
    end = run.ended
    if isinstance(end, Failed):
        return (end.message, end.hint or "Its train.log has the details.")
    return None
