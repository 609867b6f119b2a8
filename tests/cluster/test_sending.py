"""Sending a data set to a real sshd, whose sender is killed in the middle."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import wait_for
from sshd_server import Sshd, why_not

from core.common.progress import Progress
from slurm.hosts.openssh import OpenSshHost
from slurm.hosts.ssh import SshHost
from slurm.sync.pack import pack_folder
from slurm.sync.upload import send

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

PICTURES, SIZE = 1500, 20_000
HOSTS: dict[str, type[SshHost] | type[OpenSshHost]] = {"paramiko": SshHost, "ssh": OpenSshHost}

# What was handed over by then arrives; the rest would never be sent.
SENDER = """
import sys, threading
from pathlib import Path
from slurm.hosts.openssh import OpenSshHost
from slurm.hosts.ssh import SshHost
from slurm.sync.pack import pack_folder
from slurm.sync.upload import send

way, config, folder, target = sys.argv[1:]
host = {"paramiko": SshHost, "ssh": OpenSshHost}[way]("far", config=Path(config))
pack = pack_folder(Path(folder))
left, lock, stream = [pack.size / 2], threading.Lock(), host.stream

def half(argv, *, source=(), **more):
    def pieces():
        for piece in source:
            with lock:
                left[0] -= len(piece)
                enough = left[0] < 0
                if enough:  # each of the streams stops here: one line at a time
                    print("half", flush=True)
            if enough:
                threading.Event().wait()
            yield piece
    return stream(argv, source=pieces(), **more)

host.stream = half
send(host, pack, target)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """An sshd of our own."""
    made = Sshd(tmp_path / "sshd")
    yield made
    made.stop()


@pytest.mark.parametrize("way", HOSTS)
def test_a_sender_that_was_killed_is_gone_on_from(
    way: str, server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    folder, target = tmp_path / "pictures", tmp_path / "there" / "sent"
    folder.mkdir()
    for number in range(PICTURES):
        (folder / f"{number:04}.jpg").write_bytes(secrets.token_bytes(SIZE))
    config = server.client("far")
    sender = subprocess.Popen(
        [sys.executable, "-c", SENDER, way, str(config), str(folder), str(target)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    parts = tmp_path / "there" / "sent.parts"
    assert sender.stdout is not None
    with sender.stdout:
        assert sender.stdout.readline() == "half\n"
    wait_for("pictures there", lambda: len(list(parts.glob("*.jpg"))) > PICTURES // 10, 60)
    os.kill(sender.pid, signal.SIGKILL)
    assert sender.wait() == -signal.SIGKILL
    assert not target.exists()
    came = {path.name: path.stat().st_ino for path in parts.glob("*.jpg")}

    told: list[Progress] = []
    host = HOSTS[way]("far", config=config)
    try:
        assert send(host, pack_folder(folder), str(target), report=told.append)
        assert not send(host, pack_folder(folder), str(target)), "it is there"
    finally:
        host.close()
    assert told[0].done >= len(came) * SIZE
    assert {path.name for path in target.glob("*.jpg")} == {p.name for p in folder.glob("*.jpg")}
    for path in folder.glob("*.jpg"):
        assert (target / path.name).read_bytes() == path.read_bytes()
    # What had come was not sent again.
    assert {name: (target / name).stat().st_ino for name in came} == came
    assert sorted(path.name for path in target.parent.iterdir()) == ["sent"]
