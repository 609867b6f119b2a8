"""What every command about a labeller has: how it is named, what it looks for, what came of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.answers.printing import say_json
from cli.data.image_selection import WHERE, filter_of
from cli.numbers import number
from cli.output import say, say_pairs
from core.autolabel.choice import HUB, parse_choice
from core.autolabel.prepare import AutolabelRequest
from core.autolabel.record import Recorded
from core.common.errors import BatmanError, ClassError
from core.common.text import clean, did_you_mean, plural, sentence
from core.data.images.filter import find_images
from core.data.labels.passes import KEPT
from core.data.store import Project

_SHOWN = 8


def add_labeller(parser: argparse._ActionsContainer, option: str, *, alone: bool = False) -> None:
    """Give `parser` the labeller by `option`, its weights, and what it looks for.

    With `alone` the option may stand without a labeller, which is "" then.
    """
    how: dict[str, Any] = {"nargs": "?", "const": ""} if alone else {}
    parser.add_argument(
        option,
        dest="labeller",
        metavar="LABELLER",
        **how,
        help="a run by name or path, coco:SIZE (RF-DETR's published weights), "
        f"{', '.join(HUB)}, or one of these with :OWNER/NAME of the Hugging Face hub",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="PATH",
        help="folder with the files of a labeller of the hub, or the file of coco:SIZE",
    )
    parser.add_argument(
        "--download", action="store_true", help="fetch weights that are not on this machine"
    )
    looked = parser
    if isinstance(parser, argparse.ArgumentParser):
        looked = parser.add_argument_group("what it looks for")
    looked.add_argument(
        "--prompt",
        action="append",
        default=[],
        metavar="CLASS=PHRASE",
        help='what to look for as a class, such as hook="yellow crane hook"; several times for'
        " several phrases; kept with the class (first guess: its name)",
    )
    looked.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="NAME=CLASS",
        help="which class of the project a class of a run or of COCO is, such as person=worker"
        " (of the same name without it)",
    )
    looked.add_argument(
        "--classes", nargs="+", metavar="CLASS", help="classes to look for (default: all)"
    )
    looked.add_argument(
        "--least",
        type=number(0, 1),
        default=KEPT,
        metavar="X",
        help="least score of what is kept (default: %(default)s)",
    )


def add_pictures(parser: argparse._ActionsContainer) -> None:
    """Give `parser` which pictures are looked at."""
    parser.add_argument("--images", metavar="FILTER", help=WHERE)
    parser.add_argument(
        "--skip-labelled",
        action="store_true",
        help="leave out pictures that have labels, or were reviewed",
    )


def request_of(path: Path, args: argparse.Namespace, *, device: str) -> AutolabelRequest:
    """Return what the arguments wish of a labeller, for the project in the folder `path`.

    Raises BatmanError, with ClassError among it, for what is not there.
    """
    with Project.open(path) as project:
        classes = [row[0] for row in project.db.execute("SELECT name FROM classes")]
        ids = None if args.images is None else find_images(project, filter_of(project, args.images))
        if ids == []:
            raise BatmanError("No image matches the filter.", "Nothing was changed.")
    return AutolabelRequest(
        choice=parse_choice(args.labeller),
        weights=args.weights,
        images=ids,
        classes=args.classes,
        prompts=parse_prompts(args.prompt, classes),
        mapping=parse_map(args.map, classes),
        least=args.least,
        skip_labelled=args.skip_labelled,
        device=device,
        batch_size=args.batch_size,
        backend=getattr(args, "backend", "auto"),
    )


def parse_prompts(words: Sequence[str], classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the phrases of each class that `--prompt CLASS=PHRASE` names.

    A class may have `=` in its name. Raises ClassError for one that is not there, and BatmanError
    for what is no such pair.
    """
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        names = [name for name in classes if word.startswith(f"{name}=")]
        if not names:
            name, equals, _ = word.partition("=")
            if not equals:
                raise BatmanError(
                    f"'{clean(word)}' is no class with its phrase.",
                    'Write CLASS=PHRASE, such as hook="yellow crane hook".',
                )
            raise _no_class(name, classes)
        name = max(names, key=len)
        phrase = " ".join(word[len(name) + 1 :].split())
        if not phrase:
            raise BatmanError(
                f"The phrase for '{clean(name)}' is empty.", "Say what it looks like in words."
            )
        found[name] = (*found.get(name, ()), phrase)
    return found


def parse_map(words: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    """Return the class of the project for each name that `--map NAME=CLASS` gives.

    Raises ClassError for a class that is not there, and BatmanError for what is no such pair.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, wanted = word.partition("=")
        if not (name and equals and wanted):
            raise BatmanError(
                f"'{clean(word)}' does not say which class a name is.",
                "Write NAME=CLASS, such as person=worker.",
            )
        # The name of either may have '=' in it: that of the project's class is known.
        fits = [known for known in classes if word.endswith(f"={known}") and word != f"={known}"]
        if fits:
            wanted = max(fits, key=len)
            name = word[: -len(wanted) - 1]
        elif wanted not in classes:
            raise _no_class(wanted, classes)
        found[name] = wanted
    return found


def _no_class(name: str, classes: Sequence[str]) -> ClassError:
    guess = sentence(did_you_mean(name, classes))
    return ClassError(
        f"The project has no class '{clean(name)}'.", guess or "See batman classes list."
    )


def show_recorded(recorded: Recorded, args: argparse.Namespace) -> None:
    """Print what became of a pass."""
    if args.json:
        say_json(_as_json(recorded))
        return
    report = recorded.report
    if report is None:
        say("This pass was in the project already; what was left of its folder was removed.")
        return
    of = f" of {recorded.total:,}" if recorded.done < recorded.total else ""
    say(
        f"{recorded.model} looked at {report.images:,}{of} pictures on {recorded.device}: "
        f"{plural(report.open, 'suggestion')} to review."
    )
    say_pairs(
        [
            ("agree with a label", f"{report.agrees:,}" if report.agrees else None),
            ("rejected before", f"{report.repeated:,}" if report.repeated else None),
            ("replaced earlier ones", f"{report.superseded:,}" if report.superseded else None),
        ]
    )
    for line in recorded.passed_over():
        say(line, "yellow")
    for note in recorded.notes:
        say(sentence(f"{note}."), "dim")
    for name, reason in recorded.unreadable[:_SHOWN]:
        say(f"Skipped: {name} {reason}", "yellow")
    if len(recorded.unreadable) > _SHOWN:
        say(f"Skipped: {len(recorded.unreadable) - _SHOWN:,} more", "yellow")


def _as_json(recorded: Recorded) -> Mapping[str, Any]:
    report = recorded.report
    counts = (
        "pass_id",
        "images",
        "open",
        "agrees",
        "repeated",
        "superseded",
        "gone_images",
        "gone_objects",
    )
    return {
        "model": recorded.model,
        "device": recorded.device,
        "recorded": report is not None,
        **{name: getattr(report, name, None) for name in counts},
        "looked_at": recorded.done,
        "wanted": recorded.total,
        "unreadable": [{"file": name, "reason": why} for name, why in recorded.unreadable],
        "notes": list(recorded.notes),
    }
