"""`batman import list`, `show` and `remove`: what a project consists of, and taking a part out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.answers.printing import say_json
from cli.common import add_project, open_project, workspace_of
from cli.exits import Exit
from cli.numbers import whole
from cli.output import say, say_change, say_table
from cli.parser import Subcommands
from core.common.errors import BatmanError
from core.common.text import plural

if TYPE_CHECKING:
    from core.data.importers import ImportRow


def add(commands: Subcommands) -> None:
    """Add the sub-commands to `batman import`."""
    listing = commands.add(
        "list", "where a project's images came from; without --project the projects", _list
    )
    add_project(listing, required=False)
    listing.add_argument(
        "--projects-dir",
        type=Path,
        metavar="DIR",
        help="folder of projects to list (default: data/projects of the workspace)",
    )
    show = commands.add("show", "one import: where everything went that lay at its path", _show)
    show.add_argument(
        "number", type=whole(1), metavar="ID", help="its number in batman import list"
    )
    add_project(show)
    remove = commands.add("remove", "take an import out as a whole; can be undone", _remove)
    remove.add_argument(
        "number", type=whole(1), metavar="ID", help="its number in batman import list"
    )
    add_project(remove)


def _plain(row: ImportRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "origin": row.origin,
        "at": row.at.isoformat(),
        "images": row.images,
        "annotations": row.annotations,
        "classes": row.classes,
    }


def _list(args: argparse.Namespace) -> int:
    from cli.data.project import say_projects
    from core.data.importers import list_imports

    if args.project is None:
        place = args.projects_dir or workspace_of(args).projects_dir
        return say_projects(place, as_json=args.json)
    if args.projects_dir is not None:
        raise BatmanError(
            "The option --projects-dir lists projects, and --project the imports of one.",
            "Leave one of them out.",
        )
    with open_project(args) as project:
        rows = list_imports(project)
    if args.json:
        say_json([_plain(row) for row in rows])
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


def _show(args: argparse.Namespace) -> int:
    from cli.data.import_shared import show_balance
    from core.data.importers import list_imports
    from core.data.importers.past_imports import no_such_import

    with open_project(args) as project:
        rows = list_imports(project)
        row = next((row for row in rows if row.id == args.number), None)
        if row is None:
            raise no_such_import(project, args.number)
    balance = row.detail.get("balance", {})
    problems = row.detail.get("problems", {})
    if args.json:
        say_json({**_plain(row), "balance": balance, "problem_counts": problems})
        return Exit.OK
    say(f"Import {row.id}: {row.kind} from {row.origin}, {row.at.astimezone():%Y-%m-%d %H:%M}.")
    say(
        f"The project has {plural(row.images, 'image')}, {plural(row.annotations, 'annotation')}"
        f" and {plural(len(row.classes), 'class')} of it."
    )
    if balance:
        show_balance(balance)
    else:
        say("What else lay at its path was not noted at the time.", "dim")
    if problems:
        say()
        say_table(
            ["problem", "count"], [(kind, f"{n:,}") for kind, n in problems.items()],
            right=("count",),
        )  # fmt: skip
    return Exit.OK


def _remove(args: argparse.Namespace) -> int:
    from core.data.importers import remove_import

    with open_project(args) as project:
        return say_change(remove_import(project, args.number))
