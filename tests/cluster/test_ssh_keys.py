"""Which keys get one in: in ssh's own order, against a real sshd and a real agent."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import wait_for
from sshd_server import Sshd, why_not
from test_ssh_host import Person

from core.common.folders import cache_dir
from slurm.hosts.login.keys import CERTIFICATE, KeyRing
from slurm.hosts.ssh import SshHost
from slurm.hosts.ssh_config import read_target
from slurm.hosts.ssh_login import LoginFailed

OTHERS = ("one", "two", "three", "four")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of keys: others, the right one, one with a passphrase, certificates of both."""
    folder = tmp_path_factory.mktemp("keys")
    for name in (*OTHERS, "right", "authority"):
        keygen("-t", "ed25519", "-N", "", "-C", name, "-f", f"{folder}/{name}")
    keygen("-t", "rsa", "-b", "2048", "-N", "", "-C", "rsa", "-f", f"{folder}/rsa")
    for name in ("certified", "rsa certified"):
        kind = ["-t", "rsa", "-b", "2048"] if "rsa" in name else ["-t", "ed25519"]
        keygen(*kind, "-N", "", "-f", f"{folder}/{name}")
        keygen("-s", f"{folder}/authority", "-I", "me", "-n", "root", f"{folder}/{name}.pub")
    return folder


def keygen(*words: str) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def server(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    running = Sshd(
        tmp_path_factory.mktemp("sshd"), "MaxAuthTries 3", f"TrustedUserCAKeys {keys}/authority.pub"
    )
    running.authorized.write_bytes((keys / "right.pub").read_bytes())
    yield running
    running.stop()


@contextlib.contextmanager
def an_agent(*files: Path) -> Iterator[str]:
    """Run an agent that holds keys, in this order; yield its socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        place = f"{folder}/agent"
        agent = subprocess.Popen(
            ["ssh-agent", "-D", "-a", place], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_for("the agent", Path(place).exists, 10)
            env = {**os.environ, "SSH_AUTH_SOCK": place}
            for file in files:
                subprocess.run(["ssh-add", "-q", str(file)], check=True, env=env)
            yield place
        finally:
            agent.kill()
            agent.wait()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))


def log_in(server: Sshd, *lines: str) -> None:
    """Log in with these lines of configuration, in another minute. Raises `HostError`."""
    shutil.rmtree(cache_dir() / "logins", ignore_errors=True)
    (server.folder / "ssh_config").unlink(missing_ok=True)
    config = server.client("it", *lines)
    host = SshHost("it", asker=Person(), config=config)
    try:
        host.connect()
    finally:
        host.close()


def theirs(config: Path) -> list[str]:
    """Return the keys that ssh would try, by their fingerprints, in its order."""
    said = subprocess.run(
        ["ssh", "-v", "-F", str(config), "-o", "BatchMode=yes", "it", "true"],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    ).stderr  # fmt: skip
    found = re.findall(r"Will attempt key: .*? (\S+) (SHA256:\S+)", said)
    return [f"{kind} {print_}" for kind, print_ in found]


def ours(config: Path) -> list[str]:
    found = []
    for _, key in KeyRing(read_target("it", config)).offers(lambda _: None):
        certified = key.public_blob is not None or key.get_name().endswith(CERTIFICATE)
        kind = "RSA" if "rsa" in key.get_name() else "ED25519"
        found.append(f"{kind}{'-CERT' if certified else ''} {key.fingerprint}")
    return found


def test_keys_are_offered_in_sshs_order(
    server: Sshd, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lines(*words: str) -> list[str]:
        return [f'IdentityFile "{keys}/{word}"' for word in words]

    with an_agent(keys / "one", keys / "two", keys / "rsa", keys / "right") as place:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        for settings in (
            lines("right", "two"), lines("two", "right", "one"), lines("rsa"),
            [*lines("right", "two"), "IdentitiesOnly yes"],
            [*lines("three", "four"), "IdentitiesOnly yes"],
            [*lines("right"), "IdentityAgent none"],
            [*lines("right.pub"), "IdentitiesOnly yes"],
            [*lines("certified"), "IdentitiesOnly yes"],
            [*lines("rsa certified", "right"), f'CertificateFile "{keys}/rsa certified-cert.pub"',
             "IdentitiesOnly yes"],
        ):  # fmt: skip
            (server.folder / "ssh_config").unlink(missing_ok=True)
            config = server.client("it", *settings)
            assert ours(config) == theirs(config), settings


def test_the_named_key_gets_in_whatever_the_agent_has(
    server: Sshd, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [keys / name for name in OTHERS]
    right = f"IdentityFile {keys}/right"
    with an_agent(*others, keys / "right") as place:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        log_in(server, right)
        log_in(server, f"IdentityFile {keys}/two", right)
        # Only its public half is a file.
        (tmp_path / "right.pub").write_bytes((keys / "right.pub").read_bytes())
        log_in(server, f"IdentityFile {tmp_path}/right.pub", "IdentitiesOnly yes")
        with pytest.raises(LoginFailed, match="MaxAuthTries") as caught:
            log_in(server, f"IdentityFile {tmp_path}/none")
        assert "IdentitiesOnly yes" in caught.value.hint
    with an_agent(*others) as place:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        log_in(server, right)
        # A key with a passphrase, whose public half is in the clear in its own file.
        keygen("-t", "ed25519", "-N", "open sesame", "-f", str(tmp_path / "locked"))
        (tmp_path / "locked.pub").unlink()
        with pytest.raises(LoginFailed, match="Locked by a passphrase"):
            log_in(server, f"IdentityFile {tmp_path}/locked", "IdentitiesOnly yes")


def test_the_agent_that_is_named_is_asked(
    server: Sshd, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = f"IdentityFile {tmp_path}/none"
    with an_agent(keys / "right") as place:
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        log_in(server, none, f"IdentityAgent {place}")
        monkeypatch.setenv("THE_AGENT", place)
        log_in(server, none, "IdentityAgent $THE_AGENT")
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        log_in(server, none, "IdentityAgent SSH_AUTH_SOCK")
        with pytest.raises(LoginFailed, match="no key of yours was accepted"):
            log_in(server, none, "IdentityAgent none")
        with pytest.raises(LoginFailed, match="no key of yours was accepted"):
            log_in(server, none, f"IdentityAgent {tmp_path}/gone")


@pytest.mark.parametrize("name", ["certified", "rsa certified"])
def test_certificates_get_in(
    server: Sshd, keys: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    log_in(server, f'IdentityFile "{keys}/{name}"')
    plain = tmp_path / "plain"
    plain.write_bytes((keys / name).read_bytes())
    plain.chmod(0o600)
    with pytest.raises(LoginFailed):
        log_in(server, f"IdentityFile {plain}")
    certificate = f'CertificateFile "{keys}/{name}-cert.pub"'
    log_in(server, f"IdentityFile {plain}", certificate)
    with an_agent(plain) as place:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        log_in(server, f"IdentityFile {tmp_path}/none", certificate)
    with an_agent(keys / name) as place:  # with its certificate
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        log_in(server, f"IdentityFile {tmp_path}/none")


def test_what_only_ssh_can_do_is_said(
    server: Sshd, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(LoginFailed) as caught:
        log_in(server, f"IdentityFile {tmp_path}/none", "PKCS11Provider /usr/lib/none.so")
    assert caught.value.by_ssh == "PKCS11Provider is followed by ssh itself only"
    assert 'via = "ssh"' in caught.value.hint
    # A provider that is not needed is no hindrance.
    log_in(server, f"IdentityFile {keys}/right", "PKCS11Provider /usr/lib/none.so")
