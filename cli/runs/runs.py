"""`batman runs`: list the workspace's runs, show, compare, stop, note, tag and delete them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from cli.answers.printing import say_json
from cli.common import add_workspace, confirm, joined, run_module, workspace_of
from cli.exits import Exit
from cli.output import say, say_columns, say_csv, say_error, say_pairs, say_table
from cli.parser import BatmanParser, Subcommands, add_json
from core.common.errors import BatmanError
from core.common.text import duration, minute, plural, size
from core.training.config.origin import Origin
from core.training.run.notes import (
    Notes,
    change_tags,
    parse_tag_changes,
    require_notes,
    write_note,
)
from core.training.run.run import Run, find_run, latest_run
from core.training.run.summary import RunSummary
from core.training.run.wait import wait_words
from core.training.run.worker_process import AT_REST
from core.training.run_list.columns import RUN_COLUMNS, is_shown, occasional
from core.training.run_list.filter import SORTABLE, require_filter, setting_names, sort_runs
from core.training.run_list.index import RunIndex, list_runs
from core.training.run_list.outputs import outputs_of

DESCRIPTION = "List runs, show and compare what came out of them, stop, note, tag and delete them."
FILTER_HELP = (
    "only runs for which all of this holds: words, field=value, field>number, tag:x, and any "
    "setting, such as lr=1e-4; a - in front turns a term round (such as "
    "'model=base map50>0.5 -tag:old'; alone, --filter=-tag:old)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands and their options."""
    commands = Subcommands(parser)
    listing = commands.add("list", "list the runs, the most recent first", _list, json=False)
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
    add_workspace(show)
    commands.add_later("compare", "put runs side by side", _compare, _fill_compare, json=False)
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


def _fill_compare(compare: BatmanParser) -> None:
    # Their names come with the charts.
    from core.plots.compared_metrics import METRICS

    compare.add_argument("runs", nargs="+", metavar="RUN", help="name or folder, two or more")
    compare.add_argument(
        "--metric",
        metavar="NAME",
        help=f"show this metric epoch by epoch: {', '.join(METRICS)}",
    )
    _add_formats(compare)
    add_workspace(compare)


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
        say_csv([*_NAMES, *setting_names()], [_row(run) for run in runs])
    elif not there:
        say(f"There are no runs in {workspace.runs_dir}.")
        say("Start one with batman train --project PROJECT.", "dim")
    elif not runs:
        say(f"None of the {plural(len(there), 'run')} is like '{args.filter}'.")
    else:
        _say_list(runs)
    return Exit.OK


_UNTOLD = ("settings", "wait", "command")
_NAMES = [name for name in RunSummary.__struct_fields__ if name not in _UNTOLD]


def _row(run: RunSummary) -> list[Any]:
    """Return a run as a row of CSV: what came of it, then its settings as they are typed."""
    from core.training.config.form import to_text

    found = [getattr(run, name) for name in _NAMES]
    config = run.config
    settings = [
        None if config is None else to_text(name, getattr(config, name)) for name in setting_names()
    ]
    return ["; ".join(v) if isinstance(v, tuple) else v for v in found] + settings


def _say_list(runs: Sequence[RunSummary]) -> None:
    there = occasional(runs)
    keys = ("name", "state", "sweep", "model", "project", "epoch", "map", "map50", "loss", "took",
            "started", "said")  # fmt: skip
    say_columns(
        [RUN_COLUMNS[key] for key in keys if is_shown(key, there)],
        runs,
        spare=("started", "said", "project", "sweep", "model", "took", "loss", "map50", "epoch"),
    )
    for run in runs:
        if run.state == "unreadable":
            say(f"{run.name}: {run.error}", "yellow")
        if run.wait is not None:
            say(f"{run.name}: {wait_words(run.wait, time.time())}", "dim")
        if run.problem:
            say(f"! {run.name}: {run.problem}", "yellow")


def _compare(args: argparse.Namespace) -> int:
    from cli.runs.compare import compare_runs

    return compare_runs(workspace_of(args), args)


def _note(args: argparse.Namespace) -> int:
    found = find_run(workspace_of(args), args.run)
    shown = args.text is None
    notes = require_notes(found.path) if shown else write_note(found.path, args.text)
    if args.json:
        say_json(_notes(found, notes))
    elif shown:
        say(notes.text or f"There is no note on '{found.name}'.")
    else:
        say(f"Noted on '{found.name}'." if notes.text else f"The note on '{found.name}' is gone.")
    return Exit.OK


def _notes(run: Run, notes: Notes) -> dict[str, Any]:
    return {"run": run.name, "path": str(run.path), "note": notes.text, "tags": list(notes.tags)}


def _tag(args: argparse.Namespace) -> int:
    # `-old` takes a tag away and is no option, so that options after tags are found here.
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_workspace(options)
    add_json(options, default=argparse.SUPPRESS)
    _, changes = options.parse_known_args(args.changes, args)
    found = find_run(workspace_of(args), args.run)
    add, remove = parse_tag_changes(changes)
    notes = change_tags(found.path, add, remove) if add or remove else require_notes(found.path)
    if args.json:
        say_json(_notes(found, notes))
        return Exit.OK
    shown = " ".join(f"#{tag}" for tag in notes.tags)
    say(f"{found.name}: {shown}" if shown else f"'{found.name}' has no tags.")
    return Exit.OK


def _stop(args: argparse.Namespace) -> int:
    from cli.runs.follow import typed

    workspace = workspace_of(args)
    # Every name is looked up before the first run is asked.
    runs = [find_run(workspace, name) for name in args.runs]
    for run in runs:
        run.stop()
        say(f"{run.name} stops after its current step, with a checkpoint.")
        say(f"Go on later with: batman train --resume {typed(run, workspace)}", "dim")
    if args.json:
        say_json({"stopping": [{"name": run.name, "path": str(run.path)} for run in runs]})
    return Exit.OK


def _delete(args: argparse.Namespace) -> int:
    from core.training.run.delete import delete_run, drop_checkpoints, require_ended, room

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
    removed: list[dict[str, Any]] = []
    if not confirm(question, yes=args.yes):
        say("Nothing was removed.")
        runs = []
    for run, there in zip(runs, rooms, strict=False):
        freed = there.total
        if args.checkpoints:
            freed = drop_checkpoints(run)
            say(f"{run.name}: {size(freed)} freed.")
        else:
            delete_run(run)
            say(f"Deleted {run.name}.")
        removed.append({"name": run.name, "path": str(run.path), "freed_bytes": freed})
    if args.json:
        say_json({"removed": removed, "only_checkpoints": args.checkpoints})
    return Exit.OK


def _show(args: argparse.Namespace) -> int:
    workspace = workspace_of(args)
    found = latest_run(workspace) if args.run is None else find_run(workspace, args.run)
    ours = found.path.parent == workspace.runs_dir
    rows = RunIndex(workspace).read([found.path], keep=True) if ours else []
    summary = rows[0] if rows else found.summary()
    if args.json:
        say_json(_details(found, summary))
        return Exit.OK
    from cli.runs.run_lines import failure, say_end
    from core.training.live.follow import RunFollower

    # What is left of its time is told by its curve.
    snapshot = RunFollower(found.path, curve=summary.state not in AT_REST).poll()
    kept, command = summary.settings, summary.command
    if kept is None:  # the settings are all that is left of it, or raise what is wrong with them
        from core.training.config.command_line import command_line

        config = found.config()
        kept, command = config.model_dump_json().encode(), command_line(config)
    settings = msgspec.json.decode(kept, type=_Shown)
    data = settings.dataset
    say_pairs(
        [
            ("run", summary.name),
            ("state", summary.state),
            ("waits", None if summary.wait is None else wait_words(summary.wait, time.time())),
            ("restarts", len(snapshot.restarts) or None),
            ("model", f"{settings.model}, {settings.image_size} pixels"),
            ("project", settings.project),
            ("data", _state(settings)),
            ("began from", settings.origin and str(settings.origin)),
            ("tags", " ".join(f"#{tag}" for tag in summary.tags)),
            ("note", summary.note),
            ("classes", ", ".join(data.class_names) if data else None),
            ("epochs", f"{snapshot.epoch} of {settings.epochs}"),
            ("started", minute(summary.started_at)),
            ("time", duration(summary.seconds) if summary.seconds else None),
            ("left", None if snapshot.eta is None else duration(snapshot.eta)),
            ("command", command),
        ]
    )
    if said := summary.error if summary.state == "unreadable" else summary.problem:
        say(f"! {said}", "yellow")
    for warning in snapshot.warnings:
        say(f"Warning: {warning.message} {warning.hint}".rstrip(), "yellow")
    say_end(snapshot, str(found.path))
    _say_outputs(found.path)
    wrong = failure(snapshot)
    if wrong is not None:
        say_error(*wrong)
    return Exit.OK


class _Data(msgspec.Struct):
    """What is shown of `core.training.config.options.DatasetInfo`."""

    class_names: list[str]
    state: int | None
    version: str | None


class _Origin(msgspec.Struct):
    """As `core.training.config.origin.Origin`, whose words it has."""

    run: str | None
    checkpoint: str

    def __str__(self) -> str:
        return str(Origin(self.run, Path(self.checkpoint)))


class _Shown(msgspec.Struct):
    """What is shown of a run's settings, as `RunSummary.settings` has them.

    Checked when the summary was made; pydantic would take longer than all else.
    """

    model: str
    image_size: int
    epochs: int
    project: str | None
    dataset: _Data | None
    origin: _Origin | None


def _state(settings: _Shown) -> str:
    data = settings.dataset
    if data is None:
        return ""
    from core.data.versions.since import trained_on

    project = None if settings.project is None else Path(settings.project)
    return trained_on(project, data.state, data.version)


def _say_outputs(path: Path) -> None:
    """Print what was made of the run's model, and what of it is gone since."""
    made = outputs_of(path)
    if made:
        say()
        say_table(
            ["made of it", "when", "what", "folder"],
            [
                (
                    one.kind,
                    minute(one.t),
                    one.said,
                    one.folder if one.there else f"{one.folder} (no longer there)",
                )
                for one in made
            ],
        )


def _facts(run: RunSummary) -> dict[str, Any]:
    facts: dict[str, Any] = {name: getattr(run, name) for name in _NAMES}
    config = run.config
    facts["wait"] = msgspec.to_builtins(run.wait)
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
    facts["outputs"] = [
        {**msgspec.to_builtins(one), "there": one.there} for one in outputs_of(run.path)
    ]
    return facts


if __name__ == "__main__":
    sys.exit(run_module("runs.runs"))
