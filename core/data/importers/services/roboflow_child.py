"""Asks Roboflow for a version's archive, in a process of its own.

`python -m core.data.importers.services.roboflow_child` is a job of `core.processes.job`: a
`Request` goes in, the archive's `link` and the project's `name` come out. The key comes by the pipe
because arguments and environments of processes can be seen, and nothing that the package or what it
uses prints reaches the person or a log: their messages hold addresses with the key in them.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.common.errors import ImportFailed
from core.common.progress import Cancelled, Progress, Report
from core.common.text import clean, did_you_mean
from core.privacy.secrets import learn, redact
from core.processes.job import serve_job

FORMAT = "coco"
CONNECT_S, READ_S = 15.0, 120.0
KEY_HINT = (
    "Find it in Roboflow under Settings, API Keys (the private key), and set ROBOFLOW_API_KEY."
)
_TEXT = 300
_STAGES = {
    "key": "logging in",
    "workspace": "finding the workspace",
    "project": "finding the project",
    "version": "finding the version",
    "export": "waiting for the export",
}


@dataclass(frozen=True)
class Request:
    """A version of a project of a workspace, by their names in its address, and the key to it."""

    workspace: str
    project: str
    version: int
    key: str

    @property
    def place(self) -> str:
        """The project's address."""
        return f"{self.workspace}/{self.project}"


def _answer(asked: Request, report: Report, _cancelled: Cancelled) -> dict[str, str]:
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    learn(asked.key)
    stage = _Stage(report)
    try:
        return _link(asked, stage)
    except BaseException as error:
        raise _failure(asked, stage, error) from None


class _Stage:
    """Where the conversation is, and the HTTP status of the newest answer (0: none came)."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.name = "start"
        self.status = 0
        self.known: list[str] = []

    def enter(self, name: str) -> None:
        self.name = name
        self.status = 0
        self.known = []
        self._report(Progress(_STAGES[name], 0))


def _link(asked: Request, stage: _Stage) -> dict[str, str]:
    import requests.adapters

    send = requests.adapters.HTTPAdapter.send

    def patient(self: Any, request: Any, **options: Any) -> Any:
        # The package sets no time limit and drops most statuses: both are seen to here.
        stage.status = 0
        options["timeout"] = options.get("timeout") or (CONNECT_S, READ_S)
        answer = send(self, request, **options)
        stage.status = answer.status_code
        return answer

    requests.adapters.HTTPAdapter.send = patient  # type: ignore[method-assign,assignment]
    import roboflow
    from roboflow.adapters import rfapi

    stage.enter("key")
    service = roboflow.Roboflow(api_key=asked.key)
    stage.enter("workspace")
    workspace = service.workspace(asked.workspace)
    stage.enter("project")
    stage.known = [str(item.get("id", "")).rpartition("/")[2] for item in workspace.project_list]
    project = workspace.project(asked.project)
    stage.enter("version")
    stage.known = [
        str(item.get("id", "")).rpartition("/")[2] for item in project.get_version_information()
    ]
    version = project.version(asked.version)
    stage.enter("export")
    version.export(FORMAT)
    answer = rfapi.get_version_export(
        api_key=asked.key,
        workspace_url=asked.workspace,
        project_url=asked.project,
        version=str(asked.version),
        format=FORMAT,
    )
    return {"link": str(answer["export"]["link"]), "name": str(project.name)}


def _failure(asked: Request, stage: _Stage, error: BaseException) -> ImportFailed:
    name, status, place = stage.name, stage.status, asked.place
    known = [clean(one) for one in stage.known]
    if status in (401, 403) and name in ("key", "workspace"):
        return ImportFailed("Roboflow does not accept this API key.", KEY_HINT)
    if status in (401, 403):
        return ImportFailed(f"This API key may not read {place}.", KEY_HINT)
    if status == 404 and name == "workspace":
        return ImportFailed(
            f"Roboflow has no workspace '{asked.workspace}' that this key can see.",
            "Give --workspace as it stands in the address app.roboflow.com/WORKSPACE.",
        )
    if status == 404 and name == "project":
        return ImportFailed(
            f"There is no project '{asked.project}' in the workspace '{asked.workspace}'.",
            _offer(asked.project, known, "The projects there are"),
        )
    if name == "version" and status in (200, 404):
        return ImportFailed(
            f"There is no version {asked.version} of {place}.",
            _offer(str(asked.version), known, "The versions there are")
            or "Generate one in Roboflow first.",
        )
    text = clean(redact(f"{error}" or type(error).__name__))[:_TEXT]
    if not status:
        return ImportFailed(
            f"Roboflow could not be reached ({type(error).__name__}).",
            "Check the network and proxy settings, and run the same command again.",
        )
    return ImportFailed(
        f"Roboflow failed while {_STAGES.get(name, name)} (HTTP {status}): {text}",
        "Try again later.",
    )


def _offer(word: str, known: list[str], lead: str) -> str:
    if not known:
        return ""
    guess = did_you_mean(word, known)
    shown = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
    listed = f"{lead}: {shown}."
    return f"{guess[:1].upper()}{guess[1:]} {listed}" if guess else listed


if __name__ == "__main__":
    sys.exit(serve_job(Request, _answer, stops=False))
