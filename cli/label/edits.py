"""`batman labels show`, `add`, `set`, `delete`, `edit`, `undo` and `redo`: boxes of one picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.answers.printing import say_json
from cli.common import add_placed_project, open_project
from cli.exits import Exit
from cli.label.decide import class_named
from cli.numbers import number, whole
from cli.output import say, say_change, say_table
from cli.parser import Subcommands
from core.common.errors import BatmanError
from core.common.text import clean
from core.data.labels.edit import Edited, edit
from core.data.labels.ops import Add, Delete, Known, Op, Set, parse_ops
from core.data.labels.view import LabelBox, PictureLabels, picture_labels

if TYPE_CHECKING:
    from core.data.store import HistoryEntry, Project

_PIXELS = "left, top, width and height in pixels"


def add(commands: Subcommands) -> None:
    """Add the sub-commands to `batman labels`."""
    shown = commands.add("show", "the labels and open suggestions of a picture", _show)
    new = commands.add("add", "draw a box", _add)
    new.add_argument("--class", dest="class_name", required=True, metavar="NAME", help="its class")
    changed = commands.add("set", "give a label another box or class", _set)
    changed.add_argument("--class", dest="class_name", metavar="NAME", help="its class from now on")
    gone = commands.add("delete", "remove labels", _delete)
    many = commands.add("edit", "do edits of a picture that are given as JSON, as one step", _edit)
    many.add_argument(
        "--ops", required=True, metavar="FILE", help="a JSON list of edits, - for the input"
    )
    many.add_argument(
        "--key", metavar="KEY", help="name of the request: one that was done is not done again"
    )
    for command in (shown, new, many):
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("--image", metavar="NAME", help="name of the picture")
        which.add_argument("--image-id", type=whole(1), metavar="N", help="its number")
    for command, needed in ((new, True), (changed, False)):
        command.add_argument(
            "--box", nargs=4, type=number(-1e9), required=needed, metavar=("X", "Y", "W", "H"),
            help=_PIXELS,
        )  # fmt: skip
    changed.add_argument("--id", type=whole(1), required=True, metavar="N", help="the label")
    gone.add_argument(
        "--id", type=whole(1), nargs="+", action="extend", required=True, metavar="N",
        help="the labels, of one picture",
    )  # fmt: skip
    undo = commands.add("undo", "take back the newest change, or one edit of labels", _undo)
    undo.add_argument(
        "--step", type=whole(1), metavar="N",
        help="take back this edit, whatever was done to other boxes since",
    )  # fmt: skip
    redo = commands.add("redo", "do again what was undone last", _redo)
    for command in (undo, redo):
        command.add_argument(
            "--expect", type=whole(1), metavar="N", help="refuse if it is another step than this"
        )
    for command in (shown, new, changed, gone, many, undo, redo):
        add_placed_project(command)


def _picture(project: Project, args: argparse.Namespace) -> int:
    """Return the picture that is meant. Raises BatmanError for none, and for several."""
    if args.image_id is not None:
        return int(args.image_id)
    # A name that is no text is that of no picture: SQLite holds UTF-8 alone.
    name = args.image.encode(errors="replace").decode()
    query = "SELECT id FROM v_images WHERE name = ?"
    rows = project.db.execute(query, (name,)).fetchall() if name == args.image else []
    if len(rows) == 1:
        return int(rows[0][0])
    if not rows:
        raise BatmanError(
            f"The project has no picture named '{clean(args.image)}'.",
            "Names are those of the imported files; see batman images list.",
        )
    numbers = ", ".join(str(row[0]) for row in rows[:5])
    raise BatmanError(
        f"{len(rows)} pictures are named '{clean(args.image)}'.",
        f"Say which by --image-id: {numbers}.",
    )


def _label(project: Project, label: int) -> tuple[int, LabelBox]:
    """Return the picture of a label and the label. Raises BatmanError when it is not there."""
    row = project.db.execute("SELECT image_id FROM annotations WHERE id = ?", (label,)).fetchone()
    boxes = () if row is None else picture_labels(project, row[0]).boxes
    for box in boxes:
        if box.id == label:
            return row[0], box
    raise BatmanError(f"There is no label {label}.", "See batman labels show.")


def _show(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        picture = picture_labels(project, _picture(project, args))
        names = _names(project)
    if args.json:
        say_json(_record(picture, names))
        return Exit.OK
    say_table(
        ["", "id", "class", "score", "from", "x", "y", "width", "height"],
        [
            *(("label", box.id, names[box.class_id], _score(box.score), _from(box), *_px(box.box))
              for box in picture.boxes),
            *(("open", s.id, names[s.class_id], _score(s.score), s.model, *_px(s.box))
              for s in picture.suggestions),
        ],
        right=("id", "score", "x", "y", "width", "height"),
    )  # fmt: skip
    state = {"done": "reviewed", "later": "put off"}.get(picture.review or "", "not reviewed")
    say(f"{picture.name}, {picture.width} × {picture.height}, {state}.", "dim")
    return Exit.OK


def _add(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        op = Add(class_named(project, args.class_name), tuple(args.box))
        return _done(args, project, edit(project, _picture(project, args), [op]))


def _set(args: argparse.Namespace) -> int:
    if args.box is None and args.class_name is None:
        raise BatmanError("There is nothing to set.", "Give --box or --class.")
    with open_project(args) as project:
        image, was = _label(project, args.id)
        op = Set(
            args.id,
            Known(was.box, was.class_id),
            None if args.box is None else tuple(args.box),
            None if args.class_name is None else class_named(project, args.class_name),
        )
        return _done(args, project, edit(project, image, [op]))


def _delete(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        found = [_label(project, label) for label in dict.fromkeys(args.id)]
        images = {image for image, _ in found}
        if len(images) > 1:
            raise BatmanError(
                "These labels are of several pictures.", "Delete those of one at a time."
            )
        ops: list[Op] = [Delete(box.id, Known(box.box, box.class_id)) for _, box in found]
        return _done(args, project, edit(project, images.pop(), ops))


def _edit(args: argparse.Namespace) -> int:
    try:
        text = sys.stdin.read() if args.ops == "-" else Path(args.ops).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BatmanError(
            f"'{clean(args.ops)}' cannot be read: {error}.", "Nothing was changed."
        ) from None
    ops = parse_ops(text)
    with open_project(args) as project:
        return _done(args, project, edit(project, _picture(project, args), ops, args.key))


def _done(args: argparse.Namespace, project: Project, edited: Edited) -> int:
    if args.json:
        picture = _record(edited.picture, _names(project))
        say_json({"history": edited.history_id, "ids": list(edited.ids), "picture": picture})
    elif edited.history_id is None:
        say("There was nothing to change.")
    else:
        say(f"{project.entry(edited.history_id).summary}.")
        made = [str(label) for label in edited.ids if label is not None]
        if made:
            say(f"Labels: {', '.join(made)}.", "dim")
    return Exit.OK


def _undo(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        if args.step is not None:
            if args.expect is not None:
                raise BatmanError("--step and --expect exclude each other.", "Give one of them.")
            entry: HistoryEntry | None = project.take_back(args.step)
        else:
            entry = project.undo(args.expect)
    return say_change(entry, "Undone", "There is nothing to undo.")


def _redo(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        entry = project.redo(args.expect)
    return say_change(entry, "Done again", "There is nothing to redo.")


def _names(project: Project) -> dict[int, str]:
    return dict(project.db.execute("SELECT id, name FROM classes").fetchall())


def _record(picture: PictureLabels, names: dict[int, str]) -> dict[str, Any]:
    """Return a picture as JSON; a label's `box` and `class` are what an edit takes as `was`."""
    return {
        "id": picture.image_id, "name": picture.name, "width": picture.width,
        "height": picture.height, "review": picture.review, "newest": picture.newest,
        "labels": [
            {"id": box.id, "class": box.class_id, "name": names.get(box.class_id),
             "box": list(box.box), "source": box.source, "model": box.model, "score": box.score,
             "edited": box.edited, "track": box.track}
            for box in picture.boxes
        ],
        "suggestions": [
            {"id": s.id, "class": s.class_id, "name": names.get(s.class_id), "box": list(s.box),
             "score": s.score, "pass": s.pass_id, "model": s.model}
            for s in picture.suggestions
        ],
    }  # fmt: skip


def _from(box: LabelBox) -> str:
    source = box.model if box.source == "model" and box.model else box.source
    return f"{source}, changed" if box.edited else source


def _score(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _px(box: tuple[float, float, float, float]) -> tuple[str, ...]:
    return tuple(f"{side:.6g}" for side in box)
