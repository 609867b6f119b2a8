"""Servers as clusters really have them: talking shells, no SFTP, one session, few logins."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from asking import forget_asks
from slurm_cluster import wait_for
from sshd_server import SHELL_SFTP, Sshd, why_not
from test_ssh_host import Person

from core.common.workspace import Workspace
from slurm.hosts import Host, HostError, NotConnected
from slurm.hosts.openssh import OpenSshHost
from slurm.hosts.ssh import SshHost
from slurm.queue.poll import LEAST_GAP_S
from slurm.setup.files import try_files
from slurm.watch.cluster_jobs import QueueWatch

ROOT = Path(__file__).parents[2]
WAYS = ("paramiko", "ssh")
# What each login shell reads before a command, and how it prints when it ends.
HELLO = "echo Hello; echo 'Hello, error' >&2"
BYE = "echo Bye; echo Bye >&2"
TALK = {
    "bash": (".bashrc", f"{HELLO}; trap '{BYE}' EXIT\n"),
    "tcsh": (".tcshrc", 'echo Hello; sh -c "echo Hello, error >&2"\n'),
    "fish": (
        ".config/fish/config.fish", f"{HELLO}\nfunction bye --on-event fish_exit\n  {BYE}\nend\n",
    ),
    "zsh": (".zshenv", f"{HELLO}; zshexit() {{ {BYE} }}\n"),
}  # fmt: skip

Start = Callable[..., Sshd]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start sshds in a folder each; the person's home is another one."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    monkeypatch.setenv("HOME", str(tmp_path / "here"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with contextlib.ExitStack() as stack:

        def begin(*lines: str, **more: str) -> Sshd:
            folder = tmp_path / f"server{len(list(tmp_path.glob('server*')))}"
            folder.mkdir()
            server = Sshd(folder, *lines, **more)
            stack.callback(server.stop)
            return server

        yield begin


def reach(server: Sshd, way: str, prelude: str = "") -> SshHost | OpenSshHost:
    config = server.client("odd")
    kind = SshHost if way == "paramiko" else OpenSshHost
    return kind("odd", asker=Person(), config=config, prelude=prelude)


def use_files(host: Host, folder: Path, tag: str) -> None:
    """Send a file, read it and fetch it; each must be the very same bytes."""
    data = bytes(range(256)) * 2000 + tag.encode()
    here, there = folder / f"here {tag}", f"{folder}/there $(x) '{tag}'"
    here.write_bytes(data)
    host.put(here, there)
    assert Path(there).read_bytes() == data
    assert host.size(there) == len(data)
    assert host.read(there, 1000, 500) == data[1000:1500]
    assert host.read(there, len(data), 10) == b""
    host.get(there, folder / f"back {tag}")
    assert (folder / f"back {tag}").read_bytes() == data
    assert host.size(there + "x") is None
    assert host.read(there + "x", 0, 10) == b""
    with pytest.raises(FileNotFoundError):
        host.get(there + "x", folder / "nothing")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shell", TALK)
def test_a_start_up_file_that_prints_is_talked_over(
    start: Start, tmp_path: Path, shell: str, way: str
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    server = start(sftp=SHELL_SFTP, shell="" if shell == "bash" else shell)
    file = server.home / TALK[shell][0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(TALK[shell][1])
    host = reach(server, way)
    nasty = ["$(touch hacked)", "a  b", "'\"\\", "new\nline", "", "!x", "鉤", "*"]
    script = 'for a do printf "%s|" "$a"; done; echo bad >&2; exit 3'
    done = host.run(["sh", "-c", script, "sh", *nasty])
    assert (done.code, done.text, done.stderr) == (3, "|".join([*nasty, ""]), b"bad\n")
    data = bytes(range(256)) * 3000
    assert host.run(["cat"], stdin=data).stdout == data
    assert host.run(["true"]).stdout == b""
    use_files(host, tmp_path, shell)
    if isinstance(host, SshHost):
        assert "by commands, slower: no SFTP (Garbage packet" in host.files_by
    assert try_files(host, str(tmp_path)) == host.files_by
    assert not list(tmp_path.glob(".batman-test-*"))
    host.close()
    assert server.logins() == 1


@pytest.mark.parametrize("way", WAYS)
def test_no_sftp_and_one_session_are_enough(start: Start, tmp_path: Path, way: str) -> None:
    server = start("MaxSessions 1", sftp="")
    host = reach(server, way)
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            assert host.run(["sh", "-c", f"sleep 0.1; echo {number}"]).text == f"{number}\n"
            folder = tmp_path / f"files {number}"
            folder.mkdir()
            use_files(host, folder, str(number))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    with pytest.raises(HostError, match="did not answer in 1 s"):
        host.run(["sleep", "60"], timeout=1)
    assert host.run(["echo", "in"]).text == "in\n"
    assert server.logins() == 1
    host.close()


def test_what_ends_by_itself_is_not_taken_for_a_cut(start: Start, tmp_path: Path) -> None:
    server = start(sftp=SHELL_SFTP)
    host = reach(server, "paramiko")
    # The script around it is its grandparent: as a limit of the server kills.
    kill = "kill -9 $(ps -o ppid= -p $PPID)"
    for act in (
        lambda: host.run(["sh", "-c", kill]),
        lambda: host.stream(["sh", "-c", "kill -9 $PPID"]),
    ):
        with pytest.raises(HostError, match="ended it before it was over") as caught:
            act()
        assert not isinstance(caught.value, NotConnected)
    (server.home / "f").write_bytes(b"data")
    assert host.read(f"{server.home}/f", 0, 9) == b"data"
    # The SFTP server goes; the next use has another.
    below = psutil.Process(server.process.pid).children(recursive=True)
    (there,) = (process for process in below if process.name() == "sftp-server")
    there.kill()
    assert host.read(f"{server.home}/f", 0, 9) == b"data"
    assert host.files_by == "files go by SFTP"
    assert server.logins() == 1
    host.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_jump_host_without_a_shell_is_gone_through_once(
    start: Start, tmp_path: Path, way: str
) -> None:
    jump = start("ForceCommand echo 'This is a jump host only.'; exit 1", "MaxSessions 0", sftp="")
    inner = start("MaxSessions 1", sftp="")
    config = tmp_path / "config"
    config.write_text(
        jump.client("jump").read_text() + inner.client("odd", "ProxyJump jump").read_text()
    )
    kind = SshHost if way == "paramiko" else OpenSshHost
    host = kind("odd", asker=Person(), config=config)
    use_files(host, tmp_path, "jumped")
    assert host.run(["echo", "in"]).text == "in\n"
    assert (jump.logins(), inner.logins()) == (1, 1)
    # The inner one goes; neither is stormed.
    inner.stop()
    for _ in range(50):
        with pytest.raises(NotConnected):
            host.run(["true"])
    assert jump.logins() <= 4
    host.close()


def test_after_an_outage_one_sign_of_life_hurries_the_queue(start: Start, tmp_path: Path) -> None:
    server = start()
    for name in ("squeue", "sinfo", "sacct"):
        (server.home / name).write_text("#!/bin/sh\n")
        (server.home / name).chmod(0o755)
    host = reach(server, "paramiko", f"PATH={server.home}:$PATH")
    log = server.home / "log"
    log.write_text("one\n")
    watch = QueueWatch(host, "odd", Workspace(tmp_path / "work"), poll_s=300)
    assert watch.poll().view.error is None
    assert watch.due_in > 60
    server.stop()
    for _ in range(3):
        forget_asks(watch.poller)
        assert isinstance(watch.poll().view.error, NotConnected)
    assert watch.poller.due_in > 250, "as a queue that fails is left alone"
    assert 10 < watch.due_in <= 15, "a host that is out of reach is not"
    server.start()

    def follows() -> bool:
        with contextlib.suppress(NotConnected):
            return host.read(str(log), 0, 10) == b"one\n"
        return False

    wait_for("the log", follows, 20)
    assert watch.due_in <= LEAST_GAP_S
    forget_asks(watch.poller)
    assert watch.poll().view.error is None
    assert watch.due_in > 60
    host.close()


@pytest.mark.parametrize("way", [*WAYS, "command"])
def test_a_jump_host_counts_its_own_logins(start: Start, tmp_path: Path, way: str) -> None:
    jump, inner = start(), [start(), start()]
    config = tmp_path / "config"
    go = "ProxyCommand ssh -F {} -q -W %h:%p jump" if way == "command" else "ProxyJump jump"
    config.write_text(jump.client("jump").read_text() + "".join(
        server.client(f"odd{number}", go.format(config)).read_text()
        for number, server in enumerate(inner)
    ))  # fmt: skip
    kind = OpenSshHost if way == "ssh" else SshHost
    hosts: list[SshHost | OpenSshHost] = []
    for number in (0, 1, 0, 1):
        hosts.append(kind(f"odd{number}", asker=Person(), config=config))
        assert hosts[-1].run(["echo", "in"]).text == "in\n"
    assert (jump.logins(), [server.logins() for server in inner]) == (4, [2, 2])
    # Two hosts, of which each was logged in to twice: the one between has none left.
    for number in (0, 1):
        hosts.append(kind(f"odd{number}", asker=Person(), config=config))
        with pytest.raises(NotConnected, match="jump was logged in to 4 times within a minute"):
            hosts[-1].run(["true"])
    assert (jump.logins(), [server.logins() for server in inner]) == (4, [2, 2])
    for host in hosts:
        host.close()


PROGRAM = """
import sys, time
from pathlib import Path
from slurm.hosts import HostError
from slurm.hosts.ssh import SshHost
from slurm.hosts.openssh import OpenSshHost
kind = SshHost if sys.argv[1] == "paramiko" else OpenSshHost
until, said = time.monotonic() + 30, set()
while time.monotonic() < until:
    if any("4 times" in text for text in said):
        until = min(until, time.monotonic() + 1)
    for host in [kind("odd", config=Path(sys.argv[2])) for _ in range(2)]:
        try:
            host.run(["true"])
        except HostError as error:
            said.add(error.message)
        time.sleep(0.02)
print("\\n".join(said))
"""


def test_whatever_fails_four_logins_a_minute_are_the_most(start: Start, tmp_path: Path) -> None:
    # Every command cuts the connection that it came by.
    server = start("ForceCommand kill -9 $PPID")
    config = server.client("odd")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, way, str(config)], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for way in (*WAYS, "paramiko")
    ]  # fmt: skip
    said = [process.communicate(timeout=60) for process in running]
    assert [error for _, error in said if error] == []
    assert server.logins() == 4, server.log.read_text()
    assert all("was logged in to 4 times within a minute" in out for out, _ in said)
    # Somebody at a terminal waits for their turn instead.
    waited: list[float] = []

    class Patient(Person):
        def wait(self, why: str, seconds: float) -> bool:
            waited.append(seconds)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SshHost("odd", asker=Patient(), config=config).connect()
    assert 30 < waited[0] <= 60
    assert server.logins() == 4


def test_a_connection_that_is_ended_at_once_is_one_error(start: Start, tmp_path: Path) -> None:
    program = (
        "import socket, threading\n"
        "from slurm.hosts import HostError\n"
        "from slurm.hosts.ssh import SshHost\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()\n"
        "try:\n"
        "    SshHost(f'me@127.0.0.1:{server.getsockname()[1]}').connect()\n"
        "except HostError as error:\n"
        "    print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert "did not answer as an SSH server" in done.stdout
    assert done.stderr == ""
