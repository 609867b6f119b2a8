"""Pollers that ask at once, where a test is about the answer and not about how often one asks."""

from __future__ import annotations

import math

import pytest

from slurm.queue.poll import MOST_A_MINUTE, QueuePoller


def forget_asks(poller: QueuePoller) -> None:
    """Let the poller think that it has asked nothing yet: its next question is due at once."""
    poller._asks.extend([-math.inf] * MOST_A_MINUTE)


def ask_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a queue asked every second, and those who wait for a job look as often.

    When a question is due by itself is asked in test_slurm_poller.
    """
    due = property(lambda poller: max(0.0, 1.0 - poller.since_asked))
    monkeypatch.setattr(QueuePoller, "due_in", due)
    monkeypatch.setattr("slurm.client.session.LEAST_GAP_S", 1.0)
