"""What the ways of `batman import` share: the options, the project that is opened, the report."""

from __future__ import annotations

import argparse
import contextlib
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cli.answers.printing import say_json
from cli.common import joined, open_project, project_path, workspace_of
from cli.output import say, say_table
from cli.progress import Stages
from core.common.files import write_json
from core.common.progress import Progress
from core.common.text import plural
from core.data.importers import ImportReport
from core.data.importers.balance.words import all_well, in_short, rows
from core.data.store import Project

# Of each kind of problem, as many examples are shown unless --verbose is given.
_EXAMPLES = 2


def add_report(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options about the report of an import, and about what it stops at."""
    parser.add_argument(
        "--anyway", action="store_true", help="import what looks like a mistake as it is"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report as JSON")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="list every problem, not some of each kind"
    )


def show_report(report: ImportReport, args: argparse.Namespace) -> None:
    """Print what came in and what was wrong with it; write it as JSON where `--report` says."""
    if args.json:
        if args.report:
            write_json(args.report, report.to_dict())
        say_json(report.to_dict())
        return
    named = f": {joined(report.classes)}" if report.classes else ""
    say(
        f"Imported {plural(report.images, 'image')}, {plural(report.annotations, 'annotation')}"
        f" and {plural(len(report.classes), 'class')}{named}."
    )
    if all_well(report.balance):
        say(in_short(report.balance), "dim")
    else:
        show_balance(report.balance)
    if report.problems:
        say()
        say(f"{plural(sum(report.counts().values()), 'record')} needed attention:", "yellow")
        actions: dict[str, set[str]] = {}
        for problem in report.problems:
            actions.setdefault(problem.kind, set()).add(problem.action)
        say_table(
            ["problem", "count", "what was done"],
            [
                (kind, f"{count:,}", ", ".join(sorted(actions[kind])))
                for kind, count in sorted(report.counts().items(), key=lambda item: -item[1])
            ],
            right=("count",),
        )
        say()
        shown: dict[str, int] = {}
        for problem in report.problems:
            shown[problem.kind] = shown.get(problem.kind, 0) + 1
            if args.verbose or shown[problem.kind] <= _EXAMPLES:
                say(f"  {problem.where}: {problem.detail} ({problem.action})")
        if not args.verbose and any(count > _EXAMPLES for count in shown.values()):
            say("  … --verbose lists all of them, --report FILE writes them as JSON.", "dim")
    if args.report:
        write_json(args.report, report.to_dict())
        say(f"The report is in {args.report}.")
    then = "classes list" if report.annotations else "label"
    say(f"Next: batman {then} --project {shlex.quote(args.project)}", "dim")


def show_balance(balance: Mapping[str, Any]) -> None:
    """Print where everything went that lay at the path, as a table."""
    say()
    say_table(
        ["of what lay there", "found", "taken", "the rest"],
        [(row.what, f"{row.found:,}", f"{row.taken:,}", row.rest) for row in rows(balance)],
        right=("found", "taken"),
    )


def add_files(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options that say what becomes of the image files."""
    group = parser.add_mutually_exclusive_group()
    for mode, what in (
        ("link", "hard-link the images, or copy them where that cannot be done (default)"),
        ("copy", "copy the images"),
        ("move", "copy the images and remove the originals once all is recorded"),
        ("reference", "leave the images where they are and refer to them"),
    ):
        group.add_argument(
            f"--{mode}", dest="files", action="store_const", const=mode, default="link", help=what
        )


@contextlib.contextmanager
def importing(args: argparse.Namespace) -> Iterator[tuple[Project, Callable[[Progress], None]]]:
    """Open the project of `args` for an import and show its progress.

    A project that `--create` made for an import that fails is removed again.
    """
    path = project_path(workspace_of(args), args.project)
    made = not (path / "project.db").exists()
    with open_project(args) as project, Stages() as show:
        try:
            yield project, lambda at: show(at.stage, at.done, at.total)
        except BaseException:
            project.close()
            if made:
                Project.delete(path)
            raise
