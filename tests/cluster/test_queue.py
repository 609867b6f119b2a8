"""The queue of a real SLURM: arrays, holds, ends, a node that goes down, parts that fail."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_cluster import Cluster, free_port, wait_for

from slurm.hosts import HostError, LocalHost
from slurm.job.record import JobRecord
from slurm.queue.arrays import job_lines, why
from slurm.queue.job_actions import JobActionError, act, known_jobs
from slurm.queue.job_detail import JobLog, job_use, log_files, show_job
from slurm.queue.job_status import ask_job
from slurm.queue.jobs import Job
from slurm.queue.queue import QueueSnapshot, ask_queue

NASTY = "a|b 'x' $(touch hacked) ; \\ \"é\" StdOut=/etc/passwd"


class On(LocalHost):
    """This machine as the login node of a cluster, with other programs in front of its own."""

    name = "login"

    def __init__(self, cluster: Cluster, first: Path | None = None) -> None:
        self.env = {**cluster.env}
        if first is not None:
            self.env["PATH"] = f"{first}:{self.env['PATH']}"

    def run(self, argv, *, stdin=b"", timeout=30.0, cwd=None, env=None):
        return super().run(
            argv, stdin=stdin, timeout=timeout, cwd=cwd, env={**self.env, **(env or {})}
        )


@pytest.fixture
def host(cluster: Cluster) -> Iterator[On]:
    yield On(cluster)
    cluster.try_call("scancel", "--user=root")


def submit(cluster: Cluster, *options: str, script: str) -> str:
    """Submit a script that needs little, and return its job id."""
    return cluster.call(
        "sbatch", "--parsable", "--mem=100M", "-o", "/dev/null", *options, "--wrap", script
    ).strip()


def wait_job(
    host: On,
    job_id: str,
    ready: Callable[[Job], bool],
    seconds: float = 40,
    before: QueueSnapshot | None = None,
) -> QueueSnapshot:
    """Ask until the job is as wanted, and return the answer."""
    found: list[QueueSnapshot] = [] if before is None else [before]

    def there() -> bool:
        found.append(ask_queue(host, before=found[-1] if found else None))
        job = found[-1].job(job_id)
        return job is not None and ready(job)

    wait_for(f"job {job_id}", there, seconds)
    return found[-1]


def test_running_waiting_and_ended_jobs_with_any_name(
    cluster: Cluster, host: On, tmp_path: Path
) -> None:
    log = tmp_path / "a log $(x).txt"
    running = submit(
        cluster, "-J", NASTY, "--comment", "batman:t x", "--gres=gpu:h100-96:2", "-o", str(log),
        script="echo hello; sleep 300",
    )  # fmt: skip
    bad = submit(cluster, script="no-such-command; exit 3")
    killed = submit(cluster, script="exit 137")
    asked = ("-p", "brief", "--time=10", "--gres=gpu:h100-96:2", "-c", "3")
    never = submit(cluster, *asked, script="true")
    wait_job(host, running, lambda job: job.state.running)
    found = wait_job(host, bad, lambda job: job.exit_code is not None)
    job = found.job(running)
    assert job is not None
    assert (job.name, job.comment, job.node_list) == (NASTY, "batman:t x", "n1")
    assert [(g.type, g.count) for g in job.gpus] == [("h100-96", 2)]
    assert (found.accounting, found.errors, found.user) == (True, {}, "root")
    failed = found.job(bad)
    assert (failed.state.name, failed.exit_code, why(failed)) == ("FAILED", 3, "exit code 3")
    found = wait_job(host, killed, lambda job: job.exit_code is not None, before=found)
    assert found.job(killed).exit_code == 137
    assert found.job(never).why.startswith("it asks for more time than its partition gives")

    def pools() -> dict[str, tuple[int, int]]:
        return {pool.type: (pool.free, pool.total) for pool in ask_queue(host).gpus}

    # Jobs of the test before may be on their way out.
    wait_for("free GPUs", lambda: pools() == {"h100-96": (2, 4), "a100-40": (4, 4)})
    assert {p.name: p.time_limit for p in found.partitions} == {
        "gpu": 10800, "gpu-long": 259200, "brief": 60, "urgent": 10800,
    }  # fmt: skip
    detail = show_job(host, running)
    assert detail.fields["JobName"] == NASTY
    assert log_files(host, job, detail, None) == [str(log)]
    wait_for("the log", lambda: log.exists() and log.stat().st_size > 0)
    assert JobLog(host, str(log)).poll() == ["hello"]
    assert not Path("hacked").exists()
    assert show_job(host, "99999") is None
    # Accounting has it as 9; who knew better does not forget it.
    cluster.call("scancel", never)
    forgotten: dict[str, list[Job]] = {killed: [], never: []}
    wait_for("squeue to forget", lambda: known_jobs(host, [killed, never]) == forgotten)
    later, anew = ask_queue(host, before=found), ask_queue(host)
    assert later.job(killed).exit_code == 137
    assert why(anew.job(killed)).startswith("exit code 9, or 137: signal 9 (SIGKILL")
    # Nobody but accounting knows of them: all that is shown of a job is there.
    told, unstarted = anew.job(killed), anew.job(never)
    assert (told.account, told.qos, told.partition) == ("root", "normal", "gpu")
    assert told.node_list in ("n1", "n2")
    assert (unstarted.state.name, unstarted.qos, unstarted.partition) == (
        "CANCELLED", "normal", "brief",
    )  # fmt: skip
    assert (unstarted.gpu_count, unstarted.cpus, unstarted.node_list) == (2, 3, "")


def test_an_array_folds_and_its_tasks_are_held_released_and_cancelled(
    cluster: Cluster, host: On
) -> None:
    array = submit(cluster, "--array=0-8:2%1", script="sleep 300")
    found = wait_job(host, f"{array}_0", lambda job: job.state.running)
    (line,) = [line for line in job_lines(found.jobs) if line.id == array]
    assert (line.counts, line.state_words) == ((4, 1, 0, 0), "1 run 4 wait")
    rest = next(job.id for job in found.jobs if job.id.startswith(f"{array}_["))
    act(host, "hold", [array])  # scontrol ends with 1 and tells of no error for each task
    found = wait_job(host, f"{array}_4", lambda job: "JobHeld" in job.reason)
    assert found.job(f"{array}_0").why == "", "it runs, whoever holds the array"
    act(host, "release", [array])
    wait_job(host, f"{array}_4", lambda job: "JobHeld" not in job.reason)
    act(host, "hold", [rest])
    held = wait_job(host, f"{array}_4", lambda job: "JobHeld" in job.reason)
    ids = [job.id for job in held.jobs if job.array_id == array and job.state.waiting]
    act(host, "release", ids)
    wait_job(host, f"{array}_4", lambda job: "JobHeld" not in job.reason)
    act(host, "cancel", [f"{array}_[6,8]", f"{array}_2"])
    # Tasks that never were jobs of their own are gone without a trace.
    wait_job(host, f"{array}_4", lambda job: job.id in (f"{array}_[4%1]", f"{array}_4"))
    act(host, "cancel", [array])
    found = wait_job(host, f"{array}_0", lambda job: job.state.ended)
    (line,) = [line for line in job_lines(found.jobs) if line.id == array]
    assert line.state_words.endswith("cancelled")
    # When squeue has forgotten it, accounting still tells of tasks that never began.
    wait_for("squeue to forget", lambda: known_jobs(host, [array]) == {array: []})
    later = wait_job(host, f"{array}_4", lambda job: job.accounted, before=found)
    (line,) = [line for line in job_lines(later.jobs) if line.id == array]
    assert line.state_words == "5 cancelled", "each that never began is counted, and once"
    assert later.job(f"{array}_4").state.name == "CANCELLED"
    record = JobRecord(
        cluster="here", host="", token="t", run_dir="", log="", marker="",
        submitted_at=time.time(), job_id=f"{array}_4",
    )  # fmt: skip
    assert ask_job(host, record).state.name == "CANCELLED"
    with pytest.raises(JobActionError, match="Invalid job id"):
        act(host, "hold", ["99999", array])


def test_a_requeued_job_waits_again_and_is_not_taken_for_ended(cluster: Cluster, host: On) -> None:
    job_id = submit(cluster, "--requeue", script="sleep 300")
    wait_job(host, job_id, lambda job: job.state.running)
    act(host, "requeue", [job_id])
    found = wait_job(host, job_id, lambda job: job.state.waiting and job.restarts == 1)
    assert found.job(job_id).why.startswith("put back into the queue 1 time")
    again = ask_queue(host, before=found)
    assert not again.job(job_id).state.ended
    assert sum(job.id == job_id for job in again.jobs) == 1


def test_a_node_that_goes_down_mid_job(cluster: Cluster, host: On) -> None:
    job_id = submit(cluster, "--no-requeue", "--gres=gpu:a100-40:1", script="sleep 300")
    wait_job(host, job_id, lambda job: job.state.running)
    cluster.call("scontrol", "update", "nodename=n2", "state=down", "reason=test")
    try:
        found = wait_job(host, job_id, lambda job: job.state.ended)
        assert found.job(job_id).state.words == "its node failed"
        # Here a node that answers comes back by itself (ReturnToService), so it is drained.
        cluster.call("scontrol", "update", "nodename=n2", "state=drain", "reason=test")
        found = ask_queue(host, before=found)
        (pool,) = [pool for pool in found.gpus if pool.type == "a100-40"]
        assert (pool.free, pool.away) == (0, 4)
    finally:
        cluster.try_call("scontrol", "update", "nodename=n2", "state=resume")
        wait_for("n2", lambda: cluster.nodes_in("idle") == 2)


def test_what_a_running_job_uses(cluster: Cluster, host: On, tmp_path: Path) -> None:
    job_id = submit(cluster, "--gres=gpu:h100-96:1", script="sleep 300")
    job = wait_job(host, job_id, lambda job: job.state.running).job(job_id)
    use = job_use(host, job)
    assert "GPUs: no nvidia-smi there" in use.problems
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho '0, NVIDIA H100, 93, 41200, 81559'\n")
    smi.chmod(0o755)
    use = job_use(On(cluster, tmp_path), job)
    assert [(gpu.index, gpu.busy, gpu.used_mb) for gpu in use.gpus] == [("0", 93, 41200)]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("sleep 60", "squeue did not answer in 1 s"),
        ("echo 'squeue: [bold] no' >&2; exit 1", "squeue: [bold] no"),
    ],
)
def test_a_squeue_that_hangs_or_fails_leaves_the_rest(
    cluster: Cluster,
    host: On,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    error: str,
) -> None:
    job_id = submit(cluster, "--hold", script="true")
    before = wait_job(host, job_id, lambda job: job.state.waiting)
    monkeypatch.setattr("slurm.queue.queue._SCRIPT", _short_limit())
    monkeypatch.setattr("slurm.queue.queue.SECTION_S", 1)
    fake = tmp_path / "squeue"
    fake.write_text(f"#!/bin/sh\n{body}\n")
    fake.chmod(0o755)
    began = time.monotonic()
    after = ask_queue(On(cluster, tmp_path), before=before)
    assert time.monotonic() - began < 15
    assert after.errors == {"squeue": error}
    assert after.job(job_id) == before.job(job_id)
    assert len(after.nodes) == 2


def _short_limit() -> str:
    from slurm.queue.queue import _SCRIPT

    return _SCRIPT.replace("timeout -k 2 20", "timeout -k 2 1")


def test_no_controller_is_an_error_with_slurms_words(cluster: Cluster, tmp_path: Path) -> None:
    host = On(cluster)
    conf = tmp_path / "slurm.conf"
    conf.write_text(
        cluster.conf.read_text().replace(f"={cluster.ports['ctld']}\n", f"={free_port()}\n")
        + "MessageTimeout=2\n"
    )
    host.env["SLURM_CONF"] = str(conf)
    with pytest.raises(HostError, match=r"does not answer: squeue"):
        ask_queue(host)


def test_the_persons_own_formats_change_nothing(cluster: Cluster, host: On) -> None:
    job_id = submit(cluster, "--hold", script="true")
    wait_job(host, job_id, lambda job: job.state.waiting)
    host.env |= {
        "SQUEUE_FORMAT": "%i", "SQUEUE_STATES": "R", "SQUEUE_PARTITION": "brief",
        "SINFO_FORMAT": "%n", "SACCT_FORMAT": "JobID", "SLURM_TIME_FORMAT": "relative",
    }  # fmt: skip
    assert ask_queue(host).job(job_id).submitted > 1_000_000_000


def test_over_ssh_it_is_one_command(cluster: Cluster, ssh_home: Path) -> None:
    from test_ssh_host import Person

    from slurm.hosts.ssh import SshHost

    job_id = submit(cluster, "--hold", script="true")
    ssh = SshHost("bat", asker=Person())
    try:
        first = ask_queue(ssh)
        assert first.job(job_id) is not None
        lines: list[str] = []
        run = ssh.run

        def counted(argv, **options):
            lines.append(argv[0])
            return run(argv, **options)

        ssh.run = counted
        assert ask_queue(ssh, before=first).errors == {}
        assert lines == ["sh"]
        assert first.bytes < 4096
    finally:
        ssh.close()
        cluster.try_call("scancel", job_id)
    assert os.environ["HOME"] == str(ssh_home)
