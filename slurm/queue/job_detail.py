"""One job: all that scontrol tells of it, where its logs are, and what it uses right now."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.common.errors import BatmanError
from core.common.text import clean, whole_number
from core.training.live.tail import LogTail
from slurm.hosts import Host, HostError
from slurm.job.record import JobRecord
from slurm.queue.job_actions import check_ids
from slurm.queue.jobs import Job
from slurm.queue.queue import split_sections

# scontrol show job -o: `Key=value` pairs a blank apart; values (JobName, Comment, WorkDir, paths)
# may hold blanks and signs of equality themselves. Keys are these, in any release's order.
_KEY = re.compile(r"(?:^| )([A-Z][A-Za-z]*(?:[/:][A-Za-z:]+)*)=")
# Written by people; what looks like a key inside one of them is not one.
_FREE = {"JobName": " UserId=", "Comment": " StdErr=", "AdminComment": " StdErr=",
         "Command": " WorkDir="}  # fmt: skip
_LOGS = ("StdOut", "StdErr", "StdIn")


@dataclass(frozen=True)
class JobDetail:
    """What `scontrol show job` tells: the paths of its logs, and every field as it was printed."""

    job_id: str
    stdout: str
    stderr: str
    work_dir: str
    command: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def logs(self) -> list[str]:
        """Its log files, the output first; one when both go to the same file."""
        found = [path for path in (self.stdout, self.stderr) if path and path != "/dev/null"]
        return list(dict.fromkeys(found))


def parse_show_job(text: str) -> JobDetail | None:
    """Return the first job in what `scontrol show job -o` printed, None if there is none.

    A name of several lines is one value. Of two that look like the same key, the last is taken
    for the log files, which come last.
    """
    start = text.find("JobId=")
    if start < 0:
        return None
    # Records begin a line; a job's own name may hold such a line too, then it goes on to UserId.
    record = text[start:]
    following = re.search(r"\nJobId=\d+ (?:ArrayJobId=|HetJobId=|JobName=)", record)
    if following and " UserId=" in record[: following.start()]:
        record = record[: following.start()]
    fields: dict[str, str] = {}
    at = 0
    while match := _KEY.search(record, at):
        key, begin = match.group(1), match.end()
        until = _FREE.get(key)
        end = record.find(until, begin) if until else -1
        if end < 0:
            nearest = _KEY.search(record, begin)
            end = nearest.start() if nearest else len(record)
        fields.setdefault(key, record[begin:end].strip())
        at = end
    for key in _LOGS:
        place = record.rfind(f" {key}=")
        if place >= 0:
            rest = record[place + len(key) + 2 :]
            fields[key] = re.split(
                r" (?:StdErr|StdIn|StdOut|Power|TresPer\w+|Mail\w+|NtasksPer\w+)=", rest
            )[0].strip()
    return JobDetail(
        job_id=fields.get("JobId", ""),
        stdout=_path(fields.get("StdOut", "")),
        stderr=_path(fields.get("StdErr", "")),
        work_dir=_path(fields.get("WorkDir", "")),
        command=_path(fields.get("Command", "")),
        fields=fields,
    )


def show_job(host: Host, job_id: str) -> JobDetail | None:
    """Ask scontrol for one job; None when it has forgotten it.

    Of what is left of an array (`123_[5-9]`) the first task is shown. Raises `HostError`.
    """
    (wanted,) = check_ids([job_id])
    wanted = re.sub(r"_\[(\d+).*\]", r"_\1", wanted)
    done = host.run(["scontrol", "show", "job", "-o", wanted], timeout=30)
    said = done.stderr.decode(errors="replace")
    if done.code and "nvalid job id" not in said:
        raise HostError(
            f"Job {clean(job_id)} cannot be shown: {done.said}.",
            "The cluster's controller may be busy; try again.",
        )
    return None if done.code else parse_show_job(done.text)


def log_files(
    host: Host, job: Job, detail: JobDetail | None, record: JobRecord | None
) -> list[str]:
    """Return the paths on the host of a job's logs, output first, as far as they are known.

    For a job that scontrol has forgotten: our own record, or sbatch's default name if it is there
    (`slurm-%j.out`, `slurm-%A_%a.out` in the folder it was submitted from).
    """
    if detail is not None and detail.logs:
        return detail.logs
    if record is not None and record.log:
        return [record.log]
    if job.work_dir and "[" not in job.id:
        guess = f"{job.work_dir.rstrip('/')}/slurm-{job.id}.out"
        if host.size(guess) is not None:
            return [guess]
    return []


class JobLog:
    """The lines of a job's log as they come; `restarted` after a look that began the file anew."""

    def __init__(self, host: Host, path: str, *, start_bytes: int = 256 * 1024) -> None:
        self.path = path
        self.restarted = False
        self._tail = LogTail(path, host, start_bytes=start_bytes)

    def poll(self) -> list[str]:
        """Return the new whole lines. Raises `HostError`."""
        lines = self._tail.poll()
        self.restarted = self._tail._reader.restarted
        return lines


# What a running job uses

_USAGE = """
mark=$1
part() {
  said=$({ "$@" >&4; } 2>&1); code=$?
  printf '\\n%s end %s\\n%s\\n' "$mark" "$code" "$said"
}
exec 4>&1
raw=$(scontrol show job -o "$2" 2>/dev/null | sed -n '1s/^JobId=\\([0-9]*\\) .*/\\1/p')
raw=${raw:-$2}
limit=; command -v timeout >/dev/null 2>&1 && limit='timeout -k 2 20'
echo "$mark gpu"
part $limit srun --jobid="$raw" --overlap --ntasks-per-node=1 --quiet sh -c "$3"
echo "$mark memory"; part $limit sstat -a -n -P -j "$raw" -o JobID,MaxRSS,AveCPU
exit 0
"""
# nvidia-smi(1); prefixed by the node's name, since several nodes answer at once.
_SMI = (
    "command -v nvidia-smi >/dev/null 2>&1 || { echo 'no nvidia-smi there' >&2; exit 3; }; "
    "nvidia-smi --query-gpu=index,name,utilization.gpu,memory.used,memory.total "
    '--format=csv,noheader,nounits | sed "s/^/$(hostname -s), /"'
)


@dataclass(frozen=True)
class GpuUse:
    """One GPU of a running job: how busy in percent, memory in MiB. None where it is not told."""

    node: str
    index: str
    name: str
    busy: int | None
    used_mb: int | None
    total_mb: int | None


@dataclass(frozen=True)
class JobUse:
    """What a running job uses. `problems` say what could not be had and why.

    `said` is what is told instead of a job that waits: what its priority is made of.
    """

    gpus: tuple[GpuUse, ...] = ()
    memory_mb: float | None = None
    problems: tuple[str, ...] = ()
    said: str = ""


def job_use(host: Host, job: Job) -> JobUse:
    """Ask a running job's nodes for its GPUs, and accounting for its memory.

    It starts a step in the job, which wakes SLURM's controller: only for a job that somebody is
    looking at, and seldom. Raises `BatmanError` for a job that does not run, `HostError`.
    """
    (job_id,) = check_ids([job.id])
    if not job.state.running:
        raise BatmanError(
            f"Job {clean(job.id)} does not run ({job.state.words}).",
            "What a job uses can be seen while it runs.",
        )
    mark = f"m{secrets.token_hex(8)}"
    done = host.run(["sh", "-c", _USAGE, "sh", mark, job_id, _SMI], timeout=60)
    return parse_use(done.text, mark, gpus=bool(job.gpus))


def parse_use(text: str, mark: str, *, gpus: bool) -> JobUse:
    """Return what the usage script printed; a job without GPUs has none to miss."""
    sections = split_sections(text, mark)
    found: list[GpuUse] = []
    problems: list[str] = []
    section = sections.get("gpu")
    if section is not None:
        for line in section.out.splitlines():
            parts = [part.strip() for part in line.split(",")]
            # A GPU's name holds no comma.
            if len(parts) == 6:
                node, index, name, busy, used, total = parts
                found.append(GpuUse(node, index, name, _int(busy), _int(used), _int(total)))
        if not found and gpus:
            problems.append(f"GPUs: {_last(section.err) or 'nvidia-smi said nothing'}")
    memory = None
    section = sections.get("memory")
    if section is not None:
        sizes = [_mebibytes(line.split("|")[1]) for line in section.out.splitlines() if "|" in line]
        known = [size for size in sizes if size is not None]
        memory = max(known, default=None)
        if memory is None:
            problems.append(f"memory: {_last(section.err) or 'sstat knows nothing yet'}")
    return JobUse(tuple(found), memory, tuple(problems))


def _mebibytes(text: str) -> float | None:
    """Return `3204K`, `1.5G` or bytes as MiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", text.strip())
    if match is None:
        return None
    units = {"": 1 / 1024**2, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}
    return float(match.group(1)) * units[match.group(2)]


def _last(text: str) -> str:
    # srun repeats for every task that it "Exited with exit code": the reason stands before.
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if "Exited with exit code" not in line] or lines
    return clean(said[-1])[:200] if said else ""


def _int(text: str) -> int | None:
    return whole_number(text)


def _path(text: str) -> str:
    return "" if text in ("(null)", "N/A", "none") else text
