"""The workspace: the folder that holds projects, runs, exports and logs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import BatmanError, ProjectError
from core.common.files import expand_user, leads_nowhere, safe_name, utf8_path
from core.common.text import clean, did_you_mean, sentence


@dataclass(frozen=True)
class Workspace:
    """A folder with `data/projects/`, `runs/`, `exports/` and `logs/`, each made when needed."""

    root: Path

    @classmethod
    def find(cls, chosen: str | Path | None = None) -> Workspace:
        """Return the workspace: `chosen`, else `$BATMAN_WORKSPACE`, else the current folder.

        Raises `BatmanError` when the path is there and is no folder, or is not UTF-8.
        """
        given = chosen or os.environ.get("BATMAN_WORKSPACE") or "."
        root = utf8_path(expand_user(given).absolute())
        if root.exists() and not root.is_dir():
            raise BatmanError(
                f"The workspace '{clean(str(root))}' is not a folder.",
                "Give a folder with --workspace, or set BATMAN_WORKSPACE.",
            )
        return cls(root)

    @property
    def projects_dir(self) -> Path:
        """Where projects lie, `data/projects`."""
        return self.root / "data" / "projects"

    @property
    def runs_dir(self) -> Path:
        """Where runs lie, `runs`."""
        return self.root / "runs"

    @property
    def logs_dir(self) -> Path:
        """Where the logs of cluster jobs lie, `logs`."""
        return self.root / "logs"

    def project_path(self, name: str) -> Path:
        """Return the folder of the project `name`. Raises `BadName` for an unusable name."""
        return self.projects_dir / safe_name(name)

    def run_path(self, name: str) -> Path:
        """Return the folder of the run `name`. Raises `BadName` for an unusable name."""
        return self.runs_dir / safe_name(name)

    def list_projects(self) -> list[Path]:
        """Return the project folders, sorted by name; a folder without `project.db` is none.

        One that may not be read is among them. Raises `BatmanError` when their folder may not be.
        """
        return folders_with(self.projects_dir, "project.db")

    def list_runs(self) -> list[Path]:
        """Return the run folders, the most recently changed first.

        One that may not be read is among them. Raises `BatmanError` when their folder may not be.
        """
        runs = folders_with(self.runs_dir, "training_config.json")
        return sorted(runs, key=_changed, reverse=True)


def project_path(workspace: Workspace, text: str) -> Path:
    """Return the folder of the project that `text` means, which need not be there yet.

    A path is taken from the current folder if there is a project, else from the workspace; a bare
    name is a project of the workspace. Raises `BadName` for a name no folder can have.
    """
    given = expand_user(text)
    if given.is_absolute() or text.startswith((".", "~")) or holds(given, "project.db"):
        path = given.absolute()
    elif "/" in text:
        path = workspace.root / given
    else:
        return workspace.project_path(text)
    # A last part of '..' or '.' names a folder too.
    path = Path(os.path.normpath(path))
    safe_name(path.name)
    return path


def find_project(workspace: Workspace, text: str) -> Path:
    """Return the folder of the project that `text` means; it may be one that cannot be read.

    Raises ProjectError that names the projects spelt most like it when there is none.
    """
    path = project_path(workspace, text)
    if not holds(path, "project.db"):
        names = [found.name for found in workspace.list_projects()]
        guess = sentence(did_you_mean(path.name, [name for name in names if name != path.name]))
        raise ProjectError(
            f"There is no project at '{clean(str(path))}'.",
            guess or "Create it with batman project create, or import with --create.",
        )
    return path


def entries_of(parent: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder and is not hidden, in no order; nothing where there is none.

    Raises `BatmanError` when it may not be read.
    """
    try:
        with os.scandir(parent) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise BatmanError(
            f"The folder '{clean(str(parent))}' cannot be read: {error.strerror}.",
            "Ask its owner, or check the permissions.",
        ) from error


def folders_with(parent: Path, file: str) -> list[Path]:
    """Return the folders in `parent` that have a `file`, sorted by name.

    One that may not be read is among them. Raises `BatmanError` when `parent` may not be.
    """
    names = sorted(entry.name for entry in entries_of(parent))
    return [parent / name for name in names if holds(parent / name, file)]


def holds(folder: Path, file: str) -> bool:
    """Tell whether `folder` has something of that name, or may have it.

    What is no file, or may not be read, is not hidden by that; nor is a link to a folder that is
    not there now.
    """
    try:
        (folder / file).lstat()
    except FileNotFoundError:
        return leads_nowhere(folder)
    except NotADirectoryError:
        return False
    except (OSError, ValueError):
        return folder.is_dir() or leads_nowhere(folder)
    return True


def _changed(run: Path) -> float:
    for file in ("events.jsonl", "training_config.json"):
        try:
            return (run / file).stat().st_mtime
        except OSError:
            continue
    return 0.0
