"""Going on after the GPU ran out of memory: half the batch, in a fresh process.

A process that ran out keeps its memory in pieces, so another takes its place and reads the run's
last checkpoint. The effective batch stays: gradients are gathered over twice as many batches.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import psutil

from core.training.log.train_log import say
from core.training.run.events import Failed, Oom

if TYPE_CHECKING:
    from core.training.log.pump import LogPump
    from core.training.worker.peers import Peers
    from core.training.worker.session import Session

# A batch of 128 is down to 4 after five halvings; what then still does not fit never will.
MAX_ATTEMPTS = 6


def smaller_batch(session: Session | None, failed: Failed, attempt: int) -> Oom | None:
    """Return the event of going on with half the batch, None where that cannot help.

    `attempt` counts from 1 how often the run was begun with a batch.
    """
    if session is None or session.batching is None or attempt >= MAX_ATTEMPTS:
        return None
    old, new = session.batching, session.batching.smaller()
    if new is None:
        return None
    return Oom(
        batch_size=old.batch,
        grad_accum=old.accum,
        new_batch_size=new.batch,
        new_grad_accum=new.accum,
        attempt=attempt,
        message=failed.message[:500],
        epoch=session.epoch,
        step=session.step,
    )


def restart(event: Oom, peers: Peers, pump: LogPump | None) -> None:
    """Replace this process by one with the smaller batch of `event`; does not return."""
    say(
        f"out of memory: going on with batch {event.new_batch_size} "
        f"and {event.new_grad_accum} batches a step"
    )
    # exec keeps children: the loader's processes would wait for a parent that knows them not.
    for child in psutil.Process().children(recursive=True):
        if pump is not None and child.pid == pump.pid:
            continue
        with contextlib.suppress(psutil.Error):
            child.kill()
    # Only now does nobody write any more why it ended, which the next would take for its own.
    peers.forget()
    sys.stdout.flush()
    sys.stderr.flush()
    if pump is not None:
        pump.stop()
    os.execv(
        sys.executable,
        [
            *sys.orig_argv,
            f"--attempt={event.attempt + 1}",
            "--batching",
            str(event.new_batch_size),
            str(event.new_grad_accum),
        ],
    )
