"""`batman autolabel`: a model proposes boxes for a project's pictures, for a person to review."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cli.answers.printing import say_json
from cli.common import (
    add_backend,
    add_placed_project,
    confirm,
    found_project,
    run_module,
    workspace_of,
)
from cli.exits import Exit
from cli.label.labeller import (
    add_labeller,
    add_pictures,
    request_of,
    show_recorded,
)
from cli.label.labeller import parse_map as parse_map
from cli.label.labeller import parse_prompts as parse_prompts
from cli.numbers import whole
from cli.output import say, say_error
from cli.parser import BatmanParser, add_json
from cli.progress import Stages
from core.autolabel.choice import HUB
from core.autolabel.job import AutolabelJob, plan_autolabel, resume_autolabel
from core.autolabel.pass_folder import PassFolder
from core.autolabel.prepare import (
    Unfinished,
    damaged,
    discard,
    find_unfinished,
    unfinished,
)
from core.autolabel.record import record_folder
from core.common.errors import BatmanError, Cancelled
from core.common.progress import Progress
from core.common.text import clean, duration, plural, shell_word
from core.data.store import Project
from core.data.store.leftovers import PASSES

DESCRIPTION = (
    "Let a model propose boxes for a project's pictures. They are suggestions, apart from the"
    " labels, until a person accepts them."
)

# Up to this long a CPU may take without a question.
_UNASKED_S = 60.0


def add_arguments(parser: BatmanParser) -> None:
    """Give `parser` the project, the labeller, what it looks for and where."""
    add_placed_project(parser)
    add_labeller(parser, "--with")
    where = parser.add_argument_group("where")
    add_pictures(where)
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)"
    )
    add_backend(parser)
    parser.add_argument("--batch-size", type=whole(1, 65_536), metavar="N", help="images at once")
    parser.add_argument("--yes", action="store_true", help="do not ask, however long it takes")
    unfinished_ = parser.add_argument_group("an unfinished pass").add_mutually_exclusive_group()
    for option, help_ in (
        ("continue", "go on with it, or bring it back from its cluster"),
        ("take", "take what it has found so far as suggestions"),
        ("discard", "throw it away"),
    ):
        unfinished_.add_argument(
            f"--{option}", dest=f"{option}_", nargs="?", const="", metavar="NAME", help=help_
        )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Make the pass, print what became of it and return the exit code."""
    path = found_project(args, args.project)
    for name in ("continue", "take", "discard"):
        if getattr(args, f"{name}_") is not None and args.labeller:
            raise BatmanError(
                f"--{name} goes by what the pass was begun with.", f"Leave out --with, or --{name}."
            )
    if args.discard_ is not None:
        return _discard(path, args)
    if args.take_ is not None:
        return _take(path, args)
    if args.continue_ is not None:
        item = find_unfinished(path, args.continue_ or None)
        if item.folder.is_submitted():
            from cli.label.on_cluster import bring_back

            return bring_back(args, path, item)
        job = resume_autolabel(path, args.continue_ or None)
    else:
        job = _planned(path, args)
    _ask_for_time(job, args.yes)
    return _made(job, args)


def _planned(path: Path, args: argparse.Namespace) -> AutolabelJob:
    if not args.labeller:
        there = [clean(item.task.name) for item in unfinished(path)]
        hint = f"Or go on with an unfinished pass: --continue {there[0]}." if there else ""
        raise BatmanError(
            f"No labeller is named: --with a run, coco:base, or {', '.join(HUB)}.", hint
        )
    request = request_of(path, args, device=args.device)
    job = plan_autolabel(path, request, download=args.download, workspace=workspace_of(args))
    if not args.json:
        for other in unfinished(path):
            say(
                f"An unfinished pass of {other.task.model} is there too, at {other.done:,} of"
                f" {plural(other.total, 'picture')}: --continue {other.task.name}",
                "yellow",
            )
    return job


def _ask_for_time(job: AutolabelJob, yes: bool) -> None:
    """Say how long a CPU will take, and go on only when the person agrees."""
    seconds = job.cpu_seconds()
    if seconds is None:
        return
    said = (
        f"There is no GPU here: {job.task.model} will take about {duration(seconds)}"
        f" for {plural(job.left, 'picture')}."
    )
    if seconds <= _UNASKED_S or yes:
        say(said)
    elif not confirm(f"{said} Go on?", yes=False):
        raise BatmanError(
            "Nothing was begun.", "A GPU takes about a second a picture: try batman submit."
        )


def _made(job: AutolabelJob, args: argparse.Namespace) -> int:
    told = False
    with Stages(quiet=args.json) as show:

        def report(at: Progress) -> None:
            nonlocal told
            if not told and job.first_s is not None:
                told = True
                left, first = job.seconds_left, job.first_s
                if left is not None and left > _UNASKED_S / 6 and not args.json:
                    say(
                        f"{first:.1f} s a picture: about {duration(left)}"
                        f" for the other {(at.total or 0) - at.done:,}"
                    )
            show(at.stage, at.done, at.total)

        try:
            recorded = job.run(report)
        except (KeyboardInterrupt, Cancelled):
            stopped = True
        else:
            stopped = False
    if stopped:
        return _stopped(job, args.project)
    show_recorded(recorded, args)
    return Exit.OK


def _stopped(job: AutolabelJob, project: str) -> int:
    folder = job.folder
    done, total = folder.state() if folder and folder.path.is_dir() else (0, job.pictures)
    if not done:
        say_error("Stopped before the first picture was done.", "Nothing was changed.")
        return Exit.INTERRUPTED
    command = f"batman autolabel --project {shell_word(project)}"
    name = job.task.name
    say_error(
        f"Stopped after {done:,} of {plural(total, 'picture')}; what was found is kept.",
        f"Go on:                   {command} --continue {name}\n"
        f"Take what is there:      {command} --take {name}\n"
        f"Throw it away:           {command} --discard {name}",
    )
    return Exit.INTERRUPTED


def _freed(path: Path, args: argparse.Namespace, name: str) -> Unfinished:
    """Return an unfinished pass that no job is at. Raises BatmanError when one is."""
    found = find_unfinished(path, name or None)
    if found.folder.is_submitted():
        from cli.label.on_cluster import let_go

        let_go(args, found)
    return found


def _take(path: Path, args: argparse.Namespace) -> int:
    found = _freed(path, args, args.take_)
    with Project.open(path) as project:
        show_recorded(record_folder(project, found.folder, partly=True), args)
    return Exit.OK


def _discard(path: Path, args: argparse.Namespace) -> int:
    if args.discard_ in damaged(path):
        discard(PassFolder(path / PASSES / args.discard_))
        if args.json:
            say_json({"discarded": args.discard_, "done": None, "total": None})
        else:
            say(f"Threw away the pass '{args.discard_}', which could not be read.")
        return Exit.OK
    found = _freed(path, args, args.discard_)
    discard(PassFolder(found.folder.path))
    if args.json:
        say_json({"discarded": found.task.name, "done": found.done, "total": found.total})
    else:
        at = f"{found.done:,} of {plural(found.total, 'picture')}"
        say(f"Threw away the pass '{found.task.name}', which was at {at}.")
    return Exit.OK


if __name__ == "__main__":
    sys.exit(run_module("label.autolabel"))
