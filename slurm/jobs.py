"""A job as squeue and sacct tell of it, and how their text is read.

Delimited text, not `--json`: JSON's shape moved with every release and squeue ignored its filters
with it before 24.05.1. Fields are separated by a token that is drawn for each query, so that no
name, comment or folder can hold it or pass for a line of its own, whatever characters are in it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from slurm.states import JobState, parse_state, reason_words
from slurm.values import Gpus, parse_duration, parse_gres

# Asked for in Unix time (`SLURM_TIME_FORMAT=%s`), so that no time zone has to be guessed.
TIME_ENV = {"SLURM_TIME_FORMAT": "%s"}

# squeue(1) `-o`; each works from 20.11 on, and `-o` cuts nothing where no width is given.
_SQUEUE = (
    "%i", "%F", "%K", "%T", "%r", "%P", "%u", "%a", "%V", "%S", "%e", "%M", "%l", "%D", "%C",
    "%m", "%b", "%N", "%Q", "%Z", "%k", "%j",
)  # fmt: skip


def new_separator() -> str:
    """Return a token to part the fields of one query with; nobody could have put it in a name."""
    return f"\x1f{secrets.token_hex(4)}\x1f"


def squeue_format(sep: str) -> str:
    """Return what `squeue -h -o` is to print for `parse_squeue`."""
    return sep.join(_SQUEUE)


# sacct(1) `-o`; its `--parsable2 --delimiter` keeps free text whole.
_SACCT = (
    "JobID", "JobIDRaw", "State", "ExitCode", "Partition", "User", "Account", "Submit", "Start",
    "End", "ElapsedRaw", "TimelimitRaw", "NNodes", "AllocCPUS", "ReqMem", "AllocTRES", "NodeList",
    "Priority", "Reason", "WorkDir", "Comment", "JobName",
)  # fmt: skip
SACCT_FORMAT = ",".join(_SACCT)


@dataclass(frozen=True)
class Job:
    """One job, or the part of an array that has not started yet.

    Times are Unix seconds, None while unknown; `time_used` and `time_limit` are seconds (no limit:
    None). `start` of a waiting job is SLURM's estimate. `exit_code` and `signal` are those of the
    batch script, known from accounting only. `raw` keeps what was printed.
    """

    id: str
    array_id: str
    task: str
    state: JobState
    reason: str
    partition: str
    user: str
    account: str
    submitted: int | None
    start: int | None
    end: int | None
    time_used: int | None
    time_limit: int | None
    nodes: int
    cpus: int
    gpus: tuple[Gpus, ...]
    node_list: str
    work_dir: str
    comment: str
    name: str
    priority: int = 0
    exit_code: int | None = None
    signal: int | None = None
    raw: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def why(self) -> str:
        """Why it waits or ended, in words; empty while it runs well."""
        words = reason_words(self.reason)
        if self.signal:
            return f"{words + ': ' if words else ''}ended by signal {self.signal}"
        if self.exit_code:
            return f"{words + ': ' if words else ''}exit code {self.exit_code}"
        return words

    @property
    def gpu_count(self) -> int:
        """How many GPUs it has or asks for, of any type, on all its nodes."""
        return sum(gpus.count for gpus in self.gpus)

    @property
    def pending_tasks(self) -> int:
        """How many jobs this line stands for: those of `123_[4-9,12%2]`, else one."""
        match = re.fullmatch(r"\d+_\[([^\]%]*)(?:%\d+)?\]", self.id)
        return count_tasks(match.group(1)) if match else 1

    def stands_for(self, job_id: str) -> bool:
        """Return whether this line tells of `job_id`: it is the one, or a task yet to start."""
        if self.id == job_id:
            return True
        match = re.fullmatch(r"(\d+)_\[([^\]%]*)(?:%\d+)?\]", self.id)
        base, _, task = job_id.partition("_")
        if match is None or match.group(1) != base or not task.isdigit():
            return False
        return any(int(task) in part for part in _task_ranges(match.group(2)))


def count_tasks(spec: str) -> int:
    """Return how many tasks an array specification names: `1-3,7,10-20:5` → 7.

    squeue cuts long ones with `...`; what is cut is not counted.
    """
    return sum(map(len, _task_ranges(spec)))


def _task_ranges(spec: str) -> list[range]:
    ranges = []
    for part in spec.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part.strip())
        if match:
            first, last, step = match.groups()
            ranges.append(range(int(first), int(last or first) + 1, int(step or 1)))
    return ranges


def parse_squeue(text: str, sep: str) -> list[Job]:
    """Return the jobs that `squeue -h -o` printed with `squeue_format(sep)`.

    Lines that are none, such as a warning, are left out.
    """
    jobs = []
    for fields in _records(text, sep, len(_SQUEUE)):
        (id_, array_id, task, state, reason, partition, user, account, submitted, start, end,
         used, limit, nodes, cpus, memory, gres, node_list, priority, work_dir, comment,
         name) = fields  # fmt: skip
        count = _int(nodes) or 1
        jobs.append(
            Job(
                id=id_,
                array_id=array_id if task not in ("N/A", "") else "",
                task="" if task == "N/A" else task,
                state=parse_state(state),
                reason="" if reason == "None" else reason,
                partition=partition,
                user=user,
                account=_word(account),
                submitted=_time(submitted),
                start=_time(start),
                end=_time(end),
                time_used=_duration(used),
                time_limit=_duration(limit),
                nodes=count,
                cpus=_int(cpus) or 0,
                # `%b` is what each node gives.
                gpus=tuple(Gpus(g.type, g.count * count) for g in parse_gres(gres)),
                node_list=_word(node_list),
                work_dir=work_dir,
                comment=_word(comment),
                name=name,
                priority=_int(priority) or 0,
                raw={"memory": memory},
            )
        )
    return jobs


def parse_sacct(text: str, sep: str) -> list[Job]:
    """Return the jobs that `sacct -X -n -P --delimiter=SEP -o SACCT_FORMAT` printed."""
    jobs = []
    for fields in _records(text, sep, len(_SACCT)):
        row = dict(zip(_SACCT, fields, strict=True))
        base, _, task = row["JobID"].partition("_")
        code, _, signal = row["ExitCode"].partition(":")
        jobs.append(
            Job(
                id=row["JobID"],
                array_id=base if task else "",
                task=task,
                state=parse_state(row["State"]),
                reason="" if row["Reason"] == "None" else row["Reason"],
                partition=row["Partition"],
                user=row["User"],
                account=row["Account"],
                submitted=_time(row["Submit"]),
                start=_time(row["Start"]),
                end=_time(row["End"]),
                time_used=_int(row["ElapsedRaw"]),
                time_limit=(_int(row["TimelimitRaw"]) or 0) * 60 or None,
                nodes=_int(row["NNodes"]) or 1,
                cpus=_int(row["AllocCPUS"]) or 0,
                gpus=tuple(parse_gres(row["AllocTRES"])),
                node_list="" if row["NodeList"] == "None assigned" else row["NodeList"],
                work_dir=row["WorkDir"],
                comment=row["Comment"],
                name=row["JobName"],
                priority=_int(row["Priority"]) or 0,
                exit_code=_int(code),
                signal=_int(signal) or None,
                raw={"job_id_raw": row["JobIDRaw"]},
            )
        )
    return jobs


def _records(text: str, sep: str, count: int) -> list[list[str]]:
    """Split into records of `count` fields. People's words may go over several lines."""
    records: list[list[str]] = []
    begun = ""
    for line in text.removesuffix("\n").split("\n"):
        if sep in line:
            begun = f"{begun}\n{line}" if begun else line
            fields = begun.split(sep)
            if len(fields) == count:
                records.append(fields)
                begun = ""
        elif begun:
            begun += f"\n{line}"
        elif records:
            records[-1][-1] += f"\n{line}"
    return records


def _word(text: str) -> str:
    return "" if text in ("(null)", "N/A", "n/a") else text


def _int(text: str) -> int | None:
    match = re.match(r"\d+", text)
    return int(match.group()) if match else None


def _time(text: str) -> int | None:
    return int(text) if text.isdigit() and int(text) > 0 else None


def _duration(text: str) -> int | None:
    try:
        return parse_duration(text)
    except ValueError:
        return None
