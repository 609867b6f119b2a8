"""`batman runs`: list the workspace's runs, show, compare, stop, note, tag and delete them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cli.common import add_json, add_workspace, confirm, joined, run_module, workspace_of
from cli.exits import Exit
from cli.output import say, say_csv, say_error, say_json, say_pairs, say_table
from cli.parser import Subcommands
from cli.runs.follow import typed
from cli.runs.run_lines import failure, say_end
from core.common.errors import BatmanError
from core.common.text import duration, plural, score, size
from core.plots.compare import METRICS
from core.training.config.command_line import command_line
from core.training.config.form import to_text
from core.training.live.follow import RunFollower
from core.training.run.delete import delete_run, drop_checkpoints, require_ended, room
from core.training.run.notes import (
    change_tags,
    parse_tag_changes,
    require_notes,
    said_of,
    write_note,
)
from core.training.run.run import Run, find_run, latest_run
from core.training.run.summary import RunSummary
from core.training.run_list.filter import SETTINGS, SORTABLE, require_filter, sort_runs
from core.training.run_list.index import list_runs

DESCRIPTION = "List runs, show and compare what came out of them, stop, note, tag and delete them."
FILTER_HELP = (
    "only runs for which all of this holds: words, field=value, field>number, tag:x, and any "
    "setting, such as lr=1e-4; a - in front turns a term round (such as "
    "'model=base map50>0.5 -tag:old'; alone, --filter=-tag:old)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands and their options."""
    commands = Subcommands(parser)
    listing = commands.add("list", "list the runs, the most recent first", _list)
    listing.add_argument("--filter", metavar="TERMS", help=FILTER_HELP)
    listing.add_argument(
        "--sort",
        metavar="FIELD",
        help=f"order by this field, the largest number first: {', '.join(SORTABLE)}, "
        "or any setting, such as lr",
    )
    listing.add_argument("--reverse", action="store_true", help="turn that order round")
    _add_formats(listing)
    add_workspace(listing)
    show = commands.add("show", "show a run's settings, metrics and end", _show)
    show.add_argument(
        "run", nargs="?", metavar="RUN", help="name or folder (default: the latest run)"
    )
    add_json(show)
    add_workspace(show)
    compare = commands.add("compare", "put runs side by side", _compare)
    compare.add_argument("runs", nargs="+", metavar="RUN", help="name or folder, two or more")
    compare.add_argument(
        "--metric",
        metavar="NAME",
        help=f"show this metric epoch by epoch: {', '.join(METRICS)}",
    )
    _add_formats(compare)
    add_workspace(compare)
    stop = commands.add("stop", "stop runs after their current step, with a checkpoint", _stop)
    stop.add_argument("runs", nargs="+", metavar="RUN", help="name or folder")
    add_workspace(stop)
    note = commands.add("note", "write a note on a run, or show it", _note)
    note.add_argument("run", metavar="RUN", help="name or folder")
    note.add_argument("text", nargs="?", metavar="TEXT", help="the note; '' takes it away")
    add_workspace(note)
    tag = commands.add("tag", "give a run tags or take them away, or show them", _tag)
    tag.add_argument("run", metavar="RUN", help="name or folder")
    tag.add_argument(
        "changes", nargs=argparse.REMAINDER, metavar="+TAG|-TAG", help="such as +baseline -old"
    )
    add_workspace(tag)
    delete = commands.add("delete", "remove runs, or only what training goes on from", _delete)
    delete.add_argument("runs", nargs="+", metavar="RUN", help="name or folder")
    delete.add_argument(
        "--checkpoints",
        action="store_true",
        help="only the resumable checkpoints; the best model, curve and results stay",
    )
    delete.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_workspace(delete)


def _add_formats(parser: argparse.ArgumentParser) -> None:
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--csv", action="store_true", help="print CSV, for spreadsheets")
    formats.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


def _list(args: argparse.Namespace) -> int:
    workspace = workspace_of(args)
    there = list_runs(workspace)
    runs = there
    if args.filter:
        keep = require_filter(args.filter).keeps
        runs = [run for run in runs if keep(run)]
    if args.sort:
        runs = sort_runs(runs, args.sort, args.reverse)
    elif args.reverse:
        runs = runs[::-1]
    if args.json:
        say_json([_facts(run) for run in runs])
    elif args.csv:
        say_csv([*_NAMES, *SETTINGS], [_row(run) for run in runs])
    elif not there:
        say(f"There are no runs in {workspace.runs_dir}.")
        say("Start one with batman train --project PROJECT.", "dim")
    elif not runs:
        say(f"None of the {plural(len(there), 'run')} is like '{args.filter}'.")
    else:
        _say_list(runs)
    return Exit.OK


_NAMES = [name for name in RunSummary.__struct_fields__ if name != "settings"]


def _row(run: RunSummary) -> list[Any]:
    """Return a run as a row of CSV: what came of it, then its settings as they are typed."""
    found = [getattr(run, name) for name in _NAMES]
    config = run.config
    settings = [None if config is None else to_text(n, getattr(config, n)) for n in SETTINGS]
    return ["; ".join(v) if isinstance(v, tuple) else v for v in found] + settings


def _say_list(runs: Sequence[RunSummary]) -> None:
    columns = ["run", "state", "model", "project", "epoch", "mAP50-95", "mAP50", "loss"]
    columns += ["time", "started"]
    said = any(run.tags or run.note for run in runs)
    say_table(
        columns + (["tags and note"] if said else []),
        [
            (
                run.name,
                f"{run.state} !" if run.problem else run.state,
                run.model,
                run.project,
                f"{run.epoch}/{run.epochs}",
                score(run.best_map50_95),
                score(run.best_map50),
                None if run.loss is None else f"{run.loss:.4g}",
                duration(run.seconds),
                _minute(run.started_at),
                *([said_of(run.tags, run.note)] if said else []),
            )
            for run in runs
        ],
        right=("epoch", "mAP50-95", "mAP50", "loss", "time"),
        spare=("started", "tags and note", "project", "model", "time", "loss", "mAP50", "epoch"),
    )
    for run in runs:
        if run.state == "unreadable":
            say(f"{run.name}: {run.error}", "yellow")
        if run.problem:
            say(f"! {run.name}: {run.problem}", "yellow")


def _compare(args: argparse.Namespace) -> int:
    from cli.runs.compare import compare_runs

    return compare_runs(workspace_of(args), args)


def _note(args: argparse.Namespace) -> int:
    found = find_run(workspace_of(args), args.run)
    if args.text is None:
        say(require_notes(found.path).text or f"There is no note on '{found.name}'.")
    elif write_note(found.path, args.text).text:
        say(f"Noted on '{found.name}'.")
    else:
        say(f"The note on '{found.name}' is gone.")
    return Exit.OK


def _tag(args: argparse.Namespace) -> int:
    # `-old` takes a tag away and is no option, so that options after tags are found here.
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_workspace(options)
    _, changes = options.parse_known_args(args.changes, args)
    found = find_run(workspace_of(args), args.run)
    add, remove = parse_tag_changes(changes)
    notes = change_tags(found.path, add, remove) if add or remove else require_notes(found.path)
    shown = " ".join(f"#{tag}" for tag in notes.tags)
    say(f"{found.name}: {shown}" if shown else f"'{found.name}' has no tags.")
    return Exit.OK


def _stop(args: argparse.Namespace) -> int:
    workspace = workspace_of(args)
    # Every name is looked up before the first run is asked.
    runs = [find_run(workspace, name) for name in args.runs]
    for run in runs:
        run.stop()
        say(f"{run.name} stops after its current step, with a checkpoint.")
        say(f"Go on later with: batman train --resume {typed(run, workspace)}", "dim")
    return Exit.OK


def _delete(args: argparse.Namespace) -> int:
    workspace = workspace_of(args)
    runs = list(
        {run.path: run for run in (find_run(workspace, name) for name in args.runs)}.values()
    )
    for run in runs:
        require_ended(run)
    rooms = [room(run.path) for run in runs]
    names = joined([run.name for run in runs])
    if args.checkpoints:
        question = (
            f"Remove the resumable checkpoints of {names}"
            f" ({size(sum(r.checkpoints for r in rooms))})? They cannot be resumed then."
        )
    else:
        question = f"Delete {names} ({size(sum(r.total for r in rooms))}), the best model included?"
    if not confirm(question, yes=args.yes):
        say("Nothing was removed.")
        return Exit.OK
    for run in runs:
        if args.checkpoints:
            freed = drop_checkpoints(run)
            say(f"{run.name}: {size(freed)} freed.")
        else:
            delete_run(run)
            say(f"Deleted {run.name}.")
    return Exit.OK


def _show(args: argparse.Namespace) -> int:
    workspace = workspace_of(args)
    found = latest_run(workspace) if args.run is None else find_run(workspace, args.run)
    summary = found.summary()
    if args.json:
        say_json(_details(found, summary))
        return Exit.OK
    snapshot = RunFollower(found.path).poll()
    config = snapshot.config or found.config()
    say_pairs(
        [
            ("run", summary.name),
            ("state", summary.state),
            ("model", f"{config.model}, {config.image_size} pixels"),
            ("project", config.project),
            ("began from", str(config.origin) if config.origin else None),
            ("tags", " ".join(f"#{tag}" for tag in summary.tags)),
            ("note", summary.note),
            ("classes", ", ".join(config.dataset.class_names) if config.dataset else None),
            ("epochs", f"{snapshot.epoch} of {config.epochs}"),
            ("started", _minute(summary.started_at)),
            ("time", duration(summary.seconds) if summary.seconds else None),
            ("left", None if snapshot.eta is None else duration(snapshot.eta)),
            ("command", command_line(config)),
        ]
    )
    if said := summary.error if summary.state == "unreadable" else summary.problem:
        say(f"! {said}", "yellow")
    for warning in snapshot.warnings:
        say(f"Warning: {warning.message} {warning.hint}".rstrip(), "yellow")
    say_end(snapshot, str(found.path))
    wrong = failure(snapshot)
    if wrong is not None:
        say_error(*wrong)
    return Exit.OK


def _facts(run: RunSummary) -> dict[str, Any]:
    facts: dict[str, Any] = {name: getattr(run, name) for name in _NAMES}
    config = run.config
    facts["config"] = config and config.model_dump(mode="json", exclude={"dataset", "notes"})
    return facts | {"path": str(run.path)}


def _details(run: Run, summary: RunSummary) -> dict[str, Any]:
    facts = _facts(summary)
    for name, read in (
        ("config", lambda: run.config().model_dump(mode="json")),
        ("results", run.results),
    ):
        try:
            facts[name] = read()
        except BatmanError as error:
            facts[name] = None
            facts["error"] = facts["error"] or error.message
    return facts


def _minute(t: float | None) -> str | None:
    return None if t is None else f"{datetime.fromtimestamp(t).astimezone():%Y-%m-%d %H:%M}"


if __name__ == "__main__":
    sys.exit(run_module("runs.runs"))
