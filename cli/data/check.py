"""`batman check`: what is wrong with a project's data, and putting it right."""

from __future__ import annotations

import argparse
import sys

from cli.answers.printing import say_json
from cli.common import add_project, open_project, run_module
from cli.exits import Exit
from cli.numbers import whole
from cli.output import say
from cli.parser import add_json
from cli.progress import Stages
from core.common.errors import BatmanError
from core.common.text import did_you_mean, duration, plural, shell_word
from core.data.health import Finding, HealthReport, check, fix
from core.data.store import Project

DESCRIPTION = (
    "Look for what is wrong with a project's images, boxes and classes. Ends with 1 when there are"
    " errors or serious findings, with 0 when there are only notices or nothing."
)

_STYLES = {"error": "bold red", "serious": "yellow", "notice": "cyan"}
_NAMED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of the check."""
    add_project(parser)
    parser.add_argument(
        "--image-size",
        type=whole(1, 100_000),
        default=640,
        metavar="PIXELS",
        help="the size that training will use (default: 640)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="only see whether the image files are there, do not read them",
    )
    parser.add_argument(
        "--fix",
        nargs="+",
        action="extend",
        metavar="KIND",
        help="put findings of these kinds right, each as a step that can be undone; 'all' for"
        " every one that has a fix",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    if args.image_size < 1:
        raise BatmanError("An image size is a number of pixels from 1.", "Give --image-size 640.")
    with open_project(args) as project:
        report = _check(project, args)
        done = _fix(project, report, args.fix, quiet=args.json) if args.fix else []
        if done:
            report = _check(project, args)
        files = _names(project, report)
    if args.json:
        say_json({**report.to_dict(), "fixed": done})
    else:
        _show(report, files)
    return Exit.FAILED if report.grave() else Exit.OK


def _check(project: Project, args: argparse.Namespace) -> HealthReport:
    files = "look" if args.quick else "read"
    if args.json:
        return check(project, args.image_size, files=files)  # type: ignore[arg-type]
    with Stages() as show:
        return check(
            project,
            args.image_size,
            files=files,  # type: ignore[arg-type]
            progress=lambda at: show(at.stage, at.done, at.total),
        )


def _fix(project: Project, report: HealthReport, kinds: list[str], *, quiet: bool) -> list[str]:
    """Put right what was asked for; return what was done, in words.

    Raises BatmanError for a kind that was not found or has no fix, before anything is changed.
    """
    chosen: list[Finding] = []
    for kind in kinds:
        if kind == "all":
            chosen += [finding for finding in report.findings if finding.fix]
            continue
        finding = report.find(kind)
        if finding is None:
            known = [item.kind for item in report.findings]
            guess = did_you_mean(kind, known)
            raise BatmanError(
                f"The check found no '{kind}'{'; ' + guess if guess else '.'}",
                f"It found: {', '.join(known) or 'nothing'}. Nothing was changed.",
            )
        if finding.fix is None:
            raise BatmanError(f"There is no fix for '{kind}'.", finding.hint)
        chosen.append(finding)
    done = []
    for finding in dict.fromkeys(chosen):
        entry = fix(project, finding)
        if entry is not None:
            done.append(entry.summary)
            if not quiet:
                say(f"{entry.summary}.", "green")
    if done and not quiet:
        say(
            "Take back the last step with batman classes undo --project"
            f" {shell_word(project.name)}",
            "dim",
        )
        say()
    return done


def _show(report: HealthReport, files: dict[int, str]) -> None:
    for finding in report.findings:
        say(f"{finding.severity.upper()}  {finding.kind}", _STYLES[finding.severity])
        say(f"  {finding.message}")
        if finding.images:
            names = [files[image] for image in finding.images[:_NAMED] if image in files]
            more = ", …" if finding.count > len(names) and names else ""
            say(f"  In {', '.join(names)}{more}", "dim")
        say(f"  {finding.hint}", "dim")
        if finding.fix:
            say(f"  --fix {finding.kind}: {finding.fix}", "dim")
        say()
    counts = {
        severity: sum(finding.severity == severity for finding in report.findings)
        for severity in ("error", "serious", "notice")
    }
    looked = (
        f"{plural(report.images, 'image')} and {plural(report.annotations, 'annotation')}"
        f" in {duration(report.seconds)}"
    )
    if not report.findings:
        say(f"Nothing is wrong: {looked}.", "green")
        return
    say(
        f"{plural(counts['error'], 'error')}, {counts['serious']} serious,"
        f" {plural(counts['notice'], 'notice')}: {looked}."
    )


def _names(project: Project, report: HealthReport) -> dict[int, str]:
    wanted = {image for finding in report.findings for image in finding.images[:_NAMED]}
    rows = (
        project.db.execute("SELECT id, name FROM images WHERE id = ?", (image,)).fetchone()
        for image in wanted
    )
    return {row["id"]: row["name"] for row in rows if row is not None}


if __name__ == "__main__":
    sys.exit(run_module("data.check"))
