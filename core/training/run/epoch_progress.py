"""Where in an epoch a checkpoint stands, read and put right in Lightning's own bookkeeping.

Lightning 2.6 keeps counters (`ready`, `started`, `processed`, `completed`) for epochs and batches
in `checkpoint["loops"]["fit_loop"]`; from how they differ it concludes where to go on. Everything
that depends on that format is in this module.
"""

from __future__ import annotations

from typing import Any

from core.training.config.effective_batch import Batching

_COUNTERS = ("ready", "started", "processed", "completed")


def position(fit_loop: dict[str, Any]) -> tuple[int, int]:
    """Return the epoch under way or next (from 0), and how many batches of it are behind us."""
    epochs = fit_loop["epoch_progress"]["current"]
    if epochs["processed"] == epochs["ready"]:
        return int(epochs["processed"]), 0
    return int(epochs["processed"]), int(
        fit_loop["epoch_loop.batch_progress"]["current"]["processed"]
    )


def rescale(fit_loop: dict[str, Any], old: Batching, new: Batching) -> bool:
    """Turn a place within an epoch, counted in batches of `old`, into batches of `new`.

    Possible when a step takes as many images as before: True. Otherwise the epoch begins again
    from its start: False. A checkpoint from the end of an epoch needs neither.
    """
    if old == new or position(fit_loop)[1] == 0:
        return True
    if old.effective == new.effective:
        progress = fit_loop["epoch_loop.batch_progress"]
        for part in (progress["current"], progress["total"]):
            unfinished = part["processed"] - part["completed"]
            for name in ("ready", "started", "processed"):
                part[name] = part[name] // old.accum * new.accum
            part["completed"] = part["processed"] - unfinished
        return True
    epochs = fit_loop["epoch_progress"]
    for part in (epochs["current"], epochs["total"]):
        done = part["processed"]
        part.update(dict.fromkeys(_COUNTERS, done))
    return False


def mark_validation_pending(fit_loop: dict[str, Any]) -> None:
    """Make a checkpoint written during validation begin that validation again when resumed.

    Lightning would go on behind the batches it has seen, whose predictions are gone: its counters
    are set to "the first batch was started", which it takes for an interrupted validation.
    """
    progress = fit_loop["epoch_loop.val_loop.batch_progress"]
    for part in (progress["total"], progress["current"]):
        part.update(ready=1, started=1, processed=0, completed=0)
    progress["is_last_batch"] = False
