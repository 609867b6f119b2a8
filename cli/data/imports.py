"""`batman import list` and `remove`: what a project consists of, and taking a part out."""

from __future__ import annotations

import argparse

from cli.common import add_json, add_project, open_project
from cli.exits import Exit
from cli.numbers import whole
from cli.output import say, say_change, say_json, say_table
from cli.parser import Subcommands


def add(commands: Subcommands) -> None:
    """Add the sub-commands to `batman import`."""
    listing = commands.add("list", "where a project's images came from", _list)
    add_json(listing)
    add_project(listing)
    remove = commands.add("remove", "take an import out as a whole; can be undone", _remove)
    remove.add_argument(
        "number", type=whole(1), metavar="ID", help="its number in batman import list"
    )
    add_project(remove)


def _list(args: argparse.Namespace) -> int:
    from core.data.importers import list_imports

    with open_project(args) as project:
        rows = list_imports(project)
    if args.json:
        say_json(
            [
                {
                    "id": row.id,
                    "kind": row.kind,
                    "origin": row.origin,
                    "at": row.at.isoformat(),
                    "images": row.images,
                    "annotations": row.annotations,
                    "classes": row.classes,
                }
                for row in rows
            ]
        )
        return Exit.OK
    if not rows:
        say("The project has no imports yet.")
        return Exit.OK
    say_table(
        ["id", "kind", "from", "when", "images", "annotations", "classes"],
        [
            (
                row.id,
                row.kind,
                row.origin,
                f"{row.at.astimezone():%Y-%m-%d %H:%M}",
                f"{row.images:,}",
                f"{row.annotations:,}",
                f"{len(row.classes):,}",
            )
            for row in rows
        ],
        right=("id", "images", "annotations", "classes"),
    )
    return Exit.OK


def _remove(args: argparse.Namespace) -> int:
    from core.data.importers import remove_import

    with open_project(args) as project:
        return say_change(remove_import(project, args.number))
