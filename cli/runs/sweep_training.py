"""`batman train --sweep`: every combination of some settings, one run after the other."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cli.answers.printing import say_event, streaming
from cli.exits import Exit
from cli.output import say, say_table
from cli.progress import Stages
from cli.runs.sweep_follow import follow_sweep
from core.common.errors import BatmanError
from core.common.text import plural, shell_word
from core.common.workspace import Workspace
from core.training.config.sweep import Combination
from core.training.run.run import Run
from core.training.sweep.control import launch
from core.training.sweep.prepare import make_sweep, plan_sweep
from core.training.sweep.sweep import Sweep

# What looks at one training, and at no other.
_OF_ONE = {"estimate": "--estimate", "preview": "--preview", "output_dataset": "--output-dataset"}


def train_sweep(
    args: argparse.Namespace,
    workspace: Workspace,
    values: Mapping[str, Any],
    on_ready: Callable[[Run], None],
) -> int:
    """Train every combination of `args.sweep` with the settings `values`; return the exit code.

    `on_ready` says of the first run what was decided on the way.
    """
    for name, flag in _OF_ONE.items():
        if getattr(args, name) not in (None, False):
            raise BatmanError(f"{flag} looks at one training.", f"Leave out {flag}, or --sweep.")
    if args.dry_run:
        return _dry_run(plan_sweep(workspace, values, args.sweep))
    with Stages() as show:
        sweep = make_sweep(
            workspace, values, args.sweep, lambda at: show(at.stage, at.done, at.total)
        )
    on_ready(sweep.runs()[0])
    name = shell_word(sweep.name)
    follows = not (args.prepare_only or args.detach)
    if not args.prepare_only:
        launch(sweep)
    if streaming():
        say_event("sweep", last=not follows, **sweep_event(sweep, prepared=args.prepare_only))
    say(f"The sweep {sweep.name}: {plural(len(sweep.plan().runs), 'run')}, one after the other.")
    if args.prepare_only:
        say(f"Start it with: batman sweeps resume {name}", "dim")
        return Exit.OK
    if args.detach:
        say(f"See it with: batman sweeps show {name}", "dim")
        say(f"Stop it with: batman sweeps stop {name}", "dim")
        return Exit.OK
    say("Ctrl-C stops it with a checkpoint; closing the terminal does not.", "dim")
    return follow_sweep(sweep, plain=args.plain)


def sweep_event(sweep: Sweep, *, prepared: bool) -> dict[str, Any]:
    """Return what a program is told of a sweep that was made."""
    plan = sweep.plan()
    return {
        "sweep": sweep.name,
        "path": str(sweep.path),
        "state": "prepared" if prepared else "started",
        "runs": [
            {
                "run": sweep.folder(planned).name,
                "path": str(sweep.folder(planned)),
                "choices": planned.choices,
            }
            for planned in plan.runs
        ],
    }


def _dry_run(placed: Sequence[Combination]) -> int:
    """Print what would be trained; nothing is written."""
    if streaming():
        say_event(
            "sweep_plan",
            last=True,
            runs=[
                {
                    "run_folder": str(one.config.output_dir),
                    "choices": one.choices,
                    "config": one.config.model_dump(mode="json", exclude={"dataset", "notes"}),
                }
                for one in placed
            ],
        )
        return Exit.OK
    say("Nothing is started: this is what would be trained, one after the other.", "bold")
    say()
    names = list(placed[0].choices)
    say_table(
        ["run folder", *(name.replace("_", "-") for name in names)],
        [(str(one.config.output_dir), *(one.choices[name] for name in names)) for one in placed],
    )
    for note in dict.fromkeys(note for one in placed for note in one.config.notes):
        say(f"Note: {note}", "yellow")
    return Exit.OK
