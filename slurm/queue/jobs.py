"""A job as squeue and sacct tell of it, and how their text is read.

Delimited text, not `--json`: it reads alike from 20.11 to 26.05, while JSON begins with 21.08 and
changed its shape with many releases, and squeue ignored its filters with it before 24.05.1. Fields
are separated by a token that is drawn for each query, so that no name, comment or folder can hold
it or pass for a line of its own, whatever characters are in it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from core.common.text import plural, whole_number
from slurm.job.end_codes import end_words
from slurm.job.reasons import reason_words
from slurm.job.states import JobState, parse_state
from slurm.site.gpu_kinds import gpu_type_of, job_gpus, whole_gpus
from slurm.site.slurm_values import Gpus, parse_duration

# Asked for in Unix time (`SLURM_TIME_FORMAT=%s`), so that no time zone has to be guessed.
TIME_ENV = {"SLURM_TIME_FORMAT": "%s"}

# squeue(1) `-O`, which alone tells the GPUs of jobs that asked by --gpus; each field is in 20.11
# and later, and none is cut where a separator stands behind it.
_SQUEUE = (
    "JobArrayID", "ArrayJobID", "ArrayTaskID", "State", "Reason", "Partition", "UserName",
    "Account", "SubmitTime", "StartTime", "EndTime", "TimeUsed", "TimeLimit", "NumNodes", "NumCPUs",
    "NumTasks", "MinMemory", "tres-alloc", "tres-per-job", "tres-per-node", "tres-per-socket",
    "tres-per-task", "NodeList", "PriorityLong", "exit_code", "RestartCnt", "QOS", "WorkDir",
    "Comment", "Name",
)  # fmt: skip


def new_separator() -> str:
    """Return a token to part the fields of one query with; nobody could have put it in a name."""
    return f"\x1f{secrets.token_hex(4)}\x1f"


def squeue_format(sep: str) -> str:
    """Return what `squeue -h -O` is to print for `parse_squeue`."""
    return ",".join(f"{name}:{sep}" for name in _SQUEUE)


# sacct(1) `-o`; its `--parsable2 --delimiter` keeps free text whole.
_SACCT = (
    "JobID", "JobIDRaw", "State", "ExitCode", "Partition", "User", "Account", "Submit", "Start",
    "End", "ElapsedRaw", "TimelimitRaw", "NNodes", "AllocCPUS", "ReqCPUS", "ReqMem", "AllocTRES",
    "ReqTRES", "NodeList", "QOS", "Priority", "Reason", "WorkDir", "Comment", "JobName",
)  # fmt: skip
SACCT_FORMAT = ",".join(_SACCT)


@dataclass(frozen=True)
class Place:
    """The `place`th of `line` jobs that wait for the same partitions."""

    place: int
    line: int


@dataclass(frozen=True)
class Job:
    """One job, or the part of an array that has not started yet.

    Times are Unix seconds, None while unknown; `time_used` and `time_limit` are seconds (no limit:
    None). `start` of a waiting job is SLURM's estimate. `exit_code` and `signal` are those of the
    batch script once it has ended, `accounted` that they are accounting's, which tells codes from
    128 on as 128 less. `restarts` is how often it was put back into the queue, `place` where it
    stands among those that wait, where that was asked. `raw` keeps what was printed.
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
    accounted: bool = False
    restarts: int = 0
    qos: str = ""
    place: Place | None = None
    raw: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def why(self) -> str:
        """Why it waits or ended, in words; empty while it runs.

        SLURM leaves the reason of its waiting, such as that somebody holds its array, with a job
        that runs.
        """
        if self.state.running:
            return ""
        words = reason_words(self.reason)
        if self.restarts and not self.state.ended:
            again = f"put back into the queue {plural(self.restarts, 'time')}"
            return f"{again}; {words}" if words else again
        code = self.code_words
        return f"{words}: {code}" if words and code else words or code

    @property
    def code_words(self) -> str:
        """How its script ended, in words; empty for one that ended well, or has not."""
        return end_words(self.exit_code, self.signal, accounted=self.accounted and self._failed)

    @property
    def _failed(self) -> bool:
        return self.state.name == "FAILED"

    @property
    def gpu_count(self) -> float:
        """How many GPUs it has or asks for, of any type, on all its nodes.

        Shares are fractions; those of which it is not known how much they are count for nothing.
        """
        return sum(whole_gpus(gpus) or 0 for gpus in self.gpus)

    @property
    def gpus_typed(self) -> bool:
        """Whether the type of any of its GPUs is known."""
        return any(gpu_type_of(gpus.type) for gpus in self.gpus)

    @property
    def tasks(self) -> int:
        """How many jobs this line stands for: those of `123_[4-9,12%2]`, else one."""
        match = re.fullmatch(r"\d+_\[([^\]%]*)(?:%\d+)?\]", self.id)
        return count_tasks(match.group(1)) if match else 1

    @property
    def task_numbers(self) -> set[int]:
        """The tasks of its array that this line stands for; empty for a job that is in none."""
        parts = _task_ranges(self.task.strip("[]").partition("%")[0])
        return {number for part in parts for number in part}

    def stands_for(self, job_id: str) -> bool:
        """Return whether this line tells of `job_id`: it is the one, or a task yet to start."""
        if self.id == job_id:
            return True
        match = re.fullmatch(r"(\d+)_\[([^\]%]*)(?:%\d+)?\]", self.id)
        base, _, task = job_id.partition("_")
        if match is None or match.group(1) != base or whole_number(task) is None:
            return False
        return any(int(task) in part for part in _task_ranges(match.group(2)))

    def belongs_to(self, job_id: str) -> bool:
        """Return whether `job_id` names it, its array, or a part (`123_[4-9]`) that it is in."""
        base, _, tasks = job_id.partition("_")
        if self.stands_for(job_id) or base not in (self.array_id, self.id):
            return self.stands_for(job_id)
        if not tasks:
            return True
        asked = _task_ranges(tasks.strip("[]").partition("%")[0])
        return any(number in part for number in self.task_numbers for part in asked)


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
    """Return the jobs that `squeue -h -O` printed with `squeue_format(sep)`.

    Lines that are none, such as a warning, are left out.
    """
    jobs = []
    for fields in _ended_records(text, sep, len(_SQUEUE)):
        row = dict(zip(_SQUEUE, fields, strict=True))
        task = row["ArrayTaskID"]
        state = parse_state(row["State"])
        code, signal = _exit(row["exit_code"]) if state.ended else (None, None)
        jobs.append(
            Job(
                id=row["JobArrayID"],
                array_id=row["ArrayJobID"] if task not in ("N/A", "") else "",
                task="" if task == "N/A" else task,
                state=state,
                reason="" if row["Reason"] == "None" else row["Reason"],
                partition=row["Partition"],
                user=row["UserName"],
                account=_word(row["Account"]),
                submitted=_time(row["SubmitTime"]),
                start=_time(row["StartTime"]),
                end=_time(row["EndTime"]),
                time_used=_duration(row["TimeUsed"]),
                time_limit=_duration(row["TimeLimit"]),
                nodes=_int(row["NumNodes"]) or 1,
                cpus=_int(row["NumCPUs"]) or 0,
                gpus=_gpus(row),
                node_list=_word(row["NodeList"]),
                work_dir=row["WorkDir"],
                comment=_word(row["Comment"]),
                name=row["Name"],
                priority=_int(row["PriorityLong"]) or 0,
                exit_code=code,
                signal=signal,
                restarts=_int(row["RestartCnt"]) or 0,
                qos=_word(row["QOS"]),
                raw={"memory": row["MinMemory"]},
            )
        )
    return jobs


def _gpus(row: dict[str, str]) -> tuple[Gpus, ...]:
    """Return a job's GPUs: those it was given if their type is told, else those it asked for.

    sbatch(1): --gpus is for the whole job, --gres and --gpus-per-node for each node,
    --gpus-per-task for each task, --gpus-per-socket for each socket, of which it has one a node
    at least. What is given names types only where AccountingStorageTRES does, and shares of GPUs
    at all.
    """
    given = job_gpus(row["tres-alloc"])
    if any(gpu_type_of(gpus.type) for gpus in given):
        return tuple(given)
    nodes, tasks = _int(row["NumNodes"]) or 1, _int(row["NumTasks"]) or 1
    for name, times in (
        ("tres-per-job", 1), ("tres-per-node", nodes), ("tres-per-task", tasks),
        ("tres-per-socket", nodes),
    ):  # fmt: skip
        asked = job_gpus(row[name])
        if asked:
            return tuple(replace(gpus, count=gpus.count * times) for gpus in asked)
    return tuple(given)


def parse_sacct(text: str, sep: str) -> list[Job]:
    """Return the jobs that `sacct -X -n -P --delimiter=SEP -o SACCT_FORMAT` printed.

    Of a job that never started, what it asked for stands for what it was given. How often it was
    put back into the queue accounting tells in few releases (`RestartCnt` since 24.05), and a field
    that it does not know would be all that it says.
    """
    jobs = []
    for fields in _records(text, sep, len(_SACCT)):
        row = dict(zip(_SACCT, fields, strict=True))
        base, _, task = row["JobID"].partition("_")
        code, signal = _exit(row["ExitCode"])
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
                cpus=_int(row["AllocCPUS"]) or _int(row["ReqCPUS"]) or 0,
                gpus=tuple(job_gpus(row["AllocTRES"]) or job_gpus(row["ReqTRES"])),
                node_list="" if row["NodeList"] == "None assigned" else row["NodeList"],
                work_dir=row["WorkDir"],
                comment=row["Comment"],
                name=row["JobName"],
                priority=_int(row["Priority"]) or 0,
                exit_code=code,
                signal=signal,
                accounted=True,
                qos=row["QOS"],
                raw={"job_id_raw": row["JobIDRaw"]},
            )
        )
    return jobs


def _exit(text: str) -> tuple[int | None, int | None]:
    """Return the exit code and the signal in `3:0`, or, of squeue before 24.11, in wait(2)'s 768.

    That one has the exit code in its second byte and the signal in its first.
    """
    code, colon, signal = text.partition(":")
    if colon:
        return _int(code), _int(signal) or None
    status = _int(code)
    return (None, None) if status is None else (status >> 8 & 255, status & 127 or None)


def _ended_records(text: str, sep: str, count: int) -> list[list[str]]:
    """Split into records of `count` fields, each ended by `sep`. What stands between is no field.

    People's words may go over several lines.
    """
    pieces = text.split(sep)[:-1]
    return [
        # Before the first field of a line there may be the ends of warnings.
        [pieces[at].rpartition("\n")[2], *pieces[at + 1 : at + count]]
        for at in range(0, len(pieces) - count + 1, count)
    ]


def _records(text: str, sep: str, count: int) -> list[list[str]]:
    """Split into records of `count` fields parted by `sep`. Words may go over several lines."""
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
    return whole_number(text) or None


def _duration(text: str) -> int | None:
    try:
        return parse_duration(text)
    except ValueError:
        return None
