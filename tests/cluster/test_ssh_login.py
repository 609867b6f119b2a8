"""Logins that ask a person: one-time codes, in the server's order, once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from code_server import CodeServer
from slurm_cluster import wait_for
from test_ssh_host import Person

from slurm.hosts.ssh import NotConnected, SshHost
from slurm.hosts.ssh_login import LoginFailed


@pytest.fixture
def key(tmp_path: Path) -> paramiko.PKey:
    made = paramiko.ECDSAKey.generate()
    made.write_private_key_file(str(tmp_path / "key"))
    return made


@pytest.fixture
def server(key: paramiko.PKey) -> Iterator[CodeServer]:
    running = CodeServer(key, ["Password: ", "Verification code: "], ["hunter2", "492817"])
    yield running
    running.close()


def connect(server: CodeServer, tmp_path: Path, person: Person) -> SshHost:
    config = tmp_path / "config"
    config.write_text(
        f"Host hpc\n  HostName 127.0.0.1\n  Port {server.port}\n  User ada\n"
        f"  IdentityFile {tmp_path}/key\n  UserKnownHostsFile {tmp_path}/known\n"
    )
    return SshHost("hpc", asker=person, config=config)


@pytest.fixture(autouse=True)
def _no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def test_key_then_questions_in_the_servers_order_and_never_again(
    server: CodeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person = Person(answers={"Password": "hunter2", "code": "492817"})
    host = connect(server, tmp_path, person)
    assert host.run(["echo", "in"]).text == "in\n"
    assert person.asked[1:] == ["Password: ", "Verification code: "]
    for number in range(5):
        assert host.run(["echo", str(number)]).text == f"{number}\n"
    assert server.logins == 1
    # Cut: nobody is asked for another code until they ask to connect.
    server.cut()
    wait_for("noticing the cut", lambda: not host.connected, 10)
    for _ in range(3):
        with pytest.raises(NotConnected, match="was cut") as caught:
            host.run(["true"])
        assert "Connect again" in caught.value.hint
    assert len(person.asked) == 3
    assert server.logins == 1
    host.connect()
    assert server.logins == 2
    assert host.run(["echo", "back"]).text == "back\n"
    host.close()
    for secret in ("hunter2", "492817"):
        assert secret not in caplog.text
        assert all(
            secret.encode() not in file.read_bytes()
            for file in tmp_path.rglob("*")
            if file.is_file()
        )


def test_a_wrong_code_is_said_and_not_tried_again(server: CodeServer, tmp_path: Path) -> None:
    person = Person(answers={"Password": "hunter2", "code": "000000"})
    host = connect(server, tmp_path, person)
    with pytest.raises(LoginFailed, match="not accepted"):
        host.run(["true"])
    assert server.logins == 1
    # Looks do not log in again by themselves, however long one waits.
    host._not_before = 0.0
    with pytest.raises(NotConnected, match="not accepted") as caught:
        host.run(["true"])
    assert "yourself" in caught.value.hint
    assert server.logins == 1


def test_giving_up_ends_the_login(server: CodeServer, tmp_path: Path) -> None:
    host = connect(server, tmp_path, Person(answers={"Password": "hunter2"}))
    with pytest.raises(LoginFailed, match="given up at 'Verification code:'"):
        host.connect()
    assert server.logins == 0
    assert not host.connected


def test_a_locked_key_without_a_person_is_what_is_told(
    server: CodeServer, key: paramiko.PKey, tmp_path: Path
) -> None:
    key.write_private_key_file(str(tmp_path / "key"), password="open sesame")
    config = tmp_path / "config"
    config.write_text(
        f"Host hpc\n  HostName 127.0.0.1\n  Port {server.port}\n  User ada\n"
        f"  IdentityFile {tmp_path}/key\n  UserKnownHostsFile none\n  GlobalKnownHostsFile none\n"
        "  StrictHostKeyChecking no\n"
    )
    with pytest.raises(LoginFailed, match="Locked by a passphrase that was not given") as caught:
        SshHost("hpc", config=config).connect()
    assert f"ssh-add {tmp_path}/key" in caught.value.hint
    assert "answers were not accepted" not in caught.value.message
