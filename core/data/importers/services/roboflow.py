"""Data sets from Roboflow: one version of one project, as its COCO export.

The `roboflow` package does the talking (login, workspace, project, version, waiting for the
export) in a child process, `core.data.importers.services.roboflow_child`, that gets the key by a
pipe. The archive itself comes through `core.data.importers.services.download`, which sees a cut
transfer, and is unpacked by `core.common.zip_archive`, which stays inside its folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.common.errors import ImportFailed
from core.common.progress import Progress, never
from core.common.temporary import folder_beside
from core.common.text import clean
from core.common.zip_archive import extract_zip
from core.data.importers.coco.reader import import_coco
from core.data.importers.report import ImportReport
from core.data.importers.services.download import PATIENCE, Patience, download
from core.data.importers.services.http_request import DownloadFailed
from core.data.importers.services.roboflow_child import KEY_HINT, Request
from core.data.store import Project
from core.privacy.secrets import learn, redact
from core.processes.installation import how_to_install
from core.processes.job import run_job

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def import_roboflow(
    project: Project,
    workspace: str,
    rf_project: str,
    version: int,
    *,
    api_key: str,
    anyway: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    patience: Patience = PATIENCE,
) -> ImportReport:
    """Import version `version` of Roboflow's project `rf_project` in `workspace`.

    `workspace` and `rf_project` are as in the project's address. The key is used for this call and
    goes nowhere else: not to the disk, the history, a message or another process's arguments.
    Raises `ImportFailed` for a wrong key, a missing workspace, project or version (with the nearest
    that are there), a damaged or unsafe archive, and when the `roboflow` package is not installed;
    `DownloadFailed` when the archive cannot be had; `Cancelled`. The project is then as it was.
    """
    key = api_key.strip()
    asked = Request(_slug("workspace", workspace), _slug("project", rf_project), int(version), key)
    if asked.version < 1:
        raise ImportFailed("A version is a number from 1.", "Give it with --version.")
    if not key or not key.isprintable() or " " in key:
        raise ImportFailed("That is no Roboflow API key.", KEY_HINT)
    if importlib.util.find_spec("roboflow") is None:
        raise ImportFailed(
            "The roboflow package is not installed here.",
            f"Install it with: {how_to_install('batman-tui[roboflow]')}",
        )
    learn(key)
    tell = progress or (lambda item: None)
    # No child of ours inherits the key.
    environment = {name: value for name, value in os.environ.items() if name != "ROBOFLOW_API_KEY"}
    answer: dict[str, Any] = run_job(
        "core.data.importers.services.roboflow_child",
        asked,
        tell,
        cancelled or never,
        name="The import",
        environment=environment,
    )
    with _folder(project.path) as folder:
        archive = folder / "roboflow.zip"
        try:
            download(
                str(answer["link"]),
                archive,
                progress=lambda done, total: tell(Progress("downloading", done, total)),
                cancelled=cancelled,
                patience=patience,
                shown=f"The export of {asked.place}/{asked.version}",
            )
        except DownloadFailed as error:
            raise DownloadFailed(redact(error.message), redact(error.hint), error.status) from None
        extract_zip(
            archive,
            folder / "data",
            progress=lambda done, total: tell(Progress("unpacking", done, total)),
            cancelled=cancelled,
        )
        return import_coco(
            project,
            folder / "data",
            files="link",
            anyway=anyway,
            progress=progress,
            cancelled=cancelled,
            kind="roboflow",
            origin=f"roboflow: {asked.place}/{asked.version}",
            detail={
                "workspace": asked.workspace,
                "project": asked.project,
                "version": asked.version,
                "name": redact(answer["name"]),
            },
        )


@contextlib.contextmanager
def _folder(project: Path) -> Iterator[Path]:
    """Make a folder for the download in the project, so that images can be linked, not copied."""
    stack = contextlib.ExitStack()
    try:
        made = stack.enter_context(folder_beside(project / "roboflow"))
    except OSError as error:
        raise ImportFailed(
            f"The project's folder cannot be written: {error.strerror}.",
            f"Check the space and permissions of '{clean(str(project))}'.",
        ) from error
    with stack:
        yield made


def _slug(what: str, text: str) -> str:
    stripped = text.strip()
    if not _SLUG.fullmatch(stripped):
        raise ImportFailed(
            f"'{clean(text)}' is not the name of a Roboflow {what}.",
            "Give it as it stands in the address app.roboflow.com/WORKSPACE/PROJECT.",
        )
    return stripped
