"""What `~/.ssh/config` says about a host, `Include` and jumps among it."""

from __future__ import annotations

import getpass
import glob
import os
import re
import shlex
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import paramiko

from core.common.errors import BatmanError
from core.common.files import expand_user
from core.common.text import clean
from slurm.hosts.base import HostError
from slurm.hosts.known_hosts import host_name

# ssh_config(5): files may include files, and OpenSSH stops at a depth of 16.
_DEPTH = 16
_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
# ssh_config(5), the defaults of UserKnownHostsFile and GlobalKnownHostsFile.
_USER_KNOWN = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_STRICT = {
    "yes": "yes", "true": "yes", "no": "no", "off": "no", "false": "no",
    "ask": "ask", "accept-new": "accept-new",
}  # fmt: skip
# Keywords whose words are taken apart here, for paramiko keeps quotes and comments in them; those
# of the second set take several words.
_ONE_WORD = {
    "hostname", "port", "user", "identityfile", "identitiesonly", "hostkeyalias", "connecttimeout",
    "stricthostkeychecking", "checkhostip", "hashknownhosts", "proxyjump", "revokedhostkeys",
}  # fmt: skip
_WORDS = {"userknownhostsfile", "globalknownhostsfile"}
_BETWEEN = "\x1f"
# Stands for a `~` in front: paramiko makes "/home/meother/key" of "~other/key".
_HOME = "\x01"


@dataclass(frozen=True)
class SshTarget:
    """Where to connect and as whom.

    `jumps` are the hosts to go through, first one first. `identities_only` keeps the agent's
    other keys back. `known_hosts` are read in order; a new key is added to the first of
    `user_known_hosts`. `strict` is StrictHostKeyChecking: yes, no, ask or accept-new.
    """

    alias: str
    hostname: str
    port: int = 22
    user: str = ""
    identity_files: tuple[Path, ...] = ()
    identities_only: bool = False
    jumps: tuple[str, ...] = ()
    proxy_command: str | None = None
    user_known_hosts: tuple[Path, ...] = ()
    global_known_hosts: tuple[Path, ...] = ()
    host_key_alias: str | None = None
    strict: str = "ask"
    check_host_ip: bool = False
    hash_known_hosts: bool = False
    connect_timeout: float = 15.0

    @property
    def known_hosts(self) -> tuple[Path, ...]:
        """Every known hosts file, the person's own first."""
        return self.user_known_hosts + self.global_known_hosts

    @property
    def key_name(self) -> str:
        """The name that known_hosts files have for it: an alias has no port (HostKeyAlias)."""
        if self.host_key_alias is not None:
            return self.host_key_alias.lower()
        return host_name(self.hostname.lower(), self.port)


def read_target(spec: str, config: Path | None = None) -> SshTarget:
    """Return where `spec` leads: an alias of the config, `host`, `user@host` or `user@host:port`.

    `config` is `~/.ssh/config` unless given; a missing file says nothing. Raises `HostError` for
    a file that cannot be parsed, or an empty host.
    """
    folder = Path.home() / ".ssh"
    file = config or folder / "config"
    match = re.fullmatch(r"(?:ssh://)?(?:([^@\s]+)@)?(\[[^\]]+\]|[^\s:@]+)(?::(\d{1,5}))?", spec)
    if match is None or (match[3] and not 0 < int(match[3]) < 65536):
        raise HostError(
            f"'{clean(spec)}' is no SSH host.", "Write host, user@host or user@host:port."
        )
    user, alias, port = match.groups()
    alias = alias.strip("[]")
    try:
        return _make(spec, alias, user, port, _look_up(alias, file, folder), folder)
    except HostError:
        raise
    except BatmanError as error:
        raise HostError(f"'{clean(str(file))}': {error.message}", error.hint) from None


def _look_up(alias: str, file: Path, folder: Path) -> Mapping[str, object]:
    parsed = paramiko.SSHConfig()
    try:
        parsed.parse(_lines(file, folder, 0))
        return parsed.lookup(alias)
    except KeyError as error:
        why = f"{clean(str(error))} is missing"
    # Beside its own errors, paramiko lets those of numbers and of missing words through.
    except (paramiko.SSHException, OSError, ValueError, IndexError) as error:
        why = clean(str(error))
    raise HostError(
        f"'{clean(str(file))}' cannot be read: {why[:200]}.",
        f"Put it right; 'ssh -G {clean(alias)}' shows what ssh makes of it.",
    )


def _make(
    spec: str,
    alias: str,
    user: str | None,
    port: str | None,
    found: Mapping[str, object],
    folder: Path,
) -> SshTarget:
    """Return the target that the options `found` describe. Raises `BatmanError`."""

    def text(name: str, default: str = "") -> str:
        return str(found.get(name) or default)

    jump = text("proxyjump", "none")
    hostname = text("hostname", alias)
    number = int(port or text("port", "22"))
    named = found.get("identityfile")
    files = [str(name).replace(_HOME, "~", 1) for name in named] if isinstance(named, list) else []
    timeout = text("connecttimeout")
    command = found.get("proxycommand")
    login = user or text("user") or _local_user()
    key_alias = found.get("hostkeyalias")
    strict = _STRICT.get(text("stricthostkeychecking", "ask").lower())
    if strict is None:
        raise BatmanError(
            f"StrictHostKeyChecking is no '{clean(text('stricthostkeychecking'))}'.",
            "Choose yes, no, ask or accept-new.",
        )
    if text("revokedhostkeys", "none").lower() != "none":
        raise BatmanError(
            "RevokedHostKeys is set, whose files only ssh itself can read.",
            'Write via = "ssh" in the cluster\'s profile, or take it out.',
        )
    # ssh_config(5), TOKENS: what is known without a connection.
    tokens = {
        "%": "%", "d": str(folder.parent), "h": hostname, "k": str(key_alias or alias),
        "l": socket.gethostname(), "L": socket.gethostname().partition(".")[0], "n": alias,
        "p": str(number), "r": login, "u": _local_user(), "i": str(os.getuid()),
    }  # fmt: skip

    def known(name: str, default: tuple[str, ...]) -> tuple[Path, ...]:
        given = text(name)
        words = tuple(given.split(_BETWEEN)) if given else default
        if words[0].lower() == "none":
            return ()
        return tuple(expand_user(_expand(word, tokens)) for word in words)

    return SshTarget(
        alias=spec,
        hostname=hostname,
        port=number,
        user=login,
        identity_files=tuple(map(expand_user, files))
        or tuple(folder / name for name in _DEFAULT_KEYS),
        identities_only=_is_yes(text("identitiesonly")),
        jumps=() if jump.lower() == "none" else tuple(part.strip() for part in jump.split(",")),
        proxy_command=None if command in (None, "none") else str(command),
        user_known_hosts=known("userknownhostsfile", _USER_KNOWN),
        global_known_hosts=known("globalknownhostsfile", _GLOBAL_KNOWN),
        host_key_alias=None if key_alias is None else str(key_alias),
        strict=strict,
        check_host_ip=_is_yes(text("checkhostip")),
        hash_known_hosts=_is_yes(text("hashknownhosts")),
        connect_timeout=float(timeout) if re.fullmatch(r"[0-9]{1,6}", timeout) else 15.0,
    )


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
    except (OSError, ValueError, BatmanError):
        return []
    return list(names)


def _lines(file: Path, folder: Path, depth: int) -> Iterator[str]:
    """Yield the file's lines with every included file in its place, as paramiko does not.

    The words of the options that are used here come without quotes and comments.
    """
    if depth > _DEPTH:
        raise HostError(f"'{clean(str(file))}' includes itself.", "Remove the Include line.")
    if file.is_dir():
        raise HostError(f"'{clean(str(file))}' is a folder.", "Put ssh's configuration there.")
    if not file.exists():
        return
    # A comment may be in any encoding.
    with file.open(encoding="utf-8", errors="surrogateescape") as opened:
        for number, line in enumerate(opened, 1):
            match = re.match(r"\s*(\w+)(?:\s*=\s*|\s+)(.+)", line)
            keyword = match[1].lower() if match else ""
            if match is None or keyword not in {"include", *_ONE_WORD, *_WORDS}:
                yield line
                continue
            words = _split(match[2], file, number, keyword)
            if keyword == "identityfile":
                words[0] = re.sub("^~", _HOME, words[0])
            if keyword != "include":
                yield f"{keyword} {_BETWEEN.join(words)}\n"
                continue
            for pattern in words:
                for included in sorted(glob.glob(str(folder / expand_user(pattern)))):  # noqa: PTH207
                    yield from _lines(Path(included), folder, depth + 1)


def _split(text: str, file: Path, number: int, keyword: str) -> list[str]:
    """Return an option's words. Raises `HostError` for those that ssh does not take either."""
    where = f"Line {number} of '{clean(str(file))}'"
    try:
        words = [word for word in shlex.split(text, comments=True) if word]
    except ValueError:
        raise HostError(f"{where} has a quote without its end.", "Put it right.") from None
    if not words or (keyword in _ONE_WORD and len(words) > 1):
        raise HostError(
            f"{where}: {keyword} takes {'one value' if keyword in _ONE_WORD else 'a value'}.",
            "Put it right.",
        )
    if keyword == "port" and not (
        re.fullmatch(r"[0-9]{1,5}", words[0]) and 0 < int(words[0]) < 65536
    ):
        raise HostError(
            f"{where}: '{clean(words[0][:40])}' is no port.", "A port is a number up to 65535."
        )
    return words


def _expand(word: str, tokens: Mapping[str, str]) -> str:
    """Return a file's name with tokens and environment variables replaced, as ssh does."""

    def token(match: re.Match[str]) -> str:
        if match[1] is not None:
            if match[1] not in tokens:
                raise BatmanError(f"There is no token %{clean(match[1])}.", "See man ssh_config.")
            return tokens[match[1]]
        if match[2] not in os.environ:
            raise BatmanError(f"There is no variable {clean(match[2])}.", "Set it, or name a file.")
        return os.environ[match[2]]

    return re.sub(r"%(.)|\$\{([^}]*)\}", token, word)


def _is_yes(text: str) -> bool:
    return text.lower() in ("yes", "true")


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise BatmanError(
            "Nobody knows your user's name here.", "Write User in the file, or user@host."
        ) from None
