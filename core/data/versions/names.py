"""Names for states of a project.

A state is the number of the newest change that stood; 0 is the empty beginning. A name is no
change: undoing does not take it away, and a state with a name is never forgotten
(`core.data.store.kept`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.common.errors import ProjectError
from core.common.text import clean, did_you_mean, sentence, whole_number
from core.data.store import Project
from core.data.store.project_file import now, who
from core.data.store.sqlite_errors import stored_time
from core.data.versions.past import state_of

NOW = "now"
"""Means the present state where a version is asked for."""

_LONGEST = 80


@dataclass(frozen=True)
class Version:
    """A named state: what it is called, a note, when and by whom it was named."""

    id: int
    name: str
    note: str
    at: datetime
    who: str
    state: int


def list_versions(project: Project) -> list[Version]:
    """Return the versions, the newest state first."""
    rows = project.db.execute("SELECT * FROM versions ORDER BY state DESC, id DESC")
    return [
        Version(
            row["id"],
            row["name"],
            row["note"],
            stored_time(row["at"]),
            row["who"],
            row["state"],
        )
        for row in rows
    ]


def name_state(project: Project, name: str, note: str = "", state: int | None = None) -> Version:
    """Name a state, the present one by default, and return the version.

    Raises `ProjectError` for a name that is taken or none, for a state that the history does not
    have, and `ProjectLocked`.
    """
    name = check_name(name)
    with project.writing("naming a version"):
        number = state_of(project) if state is None else _there(project, state)
        taken = project.db.execute("SELECT state FROM versions WHERE name = ?", (name,)).fetchone()
        if taken is not None:
            raise ProjectError(
                f"There is a version '{clean(name)}' already, of change {taken[0]}.",
                "Choose another name, or remove that one first.",
            )
        project.db.execute(
            "INSERT INTO versions(name, note, at, who, state) VALUES (?, ?, ?, ?, ?)",
            (name, note.strip(), now(), who(), number),
        )
    return next(version for version in list_versions(project) if version.name == name)


def remove_version(project: Project, name: str) -> Version:
    """Take a name away and return the version it was; the data and its history stay.

    Raises `ProjectError` when there is none, and `ProjectLocked`.
    """
    with project.writing("removing a version"):
        found = _named(project, name)
        project.db.execute("DELETE FROM versions WHERE id = ?", (found.id,))
    return found


def find_state(project: Project, text: str) -> int:
    """Return the state that `text` means: a version's name, `now`, or a number of the history.

    Raises `ProjectError` when there is none.
    """
    if text.strip() == NOW:
        return state_of(project)
    number = whole_number(text.strip().removeprefix("#"))
    if number is not None:
        return _there(project, number)
    return _named(project, text).state


def name_of(project: Project, state: int) -> str | None:
    """Return the newest name of a state, None when it has none."""
    row = project.db.execute(
        "SELECT name FROM versions WHERE state = ? ORDER BY id DESC LIMIT 1", (state,)
    ).fetchone()
    return None if row is None else str(row[0])


def check_name(name: str) -> str:
    """Return a name for a version without blanks around it. Raises `ProjectError` for a bad one."""
    name = name.strip()
    if not name or len(name) > _LONGEST or not name.isprintable():
        raise ProjectError(
            f"'{clean(name[:_LONGEST])}' is no name for a version.",
            f"A name has 1 to {_LONGEST} characters that can be seen, such as 'before cleaning'.",
        )
    if name == NOW or whole_number(name.removeprefix("#")) is not None:
        raise ProjectError(
            f"A version cannot be called '{clean(name)}': that means a state already.",
            "Numbers are those of the history, 'now' is the present state.",
        )
    return name


def _named(project: Project, name: str) -> Version:
    versions = list_versions(project)
    for version in versions:
        if version.name == name.strip():
            return version
    names = [version.name for version in versions]
    guess = did_you_mean(name, names)
    there = f"There are: {', '.join(map(clean, names))}." if names else "There are none yet."
    raise ProjectError(
        f"There is no version '{clean(name)}'.",
        sentence(guess) if guess else there,
    )


def _there(project: Project, state: int) -> int:
    if state == 0:
        return 0
    try:
        return project.entry(state).id
    except KeyError:
        raise ProjectError(
            f"There is no change {state} in the history.",
            "batman classes history lists them with their numbers, 0 is the beginning.",
        ) from None
