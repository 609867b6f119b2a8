"""`batman labels accept`, `reject` and `review`: decisions about suggestions and pictures."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cli.common import add_placed_project, confirm, open_project
from cli.data.image_selection import WHERE, add_chosen, chosen_images, filter_of
from cli.numbers import number, whole
from cli.output import say_change
from cli.parser import Subcommands
from core.common.errors import BatmanError, ClassError
from core.common.text import clean, did_you_mean, plural, sentence
from core.data.classes import class_ids
from core.data.images.filter import find_images
from core.data.labels.bulk import accept_all, decide, reject_all
from core.data.labels.least_score import SHOWN
from core.data.labels.review import review_images

if TYPE_CHECKING:
    from core.data.store import Project


def add(commands: Subcommands) -> None:
    """Add the sub-commands to `batman labels`."""
    accept = commands.add("accept", "make labels of open suggestions, as one step", _accept)
    reject = commands.add("reject", "reject open suggestions, as one step", _reject)
    for command, verb in ((accept, "accept"), (reject, "reject")):
        command.add_argument(
            "--id", type=whole(1), nargs="+", action="extend", metavar="N",
            help=f"{verb} these suggestions, by their numbers",
        )  # fmt: skip
        command.add_argument("--class", dest="class_name", metavar="NAME", help="of this class")
        command.add_argument("--where", metavar="FILTER", help=WHERE)
        command.add_argument("--yes", action="store_true", help="do not ask")
    accept.add_argument(
        "--least", type=number(0, 1), metavar="X", help=f"from this score on (default: {SHOWN})"
    )
    reject.add_argument(
        "--least", type=number(0, 1), metavar="X", help="from this score on (default: 0)"
    )
    reject.add_argument(
        "--most", type=number(0, 1), metavar="X", help="up to this score (default: 1)"
    )
    review = commands.add("review", "say that pictures are reviewed, or put off", _review)
    review.add_argument(
        "--as",
        dest="state",
        choices=("done", "later", "todo"),
        default="done",
        help="reviewed, put off, or to do again (default: %(default)s)",
    )
    add_chosen(review)
    for command in (accept, reject, review):
        add_placed_project(command)


def class_named(project: Project, name: str) -> int:
    """Return the id of a class. Raises `ClassError` with the name most like it."""
    ids = class_ids(project)
    if name.strip() not in ids:
        guess = sentence(did_you_mean(name, ids))
        raise ClassError(f"There is no class '{clean(name)}'.", guess or "See batman classes list.")
    return ids[name.strip()]


def _accept(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        if args.id:
            _alone(args, "--id", args.class_name, args.where, args.least)
            return say_change(decide(project, accept=args.id))
        class_id, images = _which(project, args)
        least = SHOWN if args.least is None else args.least
        _ask(project, args, "Accept", class_id, images, least, 1.0)
        return say_change(accept_all(project, class_id, least, images))


def _reject(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        if args.id:
            _alone(args, "--id", args.class_name, args.where, args.least, args.most)
            return say_change(decide(project, reject=args.id))
        class_id, images = _which(project, args)
        least, most = args.least or 0.0, 1.0 if args.most is None else args.most
        _ask(project, args, "Reject", class_id, images, least, most)
        return say_change(reject_all(project, class_id, least, images, most))


def _alone(args: argparse.Namespace, option: str, *others: object) -> None:
    if any(other is not None for other in others):
        raise BatmanError(
            f"{option} names the suggestions.", "Leave out --class, --where, --least and --most."
        )


def _which(project: Project, args: argparse.Namespace) -> tuple[int | None, list[int] | None]:
    class_id = None if args.class_name is None else class_named(project, args.class_name)
    if args.where is None:
        return class_id, None
    return class_id, find_images(project, filter_of(project, args.where))


def _ask(
    project: Project,
    args: argparse.Namespace,
    verb: str,
    class_id: int | None,
    images: list[int] | None,
    least: float,
    most: float,
) -> None:
    """Ask before a decision about many, with their number. Raises BatmanError when refused."""
    wanted = None if images is None else set(images)
    count = sum(
        wanted is None or row[0] in wanted
        for row in project.db.execute(
            "SELECT image_id FROM v_suggestions WHERE state = 'open' AND score BETWEEN ? AND ?"
            " AND coalesce(class_id = ?, 1)",
            (least, most, class_id),
        )
    )
    question = f"{verb} {plural(count, 'suggestion')}?"
    if count and not confirm(question, yes=args.yes or args.json):
        raise BatmanError("Nothing was decided.")


def _review(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        ids = chosen_images(project, args)
        state = None if args.state == "todo" else args.state
        return say_change(review_images(project, ids, state))
