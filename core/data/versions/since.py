"""Whether a project has moved on since a state, such as the one that a run was trained on."""

from __future__ import annotations

from pathlib import Path

from core.common.errors import BatmanError
from core.common.text import clean, plural
from core.data.store import Project
from core.data.versions.past import state_of

# Suggestions of models are none of the data until they are accepted.
_NO_DATA = ("labels.pass",)


def moved_on(project: Project, state: int) -> str:
    """Return a sentence about the project now against `state`."""
    there = project.db.execute("SELECT undone FROM history WHERE id = ?", (state,)).fetchone()
    if there is None and state:
        return "That state is no longer in the project's history: it was undone, others followed."
    if there is not None and there[0]:
        back = project.db.execute(
            "SELECT count(*) FROM history WHERE undone = 1 AND id <= ?", (state,)
        ).fetchone()[0]
        return f"The project is {plural(back, 'change')} behind it: they were undone."
    if state_of(project) == state:
        return "The project is still in that state."
    marks = ", ".join("?" * len(_NO_DATA))
    (since,) = project.db.execute(
        f"SELECT count(*) FROM history WHERE undone = 0 AND id > ? AND kind NOT IN ({marks})",
        (state, *_NO_DATA),
    ).fetchone()
    if not since:
        return "The project's data is as it was; suggestions came since."
    return f"The project has moved on by {plural(since, 'change')}."


def trained_on(project: Path | None, state: int | None, version: str | None) -> str:
    """Return which state of its project a run learnt, and whether that has moved on since.

    Empty for a run of before it was kept. A project that is not here, or cannot be read, is not
    asked.
    """
    if state is None:
        return ""
    said = f"version '{clean(version)}' (change {state})" if version else f"change {state}"
    if project is None or not (project / "project.db").is_file():
        return said
    try:
        with Project.open(project) as opened:
            return f"{said}. {moved_on(opened, state)}"
    except BatmanError:
        return said
