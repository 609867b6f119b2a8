"""What a person does with jobs: cancel, hold, release, requeue, many in one command."""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.common.errors import BatmanError
from core.common.text import clean, plural
from slurm.hosts import Host, HostError
from slurm.hosts.base import in_words
from slurm.queue.arrays import JobLine
from slurm.queue.jobs import TIME_ENV, Job, new_separator, parse_squeue, squeue_format

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


# scontrol, of an array: `73_0-1: Job has already finished` and, of tasks it did it to,
# `73_2-5: No error`, with exit code 1 (22.05.8).
_OF_TASKS = re.compile(r"(\d+)_\S*: (.*)")


def _complaints(text: str) -> list[str] | None:
    """Return the lines of SLURM's error output; None if all they tell of is that it was done.

    Of an array part of which is over, that part is no complaint as long as another was done.
    """
    lines = list(dict.fromkeys(clean(line.strip()) for line in text.splitlines() if line.strip()))
    told = [
        match.groups() if (match := _OF_TASKS.fullmatch(line)) else ("", line) for line in lines
    ]
    done = {array for array, words in told if array and words == "No error"}
    wrong = [
        line
        for line, (array, words) in zip(lines, told, strict=True)
        if array not in done or words not in ("No error", "Job has already finished")
    ]
    return None if done and not wrong else wrong


def _every(match: re.Match[str]) -> str:
    first, last, step = map(int, match.groups())
    return ",".join(map(str, range(first, last + 1, max(1, step))))


# $1 the ids, $2 squeue's format.
_ASK = """
for name in $(env | sed -n 's/^\\(SQUEUE_[A-Za-z0-9_]*\\)=.*/\\1/p'); do unset "$name"; done
squeue -h -a -t all -j "$1" -O "$2"
"""


def known_jobs(host: Host, ids: Iterable[str]) -> dict[str, list[Job]]:
    """Return what squeue knows of each of `ids`: the job, an array's lines; none of the unknown.

    It remembers what ended for some minutes (MinJobAge). Raises `HostError`.
    """
    checked = check_ids(ids)
    sep = new_separator()
    asked = ",".join(dict.fromkeys(re.split(r"[_+]", job_id)[0] for job_id in checked))
    done = host.run(["sh", "-c", _ASK, "sh", asked, squeue_format(sep)], env=TIME_ENV, timeout=60)
    said = done.stderr.decode(errors="replace").strip()
    # One that is not known makes it fail; beside others it is left out in silence.
    if done.code and "nvalid job id" not in said:
        raise HostError(
            f"The queue of {clean(host.name)} does not answer: {done.said}.",
            "It may be busy; try again.",
        )
    jobs = parse_squeue(done.text, sep)
    return {job_id: [job for job in jobs if job.belongs_to(job_id)] for job_id in checked}


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
    said = _complaints(done.stderr.decode(errors="replace"))
    if done.code and said is not None:
        shown = in_words("\n".join(said[:3])) if said else f"code {done.code}"
        more = f" (and {len(said) - 3} more)" if len(said) > 3 else ""
        raise JobActionError(
            f"SLURM could not {verb} {plural(len(checked), 'job')}: {shown}{more}.",
            "The others, if any, were done; look at the list again.",
        )
    return checked
