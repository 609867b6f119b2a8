"""`batman project stats`: what is in a project's data, as tables, JSON and a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cli.answers.printing import say_json
from cli.common import add_workspace, open_project
from cli.exits import Exit
from cli.numbers import whole
from cli.output import say, say_pairs, say_table
from cli.parser import Subcommands
from core.common.errors import BatmanError
from core.common.text import clean, plural

if TYPE_CHECKING:
    from core.data.stats import DataStats
    from core.data.stats.bars import Bars

# Rows of a chart that are printed; JSON has all of them.
_MOST = 30
_BAR = 24


def add(commands: Subcommands) -> None:
    """Add the sub-command to `batman project`."""
    stats = commands.add(
        "stats", "what is in the data: classes, splits, sizes, shapes, places, growth", _stats
    )
    stats.add_argument("project", metavar="PROJECT", help="name or folder")
    stats.add_argument(
        "--image-size",
        type=whole(1),
        default=640,
        metavar="N",
        help="training size in pixels that boxes are measured at (default: 640)",
    )
    stats.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write stats.json and stats.png there too; those of before are replaced",
    )
    add_workspace(stats)


def _stats(args: argparse.Namespace) -> int:
    from core.data.stats import collect
    from core.data.stats.bars import charts

    with open_project(args, args.project) as project:
        found = collect(project, args.image_size)
    written = _written(found, args.out) if args.out is not None else []
    if args.json:
        say_json(found.to_dict())
        return Exit.OK
    say_pairs(
        [
            ("project", found.name),
            ("pictures", f"{found.total_images:,}, {sum(found.empty.values()):,} without a box"),
            ("boxes", f"{found.total_annotations:,}"),
            ("classes", f"{len(found.classes):,}"),
        ]
    )
    for chart in charts(found):
        if chart.names:
            _say_chart(chart)
    say()
    say("Where boxes lie (middles; one character is a cell of the picture)", "bold")
    for line in _map(found):
        say(f"  {line}")
    for file in written:
        say(f"Written: {file}")
    return Exit.OK


def _written(found: DataStats, folder: Path) -> list[Path]:
    from core.plots.data_sheet import write_stats

    try:
        return list(write_stats(found, folder))
    except OSError as error:
        raise BatmanError(
            f"'{clean(str(folder))}' cannot be written: {error.strerror}.",
            "Choose another folder with --out.",
        ) from error


def _say_chart(chart: Bars) -> None:
    several = chart.parts != ("",)
    longest = max(chart.totals, default=0) or 1
    say()
    say(f"{chart.title}{f' ({chart.note})' if chart.note else ''}", "bold")
    titles = ["", *(chart.parts if several else ()), "all", " "]
    rows: list[list[object]] = []
    for name, counts, total in zip(chart.names, chart.counts, chart.totals, strict=True):
        parts = [f"{count:,}" for count in counts] if several else []
        bar = "#" * max(round(_BAR * total / longest), int(total > 0))
        rows.append([name, *parts, f"{total:,}", bar])
    say_table(titles, rows[:_MOST], right=titles[1:-1], spare=chart.parts if several else ())
    if len(rows) > _MOST:
        say(f"… and {plural(len(rows) - _MOST, 'row')} more; --json has all of them.", "dim")


def _map(found: DataStats) -> list[str]:
    """Return the map with a letter for every other row of cells, which are twice as high."""
    signs = " .:-=+*#%@"
    pairs = list(zip(found.heat[::2], found.heat[1::2], strict=True))
    rows = [[a + b for a, b in zip(upper, lower, strict=True)] for upper, lower in pairs]
    most = max(max(row) for row in rows) or 1
    return [
        "".join(signs[-(-count * (len(signs) - 1) // most)] for count in row).rstrip()
        for row in rows
    ]
