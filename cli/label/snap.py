"""`batman labels snap`: boxes put right by a model, as by the key `s` of the page and the app."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.answers.printing import say_json
from cli.common import add_placed_project, open_project, workspace_of
from cli.exits import Exit
from cli.numbers import whole
from cli.output import say
from cli.parser import Subcommands
from core.common.errors import BatmanError
from core.common.text import clean, plural, sentence
from core.data.images.rows import image_path
from core.data.labels.edit import edit
from core.data.labels.ops import Accept, Known, Op, Set
from core.data.labels.view import LabelBox, PictureLabels, SuggestionBox, picture_labels

if TYPE_CHECKING:
    from core.autolabel.snap.model import Snapped
    from core.autolabel.snap.which_model import SnapModel
    from core.data.store import Project


def add(commands: Subcommands) -> None:
    """Add the sub-command to `batman labels`."""
    snap = commands.add("snap", "put rough boxes of a picture right by a model, as one step", _snap)
    snap.add_argument(
        "--id", type=whole(1), nargs="+", action="extend", default=[], metavar="N",
        help="the labels, of one picture",
    )  # fmt: skip
    snap.add_argument(
        "--suggestion", type=whole(1), nargs="+", action="extend", default=[], metavar="N",
        help="open suggestions of it: one whose box is put right is accepted",
    )  # fmt: skip
    snap.add_argument(
        "--with", dest="model", metavar="MODEL",
        help="sam3 or a run, this time (default: what was chosen by S on the page or in the app,"
        " else SAM 3 if the hub's cache has it)",
    )  # fmt: skip
    snap.add_argument(
        "--weights", type=Path, metavar="FOLDER", help="folder of SAM 3's files, for --with sam3"
    )
    snap.add_argument(
        "--keep", action="store_true", help="keep the model as the one that snaps, here and there"
    )
    snap.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)"
    )
    add_placed_project(snap)


@dataclass(frozen=True)
class _Rough:
    """A label or an open suggestion that is to be put right."""

    what: str
    row: LabelBox | SuggestionBox

    def op(self, box: tuple[float, float, float, float]) -> Op:
        if isinstance(self.row, SuggestionBox):
            return Accept(self.row.id, box=box)
        return Set(self.row.id, Known(self.row.box, self.row.class_id), box=box)


def _snap(args: argparse.Namespace) -> int:
    if not args.id and not args.suggestion:
        raise BatmanError(
            "No box is named.", "Give labels by --id or suggestions by --suggestion; see"
            " batman labels show.",
        )  # fmt: skip
    if args.model is None and (args.weights or args.keep):
        raise BatmanError("--weights and --keep say more about --with.", "Give --with too.")
    with open_project(args) as project:
        picture, roughs = _named(project, args)
        file = image_path(project, picture.image_id)
        if file is None or not file.is_file():
            raise BatmanError(
                f"The file of the picture '{clean(picture.name)}' is not there.",
                "See batman check.",
            )
        model = _model(args)
        found = _ask(model, args.device, file, picture, roughs)
        names = dict(project.db.execute("SELECT id, name FROM classes").fetchall())
        ops = [
            rough.op(one.box)
            for rough, one in zip(roughs, found, strict=True)
            if one is not None and one.box != rough.row.box
        ]
        entry = edit(project, picture.image_id, ops).history_id if ops else None
        summary = None if entry is None else project.entry(entry).summary
    if args.json:
        say_json(_record(model, picture, roughs, found, entry))
        return Exit.OK
    for rough, one in zip(roughs, found, strict=True):
        if one is None:
            say(f"{sentence(model.title)} sees no object in {rough.what}: it stays.")
        elif one.class_name not in (None, names.get(rough.row.class_id)):
            say(f"{sentence(model.title)} takes {rough.what} for {one.class_name}.")
    say(f"{summary}." if summary else "There was nothing to change.")
    return Exit.OK


def _named(project: Project, args: argparse.Namespace) -> tuple[PictureLabels, list[_Rough]]:
    """Return the picture and its boxes that are named. Raises BatmanError, also for several."""
    wanted = {
        "label": list(dict.fromkeys(args.id)),
        "suggestion": list(dict.fromkeys(args.suggestion)),
    }
    pictures = {
        kind: dict(
            project.db.execute(
                f"SELECT id, image_id FROM {table} WHERE id IN"
                f" ({', '.join('?' * len(wanted[kind]))})",
                wanted[kind],
            ).fetchall()
        )
        for kind, table in (("label", "annotations"), ("suggestion", "suggestions"))
    }
    images = {image for of in pictures.values() for image in of.values()}
    if len(images) > 1:
        raise BatmanError("These boxes are of several pictures.", "Snap those of one at a time.")
    picture = picture_labels(project, images.pop()) if images else None
    roughs = []
    for kind, numbers in wanted.items():
        rows: tuple[LabelBox | SuggestionBox, ...] = ()
        if picture is not None:
            rows = picture.boxes if kind == "label" else picture.suggestions
        there = {row.id: row for row in rows}
        for number in numbers:
            if number not in there:
                what = "label" if kind == "label" else "open suggestion"
                raise BatmanError(f"There is no {what} {number}.", "See batman labels show.")
            roughs.append(_Rough(f"{kind} {number}", there[number]))
    assert picture is not None
    return picture, roughs


def _model(args: argparse.Namespace) -> SnapModel:
    """Return the model that is meant, and keep it if asked to. Raises BatmanError."""
    from core.autolabel.snap.which_model import (
        NoSnapper,
        SnapChoice,
        find_snap_model,
        keep_snap_choice,
        snap_choice,
    )

    if args.model is None:
        try:
            return find_snap_model(snap_choice(), workspace_of(args))
        except NoSnapper as error:
            raise BatmanError(
                error.message, "Name one: --with a run, or --with sam3 --weights FOLDER."
            ) from None
    weights = str(args.weights.absolute()) if args.weights else ""
    find = keep_snap_choice if args.keep else find_snap_model
    return find(SnapChoice(args.model, weights), workspace_of(args))


def _ask(
    model: SnapModel, device: str, file: Path, picture: PictureLabels, roughs: list[_Rough]
) -> list[Snapped | None]:
    """Return what the model found in each box, in a child process that ends with the answers."""
    from core.autolabel.snap.service import SnapService

    say(f"{sentence(model.title)} looks at {plural(len(roughs), 'box', 'boxes')} …")
    size = (picture.width, picture.height)
    with SnapService(model.kind, model.weights, device) as service:
        return [service.snap(file, size, rough.row.box) for rough in roughs]


def _record(
    model: SnapModel,
    picture: PictureLabels,
    roughs: list[_Rough],
    found: list[Snapped | None],
    entry: int | None,
) -> dict[str, Any]:
    return {
        "model": model.title, "image": picture.image_id, "history": entry,
        "boxes": [
            {"id": rough.row.id,
             "kind": "suggestion" if isinstance(rough.row, SuggestionBox) else "label",
             "before": list(rough.row.box), "box": one and list(one.box),
             "score": one and one.score, "class": one and one.class_name}
            for rough, one in zip(roughs, found, strict=True)
        ],
    }  # fmt: skip
