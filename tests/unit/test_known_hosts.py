"""Known hosts files: what OpenSSH's own programs make of generated ones, and what Batman does."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import socket
import stat
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from core.common.errors import BatmanError
from slurm.hosts import HostError
from slurm.hosts.host_key import HostKeyChanged, Transport, check_host_key, known_keys
from slurm.hosts.known_hosts import add_key, find_keys, hash_name, match_pattern, order_algorithms
from slurm.hosts.ssh_config import SshTarget, read_target

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="no OpenSSH client here to compare with"
)

NAMES = ["login", "login.cluster", "[login]:2222", "10.0.0.1", "gpu-01", "[10.0.0.1]:22", "::1"]
PATTERNS = [
    *NAMES, "*", "*.cluster", "gpu-??", "!login", "!gpu-01", "[*]:2222", "?ogin", "", "LOGIN",
    "a" * 1022, "a" * 1023, "l*g*n", "[l]ogin", "*.*", "*!*",
]  # fmt: skip
MARKERS = [
    "", "", "", "", "@revoked ", "@cert-authority ", "@revoked\t", "@Revoked ", "@ ", "@x",
    "@cert-authority @revoked ", "@" + "x" * 40 + " ",
]  # fmt: skip


def make_key(file: Path, kind: str = "ed25519", *options: str) -> Path:
    """Make a key pair as `ssh-keygen` does and return the private file."""
    command = ["ssh-keygen", "-q", "-t", kind, *options, "-N", "", "-f", str(file)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return file


def public(file: Path) -> tuple[str, str]:
    """Return type and base64 of a key's public file."""
    kind, encoded = Path(f"{file}.pub").read_text().split()[:2]
    return kind, encoded


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("keys")
    made = {name: make_key(root / name) for name in ("ed", "ed2", "authority")}
    made["ec"] = make_key(root / "ec", "ecdsa")
    made["ec521"] = make_key(root / "ec521", "ecdsa", "-b", "521")
    made["rsa"] = make_key(root / "rsa", "rsa", "-b", "2048")
    return made


def a_line(rng: random.Random, keys: list[tuple[str, str]]) -> str:
    """Return a line as it may stand in a file, now and then a broken one."""
    kind, encoded = rng.choice(keys)
    hosts = ",".join(rng.choice(PATTERNS) for _ in range(rng.choice([1, 1, 2, 3])))
    if rng.random() < 0.25:
        hosts = hash_name(rng.choice(NAMES), rng.randbytes(20))
        hosts = hosts[: -rng.randint(1, 5)] if rng.random() < 0.2 else hosts
    between = rng.choice([" ", "\t", "  ", " \t "])
    comment = rng.choice(["", " comment", " # x", "\r"])
    line = f"{rng.choice(MARKERS)}{hosts}{between}{kind}{between}{encoded}{comment}"
    way, at = rng.random(), rng.randrange(len(line) + 1)
    if way < 0.05:
        return line[:at]
    if way < 0.12:
        return line[:at] + rng.choice("=|#@!\0\r\x0b \t,*é") + line[at + 1 :]
    if way < 0.17:
        return rng.choice(["#", " \t", "|", "é"]) + line
    if way < 0.2:
        return f"{hosts} {rng.choice(keys)[0]} {encoded}"
    return f"{hosts} 1024 35 {rng.randrange(10**30)}" if way < 0.22 else line


def test_generated_files_are_read_as_ssh_keygen_reads_them(
    keys: dict[str, Path], tmp_path: Path
) -> None:
    pairs = [public(file) for file in keys.values()]
    file = tmp_path / "known"
    seen: Counter[str] = Counter()
    for seed in range(300):
        rng = random.Random(seed)
        lines = "\n".join(a_line(rng, pairs) for _ in range(rng.randint(0, 12)))
        file.write_text(lines + rng.choice(["", "\n"]), encoding="utf-8", newline="")
        name = rng.choice(NAMES)
        told = subprocess.run(
            ["ssh-keygen", "-l", "-F", name, "-f", str(file)], capture_output=True, check=False
        ).stdout.decode(errors="replace")
        theirs = [
            (int(line), {"": "", "CA": "cert-authority", "REVOKED": "revoked"}[marker])
            for line, marker in re.findall(r"^# Host .* found: line (\d+) ?(\w*)", told, re.M)
        ]
        ours = [(key.line, key.marker) for key in find_keys([file], name)]
        assert ours == theirs, (seed, name)
        seen.update(marker for _, marker in ours)
        seen["none"] += not ours
    assert min(seen[""], seen["cert-authority"], seen["revoked"], seen["none"]) > 10


class Server(paramiko.ServerInterface):
    """An SSH server on loopback with several host keys, which lets nobody in."""

    def __init__(self, files: list[Path]) -> None:
        self.keys = [paramiko.PKey.from_path(file) for file in files]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                transport = paramiko.Transport(client)
                for key in self.keys:
                    transport.add_server_key(key)
                with contextlib.suppress(paramiko.SSHException, EOFError):
                    transport.start_server(server=self, event=threading.Event())

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"


class Nay:
    """Trusts no new host, and counts how often it was asked."""

    asked = 0

    def trust(self, host: str, kind: str, fingerprint: str) -> bool:
        self.asked += 1
        return False


@pytest.fixture(scope="module")
def server(keys: dict[str, Path]) -> Iterator[Server]:
    made = Server([keys["ed"], keys["ec"], keys["rsa"]])
    yield made
    made.listener.close()


def shown_key(target: SshTarget) -> paramiko.PKey:
    """Return the host key that the server shows to a client that asks as Batman does."""
    with socket.create_connection((target.hostname, target.port)) as sock:
        transport = Transport(sock)
        transport.known = known_keys(target)
        try:
            transport.start_client(timeout=20)
            return transport.get_remote_server_key()
        finally:
            transport.close()


def test_verdicts_and_what_is_written_are_those_of_ssh(
    keys: dict[str, Path], server: Server, tmp_path: Path
) -> None:
    pairs = {name: public(file) for name, file in keys.items()}
    seen: Counter[str] = Counter()
    for seed in range(48):
        rng = random.Random(seed)
        alias = rng.choice([None, None, "Bastion"])
        here = alias or f"[127.0.0.1]:{server.port}"
        heads = [
            here, here, here, hash_name(here, rng.randbytes(20)), "127.0.0.1", "other",
            f"*,!{here}", "[127.*]:*", "Bast*", f"@revoked {here}", f"@cert-authority {here}",
            f"@revoked other,{here}",
        ]  # fmt: skip
        lines = [
            f"{rng.choice(heads)} {' '.join(pairs[rng.choice(list(pairs))])}"
            for _ in range(rng.choice([0, 1, 1, 2, 3, 4]))
        ]
        lines += rng.choice([[], ["broken"], ["# a comment"]])
        first, strict = tmp_path / "mine", rng.choice(["yes", "accept-new", "accept-new", "no"])
        config = tmp_path / "config"
        config.write_text(
            f"Host it\n  HostName 127.0.0.1\n  Port {server.port}\n  User nobody\n"
            f'  UserKnownHostsFile "{first}" {tmp_path}/second # two of them\n'
            f"  GlobalKnownHostsFile {tmp_path}/global\n  StrictHostKeyChecking {strict}\n"
            + (f"  HostKeyAlias {alias}\n" if alias else "")
            + "  UpdateHostKeys no\n  IdentityFile none\n"
        )
        cut = sorted(rng.randint(0, len(lines)) for _ in range(2))
        parts = lines[: cut[0]], lines[cut[0] : cut[1]], lines[cut[1] :]
        end = rng.choice(["", "\n"])

        def write(parts: tuple[list[str], ...] = parts, end: str = end) -> None:
            for name, part in zip(("mine", "second", "global"), parts, strict=True):
                (tmp_path / name).write_text("\n".join(part) + end)

        write()
        said = subprocess.run(
            ["ssh", "-v", "-F", str(config), "-o", "BatchMode=yes", "it", "true"],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "SSH_AUTH_SOCK": ""},
        ).stderr  # fmt: skip
        theirs = "Host key verification failed" not in said
        assert theirs == ("Permission denied" in said), said
        shown = re.search(r"Server host key: (\S+) ", said)
        assert shown is not None
        written = first.read_text()
        write()
        target = read_target("it", config)
        key = shown_key(target)
        assert key.get_name() == shown[1], (seed, said)
        nay = Nay()
        try:
            check_host_key(target, key, nay)
            ours = True
        except HostError:
            ours = False
        assert ours == theirs, (seed, said)
        assert first.read_text() == written, (seed, said)
        assert nay.asked == 0
        seen[f"{ours} {written.strip() != chr(10).join(parts[0]).strip()}"] += 1
    assert min(seen["True True"], seen["True False"], seen["False False"]) > 5, seen


def a_target(file: Path, **changes: Any) -> SshTarget:
    values: dict[str, object] = {"hostname": "login", "user_known_hosts": (file,), **changes}
    return SshTarget(alias="it", **values)  # type: ignore[arg-type]


def test_a_changed_or_revoked_key_names_the_line(keys: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "known"
    key = paramiko.PKey.from_path(keys["ed"])
    ed, ed2, rsa = (" ".join(public(keys[name])) for name in ("ed", "ed2", "rsa"))
    # Several keys of one type: any of them will do.
    file.write_text(f"# mine\nlogin {ed2}\nlogin {ed}\n")
    assert check_host_key(a_target(file), key, Nay())
    file.write_text(f"# mine\nlogin {ed2}\n")
    with pytest.raises(HostKeyChanged, match=rf"has changed.*{re.escape(str(file))}:2 has") as told:
        check_host_key(a_target(file), key, Nay())
    assert "ssh-keygen -R 'login'" in told.value.hint
    # A key of another type contradicts too: the host was asked for the known type.
    file.write_text(f"login {rsa}\n")
    with pytest.raises(HostKeyChanged, match=r":1 has another \(ssh-rsa\)"):
        check_host_key(a_target(file), key, Nay())
    file.write_text(f"login {ed}\n@revoked * {ed}\n")
    with pytest.raises(HostKeyChanged, match=r"was revoked: .*:2 says so"):
        check_host_key(a_target(file), key, Nay())
    # StrictHostKeyChecking no lets it pass, but no password may follow.
    assert check_host_key(a_target(file, strict="no"), key, Nay()) is False
    assert file.read_text() == f"login {ed}\n@revoked * {ed}\n"


def test_the_address_is_compared_where_checkhostip_says_so(
    keys: dict[str, Path], tmp_path: Path
) -> None:
    file = tmp_path / "known"
    key = paramiko.PKey.from_path(keys["ed"])
    ed, ed2 = (" ".join(public(keys[name])) for name in ("ed", "ed2"))
    target = a_target(file, check_host_ip=True, strict="accept-new")
    assert check_host_key(target, key, Nay(), "192.0.2.7")
    assert file.read_text() == f"login,192.0.2.7 {ed}\n"
    file.write_text(f"login {ed}\n")
    assert check_host_key(target, key, Nay(), "192.0.2.7")
    assert file.read_text() == f"login {ed}\n192.0.2.7 {ed}\n"
    file.write_text(f"login {ed}\n192.0.2.7 {ed2}\n")
    with pytest.raises(HostKeyChanged, match=r"host key of 192.0.2.7 .*:2 has another"):
        check_host_key(target, key, Nay(), "192.0.2.7")
    assert check_host_key(target, key, Nay(), "127.0.0.1"), "loopback is not asked after"
    assert check_host_key(a_target(file), key, Nay(), "192.0.2.7"), "nor is it by default"


def test_a_new_key_is_added_whole_and_privately(keys: dict[str, Path], tmp_path: Path) -> None:
    kind, encoded = public(keys["ed"])
    blob = paramiko.PKey.from_path(keys["ed"]).asbytes()
    file = tmp_path / "home" / ".ssh" / "known_hosts"
    add_key(file, ["[Login]:2222"], kind, blob, hashed=False)
    assert file.read_text() == f"[login]:2222 {kind} {encoded}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.write_text("# no end")
    file.chmod(0o644)
    add_key(file, ["login", "10.0.0.1"], kind, blob, hashed=True)
    head, *lines = file.read_text().splitlines()
    assert head == "# no end"
    assert [line.split()[0][:3] for line in lines] == ["|1|", "|1|"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644, "a file of theirs keeps its mode"
    assert [key.line for key in find_keys([file], "login")] == [2]
    assert [key.line for key in find_keys([file], "10.0.0.1")] == [3]
    add_key(Path("/dev/null"), ["login"], kind, blob, hashed=False)
    # Nowhere to write: said, where the person was asked.
    key = paramiko.PKey.from_path(keys["ed"])
    aside = a_target(file.parent)

    class Yea(Nay):
        def trust(self, host: str, kind: str, fingerprint: str) -> bool:
            return True

    with pytest.raises(HostError, match="cannot be added"):
        check_host_key(aside, key, Yea())
    assert check_host_key(a_target(file.parent, strict="accept-new"), key, Nay())
    with pytest.raises(HostError, match="StrictHostKeyChecking is yes"):
        check_host_key(a_target(tmp_path / "none", strict="yes"), key, Yea())
    assert check_host_key(a_target(file, user_known_hosts=()), key, Yea()), "none at all"


def certificate(keys: dict[str, Path], folder: Path, *options: str) -> paramiko.PKey:
    """Return the host's key with a certificate, as paramiko hands one over."""
    copied = folder / "host"
    for end in ("", ".pub"):
        shutil.copy(f"{keys['ed']}{end}", f"{copied}{end}")
    command = ["ssh-keygen", "-q", "-s", str(keys["authority"]), "-I", "it", *options]
    subprocess.run([*command, f"{copied}.pub"], check=True)
    key = paramiko.PKey.from_path(copied)
    if key.public_blob is None:
        key.load_certificate(f"{copied}-cert.pub")
    return key


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["-h", "-n", "other,log*"], ""), (["-h"], ""), (["-h", "-n", "login.cluster"], "not for"),
        (["-n", "login"], "one of a user"), (["-h", "-V", "20200101:20200102"], "not valid at"),
        (["-h", "-O", "critical:x=y"], "has options"),
    ],
)  # fmt: skip
def test_a_certificate_counts_as_for_ssh(
    keys: dict[str, Path], tmp_path: Path, options: list[str], why: str
) -> None:
    key = certificate(keys, tmp_path, *options)
    file = tmp_path / "known"
    authority, ed = (" ".join(public(keys[name])) for name in ("authority", "ed"))
    file.write_text(f"@cert-authority log*,!logout {authority}\n")
    if why:
        with pytest.raises(HostError, match=f"is not known.* does not count: it is.*{why}|{why}"):
            check_host_key(a_target(file), key, Nay())
    else:
        assert check_host_key(a_target(file), key, Nay())
        assert file.read_text().count("\n") == 1, "nothing is added for it"
    # The plain key decides where the certificate does not.
    file.write_text(f"login {ed}\n")
    assert check_host_key(a_target(file), key, Nay())
    file.write_text(f"@cert-authority * {authority}\n@revoked * {authority}\n")
    with pytest.raises(HostKeyChanged, match=r"revoked: .*:2"):
        check_host_key(a_target(file), key, Nay())


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/usr/sbin/sshd").exists(), reason="sshd needs root here"
)
def test_a_servers_certificate_is_asked_for_where_its_authority_is_known(
    keys: dict[str, Path], tmp_path: Path
) -> None:
    certificate(keys, tmp_path, "-h", "-n", "login")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    conf = tmp_path / "sshd_config"
    conf.write_text(
        f"HostKey {tmp_path}/host\nHostCertificate {tmp_path}/host-cert.pub\nUsePAM no\n"
        f"HostKey {keys['rsa']}\n"
    )
    known = tmp_path / "known"
    for first, certified in (("@cert-authority * ", True), ("", False)):
        known.write_text(first + "x " * (not first) + " ".join(public(keys["authority"])) + "\n")
        target = a_target(known)
        proxy = paramiko.ProxyCommand(f"/usr/sbin/sshd -i -f {conf}")
        transport = Transport(proxy)
        transport.known = known_keys(target)
        try:
            transport.start_client(timeout=20)
            key = transport.get_remote_server_key()
        finally:
            transport.close()
            proxy.close()
        assert (key.public_blob is not None) == certified
        if certified:
            assert check_host_key(target, key, Nay())


def test_patterns_and_order() -> None:
    assert match_pattern("gpu-01.cluster", "gpu-??.*")
    assert not match_pattern("gpu-1", "gpu-??")
    assert match_pattern("[a]", "[a]")
    assert not match_pattern("a", "[a]")
    assert not match_pattern("a" * 2000, "*a" * 200 + "b")
    assert order_algorithms((), []) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Port yes", "line 2.*no port"), ("Port 99999", "no port"), ("Port", "cannot be read"),
        ('UserKnownHostsFile "x', "quote without"), ("IdentityFile ~nobody-here/x", "no home"),
        ("UserKnownHostsFile ~nobody-here/x", "no home"), ("Include ~nobody-here/x", ""),
        ("StrictHostKeyChecking maybe", "no 'maybe'"), ("UserKnownHostsFile %Z", "no token %Z"),
        ("UserKnownHostsFile ${NO_SUCH_THING}", "no variable"), ('Host "a b', "cannot be read"),
        ("CanonicalizeHostname yes", ""), ("Match planet mars", "planet"),
        ("Port 22 23", "takes one value"),
        ("CanonicalizeHostname yes\nCanonicalizeMaxDots x", "cannot be read"),
        ("RevokedHostKeys /etc/x", "RevokedHostKeys"), ("\x01\x02", "cannot be read"),
        ("Match host", "cannot be read"), ("Match host *", ""),
    ],
)  # fmt: skip
def test_a_broken_configuration_is_one_error(tmp_path: Path, text: str, why: str) -> None:
    config = tmp_path / "config"
    config.write_text(f"# mine\n{text}\n")
    if not why:
        read_target("it", config)
        return
    with pytest.raises(HostError, match=f"(?i){why}") as told:
        read_target("it", config)
    assert str(config) in told.value.message
    assert told.value.hint


def test_a_configuration_is_read_as_ssh_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE", "there")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(HostError, match="is a folder"):
        read_target("it", tmp_path)
    config = tmp_path / "config"
    config.write_bytes(
        b'# caf\xe9\nHost it\n  HostName "Login.Cluster" # where\n  Port=2222\n  User ada\n'
        b'  UserKnownHostsFile "/a b/%h" /k/%k/%p/${PLACE} ~/known\n'
        b"  GlobalKnownHostsFile none\n  HostKeyAlias Vega\n  StrictHostKeyChecking off\n"
        b"  CheckHostIP yes\n  HashKnownHosts yes\n"
    )
    target = read_target("it", config)
    told = subprocess.run(
        ["ssh", "-G", "-F", str(config), "it"], capture_output=True, text=True, check=True
    ).stdout
    theirs = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
    assert target.hostname.lower() == theirs["hostname"]
    assert (str(target.port), target.user) == (theirs["port"], theirs["user"])
    assert target.key_name == theirs["hostkeyalias"] == "vega", "an alias has no port"
    assert theirs["stricthostkeychecking"] == "false"
    assert target.strict == "no"
    assert target.check_host_ip == (theirs["checkhostip"] == "yes") is True
    assert target.hash_known_hosts == (theirs["hashknownhosts"] == "yes") is True
    assert [str(file) for file in target.known_hosts] == [
        "/a b/login.cluster", "/k/vega/2222/there", f"{Path('~/known').expanduser()}",
    ]  # fmt: skip
    with pytest.raises(BatmanError, match="is no SSH host"):
        read_target("it:99999", config)
    plain = read_target("Other:2222", config)
    assert plain.key_name == "[other]:2222"
    assert plain.known_hosts[-1] == Path("/etc/ssh/ssh_known_hosts2")
