"""A shell on the node of a running job, over SSH, whatever the login shell is."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from cluster_runs import make_profile
from slurm_cluster import Cluster, wait_for
from sshd_server import Sshd
from test_queue import On, submit

from core.common.errors import BatmanError
from slurm.queue.job_actions import known_jobs
from slurm.queue.job_detail import show_job
from slurm.queue.jobs import Job
from slurm.queue.node_shell import shell_command, shell_places


def on_terminal(command: list[str], text: str, folder: Path) -> tuple[int, str]:
    """Run a command on a terminal of its own, typing `text`; return its code and all it printed."""
    done = subprocess.run(
        ["script", "-qec", shlex.join(command), str(folder / "typed")], input=text,
        env={"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "TERM": "xterm"}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize("shell", ["tcsh", "fish", ""])
def test_over_ssh_it_is_in_the_job(cluster: Cluster, tmp_path: Path, shell: str) -> None:
    if shell and shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    server = Sshd(tmp_path / "server", shell=shell, env=f"SLURM_CONF={cluster.conf}")
    config = server.client("odd")
    host = On(cluster)
    array = submit(cluster, "--array=1-2", "-N2", script="sleep 300")
    profile = make_profile("odd", "odd", "/w", "/p")
    profile = profile.model_copy(
        update={"prelude": ["A='it'\"'\"'s'; export A", "# $(touch hacked)"]}
    )
    found: list[list[Job]] = []

    def running() -> bool:
        found.append(known_jobs(host, [array])[array])
        return sum(job.state.running for job in found[-1]) == 2

    try:
        wait_for("both tasks", running, 40)
        places = shell_places(found[-1])
        assert sorted((job.id, node) for job, node in places) == [
            (f"{array}_{task}", node) for task in (1, 2) for node in ("n1", "n2")
        ]  # fmt: skip
        task = next(job for job, _ in places if job.task == "2")
        command = shell_command(profile, task, "n2")
        command[1:1] = ["-F", str(config)]
        code, said = on_terminal(
            command, "echo in-$SLURM_JOB_ID-$SLURMD_NODENAME-$A; test -t 0 && exit 4\n",
            tmp_path,
        )  # fmt: skip
        # srun takes the number that the task has as a job of its own.
        number = show_job(host, task.id).job_id
        assert f"in-{number}-n2-it's" in said
        assert code == 4, said
        with pytest.raises(BatmanError, match="does not run on 'n9'"):
            shell_command(profile, task, "n9")
        assert server.logins() == 1
    finally:
        cluster.try_call("scancel", array)
        server.stop()
