"""A project as it was: its database in memory, taken back or done again to a state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from core.data.store import Project
from core.data.store.changes import replay
from core.data.store.project_file import memory_copy


def state_of(project: Project) -> int:
    """Return the number of the state that the project is in: its newest change that stands."""
    row = project.db.execute("SELECT coalesce(max(id), 0) FROM history WHERE undone = 0").fetchone()
    return int(row[0])


@contextlib.contextmanager
def at_state(project: Project, state: int) -> Iterator[Project]:
    """Give the project as it was at `state`, to be read: for an export, say.

    It is worked out on a copy in memory, so that nobody is kept from working, and nothing is left
    of it whatever happens. `project` needs no permission to write.
    """
    with copied(project) as past:
        go_to(past, state)
        past.db.execute("PRAGMA query_only = ON")
        yield past


@contextlib.contextmanager
def copied(project: Project) -> Iterator[Project]:
    """Give a copy in memory of what is committed, with the same folder of images."""
    with memory_copy(project.path) as db:
        yield Project(project.path, db)


def go_to(copy: Project, state: int) -> None:
    """Bring a copy of a project to `state`; it must be in its history, undone or not."""
    db = copy.db
    db.execute("BEGIN")
    later = "SELECT id FROM history WHERE undone = 0 AND id > ? ORDER BY id DESC"
    for (number,) in db.execute(later, (state,)).fetchall():
        replay(db, number, undo=True)
        db.execute("UPDATE history SET undone = 1 WHERE id = ?", (number,))
    before = "SELECT id FROM history WHERE undone = 1 AND id <= ? ORDER BY id"
    for (number,) in db.execute(before, (state,)).fetchall():
        replay(db, number, undo=False)
        db.execute("UPDATE history SET undone = 0 WHERE id = ?", (number,))
    db.execute("COMMIT")
