"""Data sets from Roboflow: one version of one project, as its COCO export.

The `roboflow` package does the talking (login, workspace, project, version, waiting for the
export) in a child process, `core.data.importers.services.roboflow_child`, that gets the key by a
pipe. The archive itself comes through `core.data.importers.services.download`, which sees a cut
transfer, and is unpacked by `core.common.zip_archive`, which stays inside its folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import selectors
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.common.errors import Cancelled, ImportFailed
from core.common.progress import Progress
from core.common.temporary import folder_beside
from core.common.text import clean, did_you_mean
from core.common.zip_archive import extract_zip
from core.data.importers.coco.reader import import_coco
from core.data.importers.report import ImportReport
from core.data.importers.services.download import PATIENCE, Patience, download
from core.data.importers.services.http_request import DownloadFailed
from core.data.store import Project
from core.privacy.secrets import learn, redact
from core.processes.child_process import python_command, python_environment

FORMAT = "coco"
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_POLL_S = 0.1
_TEXT = 300
_STAGES = {
    "key": "logging in",
    "workspace": "finding the workspace",
    "project": "finding the project",
    "version": "finding the version",
    "export": "waiting for the export",
}


@dataclass(frozen=True)
class _Asked:
    workspace: str
    project: str
    version: int

    @property
    def origin(self) -> str:
        return f"roboflow: {self.workspace}/{self.project}/{self.version}"


def import_roboflow(
    project: Project,
    workspace: str,
    rf_project: str,
    version: int,
    *,
    api_key: str,
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
    asked = _Asked(_slug("workspace", workspace), _slug("project", rf_project), int(version))
    key = api_key.strip()
    if asked.version < 1:
        raise ImportFailed("A version is a number from 1.", "Give it with --version.")
    if not key or not key.isprintable() or " " in key:
        raise ImportFailed("That is no Roboflow API key.", _KEY_HINT)
    if importlib.util.find_spec("roboflow") is None:
        raise ImportFailed(
            "The roboflow package is not installed here.",
            "Install it with uv sync --extra roboflow, or pip install 'batman-tui[roboflow]'.",
        )
    learn(key)
    tell = progress or (lambda item: None)
    answer = _ask(asked, key, tell, cancelled)
    with _folder(project.path) as folder:
        archive = folder / "roboflow.zip"
        try:
            download(
                str(answer["link"]),
                archive,
                progress=lambda done, total: tell(Progress("downloading", done, total)),
                cancelled=cancelled,
                patience=patience,
                shown=f"The export of {asked.workspace}/{asked.project}/{asked.version}",
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
            progress=progress,
            cancelled=cancelled,
            kind="roboflow",
            origin=asked.origin,
            detail={
                "workspace": asked.workspace,
                "project": asked.project,
                "version": asked.version,
                "name": redact(str(answer.get("name", ""))),
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


_KEY_HINT = (
    "Find it in Roboflow under Settings, API Keys (the private key), and set ROBOFLOW_API_KEY."
)


def _slug(what: str, text: str) -> str:
    stripped = text.strip()
    if not _SLUG.fullmatch(stripped):
        raise ImportFailed(
            f"'{clean(text)}' is not the name of a Roboflow {what}.",
            "Give it as it stands in the address app.roboflow.com/WORKSPACE/PROJECT.",
        )
    return stripped


def _ask(
    asked: _Asked,
    key: str,
    tell: Callable[[Progress], None],
    cancelled: Callable[[], bool] | None,
) -> dict[str, Any]:
    """Have the child find the export; return its answer. Raises `ImportFailed`, `Cancelled`."""
    request = {
        "key": key,
        "workspace": asked.workspace,
        "project": asked.project,
        "version": asked.version,
        "format": FORMAT,
    }
    environment = {name: value for name, value in os.environ.items() if name != "ROBOFLOW_API_KEY"}
    with _child(python_environment(environment)) as child:
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.close()
        for line in _lines(child, cancelled):
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if "link" in said:
                return dict(said)
            if "failed" in said:
                raise _failure(asked, said, key)
            tell(Progress(_STAGES.get(said.get("stage"), "asking"), 0, None))
    raise ImportFailed(
        "The roboflow package ended without an answer.",
        "Run the command again; if it happens again, update the package.",
    )


@contextlib.contextmanager
def _child(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        python_command("core.data.importers.services.roboflow_child"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _lines(child: subprocess.Popen[bytes], cancelled: Callable[[], bool] | None) -> Iterator[bytes]:
    assert child.stdout is not None
    handle = child.stdout.fileno()
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while True:
            if cancelled is not None and cancelled():
                raise Cancelled("The import was stopped.", "Nothing was changed.")
            if not selector.select(_POLL_S):
                continue
            chunk = os.read(handle, 1 << 16)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines


def _failure(asked: _Asked, said: dict[str, Any], key: str) -> ImportFailed:
    stage, status = str(said["failed"]), int(said.get("status") or 0)
    known = [clean(str(name)) for name in said.get("known") or []]
    place = f"{asked.workspace}/{asked.project}"
    if status in (401, 403) and stage in ("key", "workspace"):
        return ImportFailed("Roboflow does not accept this API key.", _KEY_HINT)
    if status in (401, 403):
        return ImportFailed(f"This API key may not read {place}.", _KEY_HINT)
    if status == 404 and stage == "workspace":
        return ImportFailed(
            f"Roboflow has no workspace '{asked.workspace}' that this key can see.",
            "Give --workspace as it stands in the address app.roboflow.com/WORKSPACE.",
        )
    if status == 404 and stage == "project":
        return ImportFailed(
            f"There is no project '{asked.project}' in the workspace '{asked.workspace}'.",
            _offer(asked.project, known, "The projects there are"),
        )
    if stage == "version" and status in (200, 404):
        return ImportFailed(
            f"There is no version {asked.version} of {place}.",
            _offer(str(asked.version), known, "The versions there are")
            or "Generate one in Roboflow first.",
        )
    text = clean(str(said.get("text", "")))[:_TEXT]
    if not status:
        return ImportFailed(
            f"Roboflow could not be reached ({clean(str(said.get('kind', '')))}).",
            "Check the network and proxy settings, and run the same command again.",
        )
    return ImportFailed(
        f"Roboflow failed while {_STAGES.get(stage, stage)} (HTTP {status}): {text}",
        "Try again later.",
    )


def _offer(word: str, known: list[str], lead: str) -> str:
    if not known:
        return ""
    guess = did_you_mean(word, known)
    shown = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
    listed = f"{lead}: {shown}."
    return f"{guess[:1].upper()}{guess[1:]} {listed}" if guess else listed
