"""A change: what it did is written down with its inverse while it is done."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from core.data.store.label_counts import COUNTED, LabelCounts
from core.data.store.sqlite_errors import stored_json

TABLES = frozenset(
    {
        "imports",
        "classes",
        "labels",
        "images",
        "annotations",
        "project",
        "passes",
        "suggestions",
        "tracks",
    }
)

# Rows that are marked as deleted and keep their number, which an import would give to another:
# those that it writes are in no history, and stay while they are not seen.
MARKED = frozenset({"images", "annotations"})

# Rows are looked up so many at a time.
_ROWS = 10_000


class Change:
    """The open transaction of `Project.change`: every row it touches can be put back.

    Rows written past it (an import's images and annotations, a pass's suggestions, in bulk) must be
    invisible without a row that it did write: that is what `active` is for.
    """

    def __init__(self, db: sqlite3.Connection, history_id: int) -> None:
        self.db = db
        self.history_id = history_id
        self._seq = 0
        self._counts = LabelCounts(db)

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """Insert a row and return its id: a new one, or the one that `row` has."""
        columns = [name for name in row if name != "id"]
        if table == "annotations":
            self._counts.inserts([row])
        cursor = self.db.execute(
            f"INSERT INTO {_known(table)}({_list(list(row))}) VALUES ({_marks(list(row))})",
            list(row.values()),
        )
        row_id = int(cursor.lastrowid or 0)
        self._record(table, columns, [row_id], None, [[row[name] for name in columns]])
        return row_id

    def insert_many(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> list[int]:
        """Insert rows of `columns` and return their ids, in the same order."""
        if not rows:
            return []
        if table == "annotations":
            self._counts.inserts([dict(zip(columns, row, strict=True)) for row in rows])
        query = f"INSERT INTO {_known(table)}({_list(columns)}) VALUES ({_marks(columns)})"
        ids = [int(self.db.execute(query, row).lastrowid or 0) for row in rows]
        self._record(table, columns, ids, None, [list(row) for row in rows])
        return ids

    def put_back(self, table: str, row_id: int, row: Mapping[str, Any]) -> None:
        """Insert a row that was there before, with the number that it had."""
        if table == "labels":
            self._counts.returns([row_id])
        self.insert(table, {"id": row_id, **row})

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
                self._counts.writes(ids, columns, after)
            _set(self.db, table, columns, ids, after)
            self._record(table, columns, ids, before, after)
        return len(ids)

    def delete(self, table: str, row_id: int) -> None:
        """Delete one row for good (until undone). Raises `KeyError` when it is not there.

        Images and annotations are marked `deleted` instead, by `update_many`.
        """
        if table == "labels":
            self._counts.finish()  # its counts are kept as they are now, not as they were before
        cursor = self.db.execute(f"SELECT * FROM {_known(table)} WHERE id = ?", (row_id,))
        found = cursor.fetchone()
        if found is None:
            raise KeyError(f"{table} has no row {row_id}")
        names = [item[0] for item in cursor.description]
        columns = [name for name in names if name != "id"]
        if table == "annotations":
            self._counts.writes([row_id])
        self.db.execute(f"DELETE FROM {table} WHERE id = ?", (row_id,))
        values = [value for name, value in zip(names, found, strict=True) if name != "id"]
        self._record(table, columns, [row_id], [values], None)

    def invert(self, history_id: int) -> bool:
        """Do the opposite of an earlier change, if all its rows are as it left them.

        Returns whether they are, and whether what comes back can be seen: a box of a picture that
        was removed since cannot, nor one of a class that was. Where not, what was done so far has
        to be rolled back. A label (a class's name in an import) may belong to another class by now,
        and labels and tracks stay where others use them.
        """
        returned: list[int] = []
        for table, columns, ids, before, after in _rows_of(self.db, history_id, undo=True):
            made_label = table == "labels" and before is None
            if not (made_label or self._stands(table, columns, ids, after)):
                return False
            if before is not None and after is not None:
                self.update_many(
                    table, columns, [(i, *row) for i, row in zip(ids, before, strict=True)]
                )
            elif before is not None:
                for row_id, values in zip(ids, before, strict=True):
                    self.put_back(table, row_id, dict(zip(columns, values, strict=True)))
            elif table in MARKED:
                self.update_many(table, ["deleted"], [(row_id, 1) for row_id in ids])
            else:
                used = self._still_used(table, ids)
                for row_id, values in zip(ids, after or (), strict=True):
                    stands = not made_label or self._stands(table, columns, [row_id], [values])
                    if row_id not in used and stands:
                        self.delete(table, row_id)
            if table == "annotations" and before is not None:
                returned += ids
        # In the end: the class of a box may come back after the box.
        return not self._unseen(returned)

    def _unseen(self, ids: Sequence[int]) -> bool:
        """Return whether a box that is not deleted is on a picture that is, or of no class."""
        found = self.db.execute(
            "SELECT 1 FROM annotations JOIN labels ON labels.id = label_id"
            " JOIN images ON images.id = image_id"
            " LEFT JOIN classes ON classes.id = labels.class_id WHERE annotations.deleted = 0"
            " AND (images.deleted = 1 OR classes.id IS NULL)"
            " AND annotations.id IN (SELECT value FROM json_each(?)) LIMIT 1",
            (json.dumps(list(ids)),),
        ).fetchone()
        return found is not None

    def _stands(
        self, table: str, columns: Sequence[str], ids: list[int], after: list[list[Any]] | None
    ) -> bool:
        """Return whether the rows are as a change left them; None: they are not there.

        What is counted follows from other rows and is not looked at.
        """
        if table == "labels":
            columns, after = _uncounted(columns, after)
        for start in range(0, len(ids), _ROWS):
            some = ids[start : start + _ROWS]
            found = {
                row[0]: list(row[1:])
                for row in self.db.execute(
                    f"SELECT id, {_list(columns)} FROM {_known(table)}"
                    " WHERE id IN (SELECT value FROM json_each(?))",
                    (json.dumps(some),),
                )
            }
            wanted = {} if after is None else dict(zip(some, after[start:], strict=False))
            if found != wanted:
                return False
        return True

    def _still_used(self, table: str, ids: Sequence[int]) -> set[int]:
        """Return which labels or tracks that a change made somebody else's boxes are of."""
        users = {
            "labels": [("annotations", "label_id")],
            "tracks": [("annotations", "track"), ("suggestions", "track")],
        }
        return {
            row[0]
            for user, column in users.get(table, [])
            for row in self.db.execute(
                f"SELECT DISTINCT {column} FROM {user}"
                f" WHERE {column} IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ids)),),
            )
        }

    def finish(self) -> None:
        """Bring the counts of the labels whose annotations changed up to date."""
        self._counts.finish()

    @property
    def empty(self) -> bool:
        """Whether nothing was changed."""
        return self._seq == 0

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


def _uncounted(
    columns: Sequence[str], rows: list[list[Any]] | None
) -> tuple[Sequence[str], list[list[Any]] | None]:
    """Return columns and rows of labels without their counts."""
    kept = [at for at, name in enumerate(columns) if name not in COUNTED]
    left = None if rows is None else [[row[at] for at in kept] for row in rows]
    return [columns[at] for at in kept], left


def replay(db: sqlite3.Connection, history_id: int, *, undo: bool) -> None:
    """Put the rows of one history entry back as they were before it, or after it again."""
    counts = LabelCounts(db)
    for table, columns, ids, before, after in _rows_of(db, history_id, undo=undo):
        have, want = (after, before) if undo else (before, after)
        annotations = table == "annotations"
        if want is None:
            if annotations:
                counts.writes(ids)
            db.executemany(f"DELETE FROM {_known(table)} WHERE id = ?", [(i,) for i in ids])
        elif have is None:
            if table == "labels":
                counts.returns(ids)
            if annotations:
                counts.inserts([dict(zip(columns, values, strict=True)) for values in want])
            db.executemany(
                f"INSERT INTO {_known(table)}(id, {_list(columns)}) VALUES (?, {_marks(columns)})",
                [(i, *values) for i, values in zip(ids, want, strict=True)],
            )
        else:
            if annotations:
                counts.writes(ids, columns, want)
            _set(db, table, columns, ids, want)
    counts.finish()


def _rows_of(
    db: sqlite3.Connection, history_id: int, *, undo: bool
) -> Iterator[tuple[str, list[str], list[int], list[list[Any]] | None, list[list[Any]] | None]]:
    """Yield table, columns, ids, and the rows before and after of each step of a change."""
    rows = db.execute(
        "SELECT tbl, columns, ids, before, after FROM history_changes WHERE history_id = ?"
        f" ORDER BY seq {'DESC' if undo else 'ASC'}",
        (history_id,),
    ).fetchall()
    for table, columns, ids, before, after in rows:
        yield (
            table,
            stored_json(columns),
            stored_json(ids),
            None if before is None else stored_json(before),
            None if after is None else stored_json(after),
        )


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
