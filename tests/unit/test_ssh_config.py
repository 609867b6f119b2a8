"""ssh's configuration as `ssh -G` says it is: asked where there is an ssh, and read the same."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from core.common.errors import BatmanError
from slurm.hosts import HostError, ssh_config
from slurm.hosts.config.ask_ssh import ask_ssh
from slurm.hosts.config.read_config import OnlySsh, read_config
from slurm.hosts.ssh_config import aliases, make_target, read_target

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="no OpenSSH client here")
NAMES = ("vega", "gpu-01.cluster", "login.Cluster", "rigel", "10.0.0.7")
USERS = ("ada", "root", "grace")
COMMANDS = (
    '"true"', '"false"', '"test %n = vega"', '"test %h = %n"', '"test %p = 22 -a %r = ada"',
)  # fmt: skip
KINDS = ("host", "originalhost", "user", "localuser", "exec", "final", "canonical")


class Maker:
    """Makes configurations that ssh takes, by everything that its manual allows."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng = random.Random(seed)
        self.folder = folder
        self.files = 0

    def some(self, *choices: str) -> str:
        return self.rng.choice(choices)

    def quoted(self, word: str) -> str:
        return f'"{word}"' if " " in word or self.rng.random() < 0.2 else word

    def patterns(self, between: str = " ") -> str:
        made = [
            self.some(
                *NAMES, "*", "vega*", "*.cluster", "gpu-??.*", "!rigel", "!gpu-*", "*.?luster"
            )
            for _ in range(self.rng.randint(1, 3))
        ]
        return between.join(made)

    def head(self) -> str:
        """A line that begins a block."""
        if self.rng.random() < 0.5:
            return self.option("Host", self.patterns())
        criteria = []
        for _ in range(self.rng.randint(1, 3)):
            kind = self.some(
                "host", "originalhost", "user", "localuser", "exec", "final", "canonical"
            )
            bang = "!" if self.rng.random() < 0.25 else ""
            if kind in ("final", "canonical"):
                criteria.append(bang + kind)
                continue
            value = {
                "user": ",".join(self.rng.sample(USERS, 2)),
                "localuser": self.some("root", "r*,ada"),
                "exec": self.some(*COMMANDS),
            }.get(kind, self.patterns(","))
            between = " " if kind == "exec" else self.some(" ", "  ", "=")
            criteria.append(f"{bang}{kind}{between}{value}")
        asked = " ".join(criteria)
        return f"{self.some('Match', 'match', 'MATCH')} {self.some('all', asked, asked, asked)}"

    def option(self, name: str, value: str) -> str:
        name = self.some(name, name.lower(), name.upper())
        return f"{self.some('', '  ', chr(9))}{name}{self.some(' ', '=', ' = ', '  ')}{value}"

    def line(self, depth: int) -> str:
        kind = self.rng.randrange(20)
        if kind < 3 and depth < 3:
            return self.option(
                "Include", " ".join(self.include(depth) for _ in range(self.rng.randint(1, 2)))
            )
        if kind < 5:
            return self.some("# a comment", "", "   ", "\t# Host vega")
        name, value = self.rng.choice([
            ("HostName", self.some("%h.example.org", "Vega.Example", "10.1.1.1", "%h")),
            ("Port", str(self.rng.randint(1, 65535))), ("User", self.some(*USERS)),
            ("IdentityFile", self.quoted(self.some("/k/one", "/k/two words", "~/.ssh/%r"))),
            ("IdentityFile", self.quoted(self.some("/k/%n-%h-%p", "/k/%%"))),
            ("IdentityFile", self.quoted(self.some("/k/three", "/k/it\\'s"))),
            ("CertificateFile", self.quoted(self.some("/c/a", "/c/%u b"))),
            ("IdentitiesOnly", self.some("yes", "no")),
            ("IdentityAgent", self.some("none", "/a/%h")),
            ("ProxyJump", self.some("bastion", "ada@one:22,two", "none", "[::1]:99")),
            ("ProxyCommand", self.some("nc %h %p", 'sh -c "nc %h %p" # not a comment', "none")),
            ("UserKnownHostsFile", self.some('"/a b/%h" /k/%k/%p', "/one", "none", "/x /y /z")),
            ("GlobalKnownHostsFile", self.some("/g", '"/g one" "/g two"')),
            ("HostKeyAlias", self.some("Key.One", "two")), ("CheckHostIP", self.some("yes", "no")),
            ("StrictHostKeyChecking", self.some("yes", "no", "off", "ask", "accept-new")),
            ("HashKnownHosts", self.some("yes", "no")), ("ConnectTimeout", self.some("3", "77")),
            ("ServerAliveInterval", "30"), ("SendEnv", "LANG LC_*"), ("PKCS11Provider", "/l/p.so"),
        ])  # fmt: skip
        comment = " # why" if self.rng.random() < 0.1 and not name.startswith("Proxy") else ""
        return self.option(name, value) + comment

    def include(self, depth: int) -> str:
        self.files += 1
        file = self.folder / f"part {self.files}"
        file.write_text(self.text(depth + 1))
        return self.some(f'"{file}"', f"{self.folder}/part?{self.files}", "/no/such/*")

    def text(self, depth: int = 0) -> str:
        lines = [self.line(depth) for _ in range(self.rng.randint(0, 3))]
        for _ in range(self.rng.randint(1, 4 - depth)):
            lines.append(self.head())
            lines += [self.line(depth) for _ in range(self.rng.randint(1, 5))]
        return "\n".join(lines) + self.some("\n", "", "\r\n")


@needs_ssh
def test_two_hundred_configurations_are_read_as_ssh_reads_them(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    config = tmp_path / "config"
    for seed in range(200):
        maker = Maker(seed, tmp_path)
        config.write_text(maker.text())
        host = maker.some(*NAMES)
        user, port = maker.some("", "", *USERS) or None, maker.some("", "", "2200") or None
        words = [*(["-l", user] if user else []), *(["-p", port] if port else [])]
        told = ask_ssh(["ssh", "-F", str(config), *words, "-G", "--", host])
        ours = read_config(config, host, user, port, "root")
        theirs = make_target("it", host, told, lambda ours=ours: ours)
        assert make_target("it", host, ours) == theirs, (seed, config.read_text())
        if seed % 20 == 0:
            assert read_target(f"ada@{host}:2200", config).user == "ada"
        seen.update(name for name in ours if ours[name])
        for word in ("include", "match", "final", "exec", "originalhost"):
            seen[f"has {word}"] += bool(
                re.search(rf"^\s*{word}|^match.*{word}", config.read_text(), re.I | re.M)
            )
    assert len(seen) > 20, seen
    assert min(seen.values()) > 10, seen


@needs_ssh
def test_where_ssh_says_otherwise_ssh_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "CanonicalizeHostname yes\nCanonicalDomains invalid\nMatch canonical\n  User ada\n"
        f"Host *\n  UserKnownHostsFile /one '{tmp_path}/a b'\n"
    )
    target = read_target("vega", config)
    assert (target.user, target.hostname) == ("ada", "vega")
    # Our own reading does not look names up: files are taken apart at blanks.
    assert len(target.user_known_hosts) == 3
    # A home folder that ssh does not take for ours, or no ssh: what we read ourselves.
    monkeypatch.setattr(ssh_config.Path, "home", lambda: tmp_path)
    with pytest.raises(OnlySsh, match="CanonicalizeHostname") as caught:
        read_target("vega", config)
    assert "Install OpenSSH" in caught.value.hint
    config.write_text("Match localnetwork 10.0.0.0/8\n  User ada\n")
    with pytest.raises(HostError, match=r"Line 1 of .*'Match localnetwork' is understood by ssh"):
        read_target("vega", config)


def test_an_included_file_keeps_its_scope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_config.Path, "home", lambda: tmp_path)
    folder = tmp_path / ".ssh"
    folder.mkdir()
    (folder / "part").write_text("Host rigel\n  User part\n  Port 1\nMatch planet\n")
    (folder / "config").write_text("Host other\n  Include part\n  Port 7\nHost *\n  User all\n")
    with pytest.raises(HostError, match="Match planet"):
        read_target("rigel")
    (folder / "part").write_text("Host rigel\n  User part\n  Port 1\n")
    target = read_target("rigel")
    assert (target.user, target.port) == ("all", 22), "an Include of others says nothing of it"
    assert read_target("other").port == 7, "what follows an Include belongs to its own Host"
    assert aliases() == ["other", "rigel"]
    with pytest.raises(BatmanError):
        read_target("-oProxyCommand=x")
