"""What SLURM of other versions printed, as captured by others; each file names its source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slurm.queue.job_detail import parse_show_job
from slurm.queue.jobs import _SACCT, _SQUEUE, Job, parse_sacct, parse_squeue
from slurm.site.discover import Node, parse_nodes
from slurm.site.free_gpus import pool_gpus
from slurm.site.gpu_kinds import gpu_words
from slurm.site.gpu_shares import measured
from slurm.site.slurm_values import gpu_count, parse_gres

FOLDER = Path(__file__).parent / "slurm_printed"


def printed(name: str) -> list[str]:
    """Return the lines of a capture without what says where it is from."""
    lines = (FOLDER / name).read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_every_capture_names_its_source() -> None:
    for file in FOLDER.iterdir():
        head = file.read_text().splitlines()[:2]
        assert all(line.startswith("# ") for line in head), file.name
        assert "github.com/" in head[1] or "captured from" in head[1], file.name


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("sinfo-20.11.8.txt", [(0, 0), (2, 2), (2, 1), (2, 0)]),
        ("sinfo-21.08.5.txt", [(8, 0)]),
    ],
)
def test_gpus_in_all_and_in_use(name: str, counts: list[tuple[int, int]]) -> None:
    rows = [line.split() for line in printed(name)]
    assert [(gpu_count(has), gpu_count(used)) for _, has, used in rows] == counts


def test_untyped_gpus_in_use() -> None:
    # The form of the capture of 21.08.5, with GPUs in use.
    assert [(g.type, g.count) for g in parse_gres("gpu:(null):3(IDX:0-2)")] == [("", 3)]


def test_several_types_on_a_node() -> None:
    rows = [line.split() for line in printed("gresused-2021.txt")]
    found = {node: [(g.type, g.count) for g in parse_gres(text)] for text, node in rows}
    assert found["fb10dl03"] == [("1080ti", 2)]
    assert found["resterampe"] == [("1080ti", 1), ("980gtx", 1)]
    assert found["fb10dl[04-05]"] == []


def test_tres_of_accounting_with_slices_of_gpus() -> None:
    rows = dict(line.split("|") for line in printed("sacct-2024.txt"))
    assert [(g.type, g.count) for g in parse_gres(rows["8117657"])] == [("a100_3g.20gb", 1)]
    assert [(g.type, g.count) for g in parse_gres(rows["8117678"])] == [("h100", 1)]


def test_an_old_scontrol() -> None:
    detail = parse_show_job("\n".join(printed("scontrol-2019.txt")))
    assert (detail.job_id, detail.fields["JobName"]) == ("153291", "name3")
    assert detail.logs == ["/some/location/out", "/some/location/err"]
    assert (detail.work_dir, detail.command) == ("/some/location", "/some/location/script")
    assert detail.fields["Gres"] == "gpu:4"


def test_nodes_and_partitions() -> None:
    nodes, partitions = parse_nodes("\n".join(printed("sinfo-22.05.8.txt")), "|")
    assert {name: p.time_limit for name, p in partitions.items()} == {
        "gpu": 10800, "gpu-long": 259200, "brief": 60,
    }  # fmt: skip
    assert [(p.type, p.free, p.total) for p in pool_gpus(nodes)] == [
        ("a100-40", 4, 4), ("h100-96", 2, 4),
    ]  # fmt: skip


# The same jobs on the same two nodes, on releases of SLURM from 20.11, the oldest in the field, to
# 26.05, the newest.
VERSIONS = ("20.11.4", "21.08.5", "22.05.8", "23.11.4", "24.11.5", "25.11.2", "26.05.5")
NAME = "a|b 'x' $(touch hacked) ; \\ \"é\" StdOut=/etc/passwd"


def queued(version: str) -> dict[str, Job]:
    """Return the captured queue of a version by the jobs' names.

    It was captured before `RestartCnt` and `QOS`, of which every one of these versions knows
    (squeue(1)), were asked for: none of these jobs had been requeued.
    """
    fields = "\n".join(printed(f"squeue-{version}.txt")).split("¦")
    old, at = len(_SQUEUE) - 2, _SQUEUE.index("RestartCnt")
    records = [fields[i : i + old] for i in range(0, len(fields) - old + 1, old)]
    text = (
        "¦".join("¦".join([*record[:at], "0", "normal", *record[at:]]) for record in records) + "¦"
    )
    jobs = parse_squeue(text, "¦")
    return {job.name: job for job in jobs}


def accounted(version: str) -> list[Job]:
    """Return what accounting of a version told of the same jobs.

    It was captured before `ReqCPUS`, `ReqTRES` and `QOS`, of which every one of these versions
    knows (sacct(1)), were asked for: what these jobs had is what they asked for.
    """
    lines = []
    for line in printed(f"sacct-{version}.txt"):
        row = line.split("¦")
        cpus, gpus = _SACCT.index("ReqCPUS"), _SACCT.index("ReqTRES")
        row[cpus:cpus] = [row[cpus - 1]]
        row[gpus:gpus] = [row[gpus - 1]]
        row[gpus + 2 : gpus + 2] = ["normal"]
        lines.append("¦".join(row))
    return parse_sacct("\n".join(lines), "¦")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_queue_reads_alike_on_every_version(version: str) -> None:
    jobs = queued(version)
    assert len(jobs) == 13
    running = jobs[NAME]
    assert (running.state.name, running.node_list, running.comment) == (
        "RUNNING", "n1", "batman:t x",
    )  # fmt: skip
    assert (running.time_limit, running.work_dir, running.partition) == (10800, "/tmp", "gpu")
    assert running.submitted is not None
    assert running.start is not None
    assert 0 <= running.start - running.submitted < 60
    assert jobs["array"].tasks == 9
    assert jobs["array"].id.endswith("_[1-9%2]")
    assert jobs["later"].reason == "BeginTime"
    assert jobs["later"].start == pytest.approx(jobs["later"].submitted + 3600, abs=2)
    assert jobs["two\nlines"].comment == "a\nb"
    assert (jobs["bad"].state.name, jobs["gone"].state.name) == ("FAILED", "CANCELLED")
    # Printed as 768 before 24.11, as 3:0 since.
    assert (jobs["bad"].exit_code, jobs["bad"].signal, running.exit_code) == (3, None, None)


@pytest.mark.parametrize("version", VERSIONS)
def test_gpus_are_seen_however_they_were_asked_for(version: str) -> None:
    gpus = {name: [(g.type, g.count) for g in job.gpus] for name, job in queued(version).items()}
    assert gpus[NAME] == [("h100-96", 2)]  # --gres=gpu:h100-96:2
    assert gpus["gpus"] == [("a100-40", 2)]  # --gpus=a100-40:2, running
    assert gpus["pend --gpus"] == [("", 3)]
    assert gpus["pend --gpus typed"] == [("h100-96", 2)]
    assert gpus["pend per node"] == [("", 4)]  # -N2 --gpus-per-node=2
    assert gpus["pend per task"] == [("", 3)]  # -n3 --gpus-per-task=1
    assert gpus["pend per socket"] == [("", 2)]
    assert gpus["pend gres"] == [("h100-96", 2)]  # -N2 --gres=gpu:h100-96:1
    assert gpus["array"] == [("", 1)]
    assert gpus["bad"] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_nodes_and_accounting_read_alike_on_every_version(version: str) -> None:
    nodes, partitions = parse_nodes("\n".join(printed(f"sinfo-nodes-{version}.txt")), "¦")
    assert {name: p.time_limit for name, p in partitions.items()} == {
        "gpu": 10800, "gpu-long": 259200, "brief": 60,
    }  # fmt: skip
    n1, n2 = sorted(nodes, key=lambda node: node.name)
    assert (n1.usable, n1.free("h100-96"), n1.memory) == (True, 2, 256000)
    # It is being drained.
    assert (n2.usable, n2.free("a100-40"), n2.count("a100-40")) == (False, 0, 4)
    rows = accounted(version)
    bad = next(job for job in rows if job.name == "bad")
    assert (bad.state.name, bad.exit_code, bad.time_limit) == ("FAILED", 3, 10800)
    assert (bad.node_list, bad.qos, bad.cpus) == ("n1", "normal", 1)
    # 24.11 and later write a backquote for a quotation mark in a name.
    names = {job.name for job in rows}
    assert names & {NAME, NAME.replace('"', "`")}


@pytest.mark.parametrize("version", VERSIONS)
def test_one_job_in_full_reads_alike_on_every_version(version: str) -> None:
    detail = parse_show_job("\n".join(printed(f"scontrol-{version}.txt")))
    assert detail is not None
    assert detail.fields["JobName"] == NAME
    # What the job was called and submitted with looks like a log, and is none.
    assert detail.logs == [f"/tmp/log {detail.job_id}.txt"]
    assert detail.work_dir == "/tmp"
    assert detail.fields["JobState"] == "RUNNING"


def plain(value: Any) -> Any:
    """Return a value of SLURM's JSON as all versions mean it."""
    if isinstance(value, dict):  # from 23.02 on
        return value["number"] if value["set"] else None
    return value[0] if isinstance(value, list) else value  # states, from 23.11 on


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_the_text_tells_what_json_tells(version: str) -> None:
    told = json.loads("\n".join(printed(f"json-{version}.txt")))
    job = queued(version)[NAME]
    assert (told["name"], told["comment"], str(told["job_id"])) == (job.name, job.comment, job.id)
    assert plain(told["job_state"]) == job.state.name
    assert plain(told["time_limit"]) * 60 == job.time_limit
    assert plain(told["start_time"]) == job.start
    assert plain(told["submit_time"]) == job.submitted
    assert (told["nodes"], told["partition"]) == (job.node_list, job.partition)
    assert told["current_working_directory"] == job.work_dir
    assert parse_gres(told["tres_per_node"]) == list(job.gpus)
    # Why JSON is not used for the logs: where they are, it tells only in some releases.
    (log,) = parse_show_job("\n".join(printed(f"scontrol-{version}.txt"))).logs
    assert told.get("stdout_expanded", told["standard_output"]) == (
        "/tmp/log %j.txt" if version < "23" else log
    )


# The same jobs with shares of GPUs on nodes whose GPUs come in parts; of 22.05 the real one is
# asked, in tests/cluster/test_plain_cluster.py.
SHARING = ("23.11.4", "24.11.5", "25.11.2", "26.05.5")


@pytest.mark.parametrize("version", SHARING)
def test_nodes_tell_how_much_of_each_gpu_is_given(version: str) -> None:
    nodes, _ = parse_nodes("\n".join(printed(f"sinfo-shares-{version}.txt")), "¦")
    n1, n2 = sorted(nodes, key=lambda node: node.name)
    # One GPU is given whole, two have 3 and 2 of their 4 shards given, one is free.
    assert (n1.count("h100-96"), n1.in_use("h100-96"), n1.free("h100-96")) == (4, 3, 1)
    assert (n1.free("shard:h100-96"), n1.share_sizes("shard")) == (1 + 2 + 4, {4})
    assert (n2.free("mps:a100-40"), n2.share_sizes("mps"), n2.free("a100-40")) == (67, {100}, 0)
    assert (n2.in_use("a100_1g.5gb"), n2.free("a100_1g.5gb"), n2.free("shard")) == (1, 2, 0)
    assert [(p.type, p.free, p.total) for p in pool_gpus(nodes)] == [
        ("a100_1g.5gb", 2, 3), ("h100-96", 1, 4), ("a100-40", 0, 1),
        ("mps:a100-40", 67, 100), ("shard:h100-96", 7, 16),
    ]  # fmt: skip


@pytest.mark.parametrize("version", SHARING)
def test_shares_are_the_part_of_a_gpu_that_they_are(version: str) -> None:
    nodes, _ = parse_nodes("\n".join(printed(f"sinfo-shares-{version}.txt")), "¦")
    jobs = parse_squeue("\n".join(printed(f"squeue-shares-{version}.txt")), "¦")
    told = {
        "whole": "1×h100-96", "shards": "0.5×h100-96", "untyped": "0.25×h100-96",
        "mps": "0.33×a100-40", "slice": "1×a100_1g.5gb", "pershard": "0.5×h100-96",
        "pend": "0.75×h100-96", "pendmps": "0.2×a100-40", "done": "1×h100-96",
    }  # fmt: skip
    assert {job.name: words(job, nodes) for job in jobs} == told
    # Accounting counts them without the type of their GPU, which their node tells.
    bare = dict.fromkeys(_SACCT, "")
    ended = parse_sacct(
        "\n".join(
            "¦".join({**bare, **dict(zip(SACCT_SHARES, line.split("¦"), strict=True))}.values())
            for line in printed(f"sacct-shares-{version}.txt")
        ),
        "¦",
    )
    whole = {"whole": "1×GPU", "slice": "1×GPU"}
    assert {job.name: words(job, nodes) for job in ended} == {
        job.name: {**told, **whole}[job.name] for job in ended
    }
    assert len(ended) == 7


SACCT_SHARES = ("JobID", "JobName", "State", "AllocTRES", "ReqTRES", "NodeList")


def words(job: Job, nodes: list[Node]) -> str:
    """Return a job's GPUs in words, with the size of shares as the nodes that it is on tell it."""
    on = [node for node in nodes if job.node_list in ("", node.name)]
    return " ".join(map(gpu_words, measured(job.gpus, on)))
