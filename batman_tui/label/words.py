"""What is said about the picture in hand, in words and lines; no widget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batman_tui.label.session import PictureSession, Thing
from batman_tui.label.walks import Walk
from batman_tui.widgets.dialogs.dialogs import PromptDialog
from batman_tui.widgets.dialogs.pick import Item, PickDialog
from batman_tui.widgets.table.cells import fit
from core.common.text import clean, plural
from core.data.classes import ClassRow
from core.data.images.class_colours import class_colour, hex_colour
from core.data.labels.view import PictureLabels, Progress

NOTHING_YET = "No pictures yet. Press Escape, then i to import images or videos."
NO_MATCH = "No picture matches the filter. Press / and Escape to show all."
ALL_DONE = "Nothing left here. Press o to walk through other pictures, m to let a model propose."
REVIEWS = {None: "not reviewed", "done": "reviewed", "later": "put off"}
NO_BOX = "Choose a box first: Tab, or a click."


def progress_line(progress: Progress) -> str:
    """Say how far the project is: `reviewed 12 of 300, 840 suggestions open`."""
    said = f"reviewed {progress.done:,} of {progress.images:,}"
    if progress.later:
        said += f", {progress.later:,} put off"
    return f"{said}, {plural(progress.open_suggestions, 'suggestion')} open"


@dataclass(frozen=True)
class Place:
    """Where in the list the picture is, from 1 (0: it is not in it), of how many, and why."""

    at: int = 0
    count: int = 0
    why: str = ""


def picture_line(session: PictureSession, place: Place) -> str:
    """Say which picture it is, its state, why it is worth a look, and what is on it."""
    picture = session.picture
    shown, there = len(session.suggestions()), len(picture.suggestions)
    of = f"{place.at:,} of {place.count:,}" if place.at else "not in this list"
    said = [of, REVIEWS[picture.review], *filter(None, [place.why])]
    if there:
        open_ones = f"{shown} of {there}" if shown != there else f"{there}"
        said.append(f"{open_ones} suggested from {session.least:.2f}")
    return " · ".join([*said, plural(len(picture.boxes), "label"), clean(picture.name)])


def chosen_line(session: PictureSession, name: str) -> str:
    """Say what is chosen: its class, score, size and where it comes from; or what comes next."""
    thing = session.thing
    if thing is None:
        if session.hidden:
            return "Boxes are hidden; v shows them."
        if session.suggestions():
            return f"Enter accepts all shown · Tab looks at one · next box: {clean(name)}"
        return f"Space: reviewed as it is · n draws a box: {clean(name)}"
    number, count = session.place()
    kind = "suggestion" if thing.open else "label"
    score = "" if thing.score is None else f" {thing.score:.2f}"
    mended = " · not saved yet" if session.draft is not None else ""
    return (
        f"{kind} {number} of {count}: {clean(name)}{score} · {thing.box[2]:.0f}×{thing.box[3]:.0f}"
        f" · {clean(thing.origin)}{mended}"
    )


Line = tuple[tuple[str, str], ...]
"""What stands on a line: texts with their styles."""


def class_lines(
    classes: Sequence[ClassRow], session: PictureSession | None, width: int, most: int
) -> list[Line]:
    """Return a line for each class with its key, colour and how many are on the picture."""
    counts: dict[int, int] = {}
    for thing in session.things() if session is not None else ():
        counts[thing.class_id] = counts.get(thing.class_id, 0) + 1
    found: list[Line] = []
    for number, row in enumerate(classes[:most], 1):
        key = f"{number}" if number < 10 else " "
        here = session is not None and session.class_id == row.id
        count = f"{counts[row.id]}" if row.id in counts else ""
        name = fit(clean(row.name), max(4, width - 6 - len(count)))
        found.append(
            (
                (key, "$footer-key-foreground bold"),
                (" ", ""),
                ("■ ", hex_colour(class_colour(row.id))),
                (name, "bold" if here else ""),
                (f" {count}", ""),
            )
        )
    if len(classes) > most:
        found.append(((f"g: {len(classes) - most:,} more", "$foreground-muted"),))
    return found


def thing_lines(
    session: PictureSession, names: dict[int, str], width: int, most: int
) -> list[Line]:
    """Return a line for each box in the order of Tab, the chosen one among them."""
    things = session.things()
    at = next((place for place, each in enumerate(things) if each.key == session.chosen), 0)
    first = min(max(0, at - most // 2), max(0, len(things) - most))
    return [
        _thing(each, names.get(each.class_id, "?"), width, each.key == session.chosen)
        for each in things[first : first + most]
    ]


def _thing(thing: Thing, name: str, width: int, chosen: bool) -> Line:
    score = "" if thing.score is None else f"{thing.score:.2f}"
    mark = "?" if thing.open else "■"
    return (
        ("▸" if chosen else " ", "$accent bold"),
        (f"{mark} ", hex_colour(class_colour(thing.class_id))),
        (fit(clean(name), max(4, width - 4 - len(score))), "bold" if chosen else ""),
        (f" {score}", "$foreground-muted"),
    )


def picture_facts(picture: PictureLabels, width: int) -> list[Line]:
    """Return what is known of the picture: its size, split, video."""
    said = [f"{picture.width}×{picture.height}", picture.split or "no split"]
    texts = [" · ".join(said)]
    if picture.group:
        at = "" if picture.time is None else f" at {picture.time:.2f} s"
        texts.append(f"{clean(picture.group)}{at}")
    return [((fit(text, width), "$foreground-muted"),) for text in texts]


def first_class_question() -> PromptDialog:
    """Return the dialog that asks for a project's first class: without one no box can be drawn."""
    return PromptDialog(
        "The first class",
        label="There is no class yet. What are the boxes to be called?",
        placeholder="hook",
        button="Add",
    )


def missing(
    session: PictureSession | None,
    action: str,
    parameters: tuple[object, ...] = (),
    classes: int = 0,
) -> str:
    """Return what there is not yet that `action` is about; empty where nothing is missing."""
    if session is None:
        return "There is no picture in hand."
    if action == "step" and not session.things():
        return "There is no box on this picture: n draws one."
    if action in ("accept", "reject") and not (session.thing and session.thing.open):
        if session.suggestions():
            return "Choose a suggestion first: Tab, or a click."
        return "Nothing is proposed on this picture."
    if action in ("delete", "nudge", "edge", "box") and session.thing is None:
        return NO_BOX
    if action == "reject_all" and not session.suggestions():
        return "Nothing is proposed on this picture."
    if action == "class_at" and int(str(parameters[0])) > classes:
        return f"The project has no class {parameters[0]}."
    return ""


def class_question(rows: Sequence[ClassRow]) -> PickDialog:
    """Return the dialog that asks for one of the classes, its number being the result."""
    items = [Item(str(row.id), row.name, count=row.annotations) for row in rows]
    return PickDialog("Class", items, noun="Labels")


def walk_question(walks: Sequence[Walk]) -> PickDialog:
    """Return the dialog that asks which pictures to walk through."""
    return PickDialog("Walk through", [Item(walk.id, walk.title) for walk in walks])
