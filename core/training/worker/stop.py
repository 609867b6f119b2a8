"""Stopping training on request: signals set a mark, which training looks at after each step.

Before the first step there is nothing to save, and loading torch and rfdetr or waiting for another
process takes long: there a signal ends it where it comes.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any, Final

# SIGINT is Ctrl-C, SIGUSR1 what a batch script asks SLURM to send before the time is up.
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class TrainingStopped(BaseException):
    """Training was stopped on request, and has written its checkpoint where there is one to write.

    No Exception, so that nothing that guards an import takes it for one that failed.
    """


@dataclass(slots=True)
class StopRequest:
    """Whether training was asked to stop; `reason` is the signal's name."""

    reason: str | None = None
    _at_once: bool = False

    def ask(self, reason: str) -> None:
        """Ask training to stop; the first reason stands."""
        self.reason = self.reason or reason

    def listen(self, *, at_once: bool = False) -> None:
        """Take the signals that ask for a stop; in the main thread only.

        With `at_once` the first of them raises TrainingStopped where it comes; without, they set
        the mark alone. To be called again once training runs: Lightning installs handlers of its
        own, which end the process without a checkpoint when a signal comes between two of our
        looks.
        """
        self._at_once = at_once
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: Any) -> None:
        self.ask(signal.Signals(number).name)
        if self._at_once:
            self._at_once = False  # what follows says that it stopped, and must not be cut short
            raise TrainingStopped
