"""A change: what it did is written down with its inverse while it is done."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from core.data.store.sqlite_errors import stored_json

TABLES = frozenset({"imports", "classes", "labels", "images", "annotations", "project"})

# Rows are looked up so many at a time.
_ROWS = 10_000


class Change:
    """The open transaction of `Project.change`: every row it touches can be put back.

    Rows written past it (an import's images and annotations, in bulk) must be invisible without a
    row that it did write: that is what an import's `active` is for.
    """

    def __init__(self, db: sqlite3.Connection, history_id: int) -> None:
        self.db = db
        self.history_id = history_id
        self._seq = 0
        self._recount: set[int] = set()

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """Insert a row and return its id."""
        columns = list(row)
        cursor = self.db.execute(
            f"INSERT INTO {_known(table)}({_list(columns)}) VALUES ({_marks(columns)})",
            list(row.values()),
        )
        row_id = int(cursor.lastrowid or 0)
        if table == "annotations":
            self._labels_of([row_id])
        self._record(table, columns, [row_id], None, [list(row.values())])
        return row_id

    def update(self, table: str, row_id: int, row: Mapping[str, Any]) -> None:
        """Set columns of one row. Raises `KeyError` when it is not there."""
        self.update_many(table, list(row), [(row_id, *row.values())])

    def update_many(
        self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
    ) -> int:
        """Set `columns` of many rows, each given as `(id, value, …)`; return how many changed.

        Rows that have the values already are left alone. Raises `KeyError` for an unknown id.
        """
        ids: list[int] = []
        before: list[list[Any]] = []
        after: list[list[Any]] = []
        query = (
            f"SELECT id, {_list(columns)} FROM {_known(table)}"
            " WHERE id IN (SELECT value FROM json_each(?))"
        )
        wanted = iter(rows)
        while some := list(islice(wanted, _ROWS)):
            found = {
                row[0]: list(row[1:])
                for row in self.db.execute(query, (json.dumps([row[0] for row in some]),))
            }
            for row_id, *values in some:
                if row_id not in found:
                    raise KeyError(f"{table} has no row {row_id}")
                if found[row_id] != values:
                    ids.append(row_id)
                    before.append(found[row_id])
                    after.append(values)
        if ids:
            if table == "annotations":
                self._labels_of(ids)
            _set(self.db, table, columns, ids, after)
            if table == "annotations":
                self._labels_of(ids)
            self._record(table, columns, ids, before, after)
        return len(ids)

    def delete(self, table: str, row_id: int) -> None:
        """Delete one row for good (until undone). Raises `KeyError` when it is not there.

        Images and annotations are marked `deleted` instead, by `update_many`.
        """
        cursor = self.db.execute(f"SELECT * FROM {_known(table)} WHERE id = ?", (row_id,))
        found = cursor.fetchone()
        if found is None:
            raise KeyError(f"{table} has no row {row_id}")
        names = [item[0] for item in cursor.description]
        columns = [name for name in names if name != "id"]
        if table == "annotations":
            self._labels_of([row_id])
        self.db.execute(f"DELETE FROM {table} WHERE id = ?", (row_id,))
        values = [value for name, value in zip(names, found, strict=True) if name != "id"]
        self._record(table, columns, [row_id], [values], None)

    def finish(self) -> None:
        """Bring the counts of the labels whose annotations changed up to date."""
        recount(self.db, self._recount)

    @property
    def empty(self) -> bool:
        """Whether nothing was changed."""
        return self._seq == 0

    def _labels_of(self, annotation_ids: list[int]) -> None:
        self._recount |= labels_of(self.db, annotation_ids)

    def _record(
        self,
        table: str,
        columns: Sequence[str],
        ids: list[int],
        before: list[list[Any]] | None,
        after: list[list[Any]] | None,
    ) -> None:
        self.db.execute(
            "INSERT INTO history_changes VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                self.history_id,
                self._seq,
                table,
                json.dumps(list(columns)),
                json.dumps(ids),
                None if before is None else json.dumps(before),
                None if after is None else json.dumps(after),
            ),
        )
        self._seq += 1


def replay(db: sqlite3.Connection, history_id: int, *, undo: bool) -> None:
    """Put the rows of one history entry back as they were before it, or after it again."""
    rows = db.execute(
        "SELECT tbl, columns, ids, before, after FROM history_changes WHERE history_id = ?"
        f" ORDER BY seq {'DESC' if undo else 'ASC'}",
        (history_id,),
    ).fetchall()
    touched: set[int] = set()
    for table, columns_json, ids_json, before_json, after_json in rows:
        columns, ids = stored_json(columns_json), stored_json(ids_json)
        before = None if before_json is None else stored_json(before_json)
        after = None if after_json is None else stored_json(after_json)
        have, want = (after, before) if undo else (before, after)
        if table == "annotations":
            touched |= labels_of(db, ids)
        if want is None:
            db.executemany(f"DELETE FROM {_known(table)} WHERE id = ?", [(i,) for i in ids])
        elif have is None:
            db.executemany(
                f"INSERT INTO {_known(table)}(id, {_list(columns)}) VALUES (?, {_marks(columns)})",
                [(i, *values) for i, values in zip(ids, want, strict=True)],
            )
        else:
            _set(db, table, columns, ids, want)
        if table == "annotations":
            touched |= labels_of(db, ids)
    recount(db, touched)


def recount(db: sqlite3.Connection, label_ids: Iterable[int]) -> None:
    """Set the stored counts of the given labels from their annotations."""
    db.executemany(
        "UPDATE labels SET (annotations, images) = (SELECT count(*), count(DISTINCT image_id)"
        " FROM annotations WHERE label_id = labels.id AND deleted = 0) WHERE id = ?",
        [(label_id,) for label_id in label_ids],
    )


def labels_of(db: sqlite3.Connection, annotation_ids: Sequence[int]) -> set[int]:
    """Return the ids of the labels that the given annotations have."""
    return {
        row[0]
        for row in db.execute(
            "SELECT DISTINCT label_id FROM annotations"
            " WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(annotation_ids)),),
        )
    }


def _set(
    db: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    ids: Sequence[int],
    rows: Sequence[Sequence[Any]],
) -> None:
    assignments = ", ".join(f"{_column(column)} = ?" for column in columns)
    db.executemany(
        f"UPDATE {_known(table)} SET {assignments} WHERE id = ?",
        [(*values, row_id) for row_id, values in zip(ids, rows, strict=True)],
    )


def _known(table: str) -> str:
    if table not in TABLES:
        raise ValueError(f"no such table: {table}")
    return table


def _column(name: str) -> str:
    if not name.isidentifier():
        raise ValueError(f"no such column: {name}")
    return name


def _list(columns: Sequence[str]) -> str:
    return ", ".join(_column(column) for column in columns)


def _marks(columns: Sequence[str]) -> str:
    return ", ".join("?" * len(columns))
