"""What the processes of one run tell each other when training cannot go on.

While training they speak through torch's collectives. A process that fails leaves them, and the
others then hang or hear only that a connection was lost: so it says why in a file in the run
folder, which the first process, the only one that writes events, reads.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from core.common.files import write_atomic
from core.training.run.events import Failed, decode_event, encode_event
from core.training.worker.ranks import under_srun, under_torchrun

# What Lightning and torch set for the processes that they start, and read when they begin.
_LAUNCH_VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_PATTERN = ".rank-*.failed"


class Peers:
    """The processes of the run in `run_dir`, seen from one of them.

    `first` is the process that writes events. It starts the others itself (through Lightning)
    unless torchrun or srun did: `ours` tells, and only then can it start them again.
    """

    def __init__(self, run_dir: Path, *, first: bool) -> None:
        self.first = first
        self.ours = not (under_torchrun() or under_srun() or (first and "LOCAL_RANK" in os.environ))
        self._run_dir = run_dir
        self._parent = os.getppid()
        if first:
            self._clear()

    def tell(self, failed: Failed) -> None:
        """Tell the first process why this one has failed."""
        with contextlib.suppress(OSError):  # the folder may be what has gone
            path = self._run_dir / f".rank-{os.getpid()}.failed"
            write_atomic(path, encode_event(failed))

    def heard(self, wait_s: float = 0.0) -> Failed | None:
        """Return why another process has failed, None if none said so within `wait_s` seconds."""
        deadline = time.monotonic() + wait_s
        while True:
            for path in sorted(self._run_dir.glob(_PATTERN)):
                event = decode_event(path.read_bytes())
                if isinstance(event, Failed):
                    return event
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.05)

    def orphaned(self) -> bool:
        """Tell whether the process that started this one has gone without it."""
        return not self.first and self.ours and os.getppid() != self._parent

    def forget(self) -> None:
        """Make ready for starting the others again."""
        self._clear()
        for name in _LAUNCH_VARIABLES:
            os.environ.pop(name, None)

    def _clear(self) -> None:
        for path in self._run_dir.glob(_PATTERN):
            path.unlink(missing_ok=True)
