"""A cluster without accounting whose GPUs come in parts and whose rules differ by partition."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from slurm_cluster import Cluster, wait_for, why_not
from test_queue import On, submit

from core.common.files import write_json
from core.common.workspace import Workspace
from slurm.job.record import JobRecord, write_record
from slurm.queue.arrays import job_lines
from slurm.queue.queue import ask_queue
from slurm.site.discover import discover
from slurm.site.features import fits
from slurm.site.profiles import Profile
from slurm.submit.plan import plan
from slurm.submit.request import CannotGive, JobRequest
from slurm.submit.resources import resource_options
from slurm.submit.start_estimate import suggest_accepted
from slurm.watch.cluster_jobs import QueueWatch
from slurm.watch.node_views import node_views


@pytest.fixture(scope="module")
def plain() -> Iterator[Cluster]:
    if why_not():
        pytest.skip(why_not() or "")
    running = Cluster(accounting=False, parts=True)
    yield running
    running.close()


def test_gpus_in_parts_and_features_are_found_and_asked_for_as_slurm_takes_them(
    plain: Cluster,
) -> None:
    host = On(plain)
    facts = discover(host)
    assert facts.features() == ["GPU_GEN:HPR", "gpu_mem_40", "gpu_mem_96", "rack1", "rack2"]
    profile, doubts = suggest_accepted(host, Profile(name="x"), facts)
    rows = {
        name: (gpu.gres, gpu.max_per_node, gpu.share, gpu.gpu_memory, gpu.batch)
        for name, gpu in profile.gpus.items()
    }
    assert rows == {
        "a100-40": ("gpu:a100-40", 1, 1, 40, 8),
        "a100_1g.5gb": ("gpu:a100_1g.5gb", 3, 1, 5, None),
        "h100-96": ("gpu:h100-96", 4, 1, 96, 16),
        "mps:a100-40": ("mps:a100-40", 100, 50, 0, None),
        "shard:h100-96": ("shard:h100-96", 4, 1, 0, None),
    }
    assert (doubts, profile.gpu_option) == ({}, "gres")
    # A site's rule that takes one option only is found out; shares have no other.
    urgent = replace(facts, partitions={"urgent": facts.partitions["urgent"]})
    strict, doubts = suggest_accepted(host, Profile(name="x"), urgent)
    assert (strict.gpu_option, sorted(doubts)) == ("gpus", ["mps:a100-40", "shard:h100-96"])

    # What a constraint means is what it means to SLURM, node by node.
    texts = (
        "rack1", "rack1&gpu_mem_96", "rack1,gpu_mem_40", "rack2|rack1", "rack9|rack2",
        "gpu_mem_96|gpu_mem_40&rack2", "rack2&gpu_mem_40|gpu_mem_96", "(gpu_mem_96|rack2)&rack2",
        "[rack1|rack2]", "(rack1)&(gpu_mem_96)", "GPU_GEN:HPR", "gpu_gen:hpr", "rack2*1",
    )  # fmt: skip
    asks = [f"sbatch --test-only --mem=100M -p gpu -w {node} --constraint='{text}' --wrap true"
            " 2>&1 | grep -c 'to start at'" for text in texts for node in ("n1", "n2")]  # fmt: skip
    told = host.run(["sh", "-c", "; ".join(asks)], timeout=60).text.split()
    ours = [fits(text, node.features) for text in texts for node in facts.nodes]
    unknown = [any(one in text for one in ("rack9", "gpu_gen")) for text in texts for _ in "12"]
    assert [bool(int(one)) for one in told] == [
        fit and not odd for fit, odd in zip(ours, unknown, strict=True)
    ]

    # A share runs where it should, and what is left is known.
    asked = JobRequest(gpu="shard:h100-96", share=2, constraint="rack1", cpus=1, memory="100M")
    options = resource_options(plan(profile, asked, facts))
    assert "--gres=shard:h100-96:2" in options
    job = plain.call("sbatch", "--parsable", "-o", "/dev/null", *options, "--wrap", "sleep 60")
    wait_for("the share", lambda: discover(host).nodes[0].free("h100-96") == 3)
    (node, _) = discover(host).nodes
    assert (node.name, node.count("shard:h100-96"), node.free("shard:h100-96")) == ("n1", 16, 12)
    # And in a list of jobs it is so much of a GPU, as is one by MPS that waits, or whose type was
    # not named.
    other = plain.call("sbatch", "--parsable", "-o", "/dev/null", "--mem=100M", "--gres=shard:1",
                       "-p", "gpu", "--wrap", "sleep 60")  # fmt: skip
    waits = plain.call("sbatch", "--parsable", "-H", "--mem=100M", "--gres=mps:33", "-p", "gpu",
                       "--wrap", "true")  # fmt: skip
    queue = ask_queue(host)
    assert {line.id: line.gpus for line in job_lines(queue.jobs)} == {
        job.strip(): "0.5×h100-96", other.strip(): "0.25×h100-96", waits.strip(): "0.33×a100-40",
    }  # fmt: skip
    (view, _) = sorted(node_views(queue), key=lambda view: view.node.name)
    assert view.gpus == "1/4 h100-96", "SLURM fills the GPU that is shared already"
    plain.call("scancel", job.strip(), other.strip(), waits.strip())
    # SLURM takes five of a type, and lets the job and all behind it wait: we do not.
    with pytest.raises(CannotGive, match="One GPU has 4 shares of shard:h100-96, and 5"):
        plan(profile, JobRequest(gpu="shard:h100-96", share=5), facts)
    with pytest.raises(CannotGive, match="training does not go over several") as caught:
        plan(profile, JobRequest(gpu="a100_1g.5gb"), facts, 2)
    assert caught.value.hint == "Take --num-gpus 1, or whole GPUs: a100-40, h100-96."
    with pytest.raises(CannotGive, match="No node has the feature 'rack9'") as caught:
        plan(profile, JobRequest(gpu="h100-96", constraint="rack9"), facts)
    assert caught.value.hint.endswith("gpu_mem_40, gpu_mem_96, rack1, rack2.")


def test_without_accounting_ends_are_known_by_our_records(plain: Cluster, tmp_path: Path) -> None:
    host = On(plain)
    ours = submit(plain, script="exit 7")
    run = tmp_path / "runs" / "ours"
    run.mkdir(parents=True)
    write_json(run / "training_config.json", {})
    write_record(
        run,
        JobRecord(
            cluster="bat", host="", token="t", run_dir=str(run), log="", marker="",
            submitted_at=time.time(), job_id=ours,
        ),
    )  # fmt: skip
    now = [0.0]
    watch = QueueWatch(host, "bat", Workspace(tmp_path), poll_s=15, clock=lambda: now[0])

    def ended() -> bool:
        now[0] += 400
        job = watch.poll().jobs.job(ours)
        return job is not None and job.state.ended

    wait_for("the end", ended)
    assert watch.poller.view.snapshot.accounting is False
    assert watch.poller.view.snapshot.errors == {}
    # MinJobAge: the cluster forgets it, and a new look from scratch still knows.
    wait_for(
        "forgetting", lambda: f"{ours} " not in plain.try_output(
            "squeue", "-h", "-t", "all", "-o", "%i "), 90,
    )  # fmt: skip
    fresh = QueueWatch(host, "bat", Workspace(tmp_path), poll_s=15).poll()
    assert fresh.view.snapshot.job(ours) is None
    job = fresh.jobs.job(ours)
    # Its exit code is from squeue, which told of it for as long as it knew it.
    assert (job.state.name, job.name, job.exit_code) == ("FAILED", "ours", 7)
