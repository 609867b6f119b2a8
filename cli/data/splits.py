"""`batman splits`: which images train, validate and test, as counts, by hand, or drawn anew."""

from __future__ import annotations

import argparse
import sys

from cli.answers.printing import say_json
from cli.common import add_project, open_project, run_module
from cli.data.image_selection import add_chosen, chosen_images
from cli.exits import Exit
from cli.numbers import number, whole
from cli.output import say, say_change, say_table
from cli.parser import Subcommands
from core.common.text import plural
from core.data.splits.assign import SPLITS
from core.data.splits.edit import NO_SPLIT, draw_splits, set_splits, split_counts
from core.data.splits.shares import DEFAULT_SEED, DEFAULT_SHARES

DESCRIPTION = (
    "Show, set and draw the splits of a project's images. Training keeps the splits it finds here"
    " (--split-policy auto)."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands and their options."""
    commands = Subcommands(parser)
    show = commands.add("show", "count images and annotations in each split, by class", _show)

    set_ = commands.add("set", "put images into a split by hand", _set)
    set_.add_argument("split", choices=(*SPLITS, NO_SPLIT), help="the split; none for no split")
    add_chosen(set_)
    set_.add_argument(
        "--alone",
        action="store_true",
        help="leave the other images of a group, such as frames of one video, where they are",
    )

    draw = commands.add("draw", "draw new splits, with every class near its share", _draw)
    draw.add_argument(
        "--splits",
        nargs=3,
        type=number(0, 1),
        default=DEFAULT_SHARES,
        metavar=("TRAIN", "VALID", "TEST"),
        help=f"shares that sum to 1 (default: {' '.join(map(str, DEFAULT_SHARES))})",
    )
    draw.add_argument(
        "--seed",
        type=whole(0, 2**32 - 1),
        default=DEFAULT_SEED,
        metavar="N",
        help="default: %(default)s",
    )
    draw.add_argument(
        "--keep", action="store_true", help="draw only for images that have no split yet"
    )
    for command in (show, set_, draw):
        add_project(command)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


def _show(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        counts = split_counts(project)
    names = [name for name in (*SPLITS, NO_SPLIT) if counts.images[name]]
    if args.json:
        say_json(
            {
                "images": counts.images,
                "classes": [
                    {"name": row.name, "annotations": row.annotations, "images": row.images}
                    for row in counts.classes
                ],
                "torn_groups": counts.torn,
            }
        )
        return Exit.OK
    if not names:
        say("The project has no images yet.")
        return Exit.OK
    heads = [name if name != NO_SPLIT else "no split" for name in names]
    say_table(
        ["class", *heads],
        [(row.name, *(f"{row.annotations[name]:,}" for name in names)) for row in counts.classes],
        right=tuple(heads),
    )
    total = sum(counts.images.values())
    say(
        "Images: "
        + ", ".join(
            f"{head} {counts.images[name]:,} ({counts.images[name] / total:.0%})"
            for name, head in zip(names, heads, strict=True)
        )
    )
    if counts.torn:
        say(
            f"{plural(counts.torn, 'group')} of images, such as frames of one video, lie in"
            " several splits.",
            "yellow",
        )
    return Exit.OK


def _set(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        ids = chosen_images(project, args)
        split = None if args.split == NO_SPLIT else args.split
        return say_change(set_splits(project, ids, split, groups=not args.alone))


def _draw(args: argparse.Namespace) -> int:
    train, valid, test = args.splits
    with open_project(args) as project:
        entry, plan = draw_splits(
            project, (train, valid, test), args.seed, policy="auto" if args.keep else "random"
        )
    for note in plan.notes:
        say(f"Note: {note}", "yellow")
    return say_change(entry, notes=plan.notes)


if __name__ == "__main__":
    sys.exit(run_module("data.splits"))
