"""What is on a picture, folded into counts: `missed RBC 18, WBC 1`; no widget."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from batman_tui.pictures.scene import Kind, Look, Scene, SceneBox, counted
from core.common.text import clean
from core.data.images.class_colours import hex_colour

# How a stroke looks and what it says.
_SAID: tuple[tuple[Kind, str, str], ...] = (
    ("wrong", "━", "too many"),
    ("missed", "╍", "missed"),
    ("right", "─", "right"),
    ("open", "╌", "suggested"),
    ("label", "─", ""),
)
_MUTED = "$foreground-muted"


def legend(scene: Scene, look: Look, width: int) -> Content:
    """Return how many boxes of each class there are of each kind, in a line of `width` cells.

    All boxes are counted, those that are not drawn too; what is off is struck out.
    """
    boxes = [each for each in scene.boxes if each.kind != "found"]
    if scene.drawn:
        return Content("")
    if not boxes:
        return Content.styled("no boxes", _MUTED)
    parts = [Content.styled(said, "bold $accent") for said in _filters(look)]
    for kind, stroke, word in _SAID:
        mine = [each for each in boxes if each.kind == kind]
        if mine:
            parts.append(_counts(mine, stroke, word, look))
    return Content("   ").join(parts).truncate(max(1, width), ellipsis=True)


def _filters(look: Look) -> list[str]:
    if look.hidden:
        return ["boxes hidden"]
    said = ["only wrong"] if look.only_wrong else []
    return [*said, f"only {clean(look.alone)}"] if look.alone is not None else said


def _counts(boxes: Sequence[SceneBox], stroke: str, word: str, look: Look) -> Content:
    colours = {each.name: hex_colour(each.colour) for each in boxes}
    names = []
    for name, count in counted(boxes):
        off = name in look.off or (look.alone is not None and name != look.alone)
        # The colours of classes are for pictures: as letters on paper some could not be read.
        text = (f" {clean(name)} {count:,}", "strike" if off else "")
        names.append(Content.assemble(("□" if off else "■", colours[name]), text))
    head = f"{stroke} {word} " if word else f"{stroke} "
    return Content.assemble((head, _MUTED), Content(", ").join(names))


def class_keys(scene: Scene, look: Look, width: int) -> Content:
    """Return the keys that show and hide the classes on the picture: `1 ■ RBC  2 ■ WBC`."""
    colours = {each.name: hex_colour(each.colour) for each in scene.boxes}
    parts = []
    for number, name in enumerate(scene.classes[:9], 1):
        off = name in look.off or (look.alone is not None and name != look.alone)
        parts.append(
            Content.assemble(
                (f"{number} ", "$footer-key-foreground bold"),
                ("□ " if off else "■ ", colours[name]),
                (clean(name), _MUTED if off else ""),
            )
        )
    return Content("  ").join(parts).truncate(max(1, width), ellipsis=True)
