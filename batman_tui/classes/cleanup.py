"""Cleaning up all classes of a project at once: by a naming convention, or by a mapping file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from batman_tui.widgets.dialogs.dialogs import PromptDialog
from core.common.errors import BatmanError
from core.common.text import clean, plural
from core.data.classes import list_classes, remap
from core.data.store import HistoryEntry, Project

if TYPE_CHECKING:
    from core.data.classes.similar_names import Convention


def write_names(project: Project, style: Convention) -> HistoryEntry | None:
    """Write the names of all classes in one way; one step to undo, None when they are so."""
    from core.data.classes.similar_names import convention_mapping

    mapping = dict(convention_mapping((row.name for row in list_classes(project)), style))
    summary = f"Names in {style} style"
    return remap(project, mapping, kind="classes.convention", summary=summary)


def write_mapping(project: Path, typed: str) -> str:
    """Write what the imports' names have become to the typed path; return what was done.

    Raises `BatmanError` for a file that cannot be written.
    """
    from core.data.classes import mapping

    file = _path(typed)
    with Project.open(project) as opened:
        written = mapping.current_mapping(opened)
    try:
        mapping.write_mapping(written, file)
    except OSError as error:
        raise BatmanError(f"{clean(str(file))} cannot be written.", str(error)) from error
    return f"{plural(len(written), 'name')} written to {file}"


def mapping_file_question(file: Path) -> PromptDialog:
    """Return the dialog that asks where the mapping goes; `file` is what it begins with."""
    return PromptDialog(
        "Write the mapping",
        label="What every import's own names have become, to:",
        value=str(file),
        button="Write",
        check=_judge,
    )


def _judge(typed: str) -> str:
    path = _path(typed)
    if path.is_dir():
        raise BatmanError("That is a folder.", "Name a file in it.")
    if path.exists():
        return "There is such a file; it will be replaced."
    return "CSV when it ends in .csv, else YAML. f applies it to another project."


def _path(typed: str) -> Path:
    """Return the path that is typed. Raises `BatmanError` for one that cannot be."""
    try:
        path = Path(typed).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError):
        raise BatmanError("There can be no such file.") from None
    return path
