"""What is asked for, held against what a cluster has; and its answers about GPUs, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slurm.hosts import Completed, HostError
from slurm.site.discover import Facts, Node, parse_nodes
from slurm.site.partitions import Partition
from slurm.site.profiles import EXAMPLE_GPUS, GpuType, Profile
from slurm.site.slurm_values import Gpus
from slurm.site.suggest import suggest_gpus
from slurm.submit.plan import plan
from slurm.submit.request import CannotGive, JobRequest
from slurm.submit.resources import resource_options
from slurm.submit.start_estimate import soonest

HOUR = 3600


def node(name: str, kind: str, count: int, *partitions: str, used: int = 0, **more: Any) -> Node:
    given = {
        "name": name, "partitions": partitions, "gpus": (Gpus(kind, count),),
        "used": (Gpus(kind, used),) if used else (), "state": "mixed", "cpus": 64,
        "free_cpus": 32, "memory": 512 * 1024,
    }  # fmt: skip
    return Node(**{**given, **more})  # type: ignore[arg-type]


FACTS = Facts(
    version="23.11",
    nodes=(
        node("g1", "h200-141", 8, "gpu", used=3),
        node("g2", "h100-96", 2, "gpu", "gpu-long"),
        node("g3", "h100-96", 2, "gpu-long", used=2),
        node("g4", "a100-40", 2, "gpu-long", state="drained*"),
    ),
    partitions={
        "gpu": Partition("gpu", 3 * HOUR, default=True),
        "gpu-long": Partition("gpu-long", 72 * HOUR),
        "old": Partition("old", None, up=False),
    },
)
PROFILE = Profile(name="x", gpus=dict(EXAMPLE_GPUS))


def test_the_table_says_what_to_ask_for() -> None:
    got = plan(PROFILE, JobRequest(gpu="h100-96"), FACTS, 2)
    assert resource_options(got) == [
        "--partition=gpu-long", "--time=1-00:00:00", "--mem=256G", "--gres=gpu:h100-96:2",
        "--nodes=1", "--ntasks-per-node=1", "--cpus-per-task=16",
    ]  # fmt: skip
    assert got.batch == 16
    # The usual day is cut to the partition's limit.
    assert plan(PROFILE, JobRequest(gpu="h200"), FACTS).time_s == 3 * HOUR
    # SLURM's own name of a type serves too.
    assert plan(PROFILE, JobRequest(gpu="H200-141"), FACTS).gpu == "h200"


def test_what_a_person_chose_goes_before_the_profile() -> None:
    profile = PROFILE.model_copy(update={"account": "a", "sbatch": ["--exclude=n3"]})
    wanted = JobRequest(
        gpu="h100-96", time="2h", partition="gpu", memory="8G", cpus=3, account="b",
        qos="q", extra=("--nice",),
    )  # fmt: skip
    assert resource_options(plan(profile, wanted, FACTS)) == [
        "--partition=gpu", "--account=b", "--qos=q", "--time=02:00:00", "--mem=8G",
        "--gres=gpu:h100-96:1", "--nodes=1", "--ntasks-per-node=1", "--cpus-per-task=3",
        "--exclude=n3", "--nice",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "counts", "said", "can"),
    [
        (JobRequest(gpu="h100-96"), (5,), "2 GPUs of type h100-96 at most, and 5",
         "Take --num-gpus 2."),
        (JobRequest(gpu="h100-96"), (4,), "at most, and 4",
         "--num-gpus 2 or --num-nodes 2 --num-gpus 2, or h200 (4 a node)"),
        (JobRequest(gpu="h100-96"), (2, 3), "has 2", "--num-nodes 2"),
        (JobRequest(gpu="h200", time="10h"), (), "gives 03:00:00 at most, and 10:00:00",
         "Leave out --time"),
        (JobRequest(gpu="h100-96", partition="gpu", time="10h"), (), "gives 03:00:00",
         "gpu-long (3-00:00:00)"),
        (JobRequest(gpu="h100"), (), "no GPU 'h100'", "or 'h100-96'"),
        (JobRequest(), (), "No type of GPU was chosen", "--gpu auto"),
        (JobRequest(gpu="h200", partition="gpu-long"), (),
         "gpu-long has no h200", "It is in: gpu;"),
        (JobRequest(gpu="h200", partition="gpus"), (), "no partition 'gpus'", "Did you mean 'gpu'"),
        (JobRequest(gpu="h200", partition="old"), (), "takes no jobs", "gpu (03:00:00)"),
        (JobRequest(gpu="h200", memory="900G"), (), "512G of memory at most, and 900G",
         "--mem 512G"),
        (JobRequest(gpu="h200", memory="lots"), (), "'lots' is no amount", "64G"),
        (JobRequest(gpu="h200", cpus=65), (), "64 CPUs", "--cpus 64"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_said_with_what_can(
    asked: JobRequest, counts: tuple[int, ...], said: str, can: str
) -> None:
    with pytest.raises(CannotGive) as caught:
        plan(PROFILE, asked, FACTS, *counts)
    assert said in caught.value.message
    assert can in caught.value.hint


def test_the_usual_cpus_give_way_to_what_a_node_has() -> None:
    facts = replace(FACTS, nodes=(node("g1", "h200-141", 8, "gpu", cpus=16),))
    assert plan(PROFILE, JobRequest(gpu="h200"), facts, 4).cpus_per_gpu == 4


def test_a_cluster_that_told_nothing_is_taken_at_the_profiles_word() -> None:
    got = plan(PROFILE, JobRequest(gpu="h100-96"), Facts(), 2)
    assert got.time_s == 24 * HOUR
    with pytest.raises(CannotGive, match="2 GPUs of type h100-96 at most"):
        plan(PROFILE, JobRequest(gpu="h100-96"), Facts(), 3)
    with pytest.raises(CannotGive, match="gives 3-00:00:00 at most"):
        plan(PROFILE, JobRequest(gpu="h100-96", time="100h"), Facts())


def test_without_a_table_the_cluster_makes_one() -> None:
    table = suggest_gpus(FACTS)
    assert table["h100-96"] == GpuType(
        gres="gpu:h100-96", partition="gpu-long", memory="256G", time="3-00:00:00", batch=16,
        max_per_node=2, gpu_memory=96,
    )  # fmt: skip
    assert table["h200-141"].partition == "gpu"
    got = plan(Profile(name="x"), JobRequest(gpu="h200-141"), FACTS, 8)
    assert got.gres == "gpu:h200-141"
    # No GPUs at all is a cluster too.
    assert plan(Profile(name="x"), JobRequest(), Facts()).gres == ""


def test_a_one_type_cluster_needs_no_choice() -> None:
    profile = Profile(name="x", gpus={"a": GpuType(gres="gpu")})
    facts = Facts(nodes=(node("g", "", 4, "p"),), partitions={"p": Partition("p", HOUR)})
    got = plan(profile, JobRequest(), facts, 4)
    assert "--gres=gpu:4" in resource_options(got)


# What sinfo printed on the test cluster (22.05), and the forms of the facts file.
def test_nodes_are_read_once_with_all_their_partitions() -> None:
    sep = "mdeadbeef"

    def line(*fields: str) -> str:
        return "".join(f"{field}{sep}" for field in fields)

    text = "\n".join([
        line("n1", "gpu", "gpu:h100-96:4(S:0-1)", "gpu:h100-96:2(IDX:0,3)", "mixed",
             "8/8/0/16", "256000", "3:00:00", "up"),
        line("n1", "brief", "gpu:h100-96:4(S:0-1)", "gpu:h100-96:2(IDX:0,3)", "mixed",
             "8/8/0/16", "256000", "1:00", "up"),
        "sinfo: a warning",
        line("n2", "brief", "(null)", "gpu:0", "down*", "0/0/16/16", "256000", "1:00", "up"),
        line("n2", "free", "(null)", "gpu:0", "down*", "0/0/16/16", "256000", "infinite", "down"),
    ])  # fmt: skip
    nodes, partitions = parse_nodes(text, sep)
    first, second = nodes
    assert first.partitions == ("gpu", "brief")
    assert (first.count("h100-96"), first.free("h100-96"), first.free("")) == (4, 2, 2)
    assert (first.cpus, first.free_cpus, first.memory) == (16, 8, 256000)
    assert not second.usable
    assert second.gpus == ()
    assert {p.name: (p.time_limit, p.up) for p in partitions.values()} == {
        "gpu": (10800, True), "brief": (60, True), "free": (None, False),
    }  # fmt: skip


@pytest.mark.parametrize("state", ["down", "drained", "draining", "idle*", "mixed+drain", "fail"])
def test_nodes_that_take_no_jobs_have_nothing_free(state: str) -> None:
    assert node("n", "a", 4, "p", state=state).free("a") == 0
    assert node("n", "a", 4, "p", state="mixed", used=1).free("a") == 3


class Scheduler:
    """A host whose sbatch says when jobs could start, as SLURM 22.05 does."""

    name = "hpc"

    def __init__(self, *answers: str) -> None:
        self.answers = answers
        self.calls: list[tuple[Sequence[str], Mapping[str, str]]] = []

    def run(self, argv: Sequence[str], *, env: Mapping[str, str], timeout: float) -> Completed:
        self.calls.append((argv, env))
        text = "".join(f"{env['MARK']}\n{answer}\n" for answer in self.answers)
        return Completed(tuple(argv), 0, text.encode(), b"")


def test_soonest_sorts_by_start_and_keeps_what_cannot_be() -> None:
    profile = Profile(
        name="x", gpus={name: EXAMPLE_GPUS[name] for name in ("h200", "h100-96", "a100-40")}
    )
    host = Scheduler(
        "sbatch: Job 5 to start at 1795437999 using 8 processors on nodes g1 in partition gpu",
        "sbatch: Job 6 to start at 1795437224 using 8 processors on nodes g2 in partition gpu-long",
        "allocation failure: Requested node configuration is not available",
    )
    rows = soonest(host, profile, JobRequest(), FACTS, 1)  # type: ignore[arg-type]
    assert [(row.gpu, row.free, row.total, row.start) for row in rows] == [
        ("h100-96", 2, 4, 1795437224), ("h200", 5, 8, 1795437999), ("a100-40", 0, 2, None),
    ]  # fmt: skip
    assert rows[2].why_not == "Requested node configuration is not available"
    # One command for all types, in Unix time.
    ((argv, env),) = host.calls
    assert env["SLURM_TIME_FORMAT"] == "%s"
    assert len(argv) == 4 + 3


def test_types_that_do_not_fit_are_not_asked_about() -> None:
    profile = Profile(name="x", gpus={"h100-96": EXAMPLE_GPUS["h100-96"]})
    host = Scheduler()
    (row,) = soonest(host, profile, JobRequest(), FACTS, 9)  # type: ignore[arg-type]
    assert row.start is None
    assert "at most" in row.why_not
    assert host.calls == []


def test_a_scheduler_that_says_nothing_is_an_error() -> None:
    profile = Profile(name="x", gpus={"h100-96": EXAMPLE_GPUS["h100-96"]})
    with pytest.raises(HostError, match="did not say"):
        soonest(Scheduler(), profile, JobRequest(), FACTS)  # type: ignore[arg-type]


def test_the_example_table_is_that_of_the_facts(tmp_path: Path) -> None:
    assert {name: (g.gres, g.batch, g.memory, g.partition, g.max_per_node)
            for name, g in EXAMPLE_GPUS.items()} == {
        "h200": ("gpu:h200-141", 16, "256G", "gpu", 4),
        "h100-96": ("gpu:h100-96", 16, "256G", "gpu-long", 2),
        "h100-47": ("gpu:h100-47", 12, "256G", "gpu-long", 4),
        "a100-80": ("gpu:a100-80", 12, "128G", "gpu-long", 1),
        "a100-40": ("gpu:a100-40", 8, "64G", "gpu-long", 2),
        "nv": ("gpu:nv", 4, "32G", "gpu-long", 2),
    }  # fmt: skip
