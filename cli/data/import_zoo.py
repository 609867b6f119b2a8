"""`batman import coco`: images of COCO 2017 by class, downloaded."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.common import add_project
from cli.exits import Exit
from cli.numbers import whole
from cli.original.options import add_original
from cli.parser import Subcommands


def add(commands: Subcommands) -> None:
    """Add the sub-command to `batman import`."""
    from cli.data.import_shared import add_report

    parser = commands.add("coco", "COCO 2017: download images of some classes", _run)
    parser.add_argument(
        "--classes",
        nargs="+",
        action="extend",
        metavar="CLASS",
        help="COCO classes, such as person 'traffic light' (default: all 80)",
    )
    parser.add_argument(
        "--split", default="validation", help="validation (default) or train", metavar="SPLIT"
    )
    parser.add_argument(
        "--max-samples",
        type=whole(1),
        metavar="N",
        help="take at most N images, of each class in turn",
    )
    parser.add_argument(
        "--seed",
        type=whole(0, 2**32 - 1),
        default=42,
        metavar="N",
        help="draws the images (default: 42)",
    )
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="a mirror (default: $BATMAN_COCO_URL, or http://images.cocodataset.org)",
    )
    parser.add_argument(
        "--cache-dir",
        type=Path,
        metavar="DIR",
        help="where downloads are kept for all projects (default: $BATMAN_CACHE_DIR, or the"
        " user's cache folder)",
    )
    parser.add_argument(
        "--threads",
        type=whole(1, 256),
        default=16,
        metavar="N",
        help="downloads at a time (default: 16)",
    )
    parser.add_argument(
        "--copy",
        dest="files",
        action="store_const",
        const="copy",
        default="link",
        help="copy the images out of the cache instead of linking them",
    )
    add_report(parser)
    add_project(parser, create=True)
    add_original(parser, "importer coco")


def _run(args: argparse.Namespace) -> int:
    from cli.data.import_shared import importing, show_report
    from core.data.importers.services.coco_zoo import import_coco_zoo

    names = [name for text in args.classes or [] for name in text.split(",") if name.strip()]
    with importing(args) as (project, progress):
        report = import_coco_zoo(
            project,
            names or None,
            split=args.split,
            max_samples=args.max_samples,
            seed=args.seed,
            base_url=args.base_url,
            cache_dir=args.cache_dir,
            files=args.files,
            threads=args.threads,
            anyway=args.anyway,
            progress=progress,
        )
    show_report(report, args)
    return Exit.OK
