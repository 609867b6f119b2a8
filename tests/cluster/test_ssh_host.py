"""The host over SSH against a real sshd."""

from __future__ import annotations

import hashlib
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import Cluster, wait_for

from slurm.hosts import HostError
from slurm.hosts.host_key import HostKeyChanged
from slurm.hosts.pump import Clock
from slurm.hosts.ssh import NotConnected, SshHost
from slurm.hosts.ssh_config import aliases
from slurm.hosts.ssh_login import LoginFailed


class Person:
    """Answers what is asked, and remembers it."""

    def __init__(self, trusts: bool = True, answers: dict[str, str] | None = None) -> None:
        self.trusts = trusts
        self.answers = answers or {}
        self.asked: list[str] = []

    def ask(self, title: str, prompt: str, *, secret: bool) -> str | None:
        self.asked.append(prompt)
        return next((a for word, a in self.answers.items() if word in prompt), None)

    def trust(self, host: str, kind: str, fingerprint: str) -> bool:
        self.asked.append(f"{host} {kind} {fingerprint}")
        return self.trusts

    def wait(self, why: str, seconds: float) -> bool:
        return False


@pytest.fixture
def host(ssh_home: Path):
    made = SshHost("bat", asker=Person())
    yield made
    made.close()


def test_a_new_host_key_is_shown_as_openssh_prints_it_and_asked_for_once(
    cluster: Cluster, ssh_home: Path
) -> None:
    printed = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(cluster.root / "ssh" / "host.pub")],
        capture_output=True, text=True, check=True,
    ).stdout.split()[1]  # fmt: skip
    person = Person(trusts=False)
    with pytest.raises(HostError, match="not known"):
        SshHost("bat", asker=person).connect()
    assert not (ssh_home / ".ssh" / "known_hosts").exists()
    person = Person()
    first = SshHost("bat", asker=person)
    first.connect()
    first.close()
    port = cluster.ports["ssh"]
    assert person.asked == [f"[127.0.0.1]:{port} ssh-ed25519 {printed}"]
    # Known now: nobody needs to be there.
    again = SshHost("bat")
    assert again.run(["true"]).code == 0
    again.close()


def test_a_changed_host_key_is_refused(cluster: Cluster, ssh_home: Path, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True
    )
    other = (tmp_path / "other.pub").read_text().split()[1]
    known = ssh_home / ".ssh" / "known_hosts"
    known.write_text(f"[127.0.0.1]:{cluster.ports['ssh']} ssh-ed25519 {other}\n")
    before = known.read_bytes()
    person = Person()
    with pytest.raises(HostKeyChanged, match="has changed") as caught:
        SshHost("bat", asker=person).connect()
    assert "ssh-keygen -R" in caught.value.hint
    assert (person.asked, known.read_bytes()) == ([], before)


def test_arguments_are_data_on_the_other_side_too(host: SshHost, tmp_path: Path) -> None:
    nasty = ["$(touch hacked)", "`touch hacked`", "; touch hacked", "a  b", "'\"\\", "new\nline",
             "-n", "", "!x", "鉤", "~", "*"]  # fmt: skip
    done = host.run(
        ["python3", "-c", "import sys, os; print(os.environ['X'], sys.argv[1:], os.getcwd())",
         *nasty], cwd=str(tmp_path), env={"X": "$(touch hacked)'\n"},
    )  # fmt: skip
    assert done.code == 0, done.stderr
    assert done.text == f"$(touch hacked)'\n {nasty!r} {tmp_path}\n"
    assert not (tmp_path / "hacked").exists()


def test_codes_outputs_and_large_input(host: SshHost) -> None:
    data = bytes(range(256)) * 8000
    done = host.run(["sh", "-c", "sha256sum; echo bad >&2; exit 3"], stdin=data)
    assert (done.code, done.stderr) == (3, b"bad\n")
    assert done.text.split()[0] == hashlib.sha256(data).hexdigest()
    assert host.run(["cat"], stdin=data).stdout == data
    assert host.run(["no-such-command"]).code == 127


def test_a_command_s_time_begins_after_the_login(
    host: SshHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login may have to wait for most of a minute, longer than many a command may take."""
    there: list[bool] = []

    def clock(*args: Any, **options: Any) -> Clock:
        there.append(host.connected)
        return Clock(*args, **options)

    monkeypatch.setattr("slurm.hosts.ssh.Clock", clock)
    assert host.run(["true"]).code == 0
    assert host.stream(["true"]).code == 0
    assert there == [True, True]


def test_a_command_that_hangs_ends_on_the_host_too(host: SshHost, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(HostError, match="did not answer in 1 s"):
        host.run(["sh", "-c", f"echo $$ > '{pid_file}'; exec sleep 600"], timeout=1)
    pid = int(pid_file.read_text())
    wait_for("the end of the command", lambda: not Path(f"/proc/{pid}").exists(), 10)
    assert host.connected


def test_what_a_login_shell_prints_is_not_output(
    ssh_home: Path, cluster: Cluster, tmp_path: Path
) -> None:
    host = SshHost("bat", asker=Person(), prelude="echo Welcome; echo loading modules")
    assert host.run(["echo", "x"]).text == "x\n"
    host.close()


def test_files_come_and_go_whole(host: SshHost, tmp_path: Path) -> None:
    local, remote = tmp_path / "a file", str(tmp_path / "there $(x) 'y'")
    data = bytes(range(256)) * 4000
    local.write_bytes(data)
    host.put(local, remote)
    assert host.size(remote) == len(data)
    assert host.read(remote, 1000, 500) == data[1000:1500]
    assert host.read(remote, len(data), 10) == b""
    host.get(remote, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    assert host.size(remote + "x") is None
    assert host.read(remote + "x", 0, 10) == b""
    with pytest.raises(FileNotFoundError):
        host.get(remote + "x", tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        host.put(local, str(tmp_path / "no folder" / "x"))
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name != "home") == [
        "a file", "back", "there $(x) 'y'",
    ]  # fmt: skip


def test_many_threads_share_one_connection(host: SshHost, cluster: Cluster) -> None:
    host.connect()
    transport = host._transport
    results: list[str] = []

    def work(number: int) -> None:
        results.append(host.run(["echo", str(number)]).text.strip())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, results)) == list(range(20))
    assert host._transport is transport


def test_a_stopped_sshd_is_survived(host: SshHost, cluster: Cluster) -> None:
    assert host.run(["echo", "1"]).text == "1\n"
    before = host.last_answer
    cluster.stop_sshd()
    try:
        with pytest.raises(HostError):
            host.run(["echo", "2"], timeout=5)
        with pytest.raises(NotConnected):
            host.run(["echo", "3"], timeout=5)
        assert not host.connected
        assert host.last_answer == before
        # It is not tried again before the wait is over, and says so.
        tried = time.monotonic()
        with pytest.raises(NotConnected, match=r"."):
            host.run(["echo", "4"])
        assert time.monotonic() - tried < 0.5
    finally:
        cluster.start_sshd()

    def back() -> bool:
        try:
            return host.run(["echo", "5"]).text == "5\n"
        except NotConnected:
            return False

    wait_for("the connection's return", back, 30)


def test_a_key_with_a_passphrase_is_asked_for(
    cluster: Cluster, ssh_home: Path, tmp_path: Path
) -> None:
    key = tmp_path / "locked"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", str(key)], check=True
    )
    authorized = cluster.root / "ssh" / "authorized"
    kept = authorized.read_text()
    authorized.write_text(kept + Path(f"{key}.pub").read_text())
    config = tmp_path / "config"
    config.write_text(
        f"Host locked\n  HostName 127.0.0.1\n  Port {cluster.ports['ssh']}\n  User root\n"
        f"  IdentityFile {key}\n  UserKnownHostsFile {tmp_path}/known\n"
    )
    try:
        person = Person(answers={"Passphrase": "open sesame"})
        host = SshHost("locked", asker=person, config=config)
        assert host.run(["echo", "in"]).text == "in\n"
        host.close()
        assert sum("Passphrase" in prompt for prompt in person.asked) == 1
        wrong = Person(answers={"Passphrase": "wrong"})
        with pytest.raises(LoginFailed):
            SshHost("locked", asker=wrong, config=config).connect()
        assert sum("Passphrase" in prompt for prompt in wrong.asked) == 3
    finally:
        authorized.write_text(kept)
    assert "open sesame" not in (tmp_path / "known").read_text()


def test_a_jump_is_gone_through(cluster: Cluster, ssh_home: Path) -> None:
    (ssh_home / ".ssh" / "conf.d" / "inner").write_text(
        f"Host inner\n  HostName 127.0.0.1\n  Port {cluster.ports['ssh']}\n  User root\n"
        f"  IdentityFile {cluster.root}/ssh/client\n  ProxyJump bat\n"
    )
    assert sorted(aliases()) == ["bat", "inner"]
    host = SshHost("inner", asker=Person())
    assert host.run(["sh", "-c", "echo $SSH_CONNECTION"]).text.startswith("127.0.0.1 ")
    assert host._jump is not None
    assert host._jump.connected
    host.close()


def test_nothing_listening_is_said_at_once(ssh_home: Path) -> None:
    with pytest.raises(NotConnected, match="cannot be reached"):
        SshHost("root@127.0.0.1:1").connect()


def test_the_wrong_key_is_no_way_in(cluster: Cluster, ssh_home: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host x\n  HostName 127.0.0.1\n  Port {cluster.ports['ssh']}\n")
    with pytest.raises(LoginFailed, match="did not let us in"):
        SshHost("root@x", asker=Person(), config=config).connect()
