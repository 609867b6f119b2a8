"""`batman project`: create, list, show and delete projects; `stats` says what is in one."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.answers import kept
from cli.answers.printing import say_json
from cli.common import (
    add_workspace,
    confirm,
    found_project,
    open_project,
    project_path,
    run_module,
    workspace_of,
)
from cli.data import project_stats, versions
from cli.exits import Exit
from cli.output import say, say_columns, say_pairs, say_table
from cli.parser import Subcommands
from core.common.errors import BatmanError
from core.common.lists.columns import Column
from core.common.text import plural, shell_word
from core.common.workspace import entries_of, folders_with
from core.data.project_columns import PROJECT_COLUMNS
from core.data.store import Project, ProjectSummary

DESCRIPTION = "Create, list, show and delete projects."

# Classes that `show` lists, the most frequent ones; JSON has all of them.
_LARGEST = 20
_ALL = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands and their options."""
    commands = Subcommands(parser)
    create = commands.add("create", "create an empty project", _create)
    create.add_argument("project", metavar="PROJECT", help="name, or the folder to make")
    create.add_argument("--description", default="", help="one line about the project")
    add_workspace(create)

    listing = commands.add("list", "list the workspace's projects", _list)
    add_workspace(listing)

    show = commands.add("show", "show a project's classes, splits and imports", _show)
    show.add_argument("project", metavar="PROJECT", help="name or folder")
    add_workspace(show)

    project_stats.add(commands)
    versions.add(commands)

    delete = commands.add("delete", "delete a project with its images", _delete)
    delete.add_argument("project", metavar="PROJECT", help="name or folder")
    delete.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_workspace(delete)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


def _create(args: argparse.Namespace) -> int:
    path = project_path(workspace_of(args), args.project)
    with Project.create(path, args.description) as project:
        summary = project.summary()
    if args.json:
        say_json(_facts(path, summary, ""))
        return Exit.OK
    say(f"Created the project {path.name} in {path}.")
    say(f"Next: batman import FOLDER --project {shell_word(path.name)}", "dim")
    return Exit.OK


def _list(args: argparse.Namespace) -> int:
    folder = workspace_of(args).projects_dir
    with kept.Hearing("batman project list", lambda: _told_of(folder)):
        return say_projects(folder, as_json=args.json)


def _told_of(folder: Path) -> Iterator[str]:
    """Yield the files and folders that a list of the projects in `folder` is read from."""
    yield str(folder)
    if folder.is_dir():
        for project in entries_of(folder):
            yield project.path
            yield from (f"{project.path}/{file}" for file in ("project.db", "project.db-wal"))


def say_projects(folder: Path, *, as_json: bool) -> int:
    """Print what projects lie in `folder`; return the exit code."""
    found: list[_Found] = []
    ours = folders_with(folder, "project.db")
    for path in ours:
        try:
            with Project.open(path) as project:
                found.append((path, project.summary(), ""))
        except BatmanError as error:
            # One that cannot be read does not hide the others.
            found.append((path, None, error.message))
    if as_json:
        say_json([_facts(*entry) for entry in found])
        return Exit.OK
    if not found:
        say(f"There are no projects in {folder}.")
        say("Create one with batman project create NAME.", "dim")
    else:
        say_columns(_columns(), found)
        for path, _, problem in found:
            if problem:
                say(f"{path.name}: {problem}", "yellow")
    for path in folders_with(folder, "project.json"):
        if path not in ours:
            say(
                f"{path.name} is of the original Batman; bring it in with batman import original"
                f" {shlex.quote(str(path))} --project {shlex.quote(path.name)} --create",
                "dim",
            )
    return Exit.OK


_Found = tuple[Path, ProjectSummary | None, str]


def _columns() -> list[Column[_Found]]:
    """Return the columns of a list in which some projects cannot be read."""
    changed = PROJECT_COLUMNS["updated"]
    own = {
        "name": lambda found: found[0].name,
        "updated": lambda found: changed.value(found[1]) if found[1] else "unreadable",
    }

    def value(column: Column[ProjectSummary]) -> Callable[[_Found], Any]:
        return lambda found: None if found[1] is None else column.value(found[1])

    return [
        Column(key, column.title, own.get(key, value(column)), column.kind)
        for key, column in PROJECT_COLUMNS.items()
    ]


def _facts(path: Path, summary: ProjectSummary | None, error: str) -> dict[str, Any]:
    if summary is None:
        return {"name": path.name, "path": str(path), "state": "unreadable", "error": error}
    return {
        "name": summary.name,
        "path": str(summary.path),
        "description": summary.description,
        "images": summary.images,
        "annotations": summary.annotations,
        "classes": summary.classes,
        "imports": summary.imports,
        "updated_at": summary.updated_at.isoformat(),
    }


def _show(args: argparse.Namespace) -> int:
    from core.data.overview import overview

    with open_project(args, args.project) as project:
        found = overview(project, classes=_ALL if args.json else _LARGEST)
    summary = found.summary
    splits = {name or "none": count for name, count in found.splits.items()}
    if args.json:
        say_json(
            {
                **_facts(summary.path, summary, ""),
                "splits": splits,
                "class_annotations": {row.name: row.annotations for row in found.largest},
                "import_list": [
                    {
                        "id": line.id,
                        "kind": line.kind,
                        "origin": line.origin,
                        "at": line.at.isoformat(),
                        "images": line.images,
                    }
                    for line in found.imports
                ],
            }
        )
        return Exit.OK
    say_pairs(
        [
            ("project", summary.name),
            ("folder", summary.path),
            ("description", summary.description),
            ("images", f"{summary.images:,}"),
            ("annotations", f"{summary.annotations:,}"),
            ("splits", ", ".join(f"{name} {count:,}" for name, count in splits.items())),
            ("changed", _minute(summary.updated_at)),
        ]
    )
    if found.imports:
        say()
        say_table(
            ["import", "kind", "images", "at", "from"],
            [
                (line.id, line.kind, f"{line.images:,}", _minute(line.at), line.origin)
                for line in found.imports
            ],
            right=("import", "images"),
        )
    if found.largest:
        say()
        say_table(
            ["class", "annotations", "images"],
            [(row.name, f"{row.annotations:,}", f"{row.images:,}") for row in found.largest],
            right=("annotations", "images"),
        )
        hidden = summary.classes - len(found.largest)
        if hidden > 0:
            say(f"… and {plural(hidden, 'class')} with fewer; see batman classes list.", "dim")
    return Exit.OK


def _delete(args: argparse.Namespace) -> int:
    path = found_project(args, args.project)
    try:
        with Project.open(path) as project:
            summary = project.summary()
        holds = (
            f"with {plural(summary.images, 'image')} and"
            f" {plural(summary.annotations, 'annotation')}"
        )
    except BatmanError as error:
        # Damaged, or the disk is too full to bring it up to date: it can go nevertheless.
        holds = f"({error.message.rstrip('.')})"
    question = f"Delete the project {path.name} {holds} in {path}?"
    agreed = confirm(question, yes=args.yes)
    if agreed:
        Project.delete(path)
    say(f"Deleted the project {path.name}." if agreed else "Nothing was deleted.")
    if args.json:
        say_json({"name": path.name, "path": str(path), "deleted": agreed})
    return Exit.OK


def _minute(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


if __name__ == "__main__":
    sys.exit(run_module("data.project"))
