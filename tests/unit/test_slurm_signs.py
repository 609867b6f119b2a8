"""Signs that a job may have ended: seen without asking SLURM."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_slurm_queue import squeue_job

from slurm.hosts import HostError
from slurm.job.record import JobRecord
from slurm.job.states import parse_state
from slurm.queue.end_signs import MOST_NOTES, NOTE_COUNTS_S, EndSigns
from slurm.queue.jobs import Job


class Files:
    """A host of whose files only the sizes matter, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sizes: dict[str, int] = {}
        self.away = False
        self.looked: list[str] = []

    def size(self, path: str) -> int | None:
        self.looked.append(path)
        if self.away:
            raise HostError("no route")
        return self.sizes.get(path)


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def signs(files: Files) -> EndSigns:
    return EndSigns(files, lambda: files.now)  # type: ignore[arg-type]


def running(number: str, used: int | None = 3600) -> Job:
    return replace(squeue_job(id=number), state=parse_state("RUNNING"), time_used=used)


def record(number: str) -> JobRecord:
    return JobRecord(
        cluster="c", host="", token="t", run_dir=f"/runs/{number}", log="", marker="",
        submitted_at=0.0, job_id=number,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("used", "answered", "expected"),
    [(3, 4, False), (3, 5, True), (12, 11, False), (12, 12, True), (3600, 60, False),
     (None, 60, False)],
)  # fmt: skip
def test_what_began_a_moment_ago_may_have_ended(
    signs: EndSigns, used: int | None, answered: float, expected: bool
) -> None:
    job = running("1", used)
    assert signs.of_jobs([job], {}, answered) is expected
    assert not signs.of_jobs([replace(job, state=parse_state("PENDING"))], {}, answered)
    assert not signs.of_jobs([replace(job, state=parse_state("FAILED"))], {}, answered)
    assert signs.of_jobs([replace(job, state=parse_state("COMPLETING"))], {}, 0)


def test_a_run_notes_its_end(signs: EndSigns, files: Files) -> None:
    job = running("1")
    known = {"1": record("1")}
    files.sizes["/runs/1/attempts.jsonl"] = 100
    assert not signs.of_jobs([job], known, 0)
    files.now = 50
    assert not signs.of_jobs([job], known, 0)
    files.sizes["/runs/1/attempts.jsonl"] = 160
    assert signs.of_jobs([job], known, 0)
    files.now += NOTE_COUNTS_S - 1
    assert signs.of_jobs([job], known, 0), "SLURM may know of it later"
    files.now += 2
    assert not signs.of_jobs([job], known, 0)
    # While the host is away nothing has changed.
    files.away = True
    assert not signs.of_jobs([job], known, 0)
    files.away = False
    assert not signs.of_jobs([job], known, 0)


def test_of_many_jobs_only_some_notes_are_looked_at(signs: EndSigns, files: Files) -> None:
    jobs = [running(str(n)) for n in range(100)]
    signs.of_jobs(jobs, {job.id: record(job.id) for job in jobs}, 0)
    assert len(files.looked) == MOST_NOTES


def test_a_log_is_silent_as_it_never_was(signs: EndSigns, files: Files) -> None:
    def after(seconds: float, news: bool = False) -> bool:
        files.now += seconds
        return signs.of_log(news)

    assert not after(4)
    assert after(1)
    assert not after(4)
    assert after(1), "twice as long"
    assert not after(9)
    # It spoke after 19 s: only after twice that it counts again.
    assert not after(0, news=True)
    assert not after(37)
    assert after(1)
