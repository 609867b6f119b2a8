"""Everything that is watched while a run trains: its figures, its silence and its disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.training.config.effective_batch import Batching
from core.training.config.options import TrainingConfig
from core.training.run.disk_space import low_disk
from core.training.run.events import Event, Step, Warning_
from core.training.warnings.stall import StallWatch, Ticker, stalled
from core.training.warnings.training_problems import Watchdog

# How often the clock looks for a stall.
_LOOK_S = 5.0


class RunWatch:
    """Watches one attempt at a run in `run_dir`, from when training starts.

    `earlier` are the events of earlier attempts and `history` the records of the epochs behind us.
    `write` takes the warnings; it is None in all processes but the first, which watch figures only,
    so that all end together when training has diverged.
    """

    def __init__(
        self,
        config: TrainingConfig,
        batching: Batching,
        run_dir: Path,
        write: Callable[[Event], None] | None,
        *,
        earlier: Sequence[Event] = (),
        history: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._batching = batching
        self._run_dir = run_dir
        self._write = write
        told = [event.code for event in earlier if isinstance(event, Warning_)]
        self._watchdog = Watchdog(config, run_dir, told=told, history=history)
        self._stall = StallWatch(time.monotonic())
        self._step = 0
        self._disk_told = False
        self._clock = None if write is None else Ticker(self._look, _LOOK_S)

    def see(self, event: Event) -> None:
        """Look at an event after it was written. Raises Diverged."""
        if isinstance(event, Step):
            self._step = event.step
        for warning in self._watchdog.see(event):
            self._tell(warning)

    def beat(self, *, step: bool = False) -> None:
        """A batch has been trained on (`step`), or something else has come to its end."""
        self._stall.beat(time.monotonic(), step=step)

    def check_disk(self, last_bytes: int, epoch: int) -> None:
        """Warn once when the next checkpoints, of `last_bytes` each, may not fit any more."""
        low = (
            None if self._disk_told or self._write is None else low_disk(self._run_dir, last_bytes)
        )
        if low is None:
            return
        self._disk_told = True
        self._tell(
            Warning_(
                code="disk-low",
                message=low,
                hint="Remove old checkpoints or runs before the disk is full.",
                epoch=epoch,
                step=self._step,
            )
        )

    def close(self) -> None:
        """Stop looking: training is over, one way or another."""
        if self._clock is not None:
            self._clock.close()

    def _look(self) -> None:
        quiet = self._stall.check(time.monotonic())
        if quiet is not None:
            self._tell(stalled(self._batching, self._run_dir, quiet, self._step))

    def _tell(self, warning: Warning_) -> None:
        if self._write is not None:
            self._write(warning)
