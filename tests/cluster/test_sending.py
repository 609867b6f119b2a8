"""Sending a data set to a real sshd, whose sender is killed in the middle."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from slurm_cluster import wait_for
from sshd_server import Sshd, why_not

from core.common.progress import Progress
from slurm.hosts import Completed, HostError
from slurm.hosts.openssh import OpenSshHost
from slurm.hosts.ssh import SshHost
from slurm.sync import by_files
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


# What a host without python3 has of what is used there.
TOOLS = ("sh", "dd", "tar", "sha256sum", "mktemp", "mkdir", "rm", "mv", "wc", "df", "awk", "chmod",
         "sleep", "base64", "echo", "timeout", "cat", "env")  # fmt: skip


def make_pictures(folder: Path) -> Path:
    folder.mkdir()
    for number in range(PICTURES):
        (folder / f"{number:04}.jpg").write_bytes(secrets.token_bytes(SIZE))
    return folder


def begin_sender(way: str, config: Path, folder: Path, target: Path) -> subprocess.Popen[str]:
    """Start a sender of its own, which stops when it has handed over half; return it then."""
    sender = subprocess.Popen(
        [sys.executable, "-c", SENDER, way, str(config), str(folder), str(target)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert sender.stdout is not None
    with sender.stdout:
        assert sender.stdout.readline() == "half\n"
    return sender


def kill(sender: subprocess.Popen[str]) -> None:
    os.kill(sender.pid, signal.SIGKILL)
    assert sender.wait() == -signal.SIGKILL


def assert_sent(target: Path, folder: Path) -> None:
    """Assert that all is there as it is here, and nothing else beside it."""
    assert {path.name for path in target.glob("*.jpg")} == {p.name for p in folder.glob("*.jpg")}
    for path in folder.glob("*.jpg"):
        assert (target / path.name).read_bytes() == path.read_bytes()
    assert sorted(path.name for path in target.parent.iterdir()) == [target.name]


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
    folder, target = make_pictures(tmp_path / "pictures"), tmp_path / "there" / "sent"
    config = server.client("far")
    sender = begin_sender(way, config, folder, target)
    parts = tmp_path / "there" / "sent.parts"
    wait_for("pictures there", lambda: len(list(parts.glob("*.jpg"))) > PICTURES // 10, 60)
    kill(sender)
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
    # What had come was not sent again.
    assert {name: (target / name).stat().st_ino for name in came} == came
    assert_sent(target, folder)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Sshd]:
    """An sshd of our own on a host without python3."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name}"))
    made = Sshd(tmp_path / "sshd", env=f"PATH={tools}")
    yield made
    made.stop()


@pytest.mark.parametrize("way", HOSTS)
def test_two_that_send_the_same_at_once_to_a_host_without_python3(
    way: str, bare: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    folder, target = make_pictures(tmp_path / "pictures"), tmp_path / "there" / "sent"
    config, part = bare.client("far"), tmp_path / "there" / "sent.part"
    sender = begin_sender(way, config, folder, target)
    wait_for("a part of it", lambda: part.is_file() and part.stat().st_size > SIZE, 60)
    # It lives on in the middle, while another two go on from there, and are through.
    answers: list[bool | BaseException] = []

    def one() -> None:
        host = HOSTS[way]("far", config=config)
        try:
            answers.append(send(host, pack_folder(folder), str(target)))
        except BaseException as error:
            answers.append(error)
        finally:
            host.close()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(answers) == 2
    assert not [answer for answer in answers if isinstance(answer, BaseException)]
    assert True in answers
    # The first one's command writes what it still gets to a file that nobody goes on with.
    kill(sender)
    host = HOSTS[way]("far", config=config)
    try:
        wait_for("the end of its command", lambda: str(target) not in commands_there(bare), 60)
        part.write_bytes(b"what one left that was cut off")
        (tmp_path / "there" / "sent.unpack.abcdef").mkdir()
        assert not send(host, pack_folder(folder), str(target)), "it is there"
    finally:
        host.close()
    assert_sent(target, folder)


def commands_there(server: Sshd) -> str:
    """Return the command lines of all that runs below an sshd."""
    assert server.process is not None
    lines = []
    for process in psutil.Process(server.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            lines.append(" ".join(process.cmdline()))
    return "\n".join(lines)


@pytest.mark.parametrize("way", HOSTS)
def test_a_server_that_takes_one_session_gets_all_of_it(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(by_files, "_SOON_S", 0.0)
    folder, target = make_pictures(tmp_path / "pictures"), tmp_path / "there" / "sent"
    server = Sshd(tmp_path / "sshd", "MaxSessions 1")
    host = HOSTS[way]("far", config=server.client("far"))
    try:
        assert send(host, pack_folder(folder), str(target))
        assert not send(host, pack_folder(folder), str(target)), "it is there"
    finally:
        host.close()
        server.stop()
    assert_sent(target, folder)
    assert server.logins() == 1


@pytest.mark.parametrize("way", HOSTS)
def test_a_server_gives_its_one_session_to_another_channel_than_the_first(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(by_files, "_SOON_S", 0.0)
    monkeypatch.setattr(by_files, "_GIVE_WAY_S", 0.5)
    monkeypatch.setattr(by_files, "_lanes", lambda size, far: 2)
    folder, target = make_pictures(tmp_path / "pictures"), tmp_path / "there" / "sent"
    server = Sshd(tmp_path / "sshd", "MaxSessions 1")
    host = HOSTS[way]("far", config=server.client("far"))
    host.run(["true"])
    stream, taken = host.stream, threading.Event()

    def overtaken(argv: Sequence[str], **more: Any) -> Completed:
        if "send" in argv and not taken.is_set():
            wait_for("the other's session", lambda: f"take {target}" in commands_there(server), 60)
            taken.set()
        return stream(argv, **more)

    monkeypatch.setattr(host, "stream", overtaken)
    began = time.monotonic()
    try:
        assert send(host, pack_folder(folder), str(target))
        assert taken.is_set()
        assert not send(host, pack_folder(folder), str(target)), "it is there"
    finally:
        host.close()
        server.stop()
    assert_sent(target, folder)
    # What a stream may be silent for, before it is taken for dead.
    assert time.monotonic() - began < 120


@pytest.mark.parametrize("way", HOSTS)
def test_a_receiver_that_was_killed_is_told_and_gone_on_from(
    way: str, server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    folder, target = make_pictures(tmp_path / "pictures"), tmp_path / "there" / "sent"
    host = HOSTS[way]("far", config=server.client("far"))
    killed: list[int] = []

    def end_one(at: Progress) -> None:
        """Kill a process that writes there, once some of it is written."""
        assert server.process is not None
        if not killed and at.done > SIZE:
            for process in psutil.Process(server.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if "python3" in process.name() and "sent" in process.cmdline()[-4]:
                        process.kill()
                        killed.append(process.pid)
                        return

    try:
        with pytest.raises(HostError, match="cannot write"):
            send(host, pack_folder(folder), str(target), report=end_one)
        assert killed
        assert not target.exists()
        assert send(host, pack_folder(folder), str(target))
    finally:
        host.close()
    assert_sent(target, folder)
