"""Going back to a state as a new one, in one step that can be undone."""

from __future__ import annotations

from core.common.text import clean, plural
from core.data.store import HistoryEntry, Project
from core.data.store.kept import become
from core.data.versions.names import name_of
from core.data.versions.past import copied, go_to


def restore(project: Project, state: int) -> HistoryEntry | None:
    """Make the project what it was at `state`, and return the entry; None when it is that already.

    Everything that came since stays in the history, and undo brings it back. Raises `ProjectError`
    when the history does not have the state, and `ProjectLocked`; nothing is changed then.
    """
    name = name_of(project, state)
    called = f"'{clean(name)}'" if name else f"change {state}" if state else "the beginning"
    with project.change("versions.restore", f"Went back to {called}", keep=state) as change:
        later = [
            row[0]
            for row in project.db.execute(
                "SELECT id FROM history WHERE id > ? AND id < ?", (state, change.history_id)
            )
        ]
        with copied(project) as then:
            go_to(then, state)
            become(change, then.db, later)
        if change.empty:
            return None
        project.describe(
            change,
            f"Went back to {called}, taking back {plural(len(later), 'change')}",
            {"state": state, "version": name, "changes": len(later)},
        )
    return project.entry(change.history_id)
