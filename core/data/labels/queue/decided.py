"""How right suggestions were, by class and score: what people decided about them.

An accepted suggestion was right as it was, or right but mended (its box or its class was changed);
one that was rejected, or accepted and deleted later, was not. What nobody decided says nothing, and
nor do suggestions that agreed with a label from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from core.data.store import Project

BANDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Edges of the score bands; the last holds 1.0 too."""
RIGHT = 0.97
"""The share that must have been right for a threshold to be suggested."""
ENOUGH = 20
"""Fewer decisions than this say little: with 20 of 20 right, 83 % is still within the 95 % bounds
of Clopper and Pearson."""


@dataclass(frozen=True)
class Counts:
    """Decisions: accepted as they were, accepted and mended, rejected."""

    unchanged: int = 0
    mended: int = 0
    rejected: int = 0

    @property
    def n(self) -> int:
        """How many were decided."""
        return self.unchanged + self.mended + self.rejected

    @property
    def right(self) -> int:
        """How many were right, mended ones among them: the object was there."""
        return self.unchanged + self.mended

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.unchanged + other.unchanged,
            self.mended + other.mended,
            self.rejected + other.rejected,
        )


@dataclass(frozen=True)
class Band:
    """The decisions about scores from `low` on and below `high`."""

    low: float
    high: float
    counts: Counts


@dataclass(frozen=True)
class ClassDecided:
    """What was decided about a class: in all, by band of scores, and the threshold that follows.

    `threshold` is the lowest score from which on at least 97 % of 20 or more were right, None where
    there is none; `above` counts the decisions from there on.
    """

    class_id: int
    name: str
    counts: Counts
    bands: tuple[Band, ...]
    threshold: float | None = None
    above: Counts = field(default_factory=Counts)


@dataclass(frozen=True)
class PassDecided:
    """What was decided about the suggestions of one pass, the classes by name."""

    pass_id: int
    at: str
    labeller: str
    model: str
    open: int
    counts: Counts
    classes: tuple[ClassDecided, ...]


def decided_by_pass(project: Project) -> list[PassDecided]:
    """Return what was decided about each pass that stands, the newest first."""
    rows: dict[int, list[_Row]] = {}
    for row in _rows(project):
        rows.setdefault(row.pass_id, []).append(row)
    left = dict(
        project.db.execute(
            "SELECT pass_id, count(*) FROM v_suggestions WHERE state = 'open' GROUP BY pass_id"
        ).fetchall()
    )
    return [
        PassDecided(
            pass_id=number,
            at=at,
            labeller=labeller,
            model=model,
            open=left.get(number, 0),
            counts=_sum(rows.get(number, ())),
            classes=_by_class(rows.get(number, ())),
        )
        for number, at, labeller, model in project.db.execute(
            "SELECT id, at, labeller, model FROM passes WHERE active = 1 ORDER BY id DESC"
        )
    ]


def decided(project: Project, pass_id: int | None = None) -> tuple[ClassDecided, ...]:
    """Return what was decided about each class, of one pass or of all together."""
    return _by_class([row for row in _rows(project) if pass_id in (None, row.pass_id)])


def decided_of_class(project: Project, class_id: int) -> ClassDecided | None:
    """Return what was decided about a class, of all passes together; None where nothing was."""
    return next(iter(_by_class(list(_rows(project, class_id)))), None)


@dataclass(frozen=True, slots=True)
class _Row:
    pass_id: int
    class_id: int
    name: str
    score: float
    counts: Counts


_UNCHANGED, _MENDED, _REJECTED = Counts(unchanged=1), Counts(mended=1), Counts(rejected=1)


def _rows(project: Project, of_class: int | None = None) -> Iterable[_Row]:
    only, values = ("", ()) if of_class is None else (" AND s.class_id = ?", (of_class,))
    for pass_id, class_id, name, score, state, gone, mended in project.db.execute(
        "SELECT s.pass_id, s.class_id, s.class_name, s.score, s.state,"
        " coalesce(a.deleted, 1) AS gone, coalesce(a.edited, 0) AS mended"
        " FROM v_suggestions s LEFT JOIN annotations a ON a.id = s.annotation_id"
        f" WHERE s.state IN ('accepted', 'rejected'){only}",
        values,
    ):
        what = _REJECTED if state == "rejected" or gone else _MENDED if mended else _UNCHANGED
        yield _Row(pass_id, class_id, name, score, what)


def _sum(rows: Iterable[_Row]) -> Counts:
    return sum((row.counts for row in rows), Counts())


def _by_class(rows: Sequence[_Row]) -> tuple[ClassDecided, ...]:
    by_class: dict[tuple[str, int], list[_Row]] = {}
    for row in rows:
        by_class.setdefault((row.name, row.class_id), []).append(row)
    found = []
    for (name, class_id), of in sorted(by_class.items()):
        threshold, above = _threshold(of)
        bands = [
            Band(low, high, counts)
            for low, high in zip((0.0, *BANDS[:-1]), BANDS, strict=True)
            for inside in [[r for r in of if low <= r.score and (r.score < high or high == 1.0)]]
            for counts in [_sum(inside)]
            if counts.n
        ]
        found.append(ClassDecided(class_id, name, _sum(of), tuple(bands), threshold, above))
    return tuple(found)


def _threshold(rows: Sequence[_Row]) -> tuple[float | None, Counts]:
    """Return the lowest score from which on enough were right, and the decisions from there on."""
    best: tuple[float | None, Counts] = (None, Counts())
    total = Counts()
    ordered = sorted(rows, key=lambda row: -row.score)
    for place, row in enumerate(ordered):
        total += row.counts
        # Of one score all or none are above it.
        last = place + 1 == len(ordered) or ordered[place + 1].score < row.score
        if last and total.n >= ENOUGH and total.right >= RIGHT * total.n:
            best = (row.score, total)
    return best
