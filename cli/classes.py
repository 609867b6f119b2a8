"""`batman classes` and `python -m cli.classes`: see and clean up a project's classes."""

from __future__ import annotations

import argparse
import sys

from cli.answers.printing import say_json
from cli.common import add_project, open_project, run_module
from cli.data.classes_cleanup import add_commands as add_cleanup
from cli.exits import Exit
from cli.numbers import whole
from cli.output import say, say_change, say_columns, say_table
from cli.parser import Subcommands
from cli.runs.plots import say_bars
from core.common.text import plural
from core.data import classes
from core.data.classes.columns import CLASS_COLUMNS, class_shares
from core.data.images.class_colours import class_colour

DESCRIPTION = "List, add, merge, rename and delete a project's classes; undo and redo."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands and their options."""
    commands = Subcommands(parser)
    listing = commands.add("list", "list the classes with their counts", _list)
    listing.add_argument(
        "--sort", choices=("name", "count"), default="name", help="order (default: %(default)s)"
    )

    new = commands.add("add", "make classes that have no annotations yet", _add)
    new.add_argument(
        "--name", nargs="+", action="extend", required=True, metavar="NAME", help="the new classes"
    )

    merge = commands.add("merge", "make one class of several", _merge)
    merge.add_argument(
        "--source",
        nargs="+",
        action="extend",
        required=True,
        metavar="NAME",
        help="classes to merge",
    )
    merge.add_argument(
        "--target", required=True, metavar="NAME", help="class they become, new or existing"
    )

    rename = commands.add("rename", "give a class another name", _rename)
    rename.add_argument("--old-name", required=True, metavar="NAME", help="class to rename")
    rename.add_argument("--new-name", required=True, metavar="NAME", help="its name from now on")

    delete = commands.add("delete", "delete classes with their annotations", _delete)
    delete.add_argument(
        "--name",
        nargs="+",
        action="extend",
        required=True,
        metavar="NAME",
        help="classes to delete",
    )
    delete.add_argument("--reassign-to", metavar="NAME", help="keep the annotations, as this class")

    history = commands.add("history", "list what was changed, newest first", _history)
    history.add_argument(
        "--limit", type=whole(1), metavar="N", help="entries to show (default: all of them)"
    )
    for command in (
        listing,
        new,
        merge,
        rename,
        delete,
        commands.add("undo", "take back the newest change of the project", _undo),
        commands.add("redo", "do again what was undone last", _redo),
        history,
        *add_cleanup(commands),
    ):
        add_project(command)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


def _list(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        rows = classes.list_classes(project)
    if args.sort == "count":
        rows.sort(key=lambda row: -row.annotations)
    if args.json:
        say_json(
            [
                {
                    "name": row.name,
                    "annotations": row.annotations,
                    "images": row.images,
                    "labels": row.labels,
                }
                for row in rows
            ]
        )
    elif not rows:
        say("The project has no classes yet.")
        say(f"Import some images with batman import … --project {args.project}.", "dim")
    else:
        total = sum(row.annotations for row in rows)
        shown = ("name", "annotations", "share", "images")
        say_columns([CLASS_COLUMNS[key] for key in shown], class_shares(rows))
        say(f"{plural(len(rows), 'class')}, {plural(total, 'annotation')}", "dim")
        say_bars("Annotations", [(r.name, r.annotations, class_colour(r.id)) for r in rows])
    return Exit.OK


def _add(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        return say_change(classes.add(project, *args.name)[1])


def _merge(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        return say_change(classes.merge(project, args.source, args.target))


def _rename(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        return say_change(classes.rename(project, args.old_name, args.new_name))


def _delete(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        return say_change(classes.delete(project, args.name, args.reassign_to))


def _undo(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        entry = project.undo()
    return say_change(entry, "Undone", "There is nothing to undo.")


def _redo(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        entry = project.redo()
    return say_change(entry, "Done again", "There is nothing to redo.")


def _history(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        entries = project.history(None if args.limit is None else max(0, args.limit))
    if args.json:
        say_json(
            [
                {
                    "id": entry.id,
                    "at": entry.at.isoformat(),
                    "who": entry.who,
                    "kind": entry.kind,
                    "summary": entry.summary,
                    "detail": entry.detail,
                    "undone": entry.undone,
                }
                for entry in entries
            ]
        )
    elif not entries:
        say("Nothing was changed yet.")
    else:
        say_table(
            ["at", "who", "what", ""],
            [
                (
                    f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}",
                    entry.who,
                    entry.summary,
                    "undone" if entry.undone else "",
                )
                for entry in entries
            ],
        )
    return Exit.OK


if __name__ == "__main__":
    sys.exit(run_module("classes"))
