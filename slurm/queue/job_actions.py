"""What a person does with jobs: cancel, hold, release, requeue, many in one command."""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.common.errors import BatmanError
from core.common.text import clean, plural
from slurm.hosts import Host
from slurm.queue.arrays import JobLine

# `123`, an array's task `123_4`, what is left of an array `123_[5-9,12%2]`, a part of a
# heterogeneous job `123+1`.
_ID = re.compile(r"\d+(?:\+\d+|_\d+|_\[[\d,:-]+(?:%\d+)?\])?")

# xargs, so that thousands of ids fit whatever the limit of a command line is. scontrol takes no
# `--`, but an id begins with a digit.
_COMMANDS = {
    "cancel": "xargs scancel --",
    "hold": "xargs scontrol hold",
    "release": "xargs scontrol release",
    "requeue": "xargs scontrol requeue",
}
VERBS = tuple(_COMMANDS)
DONE = {"cancel": "Cancelled", "hold": "Held", "release": "Released", "requeue": "Requeued"}


def targets(lines: Iterable[JobLine], verb: str) -> list[str]:
    """Return the ids to give SLURM for `verb` on lines, leaving out what it makes no sense for."""
    ids: list[str] = []
    for line in lines:
        live = [job for job in line.jobs if not job.state.ended]
        if verb == "cancel":
            # The whole array in one word.
            ids += [line.id] if live and line.folded else [job.id for job in live]
        elif verb == "hold":
            ids += [job.id for job in live if job.state.waiting and not is_held(job.reason)]
        elif verb == "release":
            ids += [
                job.id
                for job in live
                if job.state.waiting and (is_held(job.reason) or job.state.name != "PENDING")
            ]
        else:
            ids += [job.id for job in live if job.state.running]
    return ids


def is_held(reason: str) -> bool:
    """Return whether a reason to wait is that somebody holds the job."""
    return "JobHeld" in reason or "HoldMaxRequeue" in reason


class JobActionError(BatmanError):
    """SLURM did not do all of what it was asked to."""


def check_ids(ids: Iterable[str]) -> list[str]:
    """Return job ids as SLURM's commands take them. Raises `JobActionError` for anything else."""
    checked = []
    for text in ids:
        if not _ID.fullmatch(text):
            raise JobActionError(
                f"'{clean(text)}' is no job id.", "Write 123, 123_4, or 123_[5-9] for a part."
            )
        # How many run at once is no part of the name, and scontrol knows no steps (`1-9:2`).
        text = re.sub(r"%\d+(?=\])", "", text)
        checked.append(re.sub(r"(\d+)-(\d+):(\d+)", _every, text))
    return list(dict.fromkeys(checked))


def _every(match: re.Match[str]) -> str:
    first, last, step = map(int, match.groups())
    return ",".join(map(str, range(first, last + 1, max(1, step))))


def act(host: Host, verb: str, ids: Iterable[str]) -> list[str]:
    """Do `verb` (one of `VERBS`) to jobs, all in one command, and return the ids as given to SLURM.

    Raises `JobActionError` with SLURM's own words when it refused any of them, `HostError` when
    the host does not answer.
    """
    checked = check_ids(ids)
    if not checked:
        return []
    done = host.run(
        ["sh", "-c", _COMMANDS[verb]], stdin=("\n".join(checked) + "\n").encode(), timeout=60
    )
    said = list(
        dict.fromkeys(
            clean(line.strip())
            for line in done.stderr.decode(errors="replace").splitlines()
            if line.strip()
        )
    )
    if done.code:
        shown = "; ".join(said[:3]) or f"code {done.code}"
        more = f" (and {len(said) - 3} more)" if len(said) > 3 else ""
        raise JobActionError(
            f"SLURM could not {verb} {plural(len(checked), 'job')}: {shown}{more}.",
            "The others, if any, were done; look at the list again.",
        )
    return checked
