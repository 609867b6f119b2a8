"""`batman review`: open the app where a project's pictures are labelled and reviewed."""

from __future__ import annotations

import argparse
import sys

from cli.app.tui import require_terminal
from cli.common import add_placed_project, found_project, run_module, workspace_of
from cli.data.image_selection import WHERE
from cli.main import open_review
from cli.parser import BatmanParser
from core.data.store import Project

DESCRIPTION = (
    "Open the app on the labelling of a project: what models propose is accepted, rejected and"
    " mended, boxes are drawn, each edit saved at once."
)

WALKS = {
    "suggested": "pictures with suggestions, the most first (the first choice where there are any)",
    "unsure": "pictures without labels of which a model is unsure",
    "rare": "pictures without labels on which a model sees what is rare",
    "differ": "pictures on which a model and the labels differ",
    "unreviewed": "pictures that nobody reviewed, by name",
    "name": "all pictures, by name",
}


def add_arguments(parser: BatmanParser) -> None:
    """Give `parser` the project and what of it to review."""
    add_placed_project(parser)
    parser.add_argument("--where", default="", metavar="FILTER", help=WHERE)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--walk",
        choices=WALKS,
        default="",
        help="; ".join(f"{name}: {said}" for name, said in WALKS.items()),
    )
    how.add_argument(
        "--crops", action="store_true", help="pages of crops of one class, the fastest way"
    )


def run(args: argparse.Namespace) -> int:
    """Open the app and return its exit code."""
    path = found_project(args, args.project)
    # What keeps it from being opened is said here, not in the app.
    Project.open(path).close()
    require_terminal()
    return open_review(
        workspace_of(args), path, walk=args.walk, narrow=args.where, crops=args.crops
    )


if __name__ == "__main__":
    sys.exit(run_module("label.review"))
