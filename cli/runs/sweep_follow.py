"""Following a sweep to its end: each run as it trains, then the table with the best first."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

from cli.answers.printing import say_event, streaming
from cli.exits import Exit
from cli.output import say, say_columns
from cli.runs.follow import follow
from core.common.errors import RunError
from core.common.text import shell_word
from core.training.config.sweep import choice_words
from core.training.run.run import Run
from core.training.sweep.control import stop_sweep
from core.training.sweep.sweep import Sweep, is_at_rest, state_of
from core.training.sweep.table import (
    SweepRow,
    best_words,
    sweep_columns,
    sweep_rows,
    sweep_sentence,
)

_LOOK_S = 0.5


def follow_sweep(sweep: Sweep, *, plain: bool = False) -> int:
    """Show the runs of `sweep` as they train, until it ends, and return the exit code for its end.

    Ctrl-C stops the run that trains, with a checkpoint, and the sweep; a second one leaves at once.
    """
    left = sweep.left()
    before = {run.name for run in sweep.runs() if is_at_rest(state_of(run, left))}
    waiting = {run.name for run in sweep.runs() if state_of(run, left) in ("waiting", "prepared")}
    shown = before - waiting
    stopping = False

    def stop() -> None:
        nonlocal stopping
        stopping = True
        with contextlib.suppress(RunError):  # it has just ended
            stop_sweep(sweep)

    planned = {sweep.folder(one).name: one for one in sweep.plan().runs}
    places = {name: place for place, name in enumerate(planned, 1)}
    while True:
        try:
            worked_off = sweep.is_worked_off()
            run = _next(sweep, shown)
            if run is not None:
                shown.add(run.name)
                words = choice_words(planned[run.name].choices)
                say()
                say(f"Run {places[run.name]} of {len(planned)}, {run.name}: {words}", "bold")
                code = follow(
                    run, sweep.workspace, ours=True, plain=plain, stop=stop, go_on=_go_on(sweep)
                )
                if code == Exit.INTERRUPTED:
                    return code
            elif not worked_off:
                break
            else:
                time.sleep(_LOOK_S)
        except KeyboardInterrupt:
            if stopping:
                return Exit.INTERRUPTED
            stop()
    return _end(sweep, stopping=stopping)


def _next(sweep: Sweep, shown: set[str]) -> Run | None:
    """Return the first run that has begun and was not shown."""
    left = sweep.left()
    unbegun = ("waiting", "prepared", "cancelled", "gone")
    for run in sweep.runs():
        if run.name in shown or run.name in left.refused:
            continue
        if state_of(run, left) not in unbegun:
            return run
    return None


def _end(sweep: Sweep, *, stopping: bool) -> int:
    rows, state = sweep_rows(sweep), sweep.state()
    bad = any(row.state in ("failed", "lost") or row.refused for row in rows)
    code = Exit.FAILED if bad else Exit.OK
    if state != "finished" and not any(row.refused for row in rows):
        code = Exit.STOPPED if stopping else Exit.FAILED
    say()
    say_sweep(sweep, rows)
    if state != "finished":
        if not stopping:
            say(f"Its process ended; what it said is in {sweep.log_file}.", "yellow")
        say(f"Go on with: {_go_on(sweep)}", "dim")
    if streaming():
        say_event("sweep_ended", last=True, **sweep_facts(sweep, rows), exit_code=int(code))
    return code


def say_sweep(sweep: Sweep, rows: Sequence[SweepRow]) -> None:
    """Print how far a sweep is, its runs, the best first, and what went wrong with any."""
    say(f"{sweep.name} is {sweep.state()}: {sweep_sentence(rows)}", "bold")
    say_columns(sweep_columns(sweep.plan()), rows, spare=("took", "epoch", "map50", "state"))
    if best := best_words(rows):
        say(best, "green")
    for row in rows:
        if row.said:
            say(f"{row.name}: {row.said}", "yellow")


def sweep_facts(sweep: Sweep, rows: Sequence[SweepRow]) -> dict[str, Any]:
    """Return a sweep for programs: its state, and its runs, the best first."""
    return {
        "sweep": sweep.name,
        "path": str(sweep.path),
        "state": sweep.state(),
        "settings": sweep.plan().words,
        "runs": [
            {
                "run": row.name,
                "path": str(row.run.path),
                "choices": row.choices,
                "state": row.state,
                "best_map50_95": row.best,
                "best_map50": row.summary.best_map50 if row.summary else None,
                "epoch": row.summary.epoch if row.summary else 0,
                "seconds": row.summary.seconds if row.summary else 0.0,
                "error": row.said,
            }
            for row in rows
        ],
    }


def _go_on(sweep: Sweep) -> str:
    return f"batman sweeps resume {shell_word(sweep.name)}"
