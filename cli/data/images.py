"""`batman images`: the images of a project, found by a filter, and taken out of it."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import get_args

from cli.answers.printing import say_json
from cli.common import add_project, confirm, joined, open_project, run_module
from cli.data.image_selection import WHERE, add_chosen, chosen_images, filter_of
from cli.exits import Exit
from cli.numbers import whole
from cli.output import say, say_change, say_columns
from cli.parser import Subcommands
from core.common.text import plural
from core.data.images.filter import Order, find_images
from core.data.images.rows import IMAGE_COLUMNS, ImageLine, delete_images, image_lines

DESCRIPTION = "List the images of a project, and take images out of it."

# A page of the terminal; programs ask for all.
_SHOWN = 50
_CLASSES = 6
_CLASSES_COLUMN = replace(
    IMAGE_COLUMNS["classes"],
    value=lambda line: joined((f"{name} {count}" for name, count in line.classes), _CLASSES),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands and their options."""
    commands = Subcommands(parser)
    list_ = commands.add("list", "list images with their split, size and classes", _list)
    list_.add_argument("--where", default="", metavar="FILTER", help=WHERE)
    list_.add_argument("--sort", choices=get_args(Order), default="id", help="default: %(default)s")
    list_.add_argument("--reverse", action="store_true", help="the other way round")
    list_.add_argument(
        "--limit",
        type=whole(1),
        metavar="N",
        help=f"at most N (default: {_SHOWN}, with --json all)",
    )

    delete = commands.add("delete", "take images out of the project with their boxes", _delete)
    add_chosen(delete)
    delete.add_argument("--yes", action="store_true", help="do not ask")
    for command in (list_, delete):
        add_project(command)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


def _list(args: argparse.Namespace) -> int:
    limit = args.limit if args.limit is not None or args.json else _SHOWN
    with open_project(args) as project:
        wanted = filter_of(project, args.where)
        ids = find_images(project, wanted, order=args.sort, reverse=args.reverse)
        lines = image_lines(project, ids if limit is None else ids[: max(0, limit)])
        if args.json:
            say_json([_record(line, str(project.image_file(line.path))) for line in lines])
            return Exit.OK
    if not ids:
        say("No image matches the filter." if args.where else "The project has no images yet.")
        return Exit.OK
    # Projects in which nothing is labelled look as they did.
    labelling = any(line.review or line.open for line in lines)
    keys = ("name", "split", "import", "size", *(("review", "open") if labelling else ()), "boxes")
    say_columns([*(IMAGE_COLUMNS[key] for key in keys), _CLASSES_COLUMN], lines)
    more = "" if len(lines) == len(ids) else f", {len(lines):,} of them shown (--limit)"
    say(f"{plural(len(ids), 'image')}{more}.", "dim")
    return Exit.OK


def _record(line: ImageLine, file: str) -> dict[str, object]:
    return {
        "id": line.id, "name": line.name, "file": file, "width": line.width,
        "height": line.height, "split": line.split, "import": line.import_id,
        "group": line.group, "time": line.time, "boxes": line.boxes, "classes": dict(line.classes),
        "review": line.review, "open_suggestions": line.open,
    }  # fmt: skip


def _delete(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        ids = chosen_images(project, args)
        question = f"Take {plural(len(ids), 'image')} out of the project with their boxes?"
        if not confirm(question, yes=args.yes):
            return say_change(None, nothing="Nothing was changed.")
        return say_change(delete_images(project, ids))


if __name__ == "__main__":
    sys.exit(run_module("data.images"))
