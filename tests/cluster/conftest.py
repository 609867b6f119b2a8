"""One real cluster for all cluster tests of a session, and a person's home of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from slurm_cluster import Cluster, why_not


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
