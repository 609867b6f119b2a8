"""What SLURM calls the state of a job, and what that means to a person."""

from __future__ import annotations

from dataclasses import dataclass

# slurm's job state codes (squeue(1), JOB STATE CODES); the short one is what `%t` prints.
_SHORT = {
    "BF": "BOOT_FAIL", "CA": "CANCELLED", "CD": "COMPLETED", "CF": "CONFIGURING",
    "CG": "COMPLETING", "DL": "DEADLINE", "F": "FAILED", "NF": "NODE_FAIL",
    "OOM": "OUT_OF_MEMORY", "PD": "PENDING", "PR": "PREEMPTED", "R": "RUNNING",
    "RD": "RESV_DEL_HOLD", "RF": "REQUEUE_FED", "RH": "REQUEUE_HOLD", "RQ": "REQUEUED",
    "RS": "RESIZING", "RV": "REVOKED", "SI": "SIGNALING", "SE": "SPECIAL_EXIT",
    "SO": "STAGE_OUT", "ST": "STOPPED", "S": "SUSPENDED", "TO": "TIMEOUT",
}  # fmt: skip

_ENDED = {
    "BOOT_FAIL": "a node did not start",
    "CANCELLED": "cancelled",
    "COMPLETED": "finished",
    "DEADLINE": "ended at its deadline",
    "FAILED": "failed",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "ran out of memory",
    "PREEMPTED": "ended for a more important job",
    "REVOKED": "runs on another cluster",
    "TIMEOUT": "reached its time limit",
}
_WAITING = {
    "PENDING": "waiting",
    "REQUEUED": "waiting again",
    "REQUEUE_FED": "waiting again",
    "REQUEUE_HOLD": "held after a requeue",
    "RESV_DEL_HOLD": "held, its reservation is gone",
    "SPECIAL_EXIT": "held after a special exit",
}
_RUNNING = {
    "RUNNING": "running",
    "COMPLETING": "ending",
    "CONFIGURING": "starting its nodes",
    "RESIZING": "changing its size",
    "SIGNALING": "being signalled",
    "STAGE_OUT": "copying its results",
    "STOPPED": "stopped, keeps its nodes",
    "SUSPENDED": "suspended",
}


@dataclass(frozen=True)
class JobState:
    """A state: SLURM's own word in `name`, ours in `words`, and which of the three ways it is.

    A state nobody knows is none of the three: it must not be taken for an end.
    """

    name: str
    words: str
    waiting: bool = False
    running: bool = False
    ended: bool = False


# A job that squeue has forgotten while accounting has not told of its end yet, and one of which
# nobody will.
LEFT = JobState("COMPLETING", "left the queue, its end is not told yet")
GONE = JobState("UNKNOWN", "gone, its end is not known", ended=True)


def parse_state(text: str) -> JobState:
    """Return the state in `text`, as squeue, sacct and scontrol of any version print it.

    Long or short, `CANCELLED by 1000`, several joined by `+` or `,` (a base state and flags, of
    which the flag that says most is taken), or `RUNNING*`.
    """
    names = [
        _SHORT.get(part.strip().rstrip("*+").upper(), part.strip().rstrip("*+").upper())
        for part in text.split(" by ")[0].replace(",", "+").split("+")
        if part.strip()
    ]
    # `COMPLETING` goes with the state it will end in; a requeue flag means it waits again.
    for group in (("REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"), ("COMPLETING",)):
        for name in names:
            if name in group:
                return _state(name)
    return _state(names[0] if names else "UNKNOWN")


def _state(name: str) -> JobState:
    if name in _WAITING:
        return JobState(name, _WAITING[name], waiting=True)
    if name in _RUNNING:
        return JobState(name, _RUNNING[name], running=True)
    if name in _ENDED:
        return JobState(name, _ENDED[name], ended=True)
    return JobState(name, name.lower().replace("_", " "))
