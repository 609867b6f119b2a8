"""Keeping the counts of labels right while annotations change.

`labels.annotations` and `labels.images` count what is not deleted. A change of few annotations adds
to them what it made different, so that an edit of one box costs the same in a project of a million;
a change of many counts its labels anew.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

COUNTED = ("annotations", "images")
"""The columns of `labels` that are counted here."""

# From so many rows on, counting the labels anew is cheaper than looking at each image.
_FEW = 1000
_Pair = tuple[int, int]


class LabelCounts:
    """What an open transaction did to the counts; told before each writing of annotations."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._before: dict[_Pair, int] = {}
        self._anew: set[int] = set()

    def writes(
        self, ids: Sequence[int], columns: Sequence[str] = (), rows: Sequence[Sequence[Any]] = ()
    ) -> None:
        """Be told that the annotations `ids` are about to change, get `columns` set to `rows`.

        Annotations that are not there yet are told by `inserts`.
        """
        if len(ids) > _FEW or "image_id" in columns:
            self._anew |= self._labels(ids)
            if "label_id" in columns:
                at = columns.index("label_id")
                self._anew |= {int(row[at]) for row in rows}
            return
        have = {
            row[0]: (int(row[1]), int(row[2]))
            for row in self._db.execute(
                "SELECT id, label_id, image_id FROM annotations"
                " WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ids)),),
            )
        }
        self._note(have.values())
        if "label_id" in columns:
            at = columns.index("label_id")
            pairs = zip(ids, rows, strict=True)
            self._note((int(row[at]), have[i][1]) for i, row in pairs if i in have)

    def inserts(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Be told that annotations with the columns of `rows` are about to be inserted."""
        if len(rows) > _FEW:
            self._anew |= {int(row["label_id"]) for row in rows}
        else:
            self._note((int(row["label_id"]), int(row["image_id"])) for row in rows)

    def returns(self, labels: Iterable[int]) -> None:
        """Be told that these labels, which had gone, are there again: they are counted anew."""
        self._anew |= set(labels)

    def finish(self) -> None:
        """Bring the counts up to date; to be called once all is written."""
        changed: dict[int, list[int]] = {}
        for (label, image), before in self._before.items():
            if label in self._anew:
                continue
            after = self._count(label, image)
            sums = changed.setdefault(label, [0, 0])
            sums[0] += after - before
            sums[1] += (after > 0) - (before > 0)
        self._db.executemany(
            "UPDATE labels SET annotations = annotations + ?, images = images + ? WHERE id = ?",
            [(*sums, label) for label, sums in changed.items() if any(sums)],
        )
        self._db.executemany(
            "UPDATE labels SET (annotations, images) = (SELECT count(*), count(DISTINCT image_id)"
            " FROM annotations WHERE label_id = labels.id AND deleted = 0) WHERE id = ?",
            [(label,) for label in self._anew],
        )
        self._before.clear()
        self._anew.clear()

    def _note(self, pairs: Iterable[_Pair]) -> None:
        for label, image in pairs:
            if (label, image) not in self._before:
                self._before[label, image] = self._count(label, image)

    def _count(self, label: int, image: int) -> int:
        # The index `annotations_by_label` has exactly these rows.
        row = self._db.execute(
            "SELECT count(*) FROM annotations WHERE label_id = ? AND image_id = ? AND deleted = 0",
            (label, image),
        ).fetchone()
        return int(row[0])

    def _labels(self, ids: Sequence[int]) -> set[int]:
        return {
            int(row[0])
            for row in self._db.execute(
                "SELECT DISTINCT label_id FROM annotations"
                " WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ids)),),
            )
        }
