"""Classes: counting, merging, renaming and dropping them, each as one step that can be undone.

Annotations refer to labels (what an import called a thing) and labels to classes, so that none of
this touches an annotation; see `core.data.store.schema`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from core.common.errors import ClassError
from core.common.invisible_characters import said_unseen
from core.common.text import clean, did_you_mean, plural
from core.data.classes.carry import carry, settle
from core.data.store import Change, HistoryEntry, Project


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
    labels: dict[int, list[_Label]] = {}
    for class_id, *label in project.db.execute(
        "SELECT labels.class_id, labels.id, labels.import_id, labels.name, labels.annotations,"
        " labels.images FROM labels JOIN imports ON imports.id = labels.import_id"
        " WHERE imports.active = 1 AND labels.class_id IS NOT NULL ORDER BY labels.id"
    ):
        labels.setdefault(class_id, []).append(_Label(*label))
    rows = [
        ClassRow(
            id=class_id,
            name=name,
            annotations=sum(label.annotations for label in of),
            images=_images(project, of),
            labels=tuple(dict.fromkeys(label.name for label in of)),
        )
        for class_id, name in project.db.execute("SELECT id, name FROM classes")
        for of in [labels.get(class_id, [])]
    ]
    return sorted(rows, key=lambda row: (row.name.casefold(), row.name))


def class_ids(project: Project) -> dict[str, int]:
    """Return the id of every class by its name, which takes no counting."""
    return {row[1]: row[0] for row in project.db.execute("SELECT id, name FROM classes")}


class _Label(NamedTuple):
    id: int
    import_id: int
    name: str
    annotations: int
    images: int


def _images(project: Project, labels: Sequence[_Label]) -> int:
    """Return on how many images a class is: an image may have several labels of its import."""
    by_import: dict[int, list[_Label]] = {}
    for label in labels:
        if label.annotations:
            by_import.setdefault(label.import_id, []).append(label)
    return sum(
        of[0].images if len(of) == 1 else _distinct(project, [label.id for label in of])
        for of in by_import.values()
    )


def _distinct(project: Project, labels: Sequence[int]) -> int:
    from core.data.images.images_per_class import count_images

    return count_images(project, labels)


@dataclass(frozen=True)
class Plan:
    """What a mapping of class names would do: for each new name, which classes go into it.

    `renamed` has one old name for a new one, `merged` several (or joins a class that is there);
    `dropped` lose their annotations. `annotations` counts those of all classes that change.
    """

    renamed: dict[str, str]
    merged: dict[str, tuple[str, ...]]
    dropped: tuple[str, ...]
    annotations: int

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return not (self.renamed or self.merged or self.dropped)


def plan(project: Project, mapping: Mapping[str, str | None]) -> Plan:
    """Return what `remap` would do with `mapping`, without doing it.

    Names are stripped. Raises `ClassError` for an unknown old name or a blank new one.
    """
    ids = class_ids(project)
    return _plan(project, ids, _cleaned(project, ids, mapping))


def remap(
    project: Project, mapping: Mapping[str, str | None], *, kind: str, summary: str | None = None
) -> HistoryEntry | None:
    """Rename, merge and drop classes, all at once and in one step.

    `mapping` says old name → new name, or None to drop the class with its annotations. All of it
    happens at the same time, so that two names can be swapped. What models propose for a class that
    joins another goes with it. Returns the history entry of `kind`, which says what became of how
    many, after the words of `summary`; None when there was nothing to do. Raises `ClassError` for
    unknown old names, with those most like them, for blank new ones, and for new ones that hold
    characters nobody sees (`core.common.invisible_characters`).
    """
    with project.change(kind, summary or "change classes") as change:
        ids = class_ids(project)
        wanted = _cleaned(project, ids, mapping)
        what = _plan(project, ids, wanted)
        # Whoever keeps a name, or gets it alone or first, keeps the class; the others join it.
        holders: dict[str, str] = {name: name for name in ids if wanted.get(name, name) == name}
        for old, new in wanted.items():
            if new is not None:
                holders.setdefault(new, old)
        leaving = [old for old, new in wanted.items() if new is None or holders[new] != old]
        joined: dict[int, int] = {}
        for old in leaving:
            new = wanted[old]
            to = None if new is None else ids[holders[new]]
            _point_labels(project, change, ids[old], to)
            if to is not None:
                carry(project, change, ids[old], to)
                joined[ids[old]] = to
            change.delete("classes", ids[old])
        for to in dict.fromkeys(joined.values()):
            settle(project, change, to)
        moving = [(ids[old], new) for new, old in holders.items() if new != old]
        # By way of a name nobody has: names are unique at every moment, and may be swapped.
        taken = {new for _, new in moving} & set(ids)
        if taken:
            change.update_many("classes", ["name"], [(i, f"\0{i}") for i, _ in moving])
        change.update_many("classes", ["name"], moving)
        if change.empty:
            return None
        done = _sentence(what)
        if summary:
            done = f"{summary}: {done[:1].lower()}{done[1:]}"
        # Numbers too: what was begun before, such as a labeller's pass, knows its classes by them.
        project.describe(change, done, {**_detail(what), "joined": joined})
    return project.entry(change.history_id)


def add(project: Project, name: str, *more: str) -> tuple[int, HistoryEntry]:
    """Make classes that have no annotations yet, in one step; return the first's id and the entry.

    Raises `ClassError` for a name that is blank, holds characters nobody sees, or is there.
    """
    names = list(dict.fromkeys(each.strip() for each in (name, *more)))
    said = f"class {clean(names[0])}" if len(names) == 1 else f"classes {_listed(names)}"
    numbers = []
    with project.change("classes.add", f"Added the {said}") as change:
        there = class_ids(project)
        for each in names:
            if each in there:
                raise ClassError(f"There is a class '{clean(each)}' already.", "Use that one.")
            _refuse_new(each)
            numbers.append(change.insert("classes", {"name": each}))
    return numbers[0], project.entry(change.history_id)


def merge(project: Project, sources: Sequence[str], target: str) -> HistoryEntry | None:
    """Make one class named `target` of all `sources`, in one step.

    `target` may be one of them, another class, or a new name; the annotations of an existing
    target stay in it. Returns the history entry, or None when there was nothing to do. Raises
    `ClassError` for an unknown source, with the names most like it.
    """
    if not sources:
        raise ClassError("No class was named.", "Name at least one class to merge.")
    return remap(project, dict.fromkeys(sources, target), kind="classes.merge")


def rename(project: Project, old: str, new: str) -> HistoryEntry | None:
    """Give the class `old` the name `new`, in one step.

    Returns the history entry, or None when the name is the same. Raises `ClassError` when there is
    no such class, or `new` is another one (merging is asked for by its own name).
    """
    ids = class_ids(project)
    old, new = old.strip(), new.strip()
    if old in ids and new in ids and new != old:
        raise ClassError(
            f"There is a class '{clean(new)}' already. Merge instead?",
            f"Merge '{clean(old)}' into it: batman classes merge {_said('--source', old)}"
            f" {_said('--target', new)} {_said('--project', _named(project))}",
        )
    return remap(project, {old: new}, kind="classes.rename")


def delete(
    project: Project, names: Sequence[str], reassign_to: str | None = None
) -> HistoryEntry | None:
    """Delete classes with their annotations, or hand the annotations to `reassign_to`.

    One step; undo brings all of it back. Raises `ClassError` for unknown names.
    """
    if not names:
        raise ClassError("No class was named.", "Name at least one class to delete.")
    if reassign_to is not None:
        _cleaned(project, class_ids(project), {reassign_to: reassign_to})
    return remap(project, dict.fromkeys(names, reassign_to), kind="classes.delete")


def _said(option: str, value: str) -> str:
    """Return an option with its value as it is typed; one that begins with a dash needs a `=`."""
    return f"{option}{'=' if value.startswith('-') else ' '}{shlex.quote(clean(value))}"


def _named(project: Project) -> str:
    """Return what `--project` takes: the name in a workspace, else the path."""
    return project.name if project.path.parent.name == "projects" else str(project.path)


def _cleaned(
    project: Project, ids: Mapping[str, int], mapping: Mapping[str, str | None]
) -> dict[str, str | None]:
    cleaned: dict[str, str | None] = {}
    for raw_old, raw_new in mapping.items():
        old, new = raw_old.strip(), None if raw_new is None else raw_new.strip()
        if old not in ids:
            asked = did_you_mean(old, ids)
            raise ClassError(
                f"There is no class '{clean(old)}'.",
                asked[:1].upper() + asked[1:]
                or f"See their names: batman classes list {_said('--project', _named(project))}",
            )
        if new is not None:
            _refuse_new(new, known=new in ids)
        cleaned[old] = new
    return cleaned


def _refuse_new(name: str, *, known: bool = False) -> None:
    """Raise `ClassError` for a name that no class can be given; a `known` one may be odd."""
    if name == "" or "\0" in name:
        raise ClassError("A class needs a name.", "Give a name that is not blank.")
    if not known and (hidden := said_unseen(name)):
        raise ClassError(
            f"The name '{clean(name)}' holds what nobody sees: {hidden}.",
            "Give a name without it.",
        )


def _plan(project: Project, ids: Mapping[str, int], wanted: Mapping[str, str | None]) -> Plan:
    into: dict[str, list[str]] = {}
    changing = [old for old, new in wanted.items() if new != old]
    for old in changing:
        new = wanted[old]
        if new is not None:
            into.setdefault(new, []).append(old)
    stays = {name for name in ids if wanted.get(name, name) == name}
    return Plan(
        renamed={old[0]: new for new, old in into.items() if len(old) == 1 and new not in stays},
        merged={new: tuple(old) for new, old in into.items() if len(old) > 1 or new in stays},
        dropped=tuple(old for old in changing if wanted[old] is None),
        annotations=_count(project, [ids[old] for old in changing]),
    )


def _sentence(what: Plan) -> str:
    """Return one line for people: what was done, to how many annotations."""
    parts = []
    if what.renamed:
        (old, new), *more = what.renamed.items()
        parts.append(
            f"renamed {old} to {new}" if not more else f"renamed {len(what.renamed):,} classes"
        )
    if what.merged:
        (target, sources), *others = what.merged.items()
        count = sum(len(names) for names in what.merged.values())
        where = target if not others else f"{len(what.merged):,} others"
        named = sources[0] if count == 1 else plural(count, "class")
        parts.append(f"merged {named} into {where}")
    if what.dropped:
        parts.append(f"deleted {plural(len(what.dropped), 'class')}: {_listed(what.dropped)}")
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]} ({plural(what.annotations, 'annotation')})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(clean(name) for name in names[:3]) + (", …" if len(names) > 3 else "")


def _detail(what: Plan) -> dict[str, Any]:
    return {
        "renamed": what.renamed,
        "merged": {new: list(old) for new, old in what.merged.items()},
        "dropped": list(what.dropped),
        "annotations": what.annotations,
    }


def _count(project: Project, ids: Sequence[int]) -> int:
    row = project.db.execute(
        "SELECT coalesce(sum(labels.annotations), 0) FROM labels"
        " JOIN imports ON imports.id = labels.import_id WHERE imports.active = 1"
        " AND labels.class_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    ).fetchone()
    return int(row[0])


def _point_labels(project: Project, change: Change, class_id: int, to: int | None) -> None:
    labels = project.db.execute(
        "SELECT id FROM labels WHERE class_id = ? ORDER BY id", (class_id,)
    ).fetchall()
    change.update_many("labels", ["class_id"], [(row[0], to) for row in labels])
