"""A shell on the node of a running job, over SSH, whatever the login shell is."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cluster_runs import make_profile
from environments import MODULE_SYSTEMS, has_modules, module_system
from slurm_cluster import Cluster, wait_for
from sshd_server import Sshd
from test_queue import On, submit

from core.common.errors import BatmanError
from slurm.queue.job_actions import known_jobs
from slurm.queue.job_detail import show_job
from slurm.queue.jobs import Job
from slurm.queue.node_shell import shell_command, shell_places
from slurm.site.profiles import Profile


def on_terminal(
    command: list[str], text: str, folder: Path, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a command on a terminal of its own, typing `text`; return its code and all it printed."""
    words = ["env", *(f"{name}={value}" for name, value in (env or {}).items()), *command]
    done = subprocess.run(
        ["script", "-qec", shlex.join(words), str(folder / "typed")], input=text,
        env={"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "TERM": "xterm"}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.fixture
def job(cluster: Cluster) -> Iterator[Job]:
    """A job that runs on n1."""
    host, number = On(cluster), submit(cluster, "-w", "n1", script="sleep 300")

    def found() -> Job:
        (one,) = known_jobs(host, [number])[number]
        return one

    wait_for("the job", lambda: found().state.running, 40)
    yield found()
    cluster.try_call("scancel", number)


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


@pytest.mark.parametrize(
    "shell", ["/bin/bash", "/usr/bin/zsh", "/usr/bin/tcsh", "/usr/bin/fish", "/bin/sh"]
)
@pytest.mark.parametrize("system", MODULE_SYSTEMS)
def test_on_the_login_node_itself_with_the_modules_of_the_profile(
    cluster: Cluster, job: Job, tmp_path: Path, shell: str, system: str
) -> None:
    """Over no SSH; what is loaded is there in whatever shell, and `module` where it can be."""
    if not Path(shell).exists():
        pytest.skip(f"no {shell} here")
    init = module_system(system, tmp_path)
    folder = tmp_path / "modulefiles" / "detection"
    folder.mkdir(parents=True)
    (folder / "1.0").write_text(
        "#%Module1.0\nsetenv DETECTION it's\nprepend-path PATH /opt/detection\n"
    )
    profile = Profile(name="here", modules=["detection/1.0"])
    assert profile.is_local
    command = shell_command(profile, job)
    assert command[0] == "sh", "no ssh"
    env = {
        "SLURM_CONF": str(cluster.conf), "SHELL": shell, "HOME": str(tmp_path),
        "MODULEPATH": str(folder.parent), **init,
    }  # fmt: skip
    typed = "echo in-$SLURM_JOB_ID-$DETECTION; echo path-$PATH\n"
    if shell == "/bin/bash":
        typed += "module list 2>&1 | cat\n"
    code, said = on_terminal(command, f"{typed}exit 5\n", tmp_path, env)
    assert f"in-{job.id}-it's" in said, said
    assert "path-/opt/detection" in said, "what start-up files make of PATH comes first"
    assert code == 5, said
    if shell == "/bin/bash":
        assert "detection/1.0" in said.replace("\r", "").partition("Currently Loaded")[2], said


@pytest.mark.parametrize("system", MODULE_SYSTEMS)
def test_a_module_that_is_missing_is_said_and_there_is_a_shell(
    cluster: Cluster, job: Job, tmp_path: Path, system: str
) -> None:
    init = module_system(system, tmp_path)
    command = shell_command(Profile(name="here", modules=["detection/2.0"]), job)
    env = {"SLURM_CONF": str(cluster.conf), "SHELL": "/bin/bash", "HOME": str(tmp_path), **init}
    code, said = on_terminal(command, "echo in-$SLURM_JOB_ID; exit 6\n", tmp_path, env)
    assert "batman: the module 'detection/2.0' cannot be loaded on" in said
    assert (f"in-{job.id}" in said, code) == (True, 6), said


@has_modules
def test_modules_are_loaded_over_ssh_after_the_prelude(
    cluster: Cluster, job: Job, tmp_path: Path
) -> None:
    folder = tmp_path / "modulefiles" / "detection"
    folder.mkdir(parents=True)
    (folder / "1.0").write_text("#%Module1.0\nsetenv DETECTION yes\n")
    server = Sshd(tmp_path / "server", shell="tcsh", env=f"SLURM_CONF={cluster.conf}")
    config = server.client("odd")
    profile = make_profile("odd", "odd", "/w", "/p").model_copy(
        update={"prelude": [f"export MODULEPATH='{folder.parent}'"], "modules": ["detection/1.0"]}
    )
    try:
        command = shell_command(profile, job)
        command[1:1] = ["-F", str(config)]
        code, said = on_terminal(command, "echo in-$SLURM_JOB_ID-$DETECTION; exit 7\n", tmp_path)
        assert f"in-{job.id}-yes" in said, said
        assert code == 7, said
    finally:
        server.stop()
