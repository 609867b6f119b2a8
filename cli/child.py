"""Work that needs torch, in a process of its own whose progress is shown."""

from __future__ import annotations

from typing import Any

from cli.progress import Stages
from core.common.errors import Cancelled
from core.processes.job import run_job


def run_child(module: str, options: object, *, quiet: bool = False) -> Any:
    """Do the job of `module` and return its result, as `run_job`; show its progress unless `quiet`.

    `options` may be what returns them: it is called while the process starts.

    Raises KeyboardInterrupt when somebody interrupted it.
    """
    with Stages(quiet=quiet) as show:
        try:
            return run_job(module, options, lambda at: show(at.stage, at.done, at.total))
        except Cancelled:
            raise KeyboardInterrupt from None
