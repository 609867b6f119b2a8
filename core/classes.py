"""Classes: counting, merging, renaming and deleting them, each as one step that can be undone.

Annotations refer to labels (what an import called a thing) and labels to classes, so that none of
this touches an annotation; see `core.store.schema`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.errors import ClassError
from core.store import Change, HistoryEntry, Project
from core.text import clean, did_you_mean, plural


@dataclass(frozen=True)
class ClassRow:
    """A class as people see it; `labels` are the names that the imports had for it."""

    id: int
    name: str
    annotations: int
    images: int
    labels: tuple[str, ...]


def list_classes(project: Project) -> list[ClassRow]:
    """Return every class with its counts, sorted by name as people do (case apart)."""
    labels: dict[int, list[tuple[int, str, int, int]]] = {}
    for class_id, *label in project.db.execute(
        "SELECT labels.class_id, labels.id, labels.name, labels.annotations, labels.images"
        " FROM labels JOIN imports ON imports.id = labels.import_id"
        " WHERE imports.active = 1 AND labels.class_id IS NOT NULL ORDER BY labels.id"
    ):
        labels.setdefault(class_id, []).append((label[0], label[1], label[2], label[3]))
    rows = [
        ClassRow(
            id=class_id,
            name=name,
            annotations=sum(item[2] for item in of),
            images=_images(project, [item[0] for item in of if item[2]], of),
            labels=tuple(dict.fromkeys(item[1] for item in of)),
        )
        for class_id, name in project.db.execute("SELECT id, name FROM classes")
        for of in [labels.get(class_id, [])]
    ]
    return sorted(rows, key=lambda row: (row.name.casefold(), row.name))


def _images(project: Project, used: list[int], of: list[tuple[int, str, int, int]]) -> int:
    """Return on how many images a class is: an image may have several of its labels."""
    if len(used) < 2:
        return sum(item[3] for item in of)
    row = project.db.execute(
        "SELECT count(*) FROM (SELECT DISTINCT image_id FROM annotations"
        " WHERE deleted = 0 AND label_id IN (SELECT value FROM json_each(?)))",
        (json.dumps(used),),
    ).fetchone()
    return int(row[0])


def merge(project: Project, sources: Sequence[str], target: str) -> HistoryEntry | None:
    """Make one class named `target` of all `sources`, in one step.

    `target` may be one of them, another class, or a new name; the annotations of an existing
    target stay in it. Returns the history entry, or None when there was nothing to do. Raises
    `ClassError` for an unknown source, with the names most like it.
    """
    target = _checked(target)
    with project.change("classes.merge", "merge classes") as change:
        ids = _ids(project)
        chosen = _known(ids, sources)
        into = ids.get(target)
        if into is None:
            # The first source becomes the target: a rename, then the others join it.
            into = ids[chosen[0]]
            change.update("classes", into, {"name": target})
        merged = [name for name in chosen if name != target]
        moved = _count(project, [ids[name] for name in merged])
        for name in chosen:
            if ids[name] != into:
                _point_labels(project, change, ids[name], into)
                change.delete("classes", ids[name])
        if change.empty:
            return None
        project.describe(
            change,
            f"Merged {plural(len(merged), 'class', 'classes')} into {target}"
            f" ({plural(moved, 'annotation')})",
            {"sources": merged, "target": target, "annotations": moved},
        )
    return project.entry(change.history_id)


def rename(project: Project, old: str, new: str) -> HistoryEntry | None:
    """Give the class `old` the name `new`, in one step.

    Returns the history entry, or None when the name is the same. Raises `ClassError` when there is
    no such class, or `new` is another one (merging is asked for by its own name).
    """
    new = _checked(new)
    with project.change("classes.rename", "rename a class") as change:
        ids = _ids(project)
        (old,) = _known(ids, [old])
        if new == old:
            return None
        if new in ids:
            raise ClassError(
                f"There is a class '{clean(new)}' already. Merge instead?",
                f"Merge '{clean(old)}' into it: batman classes merge"
                f" --source '{clean(old)}' --target '{clean(new)}'.",
            )
        change.update("classes", ids[old], {"name": new})
        count = _count(project, [ids[old]])
        project.describe(
            change,
            f"Renamed {old} to {new} ({plural(count, 'annotation')})",
            {"old": old, "new": new, "annotations": count},
        )
    return project.entry(change.history_id)


def delete(
    project: Project, names: Sequence[str], reassign_to: str | None = None
) -> HistoryEntry | None:
    """Delete classes with their annotations, or hand the annotations to `reassign_to`.

    One step; undo brings all of it back. Raises `ClassError` for unknown names.
    """
    if reassign_to is not None:
        target = _checked(reassign_to)
        _known(_ids(project), [target])
        return merge(project, [*names, target], target)
    with project.change("classes.delete", "delete classes") as change:
        ids = _ids(project)
        chosen = _known(ids, names)
        count = _count(project, [ids[name] for name in chosen])
        for name in chosen:
            _point_labels(project, change, ids[name], None)
            change.delete("classes", ids[name])
        project.describe(
            change,
            f"Deleted {plural(len(chosen), 'class', 'classes')}: {', '.join(chosen)}"
            f" ({plural(count, 'annotation')})",
            {"classes": chosen, "annotations": count},
        )
    return project.entry(change.history_id)


def _ids(project: Project) -> dict[str, int]:
    return {row[1]: row[0] for row in project.db.execute("SELECT id, name FROM classes")}


def _checked(name: str) -> str:
    stripped = name.strip()
    if not stripped:
        raise ClassError("A class needs a name.", "Give a name that is not blank.")
    return stripped


def _known(ids: dict[str, int], names: Iterable[str]) -> list[str]:
    """Return the names, stripped and each once. Raises `ClassError` for the first unknown one."""
    chosen = list(dict.fromkeys(name.strip() for name in names))
    if not chosen:
        raise ClassError("No class was named.", "Name at least one class.")
    for name in chosen:
        if name not in ids:
            raise ClassError(
                f"There is no class '{clean(name)}'.",
                _sentence(did_you_mean(name, ids)) or "See `batman classes list` for the names.",
            )
    return chosen


def _count(project: Project, class_ids: Sequence[int]) -> int:
    row = project.db.execute(
        "SELECT coalesce(sum(labels.annotations), 0) FROM labels"
        " JOIN imports ON imports.id = labels.import_id WHERE imports.active = 1"
        " AND labels.class_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(class_ids)),),
    ).fetchone()
    return int(row[0])


def _point_labels(project: Project, change: Change, class_id: int, to: int | None) -> None:
    labels = project.db.execute(
        "SELECT id FROM labels WHERE class_id = ? ORDER BY id", (class_id,)
    ).fetchall()
    change.update_many("labels", ["class_id"], [(row[0], to) for row in labels])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
