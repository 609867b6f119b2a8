"""Exit codes and signals of jobs in words, and whose word is taken for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_slurm_queue import record, sacct_job

from core.common.files import write_json
from core.common.workspace import Workspace
from slurm.job.end_codes import end_words, kept_code
from slurm.job.record import list_records, write_record
from slurm.job.states import parse_state
from slurm.queue.our_jobs import keep_ends, with_records
from slurm.queue.queue import QueueSnapshot, merge_jobs


@pytest.mark.parametrize(
    ("code", "signal", "accounted", "words"),
    [
        (None, None, False, ""),
        (0, None, False, ""),
        (3, None, False, "exit code 3"),
        (137, None, False, "exit code 137: signal 9 (SIGKILL, as when memory runs out)"),
        (139, None, False, "exit code 139: signal 11 (SIGSEGV)"),
        (255, None, False, "exit code 255"),
        (0, 15, False, "signal 15 (SIGTERM)"),
        (0, 250, False, "signal 250"),
        (0, None, True, "exit code 128"),
        (9, None, True, "exit code 9, or 137: signal 9 (SIGKILL, as when memory runs out)"),
        (3, None, True, "exit code 3"),
    ],
)
def test_in_words(code: int | None, signal: int | None, accounted: bool, words: str) -> None:
    assert end_words(code, signal, accounted=accounted) == words


@pytest.mark.parametrize(
    ("known", "told", "kept"),
    [(137, 9, 137), (255, 127, 255), (128, 0, 128), (3, 0, 0), (None, 9, 9), (137, None, None)],
)
def test_the_better_code_is_kept(known: int | None, told: int | None, kept: int | None) -> None:
    assert kept_code(known, told) == kept


def test_what_the_queue_told_is_not_forgotten_for_accounting() -> None:
    failed = parse_state("FAILED")
    seen = sacct_job(id="7", state=failed, exit_code=137, accounted=False)
    later = sacct_job(id="7", state=failed, exit_code=9, accounted=True)
    (merged,) = merge_jobs([], [later], [seen])
    assert (merged.exit_code, merged.accounted) == (137, False)
    other = sacct_job(id="7", state=failed, exit_code=1, accounted=True)
    (merged,) = merge_jobs([], [other], [seen])
    assert merged.exit_code == 1, "another end than the one that was seen: it ran again"


def test_our_record_knows_better_and_tasks_that_never_began_end(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    runs = [workspace.runs_dir / name for name in ("a", "b")]
    for run in runs:
        run.mkdir(parents=True)
        write_json(run / "training_config.json", {})
    write_record(runs[0], record(job_id="7", state="FAILED", exit_code=137))
    write_record(runs[1], record(job_id="8_4"))
    accounting = QueueSnapshot(
        jobs=(
            sacct_job(id="7", state=parse_state("FAILED"), exit_code=9, accounted=True),
            sacct_job(id="8_[3-5%1]", state=parse_state("CANCELLED"), exit_code=0, end=2000),
        )
    )
    shown = with_records(accounting, list_records(workspace), "vega")
    assert shown.job("7").exit_code == 137
    assert keep_ends(accounting, list_records(workspace), "vega") == [runs[1]]
    kept = dict(list_records(workspace))
    assert (kept[runs[1]].state, kept[runs[1]].seen_at) == ("CANCELLED", 2000.0)
    assert kept[runs[0]].exit_code == 137


def test_tasks_that_never_began_are_counted_once() -> None:
    cancelled = parse_state("CANCELLED")
    rest = {"array_id": "8", "state": cancelled, "exit_code": 0}
    queue = sacct_job(id="8_[4%1]", task="4%1", accounted=False, **rest)
    accounting = sacct_job(id="8_[2,4,6,8%1]", task="[2,4,6,8%1]", **rest)
    for jobs in (merge_jobs([queue], [accounting]), merge_jobs([], [accounting], [queue])):
        assert [(job.id, job.tasks) for job in jobs] == [("8_[2,4,6,8%1]", 4)]
