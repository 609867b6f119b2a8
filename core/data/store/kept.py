"""Undone changes that a version needs: kept in the history, with one change that answers them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from core.common.text import clean, plural
from core.data.store.changes import MARKED, TABLES, Change, replay
from core.data.store.label_counts import COUNTED
from core.data.store.project_file import memory_copy, now, who


def keep_undone(db: sqlite3.Connection, folder: Path, state: int | None = None) -> bool:
    """Have all undone changes stand again, and take them back by a new one, if they are needed.

    A version needs them, or `state` is one of them. The data stays as it is. Returns whether that
    was done; else they are of no use to anybody. For the holder of the lock of the project in
    `folder`, at the beginning of a transaction.
    """
    named = db.execute(
        "SELECT coalesce(name, 'change ' || history.id) FROM history"
        " LEFT JOIN versions ON versions.state = history.id"
        " WHERE undone = 1 AND (name IS NOT NULL OR history.id = ?)"
        " ORDER BY history.id DESC LIMIT 1",
        (state,),
    ).fetchone()
    if named is None:
        return False
    undone = [row[0] for row in db.execute("SELECT id FROM history WHERE undone = 1 ORDER BY id")]
    with memory_copy(folder) as as_it_is:
        for history_id in undone:
            replay(db, history_id, undo=False)
        db.execute("UPDATE history SET undone = 0 WHERE undone = 1")
        summary = f"Took back {plural(len(undone), 'change')}, kept for '{clean(named[0])}'"
        cursor = db.execute(
            "INSERT INTO history(at, who, kind, summary, detail)"
            " VALUES (?, ?, 'versions.keep', ?, ?)",
            (now(), who(), summary, json.dumps({"of": undone})),
        )
        become(Change(db, int(cursor.lastrowid or 0)), as_it_is, undone)
    return True


def become(change: Change, target: sqlite3.Connection, history_ids: list[int]) -> None:
    """Make the rows that these changes wrote what they are in `target`, and finish `change`.

    Only what differs is written, so that going back and forth a hundred times costs no more than
    once. Images and annotations that are not there are marked as deleted, as everywhere.
    """
    numbers = json.dumps(history_ids)
    for table in sorted(TABLES):
        ids = [
            row[0]
            for row in change.db.execute(
                "SELECT DISTINCT value FROM history_changes, json_each(history_changes.ids)"
                " WHERE tbl = ? AND history_id IN (SELECT value FROM json_each(?)) ORDER BY value",
                (table, numbers),
            )
        ]
        if ids:
            _become(change, target, table, ids)
    change.finish()


def _become(change: Change, target: sqlite3.Connection, table: str, ids: list[int]) -> None:
    columns = [row[1] for row in change.db.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
    kept = [name for name in columns if name not in COUNTED] if table == "labels" else columns
    query = (
        f"SELECT id, {', '.join(kept)} FROM {table} WHERE id IN (SELECT value FROM json_each(?))"
    )
    wanted, there = (
        {row[0]: list(tuple(row)[1:]) for row in db.execute(query, (json.dumps(ids),))}
        for db in (target, change.db)
    )
    # A class may have the name that another one is to have: what goes makes room first, and names
    # that are passed on are held by nobody for a moment.
    gone = [i for i in ids if i in there and i not in wanted]
    if table in MARKED:
        change.update_many(table, ["deleted"], [(row_id, 1) for row_id in gone])
    else:
        for row_id in gone:
            change.delete(table, row_id)
    stays = [i for i in ids if i in wanted and i in there]
    if table == "classes":
        at = kept.index("name")
        renamed = [i for i in stays if wanted[i][at] != there[i][at]]
        passed = {there[i][at] for i in renamed} & {wanted[i][at] for i in renamed}
        if passed:
            change.update_many(table, ["name"], [(i, f"\0{i}") for i in renamed])
    change.update_many(table, kept, [(i, *wanted[i]) for i in stays])
    for row_id in (i for i in ids if i in wanted and i not in there):
        change.put_back(table, row_id, dict(zip(kept, wanted[row_id], strict=True)))
