"""What is different between two states of a project: pictures, boxes, classes, splits.

Of the boxes only those are looked at one by one that a change in between wrote; all others are as
they were but for their class and their picture, which are counted in columns. A million boxes take
about two seconds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.store import Project
from core.data.versions.past import copied, go_to, state_of

NO_SPLIT = "none"

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Difference:
    """What came and went from the state `before` to the state `after`.

    `moved` counts pictures by the split they were in and are in now. `redrawn` are boxes that have
    another place or size, `reclassed` those of another class, among them all that a merge took
    along; one may be both. `per_class` has boxes before and after, by name, where they differ.
    `renamed` are classes by the name before and after.
    """

    before: int
    after: int
    pictures_added: int = 0
    pictures_removed: int = 0
    moved: Mapping[tuple[str, str], int] = field(default_factory=dict)
    boxes_added: int = 0
    boxes_removed: int = 0
    redrawn: int = 0
    reclassed: int = 0
    classes_added: tuple[str, ...] = ()
    classes_removed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    per_class: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """Whether both states hold the same."""
        return self == Difference(self.before, self.after)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON takes it; moves as a list of from, to and how many."""
        told = asdict(self)
        told["moved"] = [
            {"from": old, "to": new, "pictures": count} for (old, new), count in self.moved.items()
        ]
        return told


@dataclass(frozen=True)
class _State:
    """What is seen in a state; arrays are by id: class of a label, split of a picture or -1."""

    classes: dict[int, str]
    label_class: Ids
    split: Ids


@dataclass(frozen=True)
class _Box:
    class_id: int
    image: int
    place: tuple[float, ...]


def compare(project: Project, before: int, after: int | None = None) -> Difference:
    """Return what is different between two states; `after` is the present one by default.

    Raises nothing for states that are in the history; it is read from a copy in memory.
    """
    after = state_of(project) if after is None else after
    with copied(project) as copy:
        touched = _touched(copy, min(before, after), max(before, after))
        go_to(copy, after)
        new, new_boxes = _state(copy), _boxes(copy, touched)
        go_to(copy, before)
        old, old_boxes = _state(copy), _boxes(copy, touched)
        untouched = _columns(copy, touched)
    return _difference((before, after), (old, old_boxes), (new, new_boxes), untouched)


def _difference(
    states: tuple[int, int],
    was: tuple[_State, dict[int, _Box]],
    now: tuple[_State, dict[int, _Box]],
    columns: tuple[Ids, Ids],
) -> Difference:
    old, old_boxes = was
    new, new_boxes = now
    classes, images = columns
    before, after = _class_seen(old, classes, images), _class_seen(new, classes, images)
    counts = [
        _per_class(state, seen, boxes)
        for state, seen, boxes in ((old, before, old_boxes), (new, after, new_boxes))
    ]
    per_class = {
        name: (counts[0][name], counts[1][name])
        for name in sorted({*counts[0], *counts[1]})
        if counts[0][name] != counts[1][name]
    }
    both = old_boxes.keys() & new_boxes.keys()
    in_both = (before > 0) & (after > 0)
    names = old.classes.keys() & new.classes.keys()
    size = max(len(old.split), len(new.split))
    old_split, new_split = _padded(old.split, size), _padded(new.split, size)
    return Difference(
        *states,
        pictures_added=int(((old_split < 0) & (new_split >= 0)).sum()),
        pictures_removed=int(((old_split >= 0) & (new_split < 0)).sum()),
        moved=_moved(old_split, new_split),
        boxes_added=int(((before == 0) & (after > 0)).sum()) + len(new_boxes.keys() - both),
        boxes_removed=int(((before > 0) & (after == 0)).sum()) + len(old_boxes.keys() - both),
        redrawn=sum(old_boxes[i].place != new_boxes[i].place for i in both),
        reclassed=int((in_both & (before != after)).sum())
        + sum(old_boxes[i].class_id != new_boxes[i].class_id for i in both),
        classes_added=tuple(sorted(new.classes[i] for i in new.classes.keys() - names)),
        classes_removed=tuple(sorted(old.classes[i] for i in old.classes.keys() - names)),
        renamed=tuple(
            sorted(
                (old.classes[i], new.classes[i]) for i in names if old.classes[i] != new.classes[i]
            )
        ),
        per_class=per_class,
    )


_SPLITS = (NO_SPLIT, "train", "valid", "test")


def _state(project: Project) -> _State:
    db = project.db
    classes = dict(db.execute("SELECT id, name FROM classes").fetchall())
    labels = db.execute(
        "SELECT labels.id, class_id FROM labels JOIN imports ON imports.id = import_id"
        " JOIN classes ON classes.id = class_id WHERE active = 1"
    ).fetchall()
    cases = " ".join(f"WHEN '{name}' THEN {place}" for place, name in enumerate(_SPLITS))
    images = db.execute(f"SELECT id, CASE split {cases} ELSE 0 END FROM v_images").fetchall()
    return _State(classes, _by_id(labels, 0), _by_id(images, -1))


def _by_id(rows: list[Any], missing: int) -> Ids:
    table = np.array([tuple(row) for row in rows], dtype=np.int64).reshape(-1, 2)
    found = np.full(int(table[:, 0].max(initial=0)) + 1, missing, dtype=np.int64)
    found[table[:, 0]] = table[:, 1]
    return found


def _touched(copy: Project, low: int, high: int) -> list[int]:
    """Return the annotations that a change after `low`, up to `high`, wrote."""
    return [
        row[0]
        for row in copy.db.execute(
            "SELECT DISTINCT value FROM history_changes, json_each(history_changes.ids)"
            " WHERE tbl = 'annotations' AND history_id > ? AND history_id <= ?",
            (low, high),
        )
    ]


def _boxes(project: Project, ids: list[int]) -> dict[int, _Box]:
    """Return those of these boxes that are seen."""
    rows = project.db.execute(
        "SELECT v_annotations.id, class_id, image_id, x, y, w, h FROM v_annotations"
        " JOIN v_images ON v_images.id = image_id"
        " WHERE v_annotations.id IN (SELECT value FROM json_each(?))",
        (json.dumps(ids),),
    )
    return {row[0]: _Box(row[1], row[2], tuple(row)[3:]) for row in rows}


def _columns(copy: Project, touched: list[int]) -> tuple[Ids, Ids]:
    """Return the label and the image (n,) of every annotation that is not in `touched`."""
    found = copy.db.execute(
        "SELECT group_concat(id), group_concat(label_id), group_concat(image_id)"
        " FROM annotations WHERE deleted = 0"
    ).fetchone()
    if found[0] is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    ids, labels, images = (np.fromstring(text, dtype=np.int64, sep=",") for text in found)
    kept = ~np.isin(ids, np.array(touched, dtype=np.int64))
    return labels[kept], images[kept]


def _class_seen(state: _State, labels: Ids, images: Ids) -> Ids:
    """Return the class of each box (n,), 0 where it is not seen."""
    known = (labels < len(state.label_class)) & (images < len(state.split))
    classes = state.label_class[np.where(known, labels, 0)]
    seen = known & (state.split[np.where(known, images, 0)] >= 0)
    return np.where(seen, classes, 0)


def _per_class(state: _State, seen: Ids, boxes: dict[int, _Box]) -> Counter[str]:
    counts: Counter[str] = Counter()
    totals = np.bincount(seen, minlength=max(state.classes, default=0) + 1)
    for class_id, name in state.classes.items():
        counts[name] += int(totals[class_id])
    for box in boxes.values():
        counts[state.classes[box.class_id]] += 1
    return counts


def _padded(split: Ids, size: int) -> Ids:
    return np.pad(split, (0, size - len(split)), constant_values=-1)


def _moved(old: Ids, new: Ids) -> dict[tuple[str, str], int]:
    changed = (old >= 0) & (new >= 0) & (old != new)
    pairs, counts = np.unique(
        np.stack([old[changed], new[changed]], axis=1), axis=0, return_counts=True
    )
    return {
        (_SPLITS[was], _SPLITS[now]): count
        for (was, now), count in zip(pairs.tolist(), counts.tolist(), strict=True)
    }
