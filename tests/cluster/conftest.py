"""One real cluster for all cluster tests of a session, and a person's home of their own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cluster_runs import NASTY, ROOT, Lab, known_host, make_profile, quick_python
from slurm_cluster import Cluster, why_not

from core.common.workspace import Workspace


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    running = Cluster()
    yield running
    running.close()


@pytest.fixture
def ssh_home(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A laptop's home: an alias `bat` for the cluster's login node, its key, no agent."""
    home = tmp_path / "home"
    folder = home / ".ssh"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "config").write_text("Include conf.d/*\n")
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "bat").write_text(
        f"Host bat\n  HostName 127.0.0.1\n  Port {cluster.ports['ssh']}\n  User root\n"
        f"  IdentityFile {cluster.root}/ssh/client\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home


@pytest.fixture
def home(cluster: Cluster, ssh_home: Path) -> Path:
    """The laptop's home, where the cluster's host key is known."""
    known_host(cluster, ssh_home)
    return ssh_home


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our packages as they are now: somebody may be working on them."""
    folder = tmp_path_factory.mktemp("code")
    for name in ("core", "slurm"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def lab(
    cluster: Cluster, home: Path, tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lab]:
    """A laptop and a cluster whose trainer takes a second."""
    monkeypatch.setattr("slurm.submit.sending.CODE", code)
    # How often a minute a server is logged in to is asked in test_bare_cluster; here it would only
    # be waited for.
    monkeypatch.setattr("slurm.hosts.login.limit._WINDOW_S", 1.0)
    python = quick_python(tmp_path / "env 'a'")
    scratch = tmp_path / f"scratch {NASTY}"
    workspace = Workspace(tmp_path / "laptop")
    made = Lab(cluster, workspace, make_profile("bat", "bat", scratch, python))
    yield made
    cluster.try_call("scancel", "--user=root")
    assert not list(tmp_path.rglob("hacked"))
    assert not (ROOT / "hacked").exists()
