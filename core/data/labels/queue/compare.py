"""A model against the labels: pictures where the two differ, and are worth a look.

The newest pass that looked at a picture is held against its labels as they are now. Suggestions
take labels of their class in the order of their scores, each at most once and at an overlap of 0.5
or more, as COCO's evaluation pairs them (pycocotools 2.0.11, `cocoeval.py`, `evaluateImg`). What is
left over is

- `extra`: found but not labelled, from the least score that is shown on,
- `missing`: labelled but not found, not even at the least score that is kept,
- `other`: found at a label of another class, which is not found itself or less surely,
- `loose`: found at its label, but the two overlap by less than 0.8.

Pictures are in the order of extra + missing + other + Σ(1 − IoU) of the pairs, the measure of
digitalsreeni's annotator 0.9. Which of the two is right only a person can say. What a person
decided about a suggestion is settled, and so is a picture that was reviewed after the pass; labels
of classes that the pass did not look for, and crowd regions, count neither way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.data.labels.least_score import SHOWN
from core.data.labels.prompts import prompts_of
from core.data.labels.queue.columns import (
    Places,
    Query,
    box_columns,
    boxes_of,
    columns,
    columns_of_all,
    in_parts,
    joined,
    place_of,
)
from core.data.labels.queue.match_pictures import Objects, match_pictures
from core.data.store import Project

Kind = Literal["extra", "missing", "other", "loose"]
KINDS: tuple[Kind, ...] = ("extra", "missing", "other", "loose")
SAID: Mapping[Kind, str] = {
    "extra": "found but not labelled",
    "missing": "labelled but not found",
    "other": "of another class",
    "loose": "in a loose box",
}
# Scores are read as whole parts of this.
_SCORES = 1_000_000
# A picture and a class, or a label, are read as one number: picture * this + class.
_KINDS = 1 << 24


@dataclass(frozen=True)
class Difference:
    """One thing worth a look: its kind, and the suggestion and the label it is about.

    `suggestion_id` and `score` are None where the model found nothing, `annotation_id` where
    nothing is labelled, and the classes likewise; `iou` is how much the two overlap.
    """

    kind: Kind
    suggestion_id: int | None = None
    annotation_id: int | None = None
    found_class: int | None = None
    label_class: int | None = None
    score: float | None = None
    iou: float | None = None


@dataclass(frozen=True)
class Compared:
    """A picture that is worth a look: how much (see above), why, and what is to be looked at."""

    image_id: int
    name: str
    pass_id: int
    value: float
    counts: Mapping[Kind, int]
    differences: tuple[Difference, ...]

    @property
    def why(self) -> str:
        """The reason in a few words."""
        return ", ".join(f"{self.counts[kind]} {SAID[kind]}" for kind in KINDS if self.counts[kind])


@dataclass(frozen=True)
class Comparison:
    """The pictures worth a look, those that differ most first, and how many there are in all.

    `looked_at` counts the pictures that some pass looked at, `counts` the differences on all.
    """

    entries: tuple[Compared, ...]
    total: int
    looked_at: int
    counts: Mapping[Kind, int]


def compare(
    project: Project,
    *,
    limit: int | None = 100,
    image_ids: Sequence[int] | None = None,
    least: float | None = None,
    pass_id: int | None = None,
    settled: bool = False,
) -> Comparison:
    """Hold the labels of `project` against what its passes found; at most `limit` pictures.

    Of `image_ids` only, if given. `least` is the score from which on something counts as found
    without a label (by default that of its class, see `prompts`). `pass_id` takes one pass instead
    of the newest that looked at each picture; with `settled` pictures reviewed since are there too.
    """
    newest = _newest(project, image_ids, pass_id, settled)
    if not len(newest.images):
        return Comparison((), 0, 0, dict.fromkeys(KINDS, 0))
    table = _Table(project, newest, least)
    order, totals = table.order()
    chosen = order if limit is None else order[:limit]
    names = dict(
        project.db.execute(
            "SELECT id, name FROM images WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps([int(newest.images[at]) for at in chosen]),),
        ).fetchall()
    )
    entries = tuple(
        Compared(
            image_id=image,
            name=names[image],
            pass_id=int(newest.passes[at]),
            value=round(float(table.value[at]), 4),
            counts={kind: int(table.counts[kind][at]) for kind in KINDS},
            differences=found,
        )
        for at, found in table.differences(chosen)
        for image in [int(newest.images[at])]
    )
    return Comparison(entries, len(order), len(newest.images), totals)


@dataclass(frozen=True)
class _Newest:
    """The pictures that are compared, in the order of their ids, and the pass of each."""

    images: Places
    passes: Places


def _newest(
    project: Project, image_ids: Sequence[int] | None, pass_id: int | None, settled: bool
) -> _Newest:
    where, values = ["p.active = 1"], list[Any]()
    if image_ids is not None:
        where.append("pi.image_id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(image_ids)))
    if pass_id is not None:
        where.append("pi.pass_id = ?")
        values.append(pass_id)
    since = "" if settled else " WHERE i.review IS NOT 'done' OR i.reviewed_at <= q.at"
    read = columns(
        project,
        {"images": "n.image_id", "passes": "n.pass_id"},
        "FROM (SELECT pi.image_id, max(pi.pass_id) AS pass_id"
        " FROM pass_images pi JOIN passes p ON p.id = pi.pass_id"
        f" WHERE {' AND '.join(where)} GROUP BY pi.image_id) n"
        f" JOIN passes q ON q.id = n.pass_id JOIN v_images i ON i.id = n.image_id{since}",
        values,
    )
    order = np.argsort(read["images"], kind="stable")
    return _Newest(read["images"][order], read["passes"][order])


class _Table:
    """Suggestions and labels of the compared pictures as arrays, and what differs."""

    def __init__(self, project: Project, newest: _Newest, least: float | None) -> None:
        self._newest = newest
        self._count = len(newest.images)
        self._found, self._labels = found, _ = _both(project, newest)
        self._shown = found.score >= _least(project, found.of_class, least)
        self._sought = _sought(project, newest, self._labels)
        self._match()

    def _match(self) -> None:
        found, labels = self._found, self._labels
        matched = match_pictures(found, labels, self._shown, self._sought)
        weighed, cross, loose = matched.weighed, matched.other, matched.loose
        self._single = {"extra": matched.extra, "missing": matched.missing}
        self._paired = {"other": cross, "loose": loose}
        at = {
            "extra": found.at[self._single["extra"]],
            "missing": labels.at[self._single["missing"]],
            "other": found.at[cross.first],
            "loose": found.at[loose.first],
        }
        self.counts = {kind: np.bincount(at[kind], minlength=self._count) for kind in KINDS}
        self.value = sum(self.counts[kind] for kind in ("extra", "missing", "other")) + np.bincount(
            found.at[weighed.first], 1 - weighed.iou, minlength=self._count
        )

    def order(self) -> tuple[Places, dict[Kind, int]]:
        """Return the places of the pictures that differ, most first, and all counts."""
        differs = np.flatnonzero(sum(self.counts[kind] for kind in KINDS))
        order = differs[np.argsort(-self.value[differs], kind="stable")]
        return order, {kind: int(self.counts[kind].sum()) for kind in KINDS}

    def differences(self, places: Places) -> list[tuple[int, tuple[Difference, ...]]]:
        """Return what differs on the pictures at `places`, in that order."""
        chosen = np.zeros(self._count, bool)
        chosen[places] = True
        listed: dict[int, list[Difference]] = {int(place): [] for place in places}
        found, labels = self._found, self._labels
        extra, missing = self._single["extra"], self._single["missing"]
        for at in extra[chosen[found.at[extra]]].tolist():
            listed[int(found.at[at])].append(Difference("extra", **self._seen(at)))
        for at in missing[chosen[labels.at[missing]]].tolist():
            listed[int(labels.at[at])].append(Difference("missing", **self._label(at)))
        for kind in ("other", "loose"):
            pairs = self._paired[kind]
            here = pairs.take(chosen[found.at[pairs.first]])
            for first, second, iou in zip(
                here.first.tolist(), here.second.tolist(), here.iou.tolist(), strict=True
            ):
                about = {**self._seen(first), **self._label(second), "iou": round(iou, 4)}
                listed[int(found.at[first])].append(Difference(kind, **about))
        return [(place, tuple(items)) for place, items in listed.items()]

    def _seen(self, at: int) -> dict[str, Any]:
        return {
            "suggestion_id": int(self._found.ids[at]),
            "found_class": int(self._found.of_class[at]),
            "score": float(self._found.score[at]),
        }

    def _label(self, at: int) -> dict[str, Any]:
        return {
            "annotation_id": int(self._labels.ids[at]),
            "label_class": int(self._labels.of_class[at]),
        }


def _among(images: Places, project: Project) -> str | None:
    """Return the pictures as JSON where they are few, None where reading all rows is quicker."""
    total = project.db.execute("SELECT count(*) FROM images").fetchone()[0]
    return json.dumps(images.tolist()) if len(images) * 5 < total else None


def _both(project: Project, newest: _Newest) -> tuple[Objects, Objects]:
    """Return what the pass of each picture found, whatever became of it, and the labels."""
    wanted = _among(newest.images, project)
    clause = "" if wanted is None else " AND image_id IN (SELECT value FROM json_each(?))"
    among = [] if wanted is None else [wanted]
    numbers = np.unique(newest.passes).tolist()
    of_pass = f" +pass_id IN ({', '.join(map(str, numbers))})"
    several = {"pass": "pass_id"} if len(numbers) > 1 else {}
    found = in_parts(
        project, "suggestions",
        Query(
            {"id": "id", "image": _packed("class_id"), "score": f"score * {_SCORES} + 0.5",
             **several, **box_columns()},
            f"FROM suggestions WHERE{of_pass}{clause}", among,
        ),
    )  # fmt: skip
    labels = in_parts(
        project, "annotations",
        Query(
            {"id": "id", "image": _packed("label_id"), **box_columns()},
            f"FROM annotations WHERE +deleted = 0{clause}", among,
        ),
    )  # fmt: skip
    judged = Query(
        {"id": "id", "annotation": "coalesce(annotation_id, -1)"},
        f"FROM suggestions WHERE{of_pass} AND state IN ('accepted', 'rejected', 'repeated')",
    )
    crowds = Query({"id": "id"}, "FROM annotations WHERE +deleted = 0 AND iscrowd")
    *read, judgements, crowd = columns_of_all(project, [*found, *labels, judged, crowds])
    with ThreadPoolExecutor(1, "suggestions") as beside:
        suggestions = beside.submit(_suggestions, newest, read[: len(found)], judgements)
        of_labels = _labels(project, newest, joined(read[len(found) :]), crowd["id"])
        return suggestions.result(), of_labels


def _packed(column: str) -> str:
    """Return the expression for a row's picture and class, or label, as one number."""
    return f"image_id * {_KINDS} + {column}"


def _suggestions(
    newest: _Newest, parts: Sequence[dict[str, Places]], judged: dict[str, Places]
) -> Objects:
    read = joined(parts)
    at, there = place_of(newest.images, read["image"] // _KINDS)
    if "pass" in read:
        there &= newest.passes[at] == read["pass"]
    found = _in_order(at, there, read["image"] % _KINDS, read)
    rows, known = _rows(found.ids, judged["id"])
    found.judged[rows] = True
    found.annotation[rows] = judged["annotation"][known]
    return found


def _labels(project: Project, newest: _Newest, read: dict[str, Places], crowds: Places) -> Objects:
    of_label = columns(
        project,
        {"label": "labels.id", "class": "class_id"},
        "FROM labels JOIN imports ON imports.id = import_id"
        " WHERE active = 1 AND class_id IS NOT NULL",
    )
    label = read["image"] % _KINDS
    at, there = place_of(newest.images, read["image"] // _KINDS)
    class_of = np.zeros(max(label.max(initial=0), of_label["label"].max(initial=0)) + 1, int)
    class_of[of_label["label"]] = of_label["class"]
    classes = class_of[label]
    labels = _in_order(at, there & (classes > 0), classes, read)
    labels.crowd[_rows(labels.ids, crowds)[0]] = True
    return labels


def _rows(ids: Places, wanted: Places) -> tuple[Places, NDArray[np.bool_]]:
    """Return the rows of `ids` that have the numbers `wanted`, and which of those are there."""
    if not len(wanted) or not len(ids):
        return np.zeros(0, np.int64), np.zeros(len(wanted), bool)
    order = np.argsort(ids, kind="stable")
    at = np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)
    known = ids[order[at]] == wanted
    return order[at[known]], known


def _in_order(
    at: Places, there: NDArray[np.bool_], classes: Places, read: Mapping[str, Places]
) -> Objects:
    rows = np.flatnonzero(there)
    rows = rows[np.argsort(at[rows] * _KINDS + classes[rows], kind="stable")]
    return Objects(
        ids=read["id"][rows],
        at=at[rows],
        of_class=classes[rows],
        boxes=boxes_of(read, rows),
        score=read["score"][rows] / _SCORES if "score" in read else np.zeros(len(rows)),
        judged=np.zeros(len(rows), bool),
        annotation=np.full(len(rows), -1),
        crowd=np.zeros(len(rows), bool),
    )


def _least(project: Project, classes: Places, least: float | None) -> NDArray[np.float64]:
    """Return the least score that is shown for each of `classes`."""
    if least is not None:
        return np.full(len(classes), least)
    highest = int(classes.max(initial=0))
    shown = np.full(highest + 1, SHOWN)
    for class_id, prompts in prompts_of(project).items():
        if prompts.least is not None and class_id <= highest:
            shown[class_id] = prompts.least
    return shown[classes]


def _sought(project: Project, newest: _Newest, labels: Objects) -> NDArray[np.bool_]:
    """Return of each label whether the pass of its picture looked for its class."""
    sought = np.zeros(len(labels), bool)
    passes = newest.passes[labels.at]
    for pass_id in np.unique(newest.passes).tolist():
        detail = project.db.execute("SELECT detail FROM passes WHERE id = ?", (pass_id,)).fetchone()
        listed = json.loads(detail[0]).get("classes")
        of = passes == pass_id
        sought |= of if listed is None else of & np.isin(labels.of_class, listed)
    return sought
