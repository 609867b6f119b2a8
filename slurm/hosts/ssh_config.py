"""Where a host is and how it is logged in to: what ssh's configuration says about it.

Where there is an `ssh`, it is asked; else, and where it would look into another home folder than
ours, `~/.ssh/config` is read as it reads it (`config/read_config.py`).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import BatmanError
from core.common.files import expand_user
from core.common.text import clean
from slurm.hosts.base import HostError
from slurm.hosts.config.ask_ssh import ask_ssh
from slurm.hosts.config.read_config import OnlySsh, host_names, read_config
from slurm.hosts.config.tokens import client_tokens, expand
from slurm.hosts.known_hosts import host_name
from slurm.hosts.pump import NotStarted

# ssh_config(5), IdentityFile, in the order of OpenSSH 9.2's fill_default_options().
_DEFAULT_KEYS = (
    "id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa",
)  # fmt: skip
# ssh_config(5), the defaults of UserKnownHostsFile and GlobalKnownHostsFile.
_USER_KNOWN = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_STRICT = {
    "yes": "yes", "true": "yes", "no": "no", "off": "no", "false": "no",
    "ask": "ask", "accept-new": "accept-new",
}  # fmt: skip
_ITSELF = 'Write via = "ssh" in the cluster\'s profile'


@dataclass(frozen=True)
class SshTarget:
    """Where to connect and as whom.

    `jumps` are the hosts to go through, first one first. Of `identity_files`, which `named` says
    are the person's own choice, and `certificate_files` keys are offered; `identities_only` keeps
    the agent's other keys back, and `agent` is the agent's socket, None where there is to be none.
    `known_hosts` are read in order; a new key is added to the first of `user_known_hosts`.
    `strict` is StrictHostKeyChecking: yes, no, ask or accept-new. `only_ssh` names options that
    only ssh itself can follow.
    """

    alias: str
    hostname: str
    port: int = 22
    user: str = ""
    identity_files: tuple[Path, ...] = ()
    named: bool = False
    certificate_files: tuple[Path, ...] = ()
    identities_only: bool = False
    agent: str | None = None
    jumps: tuple[str, ...] = ()
    proxy_command: str | None = None
    user_known_hosts: tuple[Path, ...] = ()
    global_known_hosts: tuple[Path, ...] = ()
    host_key_alias: str | None = None
    strict: str = "ask"
    check_host_ip: bool = False
    hash_known_hosts: bool = False
    connect_timeout: float = 15.0
    only_ssh: tuple[str, ...] = ()

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
    a file that ssh does not take, or an empty host.
    """
    user, alias, port = check_spec(spec)
    file = config or Path.home() / ".ssh" / "config"

    def read() -> dict[str, list[str]]:
        return read_config(file, alias, user, port, _local_user())

    try:
        try:
            told = _ask(config, alias, user, port)
        except HostError:
            # What is wrong, our own reading tells better; if it finds anything.
            with contextlib.suppress(OnlySsh):
                make_target(spec, alias, read())
            raise
        if told is None:
            return make_target(spec, alias, read())
        return make_target(spec, alias, told, read)
    except HostError as error:
        if str(file) in error.message:
            raise
        raise HostError(f"'{clean(str(file))}': {error.message}", error.hint) from None
    except BatmanError as error:
        raise HostError(f"'{clean(str(file))}': {error.message}", error.hint) from None
    except OSError as error:
        raise HostError(
            f"'{clean(str(file))}' cannot be read: {error.strerror}.", "Check its permissions."
        ) from None


def check_spec(spec: str) -> tuple[str | None, str, str | None]:
    """Return user, host and port of `spec` as they are written. Raises `HostError`."""
    match = re.fullmatch(r"(?:ssh://)?(?:([^@\s]+)@)?(\[[^\]]+\]|[^\s:@]+)(?::(\d{1,5}))?", spec)
    if match is None or spec.startswith("-") or (match[3] and not 0 < int(match[3]) < 65536):
        raise HostError(
            f"'{clean(spec)}' is no SSH host.", "Write host, user@host or user@host:port."
        )
    user, alias, port = match.groups()
    return user, alias.strip("[]"), port


def _ask(
    config: Path | None, alias: str, user: str | None, port: str | None
) -> dict[str, list[str]] | None:
    """Ask ssh; None where there is none, or it takes another folder for the person's home."""
    if shutil.which("ssh") is None:
        return None
    try:
        home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None
    if home != Path.home() or (config is not None and not config.is_file()):
        return None
    words = ["ssh", *(["-F", str(config)] if config else [])]
    words += ["-l", user] if user else []
    words += ["-p", port] if port else []
    try:
        return ask_ssh([*words, "-G", "--", alias])
    except NotStarted:
        return None


def make_target(
    spec: str,
    alias: str,
    found: Mapping[str, Sequence[str]],
    read: Callable[[], Mapping[str, Sequence[str]]] | None = None,
) -> SshTarget:
    """Return the target that the options `found` describe.

    They are what ssh told where `read` is given, which returns our own reading of them: ssh prints
    the names of several files with blanks between, whatever is in them. Raises `BatmanError`.
    """

    def text(name: str, default: str = "") -> str:
        values = found.get(name)
        value = values[0] if values else ""
        return default if value.lower() in ("", "none") else value

    hostname, port = text("hostname", alias), text("port", "22")
    local_user = _local_user()
    login = text("user", local_user)
    key_alias = text("hostkeyalias").lower() or None
    tokens = client_tokens(
        typed=alias, host=hostname, port=port, user=login, alias=key_alias, local_user=local_user
    )

    def path(word: str) -> Path:
        return expand_user(expand(word, tokens, variables=True))

    def known(name: str, default: tuple[str, ...]) -> tuple[Path, ...]:
        usual = tuple(map(path, default))
        words = found.get(name)
        if not words:
            return usual
        if read is None:
            files = tuple(map(path, words))
        elif words[0] == " ".join(map(str, usual)):
            files = usual
        else:
            files = _apart(words[0], lambda: tuple(map(path, read().get(name, ()))))
        return () if str(files[0]).lower() == "none" else files

    strict = _STRICT.get(text("stricthostkeychecking", "ask").lower())
    if strict is None:
        raise BatmanError(
            f"StrictHostKeyChecking is no '{clean(text('stricthostkeychecking'))}'.",
            "Choose yes, no, ask or accept-new.",
        )
    if text("revokedhostkeys"):
        raise BatmanError(
            "RevokedHostKeys is set, whose files only ssh itself can read.",
            f"{_ITSELF}, or take it out.",
        )
    identities = [word for word in found.get("identityfile", ()) if word.lower() != "none"]
    defaults = [f"~/.ssh/{name}" for name in _DEFAULT_KEYS]
    # Without any of the person's own ssh names them all.
    named = bool(identities) and not (set(identities) <= set(defaults) and len(identities) > 3)
    jump, command = text("proxyjump"), text("proxycommand")
    timeout = text("connecttimeout")
    return SshTarget(
        alias=spec,
        hostname=hostname,
        port=int(port),
        user=login,
        identity_files=tuple(map(path, identities if named else defaults)),
        named=named,
        certificate_files=tuple(
            path(word) for word in found.get("certificatefile", ()) if word.lower() != "none"
        ),
        identities_only=_is_yes(text("identitiesonly")),
        agent=_agent(found.get("identityagent", ("",))[0], path),
        jumps=tuple(part.strip() for part in expand(jump, tokens).split(",")) if jump else (),
        proxy_command=expand(command, tokens) if command else None,
        user_known_hosts=known("userknownhostsfile", _USER_KNOWN),
        global_known_hosts=known("globalknownhostsfile", _GLOBAL_KNOWN),
        host_key_alias=key_alias,
        strict=strict,
        check_host_ip=_is_yes(text("checkhostip")),
        hash_known_hosts=_is_yes(text("hashknownhosts")),
        connect_timeout=float(timeout) if re.fullmatch(r"[0-9]{1,6}", timeout) else 15.0,
        only_ssh=("PKCS11Provider",) if text("pkcs11provider") else (),
    )


def _apart(joined: str, ours: Callable[[], tuple[Path, ...]]) -> tuple[Path, ...]:
    """Return the files of a line of ssh's: as we read them, where that is the same line."""
    if " " in joined:
        with contextlib.suppress(BatmanError):
            files = ours()
            if " ".join(map(str, files)) == joined:
                return files
    return tuple(map(Path, joined.split()))


def _agent(word: str, path: Callable[[str], Path]) -> str | None:
    """Return the agent's socket that IdentityAgent names, else that of the environment."""
    if word.lower() == "none":
        return None
    variable = "SSH_AUTH_SOCK" if word in ("", "SSH_AUTH_SOCK") else word
    if variable == "SSH_AUTH_SOCK" or re.fullmatch(r"\$\w+", variable, re.ASCII):
        return os.environ.get(variable.removeprefix("$")) or None
    return str(path(word))


def aliases(config: Path | None = None) -> list[str]:
    """Return the names that the config gives to hosts, without patterns, to choose from."""
    try:
        names = host_names(config or Path.home() / ".ssh" / "config")
    except (OSError, BatmanError):
        return []
    return list(dict.fromkeys(name for name in names if not re.search(r"[*?!]", name)))


def _is_yes(text: str) -> bool:
    return text.lower() in ("yes", "true")


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise BatmanError(
            "Nobody knows your user's name here.", "Write User in the file, or user@host."
        ) from None
