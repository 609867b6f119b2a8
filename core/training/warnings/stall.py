"""Tells when training has been silent for far longer than usual."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from core.common.text import duration
from core.training.config.command_line import resume_line
from core.training.config.effective_batch import Batching
from core.training.run.events import Warning_

# A step takes from milliseconds to seconds; a minute is noticed by nobody, and short hiccups of a
# network disk are over by then.
SHORTEST_S = 60.0
# How many times the usual gap between two batches is far longer than usual.
TIMES = 20
# Between epochs images are validated, mAP is counted and loader processes start, which takes
# minutes with a large data set; and three times as long as it ever took is unusual.
PAUSE_S = 600.0
PAUSE_TIMES = 3

_REMEMBERED = 64


class StallWatch:
    """Knows how long the gaps between signs of life are. Times in seconds, of one clock.

    `beat` is called from the training loop (some microseconds), `check` from any thread.
    """

    def __init__(self, now: float) -> None:
        self._gaps: deque[float] = deque(maxlen=_REMEMBERED)
        self._longest_pause = 0.0
        self._stepping = False
        self._last = now
        self._limit = PAUSE_S
        self._told = False

    def beat(self, now: float, *, step: bool) -> None:
        """A batch has been trained on (`step`), or anything else has come to its end."""
        gap = now - self._last
        if step and self._stepping:
            self._gaps.append(gap)
        else:
            self._longest_pause = max(self._longest_pause, gap)
        self._stepping = step
        if step and self._gaps:
            usual = sorted(self._gaps)[len(self._gaps) // 2]
            self._limit = max(SHORTEST_S, TIMES * usual)
        else:
            self._limit = max(PAUSE_S, PAUSE_TIMES * self._longest_pause)
        self._last = now
        self._told = False

    def check(self, now: float) -> float | None:
        """Return for how long nothing has happened, once for each time that it is too long."""
        quiet = now - self._last
        if self._told or quiet <= self._limit:
            return None
        self._told = True
        return quiet


class Ticker:
    """Calls `look` every `seconds` in a thread of its own until it is closed."""

    def __init__(self, look: Callable[[], None], seconds: float) -> None:
        self._look = look
        self._seconds = seconds
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batman-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(self._seconds):
            # The run goes on without its watch: a full disk is the training loop's to report.
            with contextlib.suppress(OSError):
                self._look()

    def close(self) -> None:
        """Stop; a look under way is waited for."""
        self._end.set()
        self._thread.join()


def stalled(batching: Batching, run_dir: Path, quiet: float, step: int) -> Warning_:
    """Return the warning that nothing has happened for `quiet` seconds after `step`."""
    smaller = batching.smaller()
    where = "Look at nvidia-smi, the disk and train.log"
    command = None
    if smaller is not None:
        where += "; if it does not go on, stop it and resume with a smaller batch"
        command = resume_line(run_dir, batch_size=smaller.batch, grad_accum=smaller.accum)
    return Warning_(
        code="stalled",
        message=f"Nothing has happened for {duration(quiet)}, since step {step:,}: "
        "far longer than usual.",
        hint=f"{where}.",
        command=command,
        step=step,
    )
