"""`batman labels queue`, `compare`, `passes` and `scores`: what to look at first, and how right
models were.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any, get_args

from cli.answers.printing import say_json
from cli.common import add_placed_project, open_project
from cli.data.image_selection import WHERE, filter_of
from cli.exits import Exit
from cli.numbers import number, whole
from cli.output import say, say_change, say_table
from cli.parser import BatmanParser, Subcommands
from core.common.text import clean, plural
from core.data.images.filter import find_images
from core.data.labels.passes import list_passes, withdraw_pass
from core.data.labels.queue.compare import KINDS, SAID, Compared, Difference, compare
from core.data.labels.queue.decided import ENOUGH, RIGHT, Counts, decided, decided_by_pass
from core.data.labels.queue.unsure import By, unsure

_SHOWN = 20


def add(commands: Subcommands) -> None:
    """Add the sub-commands to `batman labels`."""
    queue = commands.add("queue", "pictures without labels that are worth a look first", _queue)
    queue.add_argument(
        "--by",
        choices=get_args(By),
        default="unsure",
        help="how unsure the model is, or rare classes it sees (default: %(default)s)",
    )
    _limited(queue)

    differs = commands.add("compare", "where a model and the labels differ: worth a look", _compare)
    differs.add_argument("--where", default="", metavar="FILTER", help=WHERE)
    differs.add_argument(
        "--least",
        type=number(0, 1),
        metavar="X",
        help="least score of what is found but not labelled (default: that of its class, or 0.5)",
    )
    differs.add_argument(
        "--pass", dest="pass_id", type=whole(1), metavar="N",
        help="this pass (default: the newest that looked at each picture)",
    )  # fmt: skip
    differs.add_argument(
        "--settled", action="store_true", help="pictures too that were reviewed after the pass"
    )
    _limited(differs)

    listed = commands.add("passes", "the passes of labellers, and what became of them", _passes)
    listed.add_argument(
        "--withdraw",
        type=whole(1),
        metavar="N",
        help="take this pass back: its suggestions go, those that it replaced are open again",
    )
    scores = commands.add("scores", "how right suggestions were, by class and score", _scores)
    scores.add_argument("--pass", dest="pass_id", type=whole(1), metavar="N", help="of this pass")
    for command in (queue, differs, listed, scores):
        add_placed_project(command)


def _limited(command: BatmanParser) -> None:
    command.add_argument(
        "--limit",
        type=whole(1),
        metavar="N",
        help=f"at most N pictures (default: {_SHOWN}, with --json all)",
    )


def _limit(args: argparse.Namespace) -> int | None:
    return args.limit if args.limit is not None or args.json else _SHOWN


def _queue(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        found = unsure(project, by=args.by, limit=_limit(args))
    if args.json:
        say_json(
            {
                "by": args.by,
                "total": found.total,
                "images": [{**asdict(entry), "why": entry.why} for entry in found.entries],
            }
        )
        return Exit.OK
    if not found.entries:
        say("No picture without labels has a suggestion that is open.")
        return Exit.OK
    say_table(
        ["picture", "id", "unsure", "why"],
        [(entry.name, entry.image_id, f"{entry.value:.2f}", entry.why) for entry in found.entries],
        right=("id", "unsure"),
    )
    say(f"{plural(found.total, 'picture')}{_of(len(found.entries), found.total)}.", "dim")
    return Exit.OK


def _compare(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        images = find_images(project, filter_of(project, args.where)) if args.where else None
        found = compare(
            project,
            limit=_limit(args),
            image_ids=images,
            least=args.least,
            pass_id=args.pass_id,
            settled=args.settled,
        )
        names = dict(project.db.execute("SELECT id, name FROM classes").fetchall())
    if args.json:
        say_json(
            {
                "total": found.total,
                "looked_at": found.looked_at,
                "counts": dict(found.counts),
                "images": [_record(entry, names) for entry in found.entries],
            }
        )
        return Exit.OK
    if not found.looked_at:
        say("No pass has looked at a picture that is not settled: see batman autolabel.")
        return Exit.OK
    if found.entries:
        say_table(
            ["worth a look", "id", "differs", "why"],
            [(e.name, e.image_id, f"{e.value:.2f}", e.why) for e in found.entries],
            right=("id", "differs"),
        )
    counts = ", ".join(f"{found.counts[kind]:,} {SAID[kind]}" for kind in KINDS)
    shown = _of(len(found.entries), found.total)
    say(f"{found.total:,} of {plural(found.looked_at, 'picture')} worth a look{shown}: {counts}.",
        "dim")  # fmt: skip
    return Exit.OK


def _record(entry: Compared, names: dict[int, str]) -> dict[str, Any]:
    return {
        "image_id": entry.image_id,
        "name": entry.name,
        "pass": entry.pass_id,
        "value": entry.value,
        "why": entry.why,
        "counts": dict(entry.counts),
        "differences": [_difference(item, names) for item in entry.differences],
    }


def _difference(item: Difference, names: dict[int, str]) -> dict[str, Any]:
    called = {
        "found": None if item.found_class is None else names.get(item.found_class),
        "labelled": None if item.label_class is None else names.get(item.label_class),
    }
    return {**asdict(item), **called, "said": SAID[item.kind]}


def _passes(args: argparse.Namespace) -> int:
    if args.withdraw is not None:
        with open_project(args) as project:
            return say_change(withdraw_pass(project, args.withdraw))
    with open_project(args) as project:
        passes = list_passes(project)
        decisions = {row.pass_id: row for row in decided_by_pass(project)}
    if args.json:
        say_json(
            [
                {
                    "id": line.id, "at": line.at, "who": line.who, "labeller": line.labeller,
                    "model": line.model, "images": line.images, "states": dict(line.states),
                    "decided": _counts(decisions[line.id].counts),
                }
                for line in passes
            ]
        )  # fmt: skip
        return Exit.OK
    if not passes:
        say("No labeller has looked at this project: see batman autolabel.")
        return Exit.OK
    say_table(
        ["pass", "at", "model", "pictures", "open", "agree", "accepted", "rejected", "right"],
        [
            (
                line.id, line.at[:16].replace("T", " "), line.model, f"{line.images:,}",
                *(line.states.get(state) for state in ("open", "agrees", "accepted", "rejected")),
                _right(decisions[line.id].counts),
            )
            for line in passes
        ],
        right=("pass", "pictures", "open", "agree", "accepted", "rejected"),
    )  # fmt: skip
    return Exit.OK


def _scores(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        rows = decided(project, args.pass_id)
    if args.json:
        say_json(
            [
                {
                    "class": row.name, "class_id": row.class_id, **_counts(row.counts),
                    "threshold": row.threshold, "above": _counts(row.above),
                    "bands": [
                        {"low": band.low, "high": band.high, **_counts(band.counts)}
                        for band in row.bands
                    ],
                }
                for row in rows
            ]
        )  # fmt: skip
        return Exit.OK
    if not rows:
        say("Nobody has accepted or rejected a suggestion yet.")
        return Exit.OK
    say_table(
        ["class", "score", "right", "as it was", "mended", "rejected"],
        [
            (
                row.name, f"{band.low:.1f}–{band.high:.1f}", _right(band.counts),
                band.counts.unchanged, band.counts.mended, band.counts.rejected,
            )
            for row in rows
            for band in reversed(row.bands)
        ],
        right=("as it was", "mended", "rejected"),
    )  # fmt: skip
    for row in rows:
        if row.threshold is None:
            say(f"{clean(row.name)}: no threshold yet, {_right(row.counts)} right.", "dim")
        else:
            say(
                f"{clean(row.name)}: from {row.threshold:.2f} on, {_right(row.above)} were right:"
                f" accept all with batman labels accept --least {row.threshold:.2f}."
            )
    say(f"A threshold needs {ENOUGH} decisions, {RIGHT:.0%} of them right.", "dim")
    return Exit.OK


def _counts(counts: Counts) -> dict[str, int]:
    return {**asdict(counts), "right": counts.right, "n": counts.n}


def _right(counts: Counts) -> str | None:
    return f"{counts.right:,} of {counts.n:,}" if counts.n else None


def _of(shown: int, total: int) -> str:
    return "" if shown == total else f", {shown:,} of them shown (--limit)"
