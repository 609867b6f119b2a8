"""Jobs as lines to show: an array folded into one, or every task by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from slurm.job.record import JobRecord
from slurm.queue.jobs import Job
from slurm.site.gpu_kinds import gpu_words

# What SLURM says of a waiting job stays with it after its end; of an ended one only these count.
_END_REASONS = (
    "JobLaunchFailure", "NodeDown", "SystemFailure", "OutOfMemory", "JobHoldMaxRequeue",
    "DependencyNeverSatisfied",
)  # fmt: skip


@dataclass(frozen=True)
class JobLine:
    """One line of a list of jobs.

    `jobs` are what it stands for, an array's tasks when it is folded, and `job` is the one that
    tells most: one that runs, else one that waits. `run` is the run folder here that the job
    trains, if it is one of ours.
    """

    id: str
    job: Job
    jobs: tuple[Job, ...]
    run: Path | None = None

    @property
    def folded(self) -> bool:
        """Whether it stands for an array."""
        return len(self.jobs) > 1 or self.job.id != self.id

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """How many tasks wait, run, ended well, and ended otherwise."""
        waiting = sum(job.tasks for job in self.jobs if job.state.waiting)
        running = sum(job.state.running for job in self.jobs)
        done = sum(job.state.name == "COMPLETED" for job in self.jobs)
        ended = sum(job.tasks for job in self.jobs if job.state.ended)
        return waiting, running, done, ended - done

    @property
    def rank(self) -> int:
        """What running ones (0), waiting ones (1) and ended ones (2) are sorted by."""
        if any(job.state.running for job in self.jobs):
            return 0
        return 2 if all(job.state.ended for job in self.jobs) else 1

    @property
    def gpus(self) -> str:
        """Its GPUs, such as `2×h100-96`, or `0.25×h100-96` of a share."""
        return " ".join(map(gpu_words, self.job.gpus))

    @property
    def state_words(self) -> str:
        """Its state in words; of an array the counts, such as `2 run 7 wait 1 failed`."""
        if not self.folded:
            return self.job.state.words
        waiting, running, done, bad = self.counts
        ends = {job.state.name for job in self.jobs if job.state.ended} - {"COMPLETED"}
        worst = "cancelled" if ends == {"CANCELLED"} else "failed"
        parts = ((running, "run"), (waiting, "wait"), (done, "done"), (bad, worst))
        return " ".join(f"{count:,} {word}" for count, word in parts if count)

    @property
    def why(self) -> str:
        """Why it waits or how it ended, in words."""
        return why(self.job)


def why(job: Job) -> str:
    """Return why a job waits, or how it ended, in words; empty while it runs well."""
    if not job.state.ended:
        return job.why
    if job.reason in _END_REASONS:
        return job.why
    return job.code_words


def job_lines(
    jobs: Iterable[Job], *, fold: bool = True, runs: Mapping[str, Path] | None = None
) -> list[JobLine]:
    """Return the lines for jobs, in their order; with `fold` one for each array.

    `runs` maps ids of our own jobs to run folders.
    """
    runs = runs or {}
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.array_id if fold and job.array_id else job.id, []).append(job)
    lines = []
    for key, members in groups.items():
        first = min(members, key=_telling)
        run = runs.get(key) or runs.get(first.id)
        lines.append(JobLine(key, first, tuple(members), run))
    return lines


def _telling(job: Job) -> int:
    if job.state.running:
        return 0
    if job.state.waiting:
        return 1
    if job.state.name == "COMPLETED":
        return 3
    # A task that was cancelled before it began has nothing to show. SLURM gives it a start all the
    # same, the time of its end, but no node (22.05.8).
    never = "[" in job.id or job.start is None or (not job.node_list and not job.time_used)
    return 4 if never else 2


def own_runs(records: Iterable[tuple[Path, JobRecord]], cluster: str) -> dict[str, Path]:
    """Return the run folders of our records on a cluster, by job id."""
    found: dict[str, Path] = {}
    for path, record in records:
        if record.cluster == cluster and record.job_id:
            found.setdefault(record.job_id, path)
    return found
