"""`python -m cli.model.model_child`: inference and export in a process of their own; see
`cli.child`.

Reads one JSON object from standard input, `{"what": "infer", "options": {…}}`, and answers on
standard output as `core.evaluation` does: progress, then `finished` with the `result` or `failed`.
Whatever the libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import Cancelled
from core.common.progress import Progress
from core.export import ExportOptions, export
from core.inference import InferenceOptions, infer
from core.processes.child_failure import told_failure
from core.processes.child_process import begin_process, listen_for_stop

JOBS: dict[str, tuple[Any, Any]] = {
    "infer": (InferenceOptions, infer),
    "export": (ExportOptions, export),
}
# Of their options, those that are paths.
_PATHS = ("target", "output", "images")


def main() -> int:
    """Do the job on standard input and return the exit code: 0, 1 for an error, 130 cancelled."""
    begin_process()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    stopped = listen_for_stop()

    def say(event: str, **values: Any) -> None:
        out.write(json.dumps({"event": event, **values}) + "\n")

    def report(at: Progress) -> None:
        say("progress", stage=at.stage, done=at.done, total=at.total)

    job = json.load(sys.stdin)
    kind, work = JOBS[job["what"]]
    options = {
        name: Path(value) if name in _PATHS and value is not None else value
        for name, value in job["options"].items()
    }
    try:
        result = work(kind(**options), report, stopped)
    except Exception as error:
        say("failed", **told_failure(error, *filter(None, [options.get("output")])))
        return 130 if isinstance(error, Cancelled) else 1
    say("finished", result=msgspec.to_builtins(result, enc_hook=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
