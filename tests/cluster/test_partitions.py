"""Partitions that differ in rights: what is suggested, refused and chosen is what SLURM takes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slurm_cluster import Cluster, wait_for
from test_queue import On

from slurm.hosts import Completed
from slurm.queue.priority import ask_priority
from slurm.queue.queue import QueueSnapshot, ask_queue
from slurm.site.discover import Facts, discover
from slurm.site.profiles import Profile
from slurm.site.suggest import out_of_reach
from slurm.submit.plan import plan
from slurm.submit.request import CannotGive, JobRequest
from slurm.submit.resources import Resources, resource_options
from slurm.submit.start_estimate import suggest_accepted

USER = "daemon"
# Each is longer than gpu-long, which the choice used to go by; the one that is open has one node.
PARTITIONS = {
    "staff": "Nodes=n2 AllowGroups=games",
    "physics": "Nodes=n2 AllowAccounts=physics",
    "high": "Nodes=n2 AllowQos=high",
    "notus": "Nodes=n2 DenyAccounts=vision",
    "hidden": "Nodes=n1,n2 Hidden=YES",
    "off": "Nodes=n1,n2 State=DRAIN",
    "single": "Nodes=n2",
}


class As(On):
    """The login node as another person sees it: root may do whatever it likes in SLURM."""

    def run(self, argv, **options) -> Completed:
        who = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"]
        return super().run([*who, *argv], **{**options, "cwd": "/"})


@pytest.fixture(scope="module")
def somebody(cluster: Cluster) -> Iterator[As]:
    cluster.call("sacctmgr", "-i", "add", "account", "physics")
    cluster.call("sacctmgr", "-i", "add", "qos", "high")
    cluster.call("sacctmgr", "-i", "add", "user", USER, "account=vision")
    cluster.call("sacctmgr", "-i", "add", "user", USER, "account=physics")
    for name, rights in PARTITIONS.items():
        cluster.call("scontrol", "create", f"PartitionName={name}", "MaxTime=7-0", *rights.split())
    host = As(cluster)
    host.env["HOME"] = "/"
    yield host
    cluster.try_call("scancel", f"--user={USER}")
    wait_for("empty partitions", lambda: not cluster.try_output("squeue", "-h", "-u", USER).strip())
    for name in PARTITIONS:
        cluster.call("scontrol", "delete", f"PartitionName={name}")
    cluster.call("sacctmgr", "-i", "delete", "user", USER)


@pytest.fixture(scope="module")
def facts(somebody: As) -> Facts:
    return discover(somebody)


def taken(cluster: Cluster, host: As, resources: Resources) -> bool:
    """Submit such a job and return whether SLURM takes it: it starts, or waits for what is busy."""
    told = host.run(
        ["sbatch", "--parsable", "-o", "/dev/null", *resource_options(resources),
         "--wrap", "sleep 60"],
    )  # fmt: skip
    if told.code:
        return False
    job = told.text.strip()

    def reason() -> str:
        return cluster.try_output("squeue", "-h", "-a", "-j", job, "-O", "StateCompact:;,Reason:;")

    wait_for("a word on it", lambda: not reason().startswith(("PD;None;", "PD;Priority;")))
    said = reason()
    cluster.try_call("scancel", job)
    return said.startswith(("R;", "CG;")) or "Resources" in said


def test_what_is_suggested_is_what_the_person_may_use(
    cluster: Cluster, somebody: As, facts: Facts
) -> None:
    profile, doubts = suggest_accepted(somebody, Profile(name="x"), facts)
    rows = {kind: (gpu.partition, gpu.max_per_node) for kind, gpu in profile.gpus.items()}
    # `gpu` is the default one and `urgent` has the higher tier, but neither is for a day.
    assert rows == {"h100-96": ("gpu-long", 4), "a100-40": ("single", 4)}
    assert doubts == {}
    assert out_of_reach(facts) == {}
    for kind in profile.gpus:
        assert taken(cluster, somebody, plan(profile, JobRequest(gpu=kind, cpus=1), facts))
    three_hours = Profile(name="x", time="3h")
    table = suggest_accepted(somebody, three_hours, facts)[0].gpus
    assert {gpu.partition for gpu in table.values()} == {"gpu"}, "the default one gives as much"


def test_what_is_closed_is_refused_with_why_and_with_what_is_open(
    cluster: Cluster, somebody: As, facts: Facts
) -> None:
    profile = Profile(name="x")
    for name, why, hint in (
        ("staff", "is for the group games only", "--partition"),
        ("high", "is for the QOS high only, not for normal", "--partition"),
        ("notus", "is not for the account vision", "or give --account physics"),
        ("physics", "is for the account physics only, not for vision", "--account physics"),
        ("off", "takes no jobs now", "single (7-00:00:00)"),
    ):
        with pytest.raises(CannotGive) as caught:
            plan(profile, JobRequest(gpu="a100-40", partition=name), facts)
        assert why in caught.value.message
        assert hint in caught.value.hint
        offered = caught.value.hint.partition("--account")[0]
        assert not any(f"{closed} (" in offered for closed in list(PARTITIONS)[:6])
    asked = JobRequest(gpu="a100-40", partition="physics", account="physics", cpus=1)
    assert taken(cluster, somebody, plan(profile, asked, facts))
    closed = JobRequest(gpu="a100-40", partition="physics", cpus=1)
    refused = plan(profile, closed, Facts(nodes=facts.nodes))
    assert not taken(cluster, somebody, refused), "SLURM takes it and lets it wait for ever"


def test_the_partition_follows_from_what_the_run_needs(
    cluster: Cluster, somebody: As, facts: Facts
) -> None:
    profile = Profile(name="x", time="3h")
    profile = suggest_accepted(somebody, profile, facts)[0]
    assert plan(profile, JobRequest(gpu="a100-40"), facts).partition == "gpu"
    days = plan(profile, JobRequest(gpu="a100-40", time="5d", cpus=1), facts)
    assert days.partition == "single", "gpu gives three hours, gpu-long three days"
    assert taken(cluster, somebody, days)
    with pytest.raises(CannotGive, match=r"gives 03:00:00 at most") as caught:
        plan(profile, JobRequest(gpu="a100-40", time="5d", partition="gpu"), facts)
    assert "--partition single (7-00:00:00)." in caught.value.hint
    with pytest.raises(CannotGive) as caught:
        plan(profile, JobRequest(gpu="h100-96", time="5d"), facts)
    assert "--partition" not in caught.value.hint
    with pytest.raises(CannotGive, match="A node has 4 GPUs of type a100-40 at most") as caught:
        plan(profile, JobRequest(gpu="a100-40"), facts, 6)
    assert caught.value.hint == "Take --num-gpus 4."


def test_reservations_licences_and_priority_are_told_in_words(
    cluster: Cluster, somebody: As
) -> None:
    cluster.call(
        "scontrol", "create", "reservation", "ReservationName=course", "StartTime=now",
        "Duration=60", "Users=root", "Nodes=n1",
    )  # fmt: skip
    try:

        def send(*options: str) -> str:
            told = somebody.run(
                ["sbatch", "--parsable", "-o", "/dev/null", "--mem=100M", "-p", "gpu", *options,
                 "--wrap", "sleep 60"],
            )  # fmt: skip
            assert told.code == 0, told.stderr
            return told.text.strip()

        waits = {
            send("--gres=gpu:h100-96:1"): "the nodes it needs are reserved for others",
            send("-p", "physics"): "its account may not use its partition; it will never start",
        }
        send("--licenses=matlab:2")
        waits[send("--licenses=matlab:1")] = "a licence is not free"
        found: list[QueueSnapshot] = []

        def told() -> bool:
            found.append(ask_queue(somebody, accounting=False))
            jobs = {job_id: found[-1].job(job_id) for job_id in waits}
            return all(
                job is not None and job.why.startswith(waits[job_id])
                for job_id, job in jobs.items()
            )

        wait_for("the reasons", told)
        job = found[-1].job(next(iter(waits)))
        priority = ask_priority(somebody, job)
        assert priority.total == job.priority >= 2000
        assert sum(priority.factors.values()) == pytest.approx(priority.total, abs=8)
        assert "partition 2,000" in priority.words
        assert "vision has used " in priority.words
        assert "its share of " in priority.words
    finally:
        cluster.try_call("scancel", f"--user={USER}")
        cluster.call("scontrol", "delete", "reservation=course")
