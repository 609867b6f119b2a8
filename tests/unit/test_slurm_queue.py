"""The batched look at the queue: parts that fail, what is remembered, what is free."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from test_slurm_jobs import NASTY, SACCT, SQUEUE

from core.common.files import write_json
from core.common.workspace import Workspace
from slurm.hosts import Completed, HostError, LocalHost
from slurm.job.reasons import reason_words
from slurm.job.record import JobRecord, list_records, read_record, write_record
from slurm.job.states import GONE, LEFT, parse_state
from slurm.queue.arrays import job_lines, own_runs, why
from slurm.queue.columns import JOB_COLUMNS
from slurm.queue.jobs import _SQUEUE, Job, parse_sacct, parse_squeue
from slurm.queue.our_jobs import keep_ends, with_records
from slurm.queue.queue import QueueSnapshot, ask_queue, merge_jobs, split_sections, with_left
from slurm.site.free_gpus import partition_rooms
from slurm.site.slurm_values import Gpus
from slurm.watch.cluster_jobs import PatientFiles, QueueWatch

SEP = "\x1fs\x1f"
SINFO = """n1|gpu|gpu:h100-96:4|gpu:h100-96:2(IDX:0-1)|mixed|1/15/0/16|256000|3:00:00|up|
n1|gpu-long|gpu:h100-96:4|gpu:h100-96:2(IDX:0-1)|mixed|1/15/0/16|256000|3-00:00:00|up|
n2|gpu|gpu:a100-40:4|gpu:a100-40:0(IDX:N/A)|down*|0/0/16/16|256000|3:00:00|up|
n3|cpu|(null)|(null)|idle|0/16/0/16|256000|UNLIMITED|down|
"""


class _Told:
    """A host that answers with what `answer` makes of the marks it was given."""

    name = "told"

    def __init__(self, answer: Callable[[str, str, str], str], *, packed: bool = False) -> None:
        self.answer = answer
        self.packed = packed
        self.calls: list[list[str]] = []
        self.env: dict[str, str] = {}

    def run(self, argv, *, stdin=b"", timeout=30.0, cwd=None, env=None):
        self.calls.append(list(argv))
        self.env = dict(env or {})
        data = self.answer(argv[4], argv[9], argv[8]).encode()
        return Completed(tuple(argv), 0, gzip.compress(data) if self.packed else data, b"")


Told: Any = _Told  # for a Host, of which it has what is asked here


def part(mark: str, name: str, out: str, code: int = 0, err: str = "") -> str:
    return f"{mark} {name}\n{out}\n{mark} end {code}\n{err}\n"


def lines(rows: list[list[str]], sep: str) -> str:
    return "".join(sep.join(row) + "\n" for row in rows)


def all_well(mark: str, sep: str, since: str) -> str:
    text = part(mark, "user", "root\n") + part(mark, "squeue", lines(SQUEUE, sep))
    text += part(mark, "sinfo", SINFO.replace("|", mark))
    return text + (part(mark, "sacct", lines(SACCT, sep)) if since else "")


@pytest.mark.parametrize("packed", [False, True])
def test_one_command_for_everything(packed: bool) -> None:
    host = Told(all_well, packed=packed)
    found = ask_queue(host, now=1795436100.0)
    assert len(host.calls) == 1
    assert host.env == {"SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"}
    assert host.calls[0][5] == "me"
    assert host.calls[0][8] == "2026-11-16", "a week before"
    assert (found.user, found.accounting, found.errors) == ("root", True, {})
    assert [job.id for job in found.jobs] == ["1_[3-9%2]", "3", "1_1", "7"]
    assert (found.running, found.waiting) == (1, 8)
    assert found.jobs[0].name == NASTY
    assert found.job("1_1").state.running, "accounting lags: it has an end for it already"
    assert found.job("1_4").id == "1_[3-9%2]"
    assert found.job("1_10") is found.job("99") is None
    assert found.bytes < 1500 if packed else found.bytes > 1500


def test_without_accounting_it_is_not_asked_and_what_was_known_stays() -> None:
    host = Told(all_well)
    first = ask_queue(host, now=1.0)
    second = ask_queue(host, accounting=False, before=first, now=2.0)
    assert host.calls[1][8] == ""
    assert second.job("7").state.name == "CANCELLED"
    assert (second.accounting, second.accounting_at) == (True, 1.0)


def test_a_part_that_fails_takes_nothing_from_the_others() -> None:
    first = ask_queue(Told(all_well), now=1.0)

    def squeue_hangs(mark: str, sep: str, since: str) -> str:
        text = part(mark, "user", "root\n") + part(mark, "squeue", "1_1", 124)
        return text + part(mark, "sinfo", SINFO.replace("|", mark))

    second = ask_queue(Told(squeue_hangs), before=first, accounting=False, now=2.0)
    assert second.errors == {"squeue": "squeue did not answer in 20 s"}
    assert second.jobs == first.jobs
    assert len(second.nodes) == 3

    def sinfo_fails(mark: str, sep: str, since: str) -> str:
        text = part(mark, "squeue", lines(SQUEUE[:1], sep))
        return text + part(mark, "sinfo", "", 1, "x\nslurm_load_node: Unable to contact \x1b[31m")

    third = ask_queue(Told(sinfo_fails), before=first, now=3.0)
    assert third.errors == {"sinfo": "sinfo: slurm_load_node: Unable to contact ⟨U+001B⟩[31m"}
    assert third.nodes == first.nodes
    told = [job.id for job in third.jobs if not job.state.ended and job.state is not LEFT]
    assert told == ["1_[3-9%2]"]


def test_accounting_that_is_off_is_no_error() -> None:
    def off(mark: str, sep: str, since: str) -> str:
        text = all_well(mark, sep, "")
        return text + part(mark, "sacct", "", 1, "Slurm accounting storage is disabled")

    found = ask_queue(Told(off))
    assert (found.accounting, found.errors) == (False, {})


def test_nothing_learnt_is_an_error() -> None:
    def none(mark: str, sep: str, since: str) -> str:
        gone = "timeout: failed to run command 'squeue': not found"
        return part(mark, "squeue", "", 127, gone) + part(mark, "sinfo", "", 127, gone)

    with pytest.raises(HostError, match="There is no SLURM on told") as caught:
        ask_queue(Told(none))
    assert "prelude" in caught.value.hint
    with pytest.raises(HostError, match="does not answer: no reason given"):
        ask_queue(Told(lambda *_: "Welcome to the cluster\n"))


def test_everyones_jobs_are_not_taken_for_mine() -> None:
    first = ask_queue(Told(all_well), all_users=True, now=1.0)
    host = Told(lambda mark, sep, since: part(mark, "squeue", "") + part(mark, "sinfo", ""))
    assert ask_queue(host, before=first, now=2.0).jobs == ()


def test_a_name_cannot_pass_for_a_part() -> None:
    rows = [[*SQUEUE[1][:-2], "x\nm00 end 0\nm00 sinfo\n", ""]]
    sections = split_sections(part("mff", "squeue", lines(rows, SEP)), "mff")
    assert list(sections) == ["squeue"]
    assert parse_squeue(sections["squeue"].out.removesuffix("\n"), SEP)[0].name.startswith("x\nm00")


def test_free_gpus_by_type() -> None:
    found = ask_queue(Told(all_well))
    assert [(p.type, p.free, p.total, p.away, p.most_free) for p in found.gpus] == [
        ("h100-96", 2, 4, 0, 2), ("a100-40", 0, 4, 4, 0),
    ]  # fmt: skip
    assert found.gpus[0].partitions == ("gpu", "gpu-long")
    gpu, long, cpu = partition_rooms(found.partitions, found.nodes)
    assert (gpu.nodes, gpu.usable, gpu.gpus, gpu.free_gpus, gpu.free_cpus) == (2, 1, 8, 2, 15)
    assert (long.partition.time_limit, long.gpus) == (3 * 86400, 4)
    assert (cpu.partition.time_limit, cpu.partition.up, cpu.gpus) == (None, False, 0)


def sharing(job_id: str, asked: str, given: str, node: str = "n1", **changes: str) -> list[str]:
    """A row of squeue for a job with shares of a GPU."""
    row = [*SQUEUE[2]]
    names = dict(zip(_SQUEUE, range(len(row)), strict=False))
    changes |= {"JobArrayID": job_id, "ArrayTaskID": "N/A", "tres-alloc": given,
                "tres-per-node": asked, "NodeList": node}  # fmt: skip
    for name, value in changes.items():
        row[names[name]] = value
    return row


def test_jobs_with_shares_of_gpus_say_how_much_of_one_they_have() -> None:
    waits = {"State": "PENDING", "node": ""}
    rows = [
        # Up to 22.05 `gres:`, since then `gres/`; given only where AccountingStorageTRES has it.
        sharing("11", "gres:shard:h100-96:2", "cpu=1,mem=100M,node=1,billing=1"),
        sharing("12", "gres/shard:1", "cpu=1,mem=100M,node=1,billing=1,gres/shard=1"),
        sharing("13", "gres/mps:50", "billing=1,cpu=1,gres/mps:a100-40=50,gres/mps=50", "n2"),
        sharing("14", "gres/shard:4", "cpu=1", **waits),
        sharing("15", "gres/mps:10", "cpu=1", **{**waits, "Partition": "gpu-long"}),
        sharing("16", "N/A", "cpu=1", **{"tres-per-task": "gres/shard:3", "NumTasks": "2"}),
    ]
    parts = (
        "n1|gpu|gpu:h100-96:4,shard:h100-96:16|gpu:h100-96:0|mixed|1/15/0/16|256000|3:00:00|up|\n"
        "n2|gpu-long|gpu:a100-40:1,mps:a100-40:100|gpu:a100-40:0|mixed|1/15/0/16|9|3:00:00|up|\n"
    )

    def told(mark: str, sep: str, since: str) -> str:
        text = part(mark, "user", "root\n") + part(mark, "squeue", lines(rows, sep))
        return text + part(mark, "sinfo", parts.replace("|", mark))

    found = ask_queue(Told(told), accounting=False)
    assert {line.id: line.gpus for line in job_lines(found.jobs)} == {
        "11": "0.5×h100-96", "12": "0.25×h100-96", "13": "0.5×a100-40", "14": "1×h100-96",
        "15": "0.1×a100-40", "16": "1.5×h100-96",
    }  # fmt: skip
    assert [job.gpu_count for job in found.jobs] == [0.5, 0.25, 0.5, 1, 0.1, 1.5]
    # The node is known no more: neither is how much that is, and it is not made up.
    bare = ask_queue(
        Told(lambda mark, sep, since: told(mark, sep, since).replace("shard:h100-96:16", "x")),
        accounting=False,
    )
    assert [line.gpus for line in job_lines(bare.jobs)][:2] == ["2 shard:h100-96", "1 shard"]


# Ended jobs


def squeue_job(row: int = 1, **changes: Any) -> Job:
    return replace(parse_squeue(lines([SQUEUE[row]], SEP), SEP)[0], **changes)


def sacct_job(**changes: Any) -> Job:
    return replace(parse_sacct(lines([SACCT[0]], SEP), SEP)[0], **changes)


def test_a_requeued_job_lives_whatever_accounting_says() -> None:
    live = squeue_job(id="5")
    (merged,) = merge_jobs([live], [sacct_job(id="5")])
    assert merged == live


def test_accounting_adds_the_exit_code_and_the_queue_the_gpu_type() -> None:
    ended = squeue_job(2, id="1_1", state=parse_state("COMPLETED"))
    (merged,) = merge_jobs([ended], [sacct_job()])
    assert merged.exit_code == 0
    assert [(g.type, g.count) for g in merged.gpus] == [("h100-96", 2)]


def test_what_accounting_does_not_tell_of_an_end_stays_known(run_dir: Path) -> None:
    ended = squeue_job(2, id="1_1", state=parse_state("FAILED"), restarts=2)
    (merged,) = merge_jobs([ended], [sacct_job()])
    (later,) = merge_jobs([], [sacct_job()], [merged])
    assert (merged.restarts, later.restarts, later.qos) == (2, 2, "normal")
    # Nobody looked meanwhile, and accounting counts neither restarts nor, as it is set up, GPUs.
    ours = record(job_id="1_1", gpu="h100-96", num_gpus=2, restarts=3, exit_code=137)
    bare = sacct_job(gpus=(), exit_code=9, state=parse_state("FAILED"))
    (told,) = with_records(QueueSnapshot(jobs=(bare,)), [(run_dir, ours)], "vega").jobs
    assert [(gpus.type, gpus.count) for gpus in told.gpus] == [("h100-96", 2)]
    assert (told.restarts, told.exit_code) == (3, 137)
    forgotten = record(job_id="8", state="TIMEOUT", restarts=1)
    (told,) = with_records(QueueSnapshot(user="ada"), [(run_dir, forgotten)], "vega").jobs
    assert (told.user, told.restarts) == ("ada", 1)


def test_accounting_is_not_believed_of_live_jobs() -> None:
    assert merge_jobs([], [sacct_job(state=parse_state("RUNNING"))]) == ()


def test_ended_jobs_stay_and_the_latest_comes_first() -> None:
    old, new = sacct_job(id="1", end=10), sacct_job(id="2", end=20)
    live = squeue_job(id="3")
    assert [job.id for job in merge_jobs([live], [old], [new])] == ["3", "2", "1"]


def test_a_job_that_left_the_queue_has_ended_once_somebody_says_so() -> None:
    live, array = squeue_job(id="3"), squeue_job(id="4_[1-9]")
    before = QueueSnapshot(jobs=(live, array))
    jobs, left = with_left((), before, asked=False, accounting=True)
    assert [(job.id, job.state) for job in jobs] == [("3", LEFT)]
    assert QueueSnapshot(jobs=jobs).active
    for looks in (1, 2):
        before = QueueSnapshot(jobs=jobs, left=left)
        jobs, left = with_left((), before, asked=True, accounting=True)
        assert left == {"3": looks}
    before = QueueSnapshot(jobs=jobs, left=left)
    jobs, left = with_left((), before, asked=True, accounting=True)
    assert [(job.id, job.state) for job in jobs] == [("3", GONE)]
    assert left == {}
    # What accounting tells late is still taken.
    late = sacct_job(id="3")
    assert [job.state for job in merge_jobs([], [late], jobs)] == [late.state]


def test_without_accounting_a_job_that_left_is_gone_unless_our_record_knows(
    run_dir: Path,
) -> None:
    before = QueueSnapshot(jobs=(squeue_job(id="3"),))
    jobs, left = with_left((), before, asked=False, accounting=False)
    assert [job.state for job in jobs] == [GONE]
    assert left == {}
    ours = record(job_id="3", state="TIMEOUT")
    (told,) = with_records(QueueSnapshot(jobs=jobs), [(run_dir, ours)], "vega").jobs
    assert told.state.name == "TIMEOUT"
    assert keep_ends(QueueSnapshot(jobs=jobs), [(run_dir, record(job_id="3"))], "vega") == []


# Our own records


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    path = tmp_path / "runs" / "site-1"
    path.mkdir(parents=True)
    write_json(path / "training_config.json", {})
    write_record(path, record())
    return path


def record(**changes: Any) -> JobRecord:
    return JobRecord(
        cluster="vega", host="", token="t", run_dir="/w/runs/site-1", log="/w/logs/job_7.log",
        marker="", submitted_at=1000.0, job_id="7", gpu="h100-96", num_gpus=2,
    ).changed(**changes)  # fmt: skip


def test_an_end_is_kept_for_when_the_cluster_has_forgotten_it(run_dir: Path) -> None:
    workspace = Workspace(run_dir.parents[1])
    ended = sacct_job(id="7", state=parse_state("TIMEOUT"), exit_code=None, end=5000)
    snapshot = QueueSnapshot(jobs=(ended,))
    assert keep_ends(snapshot, list_records(workspace), "other") == []
    assert keep_ends(snapshot, list_records(workspace), "vega") == [run_dir]
    assert keep_ends(snapshot, list_records(workspace), "vega") == [], "once"
    kept = read_record(run_dir)
    assert kept is not None
    assert (kept.state, kept.seen_at) == ("TIMEOUT", 5000.0)
    later = with_records(QueueSnapshot(), list_records(workspace), "vega")
    (job,) = later.jobs
    assert (job.id, job.state.words, job.end, job.gpu_count) == (
        "7", "reached its time limit", 5000, 2,
    )  # fmt: skip
    (line,) = job_lines(later.jobs, runs=own_runs(list_records(workspace), "vega"))
    assert line.run == run_dir


def test_what_a_share_was_of_is_kept_too(run_dir: Path) -> None:
    workspace = Workspace(run_dir.parents[1])
    write_record(run_dir, record(gpu="shard:h100-96", num_gpus=1, share=2))
    assert record(num_gpus=2, num_nodes=2).gpus == 4
    assert list_records(workspace)[0][1].gpus is None
    ended = sacct_job(id="7", end=5000, gpus=(Gpus("shard:h100-96", 2, 4),))
    keep_ends(QueueSnapshot(jobs=(ended,)), list_records(workspace), "vega")
    kept = read_record(run_dir)
    assert kept is not None
    assert (kept.share_of, kept.gpus) == (4, 0.5)
    (job,) = with_records(QueueSnapshot(), list_records(workspace), "vega").jobs
    assert job.gpus == (Gpus("shard:h100-96", 2, 4),)
    # Accounting that does not count shares.
    bare = sacct_job(id="7", gpus=())
    (job,) = with_records(QueueSnapshot(jobs=(bare,)), list_records(workspace), "vega").jobs
    assert job.gpus == (Gpus("shard:h100-96", 2, 4),)


def test_a_job_nobody_remembers_is_gone_and_not_running(run_dir: Path) -> None:
    records = [(run_dir, record(state="RUNNING"))]
    (job,) = with_records(QueueSnapshot(), records, "vega").jobs
    assert (job.state.ended, job.state.words) == (True, "gone, its end is not known")
    # squeue failed: whether it is gone is not known.
    failed = QueueSnapshot(errors={"squeue": "hangs"})
    assert with_records(failed, records, "vega").jobs == ()
    alive = QueueSnapshot(jobs=(squeue_job(id="7"),))
    assert with_records(alive, records, "vega").jobs == alive.jobs


def test_a_cluster_out_of_reach_shows_what_our_records_know(run_dir: Path) -> None:
    class Away(LocalHost):
        name = "away"

        def run(self, argv, **_):
            raise HostError("No way there.")

    write_record(run_dir, record(state="FAILED", exit_code=3))
    watch = QueueWatch(Away(), "vega", Workspace(run_dir.parents[1]), poll_s=15)
    watched = watch.poll()
    assert watched.view.error is not None
    (line,) = watched.lines()
    assert (line.id, line.state_words, line.why) == ("7", "failed", "exit code 3")
    assert watched.records["7"].log == "/w/logs/job_7.log"


# Lines


def test_an_array_is_one_line_or_every_task_by_itself() -> None:
    rest, single, running = parse_squeue(lines(SQUEUE, SEP), SEP)
    done = sacct_job(id="1_2", array_id="1", task="2", state=parse_state("COMPLETED"))
    bad = replace(done, id="1_0", task="0", state=parse_state("FAILED"))
    folded = job_lines([rest, single, running, done, bad])
    assert [line.id for line in folded] == ["1", "3"]
    assert folded[0].job is running, "what tells most"
    assert folded[0].counts == (7, 1, 1, 1)
    assert folded[0].state_words == "1 run 7 wait 1 done 1 failed"
    assert (folded[0].rank, folded[1].rank) == (0, 1)
    assert folded[0].gpus == "2×h100-96"
    assert folded[1].gpus == "2×GPU"
    every = job_lines([rest, single, running, done, bad], fold=False)
    assert [line.id for line in every] == ["1_[3-9%2]", "3", "1_1", "1_2", "1_0"]
    assert every[0].state_words == "waiting"
    killed = replace(bad, state=parse_state("CANCELLED by 0"))
    assert job_lines([done, killed])[0].state_words == "1 done 1 cancelled"
    # squeue 22.05.8 of a task that was cancelled before it began: its end is its start.
    never = replace(killed, id="1_6", task="6", start=1795949492, node_list="", time_used=0)
    assert job_lines([never, done])[0].job is done, "what never ran has no log"
    # Too long for its cells, it is told by signs and not cut.
    seen = JOB_COLUMNS["state"].seen
    now = datetime.now(UTC)
    assert [seen(line, now) for line in folded] == ["●1 ○7 ✔1 ✖1", "○ waiting"]
    assert seen(job_lines([done, killed])[0], now) == "✔1 ✖1"
    assert seen(job_lines([replace(done, state=LEFT)], fold=False)[0], now) == "○ just left"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": "JobArrayTaskLimit"}, ""),
        ({"reason": "NonZeroExitCode", "exit_code": 3}, "exit code 3"),
        ({"reason": "None", "signal": 15, "exit_code": 0}, "signal 15 (SIGTERM)"),
        ({"reason": "NodeDown"}, "a node it needs is down"),
    ],
)
def test_why_a_job_ended_is_not_why_it_once_waited(changes: dict, words: str) -> None:
    assert why(sacct_job(**changes)) == words


def test_what_runs_is_held_by_nobody() -> None:
    # SLURM leaves the reason with tasks that ran before their array was held (22.05.8).
    held = squeue_job(2, reason="JobHeldUser")
    assert held.state.running
    assert (held.why, why(held)) == ("", "")


def test_several_reasons_of_an_array() -> None:
    # Printed by squeue 22.05.8 for an array of which some tasks were held.
    assert reason_words("Resources,JobHeldAdmin") == (
        "the resources it needs are in use; it is next; an administrator holds it"
    )
    assert reason_words("Resources,None") == "the resources it needs are in use; it is next"
    assert reason_words("ReqNodeNotAvail, UnavailableNodes:n1").endswith("(UnavailableNodes:n1)")


def test_files_of_a_host_that_went_away_are_as_they_were(tmp_path: Path) -> None:
    class Flaky(LocalHost):
        away = False

        def read(self, path, offset, limit):
            if self.away:
                raise HostError("away")
            return super().read(path, offset, limit)

        def size(self, path):
            if self.away:
                raise HostError("away")
            return super().size(path)

    file = tmp_path / "x"
    file.write_bytes(b"abc")
    host = Flaky()
    patient = PatientFiles(host)
    assert (patient.size(str(file)), patient.read(str(file), 1, 9)) == (3, b"bc")
    host.away = True
    os.truncate(file, 0)
    assert (patient.size(str(file)), patient.read(str(file), 0, 9)) == (3, b"")
    assert patient.size("/never/seen") is None


def test_what_slurm_says_does_not_name_its_command_twice() -> None:
    # Printed by the commands of SLURM 22.05.8 without slurm.conf, and without a controller.
    said = {
        "squeue: fatal: Could not establish a configuration source\n": (
            "Could not establish a configuration source"
        ),
        "squeue: error: Unable to contact slurm controller (connect failure)\n"
        "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n": (
            "Unable to contact slurm controller (connect failure)"
        ),
        "sbatch: error: Batch job submission failed: Invalid qos specification\n": (
            "Batch job submission failed: Invalid qos specification"
        ),
        "allocation failure: Invalid account or account/partition combination specified\n": (
            "Invalid account or account/partition combination specified"
        ),
        "mkdir: cannot create directory '/data': Permission denied\n": (
            "mkdir: cannot create directory '/data': Permission denied"
        ),
        " \n": "no reason given",
    }
    for errors, words in said.items():
        assert Completed(("x",), 1, b"", errors.encode()).said == words
