"""Work that needs torch, in a process of its own that tells how far it is in JSON lines."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any

from cli.progress import Stages
from core.processes.child_failure import raised_failure
from core.processes.child_output import died
from core.processes.child_process import python_command, python_environment


def run_heavy(what: str, options: object, *, quiet: bool = False) -> Any:
    """Do one of the jobs of `cli.model.model_child` and return its result as plain values.

    `options` is the job's own dataclass. Progress is shown and errors are raised as by `run_child`.
    """
    import msgspec

    job = {"what": what, "options": msgspec.to_builtins(options, enc_hook=str)}
    return run_child("cli.model.model_child", [], stdin=json.dumps(job), quiet=quiet)["result"]


def run_child(
    module: str, words: Sequence[str], *, stdin: str = "", quiet: bool = False
) -> dict[str, Any]:
    """Run `python -m <module> <words>` and return its `finished` line.

    `stdin` is what it reads; what it writes are JSON lines, as `core.evaluation` does.
    Its progress is shown, unless `quiet`. Raises the BatmanError that it tells of,
    KeyboardInterrupt when it was interrupted, and RunError with its last output when it died.
    """
    with tempfile.TemporaryFile() as noise, tempfile.TemporaryFile() as given:
        given.write(stdin.encode())
        given.seek(0)
        process = subprocess.Popen(
            python_command(module, *words),
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=noise,
            env=python_environment(),
            text=True,
            encoding="utf-8",
        )
        try:
            end = _read(process, quiet)
            code = process.wait()
        except BaseException:
            # Ctrl-C reaches the child as well, which then stops by itself.
            with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
                process.wait(timeout=10)
            process.kill()
            raise
        if end.get("event") == "finished" and code == 0:
            return end
        if code == 130:
            raise KeyboardInterrupt
        if end.get("event") == "failed":
            raise raised_failure(end)
        raise died(module, code, noise)


def _read(process: subprocess.Popen[str], quiet: bool) -> dict[str, Any]:
    """Show the child's progress and return its last line that is an end."""
    end: dict[str, Any] = {}
    assert process.stdout is not None
    with Stages(quiet=quiet) as show:
        for line in process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if not isinstance(event, dict):
                continue
            if event.get("event") == "progress":
                show(str(event["stage"]), int(event["done"]), event["total"])
            else:
                end = event
    return end
