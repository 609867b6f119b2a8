"""Columns of a million rows of a project's database as arrays, on several cores."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.common.hardware import usable_cores
from core.data.store import Project

Places = NDArray[np.int64]
Boxes = NDArray[np.float64]
"""Left, top, right and bottom, (4, n)."""

# What fractions are read as whole parts of, so that edges lie on a thousandth of a pixel.
PARTS = 1024
# So many rows are worth a core of their own, and so many cores are taken at most.
_WORTH_A_PART, _MOST_CORES = 50_000, 8
_SIDES = ("x", "y", "w", "h")


@dataclass(frozen=True)
class Query:
    """What is read: SQL expressions that are never NULL by the name of their column, and the rest.

    `rest` is the query from FROM on, `values` are those of its question marks.
    """

    named: Mapping[str, str]
    rest: str
    values: Sequence[Any] = ()


def columns(
    project: Project, named: Mapping[str, str], rest: str, values: Sequence[Any] = ()
) -> dict[str, Places]:
    """Return the columns that a query (see `Query`) gives, each (n,), as whole numbers.

    Each column is read as one list: a million rows take a third of the time that they take one by
    one.
    """
    return _read(project.db, Query(named, rest, values))


def columns_of_all(project: Project, queries: Sequence[Query]) -> list[dict[str, Places]]:
    """Return what queries give, as `columns` does, read at the same time where that goes.

    SQLite works without Python's lock, so that several connections take several cores. The
    project's own one reads first: while it does nobody can write, and all see the same state. Where
    a writer waits already, or there is a change under way, one query is read after the other.
    """
    db = project.db
    threads = min(len(queries), cores())
    if db.in_transaction or threads == 1:
        return [_read(db, query) for query in queries]
    file = project.path / "project.db"
    db.execute("BEGIN")
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()  # takes the lock of a reader
        with ThreadPoolExecutor(threads, "columns") as beside:
            read = list(beside.map(lambda query: _read_beside(file, query), queries))
        return [
            _read(db, query) if found is None else found
            for query, found in zip(queries, read, strict=True)
        ]
    finally:
        db.execute("ROLLBACK")


def in_parts(project: Project, table: str, query: Query) -> list[Query]:
    """Return a query of the rows of `table` as several, by their ids, for `columns_of_all`."""
    last = project.db.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
    parts = max(1, min(cores(), last // _WORTH_A_PART))
    edges = [last * part // parts for part in range(parts + 1)]
    return [
        Query(query.named, f"{query.rest} AND id > ? AND id <= ?", [*query.values, low, high])
        for low, high in itertools.pairwise(edges)
    ]


def joined(parts: Sequence[dict[str, Places]]) -> dict[str, Places]:
    """Return what the parts of a query gave as one."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def cores() -> int:
    """Return how many cores there are to work on."""
    return min(_MOST_CORES, usable_cores())


def _read_beside(file: Path, query: Query) -> dict[str, Places] | None:
    """Read with a connection of its own; None where that may not read now."""
    try:
        address = f"{file.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=0, isolation_level=None)) as db:
            return _read(db, query)
    except sqlite3.OperationalError:
        return None


def _read(db: sqlite3.Connection, query: Query) -> dict[str, Places]:
    listed = ", ".join(f"group_concat(CAST({text} AS INTEGER))" for text in query.named.values())
    row = db.execute(f"SELECT {listed} {query.rest}", query.values).fetchone()
    return {
        name: np.fromstring(text or "", dtype=np.int64, sep=",")
        for name, text in zip(query.named, row, strict=True)
    }


def box_columns() -> dict[str, str]:
    """Return the expressions for a box, in parts of a pixel, by `x`, `y`, `w` and `h`."""
    return {side: f"{side} * {PARTS}" for side in _SIDES}


def boxes_of(read: Mapping[str, Places], rows: Places) -> Boxes:
    """Return the boxes in these rows that `box_columns` had read."""
    boxes = np.empty((4, len(rows)))
    for at, side in enumerate(_SIDES):
        np.divide(read[side][rows], PARTS, out=boxes[at])
    boxes[2:] += boxes[:2]
    return boxes


def place_of(listed: Places, wanted: Places) -> tuple[Places, NDArray[np.bool_]]:
    """Return where each of `wanted` is among the ascending `listed`, and whether it is there.

    Numbers of rows lie close together: a table of all of them is quicker than to look for each.
    """
    if not len(listed):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    low, high = int(listed[0]), int(listed[-1])
    if high - low < 4 * (len(listed) + len(wanted)):
        table = np.zeros(high - low + 1, np.int64)
        table[listed - low] = np.arange(len(listed))
        at = table[np.clip(wanted - low, 0, high - low)]
    else:
        at = np.minimum(np.searchsorted(listed, wanted), len(listed) - 1)
    return at, listed[at] == wanted
