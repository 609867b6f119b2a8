"""The runs of a sweep beside each other, the best first: what the command line and the app show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.common.lists.columns import Column
from core.common.text import duration, plural, score
from core.training.run.run import Run
from core.training.run.summary import RunSummary
from core.training.run_list.columns import RUN_COLUMNS, STATE_SIGNS
from core.training.sweep.sweep import Plan, RunState, Sweep, is_at_rest, state_of

# Cells that a choice gets; a longer one, such as a list of classes, is cut.
_MOST = 24


@dataclass(frozen=True)
class SweepRow:
    """A run of a sweep: its place in the plan (from 1), its choices as typed, its state, what a
    list tells of it (None while its folder is not there), and why it could not be started.
    """

    place: int
    name: str
    choices: dict[str, str]
    state: RunState
    run: Run
    summary: RunSummary | None = None
    refused: str = ""

    @property
    def best(self) -> float | None:
        """The best mAP50-95, from 0 to 1; None before any validation."""
        return None if self.summary is None else self.summary.best_map50_95

    @property
    def said(self) -> str:
        """Why it failed or could not be started; empty where neither holds."""
        return self.refused or (self.summary.error if self.summary is not None else "")


def sweep_rows(sweep: Sweep) -> list[SweepRow]:
    """Return the runs of a sweep: those with the best mAP50-95 first, then in the plan's order.

    Raises BatmanError when the plan cannot be read.
    """
    left = sweep.left()
    rows: list[SweepRow] = []
    for place, planned in enumerate(sweep.plan().runs, 1):
        run = Run(sweep.folder(planned))
        state = state_of(run, left)
        there = state not in ("gone", "cancelled")
        rows.append(
            SweepRow(
                place,
                run.name,
                planned.choices,
                state,
                run,
                run.summary() if there else None,
                left.refused.get(run.name, ""),
            )
        )
    return sorted(rows, key=lambda row: (row.best is None, -(row.best or 0.0), row.place))


def sweep_columns(plan: Plan) -> list[Column[SweepRow]]:
    """Return the columns of the table: what was chosen, and what came of it."""

    def choice(name: str) -> Column[SweepRow]:
        # As it was typed: so narrow that the run's name stays whole beside it.
        title = name.replace("_", "-")
        widest = max(len(planned.choices.get(name, "")) for planned in plan.runs)
        width = min(_MOST, max(len(title), widest))
        return Column(name, title, lambda row: row.choices.get(name), width=width, word=title)

    def of_run(key: str, from_width: int = 0) -> Column[SweepRow]:
        column: Column[SweepRow] = RUN_COLUMNS[key].of(lambda row: row.summary)
        return replace(column, from_width=from_width)

    names = list(plan.runs[0].choices) if plan.runs else []
    return [
        Column(
            "name", "Run", lambda row: row.name, least=14, sort=lambda row: row.place
        ),
        *map(choice, names),
        of_run("map"),
        of_run("map50", 70),
        Column(
            "state", "State", lambda row: row.state, width=11, sort=lambda row: row.state,
            seen=_state,
        ),
        of_run("epoch", 84),
        of_run("took", 94),
    ]  # fmt: skip


def _state(row: SweepRow, now: datetime) -> str:
    sign = "✖" if row.refused else STATE_SIGNS.get(row.state, "–")
    return f"{sign} {row.state}"


def sweep_sentence(rows: Sequence[SweepRow]) -> str:
    """Return how far a sweep is: `2 of 6 trained, 1 trains, 3 wait.`"""
    states = [row.state for row in rows]
    waiting = sum(state in ("waiting", "prepared") for state in states)
    going = sum(not is_at_rest(state) for state in states)
    counts = {
        "failed": states.count("failed"),
        "stopped": states.count("stopped"),
        "lost": states.count("lost"),
        "cancelled": states.count("cancelled"),
        "gone": states.count("gone"),
    }
    parts = [f"{states.count('finished')} of {plural(len(rows), 'run')} trained"]
    parts += [f"{going} {'trains' if going == 1 else 'train'}"] if going else []
    parts += [f"{waiting} {'waits' if waiting == 1 else 'wait'}"] if waiting else []
    parts += [f"{count} {word}" for word, count in counts.items() if count]
    took = sum(row.summary.seconds for row in rows if row.summary is not None)
    return ", ".join(parts) + (f", in {duration(took)}" if took else "") + "."


def best_words(rows: Sequence[SweepRow]) -> str:
    """Return which run is the best so far, empty while none has found anything."""
    best = rows[0] if rows else None
    if best is None or not best.best:
        return ""
    choices = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in best.choices.items())
    return f"Best: {best.name} with {choices}: mAP50-95 {score(best.best)}."
