"""Servers that allow little: few channels a connection, few connections at a time."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import Cluster, answers, free_port, wait_for
from test_ssh_host import Person

from slurm.hosts import HostError, NotConnected
from slurm.hosts.ssh import SshHost


@contextlib.contextmanager
def strict_sshd(cluster: Cluster, folder: Path, *lines: str) -> Iterator[SshHost]:
    """Run an sshd with further settings and yield a host for it."""
    port = free_port()
    config = folder / "sshd_config"
    kept = (cluster.root / "ssh" / "config").read_text().splitlines()
    own = [line for line in kept if not line.startswith(("Port", "PidFile"))]
    config.write_text("\n".join([*own, f"Port {port}", f"PidFile {folder}/pid", *lines, ""]))
    client = folder / "ssh_config"
    client.write_text(
        f"Host strict\n  HostName 127.0.0.1\n  Port {port}\n  User root\n"
        f"  IdentityFile {cluster.root}/ssh/client\n  UserKnownHostsFile {folder}/known\n"
    )
    cluster.start("/usr/sbin/sshd", "-D", "-e", "-f", str(config), name="strict sshd")
    host = SshHost("strict", asker=Person(), config=client)
    try:
        wait_for("its banner", lambda: answers(port))
        yield host
    finally:
        host.close()
        cluster.stop("strict sshd", tree=True)


def _greeted(connection: socket.socket) -> bool:
    """Tell whether the server greets whoever has just connected, and does not send them away."""
    return connection.recv(4) == b"SSH-"


@pytest.mark.parametrize("sessions", [1, 2])
def test_few_channels_are_waited_for(
    cluster: Cluster, ssh_home: Path, tmp_path: Path, sessions: int
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"data")
    with strict_sshd(cluster, tmp_path, f"MaxSessions {sessions}") as host:
        host.connect()
        transport = host._transport
        together: list[int] = []
        failed: list[BaseException] = []

        def work(number: int) -> None:
            try:
                assert host.run(["sh", "-c", f"sleep 0.1; echo {number}"]).text == f"{number}\n"
                # Files have a channel of their own, which must make room when nobody uses it.
                assert host.read(str(file), 0, 10) == b"data"
                assert host.size(str(file)) == 4
                together.append(number)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failed == []
        assert sorted(together) == list(range(8))
        assert host._transport is transport
        assert transport is not None
        assert transport.is_active()
        assert host._room.most <= sessions


def test_a_server_without_sessions_is_said(
    cluster: Cluster, ssh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slurm.hosts.ssh._ROOM_S", 1.0)
    with strict_sshd(cluster, tmp_path, "MaxSessions 0") as host:
        with pytest.raises(HostError, match="refused one more channel") as caught:
            host.run(["true"], timeout=1)
        assert "MaxSessions" in caught.value.hint
        assert host.connected


def test_a_server_full_of_logins_is_not_stormed(
    cluster: Cluster, ssh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with strict_sshd(cluster, tmp_path, "MaxStartups 1:100:1") as host:
        opened: list[float] = []
        real = socket.create_connection

        def counted(*args, **more):
            opened.append(time.monotonic())
            return real(*args, **more)

        port = host.target.port
        with contextlib.ExitStack() as stack:
            # Somebody who has connected and not logged in yet: the one that there may be.
            wait_for("a place", lambda: _greeted(stack.enter_context(socket.create_connection(
                ("127.0.0.1", port), 5))))  # fmt: skip
            monkeypatch.setattr("slurm.hosts.ssh.socket.create_connection", counted)
            with pytest.raises(NotConnected, match="did not answer as an SSH server") as caught:
                host.run(["true"])
            assert "limit new connections" in caught.value.hint
            for _ in range(200):
                with pytest.raises(NotConnected, match="did not answer as an SSH server"):
                    host.run(["true"])
            assert len(opened) == 1, "asked 201 times, it connected once"

        def back() -> bool:
            try:
                return host.run(["echo", "in"]).text == "in\n"
            except NotConnected:
                return False

        wait_for("a login", back, 60)
        waits = [later - earlier for earlier, later in itertools.pairwise(opened)]
        assert all(wait >= 0.9 for wait in waits)
