"""A project for training on a COCO folder as it lies there: made for it, or found again.

The project refers to the folder's images and copies none, and nothing is written into the folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import BatmanError, ConfigError
from core.common.files import expand_user, safe_name
from core.common.progress import Progress
from core.common.text import clean
from core.common.workspace import Workspace
from core.data.importers import ImportReport, import_coco, list_imports
from core.data.importers.dataset import inside
from core.data.store import Project

# The record of an import says under this name what label files the folder had then.
_LABELS = "label_files"


@dataclass(frozen=True)
class FolderProject:
    """The project at `path` for a folder; `report` is of its making, None for one that was there.

    `changed` names a project of the folder as it was before its labels changed.
    """

    path: Path
    report: ImportReport | None
    changed: str = ""


def project_for_folder(
    workspace: Workspace,
    folder: Path,
    progress: Callable[[Progress], None] | None = None,
) -> FolderProject:
    """Return the project of `workspace` that holds the COCO data set in `folder` and nothing else.

    It is made when there is none, or when the label files have changed since. Raises ConfigError
    when there is no such folder, `ImportFailed` as `import_coco` does; nothing is left then.
    """
    place = expand_user(folder).resolve()
    if not place.is_dir():
        raise ConfigError(
            f"There is no folder '{clean(str(folder))}'.",
            "Give a folder with train, valid and test, each with its _annotations.coco.json.",
        )
    labels = _label_files(place)
    changed = ""
    for path in workspace.list_projects():
        try:
            with Project.open(path) as project:
                rows = list_imports(project)
        except BatmanError:
            continue  # one that cannot be read is not this one
        if len(rows) == 1 and rows[0].origin == str(place) and _LABELS in rows[0].detail:
            if rows[0].detail[_LABELS] == labels:
                return FolderProject(path, None)
            changed = path.name
    path = _free(workspace, place.name)
    try:
        with Project.create(path, f"The COCO data set in {clean(str(place))}") as project:
            report = import_coco(
                project, place, files="reference", progress=progress, detail={_LABELS: labels}
            )
    except BaseException:
        Project.delete(path)
        raise
    return FolderProject(path, report, changed)


def _label_files(folder: Path) -> dict[str, list[int]]:
    """Return the size and the time of change (ns) of each JSON file that may hold labels."""
    found = {}
    for path in sorted([*folder.glob("*.json"), *folder.glob("*/*.json")]):
        state = path.stat()
        found[path.relative_to(folder).as_posix()] = [state.st_size, state.st_mtime_ns]
    return found


def _free(workspace: Workspace, name: str) -> Path:
    """Return the folder of a project that is not there yet, called after the data set."""
    base = safe_name(inside(name[:60]) or "dataset")
    number, path = 1, workspace.project_path(base)
    while path.exists():
        number += 1
        path = workspace.project_path(f"{base}-{number}")
    return path
