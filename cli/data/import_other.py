"""`batman import video` and `original`: frames of videos, and projects of the original Batman."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.common import add_project
from cli.exits import Exit
from cli.numbers import number, whole
from cli.parser import Subcommands


def add(commands: Subcommands) -> None:
    """Add the sub-commands to `batman import`."""
    from cli.data.import_shared import add_files, add_report

    video = commands.add("video", "frames of videos, at an interval", _video)
    video.add_argument(
        "source", type=Path, nargs="+", metavar="PATH", help="videos, and folders of videos"
    )
    interval = video.add_mutually_exclusive_group()
    interval.add_argument(
        "--every-s",
        type=number(above=True),
        metavar="S",
        help="a frame every S seconds (default: 1)",
    )
    interval.add_argument("--every-frames", type=whole(1), metavar="N", help="every Nth frame")
    video.add_argument(
        "--skip-similar",
        action="store_true",
        help="pass over frames that look like the one kept before",
    )
    add_report(video)
    add_project(video, create=True)

    original = commands.add("original", "a project of the original Batman, whole", _original)
    original.add_argument(
        "source", type=Path, metavar="PATH", help="its folder, with project.json in it"
    )
    add_files(original)
    add_report(original)
    add_project(original, create=True)


def _video(args: argparse.Namespace) -> int:
    from cli.data.import_shared import importing, show_report
    from core.data.importers import import_video

    with importing(args) as (project, progress):
        report = import_video(
            project,
            args.source,
            every_s=args.every_s,
            every_frames=args.every_frames,
            skip_similar=args.skip_similar,
            anyway=args.anyway,
            progress=progress,
        )
    show_report(report, args)
    return Exit.OK


def _original(args: argparse.Namespace) -> int:
    from cli.data.import_shared import importing, show_report
    from core.data.importers import import_original
    from core.data.importers.report import together

    with importing(args) as (project, progress):
        reports = import_original(
            project, args.source, files=args.files, anyway=args.anyway, progress=progress
        )
    show_report(together(reports), args)
    return Exit.OK
