"""What `~/.ssh/config` says about a host, `Include` and jumps among it."""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko

from core.text import clean
from slurm.hosts.base import HostError

# ssh_config(5): files may include files, and OpenSSH stops at a depth of 16.
_DEPTH = 16
_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(frozen=True)
class SshTarget:
    """Where to connect and as whom.

    `jumps` are the hosts to go through, first one first. `identities_only` keeps the agent's
    other keys back. `known_hosts` are read in order; a new key is added to the first.
    """

    alias: str
    hostname: str
    port: int = 22
    user: str = ""
    identity_files: tuple[Path, ...] = ()
    identities_only: bool = False
    jumps: tuple[str, ...] = ()
    proxy_command: str | None = None
    known_hosts: tuple[Path, ...] = ()
    host_key_alias: str | None = None
    connect_timeout: float = 15.0

    @property
    def key_name(self) -> str:
        """The name that known_hosts files have for it: `[host]:port` unless the port is 22."""
        name = self.host_key_alias or self.hostname
        return name if self.port == 22 else f"[{name}]:{self.port}"


def read_target(spec: str, config: Path | None = None) -> SshTarget:
    """Return where `spec` leads: an alias of the config, `host`, `user@host` or `user@host:port`.

    `config` is `~/.ssh/config` unless given; a missing file says nothing. Raises `HostError` for
    a file that cannot be parsed, or an empty host.
    """
    folder = Path.home() / ".ssh"
    file = config or folder / "config"
    match = re.fullmatch(r"(?:ssh://)?(?:([^@\s]+)@)?(\[[^\]]+\]|[^\s:@]+)(?::(\d{1,5}))?", spec)
    if match is None:
        raise HostError(
            f"'{clean(spec)}' is no SSH host.", "Write host, user@host or user@host:port."
        )
    user, alias, port = match.groups()
    alias = alias.strip("[]")
    parsed = paramiko.SSHConfig()
    try:
        parsed.parse(_lines(file, folder, 0))
        found = parsed.lookup(alias)
    except (paramiko.ConfigParseError, OSError, UnicodeDecodeError, ValueError) as error:
        raise HostError(
            f"'{clean(str(file))}' cannot be read: {clean(str(error))}.", "Put it right."
        ) from None
    jump = str(found.get("proxyjump", "none"))
    named = [Path(name).expanduser() for name in found.get("identityfile", [])]
    known = found.get("userknownhostsfile")
    timeout = str(found.get("connecttimeout", ""))
    command = found.get("proxycommand")
    return SshTarget(
        alias=spec,
        hostname=str(found["hostname"]),
        port=int(port or found.get("port", 22)),
        user=user or str(found.get("user") or getpass.getuser()),
        identity_files=tuple(named or [folder / name for name in _DEFAULT_KEYS]),
        identities_only=str(found.get("identitiesonly", "no")).lower() == "yes",
        jumps=() if jump.lower() == "none" else tuple(part.strip() for part in jump.split(",")),
        proxy_command=None if command in (None, "none") else str(command),
        known_hosts=(
            *(Path(name).expanduser() for name in shlex.split(str(known))),
        ) if known else (
            folder / "known_hosts", folder / "known_hosts2", Path("/etc/ssh/ssh_known_hosts"),
        ),
        host_key_alias=found.get("hostkeyalias"),
        connect_timeout=float(timeout) if timeout.isdigit() else 15.0,
    )  # fmt: skip


def aliases(config: Path | None = None) -> list[str]:
    """Return the names that the config gives to hosts, without patterns, to choose from."""
    folder = Path.home() / ".ssh"
    names: dict[str, None] = {}
    try:
        for line in _lines(config or folder / "config", folder, 0):
            match = re.match(r"\s*host(?:\s*=\s*|\s+)(.+)", line, re.IGNORECASE)
            for name in shlex.split(match.group(1)) if match else ():
                if not re.search(r"[*?!]", name):
                    names[name] = None
    except (OSError, ValueError):
        return []
    return list(names)


def _lines(file: Path, folder: Path, depth: int) -> Iterator[str]:
    """Yield the file's lines with every included file in its place, as paramiko does not."""
    if depth > _DEPTH:
        raise HostError(f"'{clean(str(file))}' includes itself.", "Remove the Include line.")
    if not file.is_file():
        return
    with file.open(encoding="utf-8") as opened:
        for line in opened:
            match = re.match(r"\s*include(?:\s*=\s*|\s+)(.+)", line, re.IGNORECASE)
            if match is None:
                yield line
                continue
            for pattern in shlex.split(match.group(1), comments=True):
                path = Path(pattern).expanduser()
                base = path if path.is_absolute() else folder / path
                anchor = Path(base.anchor)
                for included in sorted(anchor.glob(str(base.relative_to(anchor)))):
                    yield from _lines(included, folder, depth + 1)
