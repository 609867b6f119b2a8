"""`batman loop`: where one stands in labelling and training a project, and what comes next."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from cli.answers.printing import say_json
from cli.common import (
    add_placed_project,
    open_project,
    run_module,
    workspace_of,
)
from cli.exits import Exit
from cli.output import say, say_pairs, say_table
from cli.parser import BatmanParser, add_json
from core.autolabel.loop import Round, Standing, standing
from core.common.text import plural, score

DESCRIPTION = (
    "Say where one stands in the loop of labelling and training: what is reviewed, what is open,"
    " how good the models were round by round, and the next command."
)
# Rounds that are shown; --json has all.
_SHOWN = 12


def add_arguments(parser: BatmanParser) -> None:
    """Give `parser` the project."""
    add_placed_project(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print where the project stands and return the exit code."""
    with open_project(args) as project:
        found = standing(workspace_of(args), project)
    if args.json:
        say_json(_record(found))
        return Exit.OK
    state = found.progress
    pairs: list[tuple[str, object]] = [
        ("pictures", f"{state.images:,}, {found.labelled:,} with labels"),
        ("reviewed", _reviewed(found)),
        ("suggestions", _open(found)),
    ]
    if found.last_pass is not None:
        line = found.last_pass
        pairs.append(
            ("last pass", f"{line.model} on {plural(line.images, 'picture')}, {line.at[:10]}")
        )
    if found.best is not None:
        pairs.append(("best run", f"{found.best.run}, mAP50-95 {score(found.best.map50_95)}"))
    say_pairs(pairs)
    if found.rounds:
        say()
        _say_rounds(found)
    say()
    for number, step in enumerate(found.steps):
        say(step.what, "bold" if not number else "")
        say(f"  {step.command}")
    if not found.steps:
        say("Everything is reviewed, and the newest model has seen it.")
    return Exit.OK


def _reviewed(found: Standing) -> str:
    later = f", {found.progress.later:,} put off" if found.progress.later else ""
    return f"{found.progress.done:,}, {found.unreviewed:,} to do{later}"


def _open(found: Standing) -> str:
    state = found.progress
    if not state.open_suggestions:
        return "none open"
    return f"{state.open_suggestions:,} open on {plural(state.open_images, 'picture')}"


def _say_rounds(found: Standing) -> None:
    say_table(
        ["run", "model", "state", "reviewed", "train", "valid", "mAP50-95", "mAP50"],
        [
            (
                of.run, of.model, of.state, f"{of.reviewed:,}", f"{of.train:,}",
                f"{of.valid:,}" + ("" if of.same else " *"), score(of.map50_95), score(of.map50),
            )
            for of in found.rounds[-_SHOWN:]
        ],
        right=("reviewed", "train", "valid", "mAP50-95", "mAP50"),
    )  # fmt: skip
    if len(found.rounds) > _SHOWN:
        say(f"{len(found.rounds):,} runs, the newest {_SHOWN} shown (--json has all).", "dim")
    if not all(of.same for of in found.rounds[-_SHOWN:]):
        say("* measured on other pictures than the round before: not to be compared.", "dim")


def _record(found: Standing) -> dict[str, Any]:
    state, line = found.progress, found.last_pass
    return {
        "project": found.project, "images": state.images, "labelled": found.labelled,
        "reviewed": state.done, "later": state.later, "unreviewed": found.unreviewed,
        "without_split": found.unsplit, "open_suggestions": state.open_suggestions,
        "open_images": state.open_images,
        "last_pass": None if line is None else {
            "id": line.id, "at": line.at, "labeller": line.labeller, "model": line.model,
            "images": line.images, "states": dict(line.states),
        },
        "rounds": [_round(of) for of in found.rounds],
        "best": None if found.best is None else found.best.run,
        "next": [{"what": step.what, "command": step.command} for step in found.steps],
    }  # fmt: skip


def _round(of: Round) -> dict[str, Any]:
    return {
        "run": of.run, "path": str(of.path), "state": of.state, "model": of.model,
        "started_at": of.started_at, "map50_95": of.map50_95, "map50": of.map50,
        "reviewed": of.reviewed, "only_reviewed": of.only_reviewed, "train": of.train,
        "valid": of.valid, "valid_as_before": of.same,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(run_module("label.loop"))
