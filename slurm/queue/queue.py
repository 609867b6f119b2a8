"""The whole queue in one command: jobs, nodes and, now and then, what accounting remembers.

One small shell script runs `squeue`, `sinfo` and `sacct` one after the other, each with a time
limit of its own, so that one of them that hangs or fails takes nothing from the others. What
squeue tells of ended jobs, what accounting tells and what was known before become one list.
"""

from __future__ import annotations

import gzip
import secrets
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.common.text import clean, whole_number
from slurm.hosts import Host, HostError
from slurm.hosts.base import in_words
from slurm.job.end_codes import same_end
from slurm.job.states import GONE, LEFT
from slurm.queue.jobs import (
    SACCT_FORMAT,
    TIME_ENV,
    Job,
    Place,
    new_separator,
    parse_sacct,
    parse_squeue,
    squeue_format,
)
from slurm.queue.line import COUNT_LINE, LINE_S, parse_places
from slurm.site.discover import NODE_FIELDS, NODE_MORE, Node, parse_nodes
from slurm.site.free_gpus import GpuPool, pool_gpus
from slurm.site.gpu_shares import measured
from slurm.site.hostlist import expand_hostlist
from slurm.site.partitions import Partition
from slurm.site.slurm_values import Gpus

# Each of the three commands; a controller that is busy answers in a few seconds or not at all.
SECTION_S = 20
# How far back accounting is asked, in days, and how many ended jobs are kept at most.
HISTORY_DAYS = 7
MOST_ENDED = 2000
# How often accounting is asked for the end of a job that left the queue; it lags by seconds.
MOST_ASKED = 3

# Ends only, and asked for by name: without `-s` sacct leaves out whatever was held or waited in its
# array when it was cancelled, for it never became eligible (sacct(1), `-j`; seen with 22.05.8).
_ENDED = "BF,CA,CD,DL,F,NF,OOM,PR,RV,TO"

# $1 marker, $2 `me` or `all`, $3 squeue's format, $4 sinfo's, $5 since or nothing, $6 separator, $7
# sacct's fields, $8 whether our place in the line is asked for. Standard error of each part comes
# behind its output, with the exit code.
_SCRIPT = (
    COUNT_LINE
    + """
for name in $(env | sed -n 's/^\\(\\(SQUEUE\\|SINFO\\|SACCT\\)_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
  unset "$name"
done
limit=; command -v timeout >/dev/null 2>&1 && limit='timeout -k 2 LIMIT'
part() {
  said=$({ "$@" >&4; } 2>&1); code=$?
  printf '\\n%s end %s\\n%s\\n' "$mark" "$code" "$said"
}
everything() {
  exec 4>&1
  echo "$mark user"; id -un; printf '\\n%s end 0\\n\\n' "$mark"
  echo "$mark squeue"
  if [ "$who" = all ]; then part $limit squeue -h -a -t all -O "$jobs"
  else part $limit squeue -h -a -t all --me -O "$jobs"; fi
  # A controller that hangs is not asked again at once.
  [ "$code" = 124 ] || { echo "$mark sinfo"; part $limit sinfo -h -N -a -O "$nodes"; }
  [ -z "$line" ] || { echo "$mark line"; part count_line "$(id -un)" ''; }
  [ -n "$since" ] || return 0
  echo "$mark sacct"
  if [ "$who" = all ]; then user=-a; else user="-u$(id -un)"; fi
  part $limit sacct "$user" -n -X -P -S "$since" -E now -s ENDED --delimiter="$sep" -o "$fields"
}
mark=$1 who=$2 jobs=$3 nodes=$4 since=$5 sep=$6 fields=$7 line=$8
if command -v gzip >/dev/null 2>&1; then everything | gzip -1; else everything; fi
""".replace("LIMIT", str(SECTION_S)).replace("ENDED", _ENDED)
)
# Task lists of arrays are cut to 64 characters otherwise (squeue(1), SLURM_BITSTR_LEN).
_ENV = {**TIME_ENV, "SLURM_BITSTR_LEN": "0"}


@dataclass(frozen=True)
class QueueSnapshot:
    """What a cluster said at `taken_at` (Unix seconds).

    `jobs` are those of `user`, or of everybody if `all_users`: waiting and running ones as squeue
    has them, and ended ones as far as anybody remembers. `errors` has a sentence for each of
    `squeue`, `sinfo` and `sacct` that failed; what it would have told is then that of the look
    before. `accounting` is whether sacct remembers ended jobs, None while it was not asked.
    `bytes` came over the wire, in `seconds`.
    """

    jobs: tuple[Job, ...] = ()
    nodes: tuple[Node, ...] = ()
    partitions: tuple[Partition, ...] = ()
    accounting: bool | None = None
    user: str = ""
    all_users: bool = False
    taken_at: float = 0.0
    errors: Mapping[str, str] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0
    accounting_at: float = 0.0
    # How often accounting was asked in vain for the end of a job that left the queue, by its id.
    left: Mapping[str, int] = field(default_factory=dict)
    # Where our waiting jobs stood in the line at `line_at`.
    places: Mapping[str, Place] = field(default_factory=dict)
    line_at: float = 0.0

    @property
    def gpus(self) -> list[GpuPool]:
        """The GPUs by type, with how many are free now."""
        return pool_gpus(self.nodes)

    @property
    def active(self) -> bool:
        """Whether any job waits or runs."""
        return any(not job.state.ended for job in self.jobs)

    @property
    def waiting(self) -> int:
        """How many jobs wait, the tasks of arrays counted."""
        return sum(job.tasks for job in self.jobs if job.state.waiting)

    @property
    def running(self) -> int:
        """How many jobs run."""
        return sum(job.state.running for job in self.jobs)

    def job(self, job_id: str) -> Job | None:
        """Return the job with an id, or the array line that stands for it."""
        exact = next((job for job in self.jobs if job.id == job_id), None)
        return exact or next((job for job in self.jobs if job.stands_for(job_id)), None)


def ask_queue(
    host: Host,
    *,
    all_users: bool = False,
    accounting: bool = True,
    before: QueueSnapshot | None = None,
    now: float | None = None,
    days: int = HISTORY_DAYS,
) -> QueueSnapshot:
    """Ask for everything in one command and return it, together with what was known `before`.

    With `accounting` sacct is asked too, for the last `days`. Raises `HostError` when the host
    does not answer, or squeue fails and nothing was known before, or sinfo fails with it.
    """
    now = time.time() if now is None else now
    if before is not None and before.all_users != all_users:
        before = replace(before, jobs=(), accounting_at=0.0)
    # A letter first: sinfo takes digits behind a field for its width.
    mark, sep = f"m{secrets.token_hex(8)}", new_separator()
    since = time.strftime("%Y-%m-%d", time.gmtime(now - days * 86400)) if accounting else ""
    nodes_format = ",".join(f"{name}:{mark}" for name in (*NODE_FIELDS, *NODE_MORE))
    old_line = before is not None and now - before.line_at >= LINE_S
    line = "line" if before is None or (before.waiting and old_line) else ""
    started = time.monotonic()
    done = host.run(
        ["sh", "-c", _SCRIPT, "sh", mark, "all" if all_users else "me", squeue_format(sep),
         nodes_format, since, sep, SACCT_FORMAT, line],
        timeout=4 * SECTION_S,
        env=_ENV,
    )  # fmt: skip
    seconds = time.monotonic() - started
    sections = split_sections(_unpacked(done.stdout), mark)
    if "squeue" not in sections:
        raise HostError(
            f"The queue of {clean(host.name)} does not answer: {done.said}.",
            "It is asked again at the next look.",
        )
    errors = {
        name: _error(name, section)
        for name, section in sections.items()
        if section.code and name not in ("user", "line")
    }
    if "squeue" in errors and (before is None or "sinfo" in errors):
        raise _no_slurm(host, errors["squeue"])
    user = sections["user"].out.strip() if "user" in sections else ""
    answer = QueueSnapshot(
        user=user, all_users=all_users, taken_at=now, errors=errors,
        bytes=len(done.stdout), seconds=seconds,
    )  # fmt: skip
    return _with_before(answer, sections, before, sep, mark, now)


@dataclass(frozen=True)
class Section:
    """What one command of several printed, and its exit code."""

    out: str
    code: int
    err: str


def split_sections(text: str, mark: str) -> dict[str, Section]:
    """Return the parts of a script's output that it parted by lines that begin with `mark`.

    A part begins with `MARK NAME`; `MARK end CODE` ends its output, and its errors follow.
    """
    sections: dict[str, Section] = {}
    name, out = "", ""
    # The output may come without a newline at its end, so the script puts one before the mark.
    for piece in ("\n" + text).split(f"\n{mark} ")[1:]:
        head, _, body = piece.partition("\n")
        if head.startswith("end ") and name:
            code = whole_number(head[4:].strip())
            sections[name] = Section(out, 1 if code is None else code, body.strip())
            name = ""
        else:
            name, out = head.strip(), body
    return sections


def merge_jobs(
    live: Iterable[Job], remembered: Iterable[Job], before: Sequence[Job] = ()
) -> tuple[Job, ...]:
    """Return one list of jobs: live ones as squeue has them, ended ones from whoever knows most.

    `remembered` is accounting's, `before` what was known at the look before. Accounting lags the
    queue, so what it takes for waiting or running is believed only of jobs that squeue has.
    """
    merged = {job.id: job for job in live}
    typed = {job.id: job.gpus for job in (*before, *merged.values()) if job.gpus_typed}
    restarts = {job.id: job.restarts for job in (*before, *merged.values()) if job.restarts}
    ended_before = {job.id: job for job in before if job.state.ended}
    for job in remembered:
        if not job.state.ended:
            continue
        known = merged.get(job.id)
        # A requeued job has an end in accounting, and lives on.
        if known is None or (known.state.ended and known.exit_code is None):
            # Accounting counts GPUs, and seldom knows of which type.
            gpus = job.gpus if job.gpus_typed else typed.get(job.id, job.gpus)
            merged[job.id] = replace(
                job,
                gpus=gpus,
                restarts=restarts.get(job.id, job.restarts),
                **better_end(job, ended_before.get(job.id)),
            )
    for job in before:
        if job.state.ended:
            merged.setdefault(job.id, job)
    jobs = [job for job in merged.values() if not job.state.ended]
    ended = _without_parts([job for job in merged.values() if job.state.ended])
    ended.sort(key=lambda job: job.end or job.submitted or 0, reverse=True)
    return (*jobs, *ended[:MOST_ENDED])


def _without_parts(ended: Sequence[Job]) -> list[Job]:
    """Leave out lines of tasks that never began which another line of their array has as well.

    Of tasks cancelled one after the other accounting tells in one line, squeue of the last ones.
    """
    many: dict[str, list[set[int]]] = {}
    for job in ended:
        if "[" in job.id:
            many.setdefault(job.array_id, []).append(job.task_numbers)
    return [
        job
        for job in ended
        if "[" not in job.id or not any(job.task_numbers < more for more in many[job.array_id])
    ]


def better_end(told: Job, known: Job | None) -> dict[str, Any]:
    """Return what `known` knows better of the end that accounting has `told`, as fields to change.

    The exit code from before, where accounting's is the same one without 128.
    """
    if known is None or not told.accounted or not same_end(known.exit_code, told.exit_code):
        return {}
    return {"exit_code": known.exit_code, "signal": known.signal, "accounted": known.accounted}


def with_left(
    jobs: Sequence[Job], before: QueueSnapshot, *, asked: bool, accounting: bool | None
) -> tuple[tuple[Job, ...], dict[str, int]]:
    """Add to `jobs` those that were live `before` and that nobody tells of now; return both.

    squeue forgets a job `MinJobAge` after its end, at times before accounting has written it. The
    counts by id say how often accounting was `asked` for it; without `accounting`, or after
    `MOST_ASKED` times, it is `GONE`, which what accounting tells later still replaces.
    """
    known = {job.id for job in jobs}
    left, added = {}, []
    for job in before.jobs:
        # The line of an array's waiting tasks goes when they start.
        if job.state.ended or job.id in known or "[" in job.id:
            continue
        looks = before.left.get(job.id, 0) + asked
        gone = accounting is False or looks >= MOST_ASKED
        if not gone:
            left[job.id] = looks
        added.append(replace(job, state=GONE if gone else LEFT, reason=""))
    return (*jobs, *added), left


def _measured(jobs: Sequence[Job], nodes: Sequence[Node]) -> list[Job]:
    """Return jobs with the sizes of the shares of GPUs that they have or ask for.

    It is that of their nodes; of a job that waits, that of all nodes of its partitions.
    """
    found: dict[tuple[str, str, tuple[Gpus, ...]], tuple[Gpus, ...]] = {}
    told = []
    for job in jobs:
        if any(gpus.share_of is not None for gpus in job.gpus):
            key = (job.node_list, "" if job.node_list else job.partition, job.gpus)
            if key not in found:
                names, partitions = set(expand_hostlist(key[0])), set(key[1].split(","))
                where = [n for n in nodes if n.name in names or partitions & set(n.partitions)]
                found[key] = measured(job.gpus, where)
            told.append(replace(job, gpus=found[key]))
        else:
            told.append(job)
    return told


def _with_before(
    answer: QueueSnapshot,
    sections: Mapping[str, Section],
    before: QueueSnapshot | None,
    sep: str,
    mark: str,
    now: float,
) -> QueueSnapshot:
    old = before or QueueSnapshot()
    errors = dict(answer.errors)
    remembered: list[Job] = []
    accounting, asked_at = old.accounting, old.accounting_at
    if "sacct" in sections:
        asked_at = now
        accounting = True
        if "sacct" in errors:
            disabled = "storage is disabled" in errors["sacct"]
            accounting = False if disabled else old.accounting
            if disabled:
                # That is how the cluster is, and nothing that went wrong.
                del errors["sacct"]
        remembered = parse_sacct(sections["sacct"].out.removesuffix("\n"), sep)
    if "squeue" in errors:
        live: Iterable[Job] = [job for job in old.jobs if not job.state.ended]
    else:
        live = parse_squeue(sections["squeue"].out.removesuffix("\n"), sep)
    nodes, partitions = old.nodes, old.partitions
    if "sinfo" not in errors and "sinfo" in sections:
        found, by_name = parse_nodes(sections["sinfo"].out, mark)
        nodes, partitions = tuple(found), tuple(by_name.values())
    jobs, left = with_left(
        merge_jobs(live, remembered, old.jobs), old,
        asked="sacct" in sections and "sacct" not in errors, accounting=accounting,
    )  # fmt: skip
    places, line_at = old.places, old.line_at
    if "line" in sections:
        places, line_at = parse_places(sections["line"].out), now
    return replace(
        answer,
        jobs=tuple(
            replace(job, place=places[job.id]) if job.state.waiting and job.id in places else job
            for job in _measured(jobs, nodes)
        ),
        places=places,
        line_at=line_at,
        left=left,
        nodes=nodes,
        partitions=partitions,
        accounting=accounting,
        accounting_at=asked_at,
        errors=errors,
    )


def _unpacked(data: bytes) -> str:
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            # Cut short: what is there is still worth reading.
            data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data)
    return data.decode(errors="replace")


def _error(name: str, section: Section) -> str:
    if section.code == 124:
        return f"{name} did not answer in {SECTION_S} s"
    if section.code == 127:
        return f"{name} was not found"
    said = section.err.strip().splitlines()
    return f"{name}: {in_words(said[-1])}" if said else f"{name} failed with code {section.code}"


def _no_slurm(host: Host, error: str) -> HostError:
    if "not found" in error:
        return HostError(
            f"There is no SLURM on {clean(host.name)}: {error}.",
            "If it needs a module or a PATH there, say so in the profile's prelude.",
        )
    return HostError(
        f"SLURM on {clean(host.name)} does not answer: {error}.",
        "Its controller may be busy or down; it is asked again later.",
    )
