"""A whole run on a cluster whose server is bare: no SFTP, one session, a shell that talks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_runs import ROOT, Lab, make_profile, make_project, quick_python
from slurm_cluster import Cluster, wait_for
from sshd_server import Sshd

from core.common.workspace import Workspace
from core.training.run.run import Run
from slurm.watch.queue_watcher import ClusterWatch


@pytest.fixture
def bare(cluster: Cluster, home: Path, tmp_path: Path, code: Path, monkeypatch):
    monkeypatch.setattr("slurm.submit.sending.CODE", code)
    folder = tmp_path / "server"
    shell = "tcsh" if shutil.which("tcsh") else ""
    server = Sshd(folder, "MaxSessions 1", sftp="", shell=shell, env=f"SLURM_CONF={cluster.conf}")
    (server.home / (".tcshrc" if shell else ".bashrc")).write_text("echo Hello\n")
    (home / ".ssh" / "conf.d" / "bare").write_text(server.client("bare").read_text())
    yield server
    cluster.try_call("scancel", "--user=root")
    server.stop()


def test_all_of_it_works_with_four_logins_a_minute(
    cluster: Cluster, bare: Sshd, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "laptop")
    python = quick_python(tmp_path / "env", pause=0.5)
    # The app's own connection: the first login.
    lab = Lab(cluster, workspace, make_profile("bare", "bare", tmp_path / "scratch", python))
    make_project(workspace, "shapes")
    tried = lab.batman("clusters", "test", "bare")
    assert "files go by commands, slower: no SFTP (the server has none)" in tried.stdout, tried
    assert tried.returncode == 0
    sent = lab.batman(
        "submit", "--project", "shapes", "--gpu", "h100-96", "--cpus", "1", "--epochs", "3",
        "--model", "tiny",
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    watch = ClusterWatch(lab.host, lab.profile, workspace)
    (run,) = (Run(path) for path in workspace.list_runs())

    def look() -> bool:
        watch.poller.hurry()
        if watch.claim("watching"):
            watch.look(lambda *_: None)
        return run.state() == "finished" and (run.path / "best.pth").is_file()

    watch.claim("watching")
    watch.look(lambda *_: None)
    (job,) = watch.latest.records
    followed = lab.batman("jobs", "logs", job, "--follow")
    assert "quick worker from step 0" in followed.stdout, followed.stderr
    assert "Hello" not in followed.stdout
    wait_for("the run's end", look, 60)
    assert (run.path / "best.pth").read_bytes() == b"weights" * 1000
    assert bare.logins() == 4
    # One more within this minute waits for its turn, and says so.
    fifth = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "--workspace", str(workspace.root), "jobs", "list"],
        cwd=ROOT, env={**os.environ, "NO_COLOR": "1"}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert fifth.stderr is not None
    said = fifth.stderr.readline()
    fifth.kill()
    fifth.communicate()
    assert "bare was logged in to 4 times within a minute, and is not more often: waiting" in said
    assert bare.logins() == 4
    assert bare.log.read_text().count("Connection from") == 4 + 1, "the first only saw a banner"
