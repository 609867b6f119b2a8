"""What labellers are asked for, kept with each class.

A class's name is only the first guess of a phrase: a labeller that knows words finds "yellow crane
hook" where "hook" finds fish hooks. Examples are boxes that show the class, or what it is not.
"""

from __future__ import annotations

import msgspec

from core.common.text import clean
from core.data.labels.view import LabelError
from core.data.store import HistoryEntry, Project


class Example(msgspec.Struct, frozen=True):
    """A label that shows the class (`like`), or what must not be taken for it."""

    annotation_id: int
    like: bool = True


class Prompts(msgspec.Struct, frozen=True):
    """Phrases, examples and the least score to show, None for the usual one."""

    phrases: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    least: float | None = None


def prompts_of(project: Project) -> dict[int, Prompts]:
    """Return what is asked for each class by its id: without phrases of its own, its name."""
    found: dict[int, Prompts] = {}
    for class_id, name, stored in project.db.execute("SELECT id, name, prompts FROM classes"):
        prompts = _stored(stored)
        if not prompts.phrases:
            prompts = msgspec.structs.replace(prompts, phrases=(name.replace("_", " "),))
        found[class_id] = prompts
    return found


def set_prompts(project: Project, class_id: int, prompts: Prompts) -> HistoryEntry | None:
    """Keep what labellers are asked for a class, as one step; None when it is so already.

    Blank phrases and repeated ones are left out. Raises `LabelError` for an unknown class, a score
    outside 0 to 1 and an example that is no label.
    """
    row = project.db.execute("SELECT name FROM classes WHERE id = ?", (class_id,)).fetchone()
    if row is None:
        raise LabelError(f"There is no class {class_id}.", "It may have been merged since.")
    if prompts.least is not None and not 0 <= prompts.least <= 1:
        raise LabelError(
            f"A least score of {prompts.least} is none.", "Give a number between 0 and 1."
        )
    for example in prompts.examples:
        query = "SELECT 1 FROM v_annotations WHERE id = ?"
        if project.db.execute(query, (example.annotation_id,)).fetchone() is None:
            raise LabelError(
                f"The example {example.annotation_id} is no label.", "Choose one that is there."
            )
    phrases = tuple(dict.fromkeys(" ".join(phrase.split()) for phrase in prompts.phrases))
    kept = msgspec.structs.replace(prompts, phrases=tuple(filter(None, phrases)))
    text = None if kept == Prompts() else msgspec.json.encode(kept).decode()
    said = ", ".join(kept.phrases) or "its name"
    summary = f"Labellers look for {clean(row[0])} as: {clean(said)}"
    with project.change("labels.prompts", summary, {"class": class_id}) as change:
        change.update("classes", class_id, {"prompts": text})
        if change.empty:
            return None
    return project.entry(change.history_id)


def _stored(text: str | None) -> Prompts:
    if text is None:
        return Prompts()
    try:
        return msgspec.json.decode(text, type=Prompts)
    except msgspec.DecodeError:
        return Prompts()  # a newer Batman's: the name will do
