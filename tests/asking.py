"""A poller that thinks it has asked nothing yet, so that the next question is due at once."""

from __future__ import annotations

import math

from slurm.queue.poll import MOST_A_MINUTE, QueuePoller


def forget_asks(poller: QueuePoller) -> None:
    poller._asks.extend([-math.inf] * MOST_A_MINUTE)
