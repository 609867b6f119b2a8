"""Asks Roboflow for a version's archive, in a process of its own.

`python -m core.data.importers.services.roboflow_child` reads one JSON object from standard input
(`key`, `workspace`, `project`, `version`, `format`) and writes JSON objects, one a line, to
standard output: `{"stage": …}` while it goes, then `{"link": …, "name": …, "license": …, "images":
…}` or `{"failed": stage, "status": HTTP status, "text": …, "known": […]}`. The key comes by the
pipe because arguments and environments of processes can be seen, and nothing that the package or
what it uses prints reaches the person or a log: their messages hold addresses with the key in them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from core.privacy.secrets import learn, redact
from core.processes.child_process import begin_process

CONNECT_S, READ_S = 15.0, 120.0


def main() -> int:
    """Answer the one request on standard input; return the exit status."""
    begin_process()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    asked = json.loads(sys.stdin.readline())
    learn(asked["key"])

    def say(**what: Any) -> None:
        print(json.dumps(what), file=out, flush=True)

    stage = _Stage(say)
    try:
        say(**_link(asked, stage))
    except BaseException as error:
        text = redact(f"{error}" or type(error).__name__)
        say(
            failed=stage.name,
            status=stage.status,
            kind=type(error).__name__,
            text=text,
            known=stage.known,
        )
    return 0


class _Stage:
    """Where the conversation is, and the HTTP status of the newest answer (0: none came)."""

    def __init__(self, say: Any) -> None:
        self._say = say
        self.name = "start"
        self.status = 0
        self.known: list[str] = []

    def enter(self, name: str) -> None:
        self.name = name
        self.status = 0
        self.known = []
        self._say(stage=name)


def _link(asked: dict[str, Any], stage: _Stage) -> dict[str, Any]:
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
    service = roboflow.Roboflow(api_key=asked["key"])
    stage.enter("workspace")
    workspace = service.workspace(asked["workspace"])
    stage.enter("project")
    stage.known = [str(item.get("id", "")).rpartition("/")[2] for item in workspace.project_list]
    project = workspace.project(asked["project"])
    stage.enter("version")
    stage.known = [
        str(item.get("id", "")).rpartition("/")[2] for item in project.get_version_information()
    ]
    version = project.version(asked["version"])
    stage.enter("export")
    version.export(asked["format"])
    answer = rfapi.get_version_export(
        api_key=asked["key"],
        workspace_url=asked["workspace"],
        project_url=asked["project"],
        version=str(asked["version"]),
        format=asked["format"],
    )
    return {
        "link": str(answer["export"]["link"]),
        "name": str(project.name),
        "images": version.images,
    }


if __name__ == "__main__":
    sys.exit(main())
