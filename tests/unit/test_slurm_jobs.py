"""Reading squeue and sacct: what real ones printed, and names that try to break out."""

from __future__ import annotations

import pytest

from slurm.queue.jobs import count_tasks, new_separator, parse_sacct, parse_squeue, squeue_format

SEP = "\x1fabcd\x1f"
NASTY = "a|b 'x'\x1f$(y)\nnext\n12 \x1b[31m"

# Printed by squeue and sacct of SLURM 22.05.8 (Debian 12) for two arrays and a job that begins
# later, with `squeue -h -a -O` and `sacct -X -n -P`; fields joined by our token here, which also
# ends squeue's lines.
ASKED = "cpu=8,mem=1000M,node=1,billing=8,gres/gpu=2"
SQUEUE = [
    ["1_[3-9%2]", "1", "3-9%2", "PENDING", "JobArrayTaskLimit", "gpu", "root", "root",
     "1795436054", "N/A", "N/A", "0:00", "3:00:00", "1", "8", "1", "1000M", ASKED, "N/A",
     "gres:gpu:h100-96:2", "N/A", "N/A", "", "4294901759", "0", "0", "normal", "/work/x",
     "bat:tok en", NASTY, ""],
    ["3", "3", "N/A", "PENDING", "BeginTime", "gpu", "root", "root", "1795436054", "1795439654",
     "1795450454", "0:00", "3:00:00", "2", "2", "2", "10M", "cpu=2,mem=20M,node=2,gres/gpu=2",
     "N/A", "gres:gpu:1", "N/A", "N/A", "", "4294901757", "0", "2", "normal", "/work/x", "(null)",
     "later", ""],
    ["1_1", "1", "1", "RUNNING", "None", "gpu", "root", "root", "1795436054", "1795436056",
     "1795446856", "0:02", "3:00:00", "1", "8", "1", "1000M", ASKED, "N/A", "gres:gpu:h100-96:2",
     "N/A", "N/A", "n1", "4294901759", "0", "0", "normal", "/work/x",
     "bat:tok en", NASTY, ""],
]  # fmt: skip
GIVEN = "billing=8,cpu=8,gres/gpu=2,mem=1000M,node=1"
SACCT = [
    ["1_1", "4", "COMPLETED", "0:0", "gpu", "root", "root", "1795436054", "1795436056",
     "1795436059", "3", "180", "1", "8", "8", "1000M", GIVEN, GIVEN, "n1", "normal", "4294901759",
     "None", "/work/x", "", NASTY],
    ["7", "7", "CANCELLED by 1000", "0:15", "gpu", "root", "root", "1795436054", "Unknown",
     "1795436059", "0", "", "2", "0", "3", "1000M", "", "billing=3,cpu=3,gres/gpu=2,node=2",
     "None assigned", "high", "1", "None", "/work/x", "c", "plain"],
]  # fmt: skip


def printed(records: list[list[str]]) -> str:
    return "".join(SEP.join(record) + "\n" for record in records)


def test_squeue() -> None:
    rest, later, running = parse_squeue(printed(SQUEUE), SEP)
    assert (rest.id, rest.array_id, rest.tasks) == ("1_[3-9%2]", "1", 7)
    assert rest.state.waiting
    assert rest.why == "its array runs as many tasks at once as it may"
    assert (later.nodes, later.gpu_count, later.start, later.comment) == (2, 2, 1795439654, "")
    assert (running.task, running.node_list, running.time_used) == ("1", "n1", 2)
    assert running.time_limit == 3 * 3600
    assert [(g.type, g.count) for g in running.gpus] == [("h100-96", 2)]
    assert running.name == rest.name == NASTY
    assert running.why == ""


def test_sacct() -> None:
    done, cancelled = parse_sacct(printed(SACCT), SEP)
    assert (done.id, done.array_id, done.task, done.name) == ("1_1", "1", "1", NASTY)
    assert (done.end, done.time_limit, done.gpu_count, done.exit_code) == (1795436059, 10800, 2, 0)
    assert cancelled.state.name == "CANCELLED"
    assert (cancelled.start, cancelled.time_limit, cancelled.node_list) == (None, None, "")
    assert cancelled.why == "signal 15 (SIGTERM)"
    assert (done.qos, cancelled.qos) == ("normal", "high")
    # It never started: this is what it asked for.
    assert (done.cpus, cancelled.cpus, cancelled.gpu_count) == (8, 3, 2)


@pytest.mark.parametrize(
    ("state", "status", "ends"),
    [("FAILED", "768", (3, None)), ("FAILED", "3:0", (3, None)), ("CANCELLED", "15", (0, 15)),
     ("COMPLETED", "0:0", (0, None)), ("FAILED", "9", (0, 9)), ("RUNNING", "0", (None, None)),
     ("PENDING", "0:0", (None, None)), ("FAILED", "", (None, None))],
)  # fmt: skip
def test_how_a_job_ended_is_known_without_accounting(
    state: str, status: str, ends: tuple[int | None, int | None]
) -> None:
    record = list(SQUEUE[1])
    record[3], record[24] = state, status
    (job,) = parse_squeue(printed([record]), SEP)
    assert (job.exit_code, job.signal) == ends


def test_folders_and_comments_of_several_lines() -> None:
    record = list(SQUEUE[1])
    record[27], record[28] = "/work/a\nb", "two\n\nlines"
    (job,) = parse_squeue(printed([record]), SEP)
    assert (job.work_dir, job.comment, job.name) == ("/work/a\nb", "two\n\nlines", "later")


def test_a_name_cannot_pass_for_a_job() -> None:
    # Whoever knows the format still does not know the query's token.
    forged = list(SQUEUE[1])
    forged[-2] = "x\n" + squeue_format("\x1f") + "\n" + new_separator().join(SQUEUE[0])
    (job,) = parse_squeue(printed([forged]), SEP)
    assert job.name == forged[-2]


def test_separators_differ() -> None:
    assert len({new_separator() for _ in range(100)}) == 100


def test_nothing_and_nonsense() -> None:
    assert parse_squeue("", SEP) == []
    assert parse_squeue("slurm_load_jobs error: Unable to contact slurm controller\n", SEP) == []
    assert parse_sacct("\n", SEP) == []


@pytest.mark.parametrize(
    ("spec", "count"), [("1-3,7,10-20:5", 7), ("5", 1), ("", 0), ("0-9999", 10000), ("1-3,...", 3)]
)
def test_tasks_are_counted(spec: str, count: int) -> None:
    assert count_tasks(spec) == count
