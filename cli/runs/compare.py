"""`batman runs compare`: what `core.plots.compare` finds, as tables, CSV or JSON."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any

from cli.answers.printing import say_json
from cli.exits import Exit
from cli.output import say, say_csv, say_table
from cli.runs.plots import say_chart
from core.common.errors import RunError
from core.common.text import duration
from core.common.workspace import Workspace
from core.plots.compare import (
    PROTOCOL,
    Outcome,
    Overlay,
    by_epoch,
    class_rows,
    differences,
    leaders,
    outcomes,
)
from core.plots.compared_metrics import METRICS, Metric, metric_named
from core.plots.run_charts import Options
from core.training.live.follow import RunFollower, RunSnapshot
from core.training.run.run import find_run

_SCORES = {
    "map50_95": "mAP50-95",
    "map50": "mAP50",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "last": "last",
    "loss": "loss",
}


def compare_runs(workspace: Workspace, args: argparse.Namespace) -> int:
    """Print the runs that `args` names side by side and return the exit code.

    Raises RunError when there are fewer than two, or one is not to be found.
    """
    paths = list(dict.fromkeys(find_run(workspace, name).path for name in args.runs))
    if len(paths) < 2:
        raise RunError("There is nothing to compare with one run.", "Name two or more.")
    metric = None if args.metric is None else metric_named(args.metric)
    runs = [RunFollower(path).poll() for path in paths]
    if args.json:
        say_json(_facts(runs, metric))
    elif args.csv:
        _say_csv(runs, metric)
    else:
        _say_tables(runs, metric)
    return Exit.OK


def _say_tables(runs: Sequence[RunSnapshot], metric: Metric | None) -> None:
    rows = outcomes(runs)
    best = leaders(rows)
    titles = ["", "run", "state", "epoch", "best", *_SCORES.values(), "time"]
    say_table(
        titles,
        [
            (
                row.letter,
                row.name,
                row.run.state,
                f"{row.epoch}/{row.epochs}",
                row.best_epoch,
                *(_marked(row, name, best[name]) for name in _SCORES),
                duration(row.seconds),
            )
            for row in rows
        ],
        right=("epoch", "best", *_SCORES.values(), "time"),
        spare=("state", "best", "last", "time", "precision", "recall", "F1", "epoch"),
    )
    say(f"{PROTOCOL}.", "dim")
    letters = [row.letter for row in rows]
    changed = differences(runs)
    say()
    if changed:
        say_table(
            ["setting", *letters],
            [
                (
                    found.key,
                    *(
                        None if value is None else f"{value or '–'}{' ·' if default else ''}"
                        for value, default in zip(found.values, found.defaults, strict=True)
                    ),
                )
                for found in changed
            ],
        )
        say("* the best    · the default", "dim")
    else:
        say("All settings are the same.", "dim")
    classes = class_rows(runs)
    if classes:
        say()
        say_table(
            ["class (AP50-95)", *letters, "spread"],
            [(row.name, *map(_number, row.values), f"{row.spread:.3f}") for row in classes],
            right=(*letters, "spread"),
        )
    drawn = metric or METRICS["map50_95"]
    names = [f"{row.letter} {row.name}" for row in rows]
    say_chart(Overlay().chart(runs, drawn, Options(x_axis="epoch"), names), drawn.title)
    if metric is not None:
        say()
        say_table(
            [f"epoch ({metric.title})", *letters],
            [(epoch, *map(_number, values)) for epoch, values in by_epoch(runs, metric)],
            right=letters,
        )


def _say_csv(runs: Sequence[RunSnapshot], metric: Metric | None) -> None:
    if metric is not None:
        rows = [(epoch, *values) for epoch, values in by_epoch(runs, metric)]
        say_csv(["epoch", *(run.name for run in runs)], rows)
        return
    changed = differences(runs)
    names = [field.name for field in dataclasses.fields(Outcome) if field.name != "run"]
    say_csv(
        ["run", "state", *names, *(found.key for found in changed)],
        [
            (
                row.name,
                row.run.state,
                *(getattr(row, name) for name in names),
                *(found.values[place] for found in changed),
            )
            for place, row in enumerate(outcomes(runs))
        ],
    )


def _facts(runs: Sequence[RunSnapshot], metric: Metric | None) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(Outcome) if field.name != "run"]
    facts: dict[str, Any] = {
        "runs": [
            {
                "name": row.name,
                "state": row.run.state,
                **{name: getattr(row, name) for name in names},
            }
            for row in outcomes(runs)
        ],
        "differences": [dataclasses.asdict(found) for found in differences(runs)],
        "classes": [{"name": row.name, "ap": row.values} for row in class_rows(runs)],
    }
    if metric is not None:
        facts["metric"] = metric.key
        facts["epochs"] = [
            {"epoch": epoch, "values": values} for epoch, values in by_epoch(runs, metric)
        ]
    return facts


def _marked(row: Outcome, name: str, best: set[str]) -> str | None:
    value = _number(getattr(row, name))
    # As wide with the star as without, so that figures stay below each other.
    return None if value is None else f"{value}{'*' if row.letter in best else ' '}"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}" if abs(value) >= 0.01 else f"{value:.3g}"
