"""Stopping training on request: signals set a mark, which training looks at after each step."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any, Final

# SIGINT is Ctrl-C, SIGUSR1 what a batch script asks SLURM to send before the time is up.
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class TrainingStopped(Exception):
    """Training was stopped on request and has written its checkpoint."""


@dataclass(slots=True)
class StopRequest:
    """Whether training was asked to stop; `reason` is the signal's name."""

    reason: str | None = None

    def ask(self, reason: str) -> None:
        """Ask training to stop; the first reason stands."""
        self.reason = self.reason or reason

    def listen(self) -> None:
        """Take the signals that ask for a stop; in the main thread only.

        To be called again once training runs: Lightning installs handlers of its own, which end
        the process without a checkpoint when a signal comes between two of our looks.
        """
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: Any) -> None:
        self.ask(signal.Signals(number).name)
