"""Who is at the other end, and who we are: host keys and logins."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import paramiko

from core.text import clean
from slurm.hosts.base import HostError
from slurm.hosts.ssh_config import SshTarget

# OpenSSH's server ends a connection after six failed tries (MaxAuthTries).
_MOST_KEYS = 5
_PASSPHRASE_TRIES = 3


class Asker(Protocol):
    """The person. Answers are used once and kept nowhere."""

    def ask(self, title: str, prompt: str, *, secret: bool) -> str | None:
        """Return what the person typed, or None if they gave up. `secret` is not echoed."""
        ...

    def trust(self, host: str, kind: str, fingerprint: str) -> bool:
        """Return whether the person trusts a host key never seen before."""
        ...


class Nobody:
    """There is no person to ask: nothing is answered, and no new host is trusted."""

    def ask(self, title: str, prompt: str, *, secret: bool) -> str | None:
        """Answer nothing."""
        return None

    def trust(self, host: str, kind: str, fingerprint: str) -> bool:
        """Trust nobody."""
        return False


class HostKeyChanged(HostError):
    """The host shows another key than the one that is known: it is refused."""


class LoginFailed(HostError):
    """The host did not let us in. Trying again by itself would lock the account out."""


def fingerprint(key: paramiko.PKey) -> str:
    """Return a key's fingerprint as OpenSSH prints it: SHA256 in base64 without padding."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def preferred_key_types(target: SshTarget) -> list[str]:
    """Return the types of the keys known for the host, which the server is asked for first."""
    return [kind for _, entry in _known(target) for kind in entry]


def check_host_key(target: SshTarget, key: paramiko.PKey, asker: Asker) -> None:
    """Let a known key pass, ask about a new one, refuse a changed one.

    A key that the person trusts is added to the first known_hosts file. Raises `HostKeyChanged`,
    or `HostError` when the person does not trust it.
    """
    kind, shown = key.get_name(), fingerprint(key)
    for file, entry in _known(target):
        # A host may have keys of several types; only one of the same type can contradict.
        if kind in entry:
            if entry[kind].asbytes() == key.asbytes():
                return
            raise HostKeyChanged(
                f"The host key of {clean(target.key_name)} has changed to {shown}."
                " Somebody may be listening in, or the machine was set up anew.",
                f"Ask its administrators. If the new key is right:"
                f" ssh-keygen -R '{clean(target.key_name)}' -f '{clean(str(file))}'",
            )
    if not asker.trust(target.key_name, kind, shown):
        raise HostError(
            f"The host key of {clean(target.key_name)} ({kind} {shown}) is not known.",
            "Connect once and confirm its fingerprint.",
        )
    file = target.known_hosts[0]
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("a", encoding="ascii") as opened:
        opened.write(f"{target.key_name} {kind} {key.get_base64()}\n")


def log_in(transport: paramiko.Transport, target: SshTarget, asker: Asker) -> bool:
    """Log in by whatever the server takes: keys, then its own questions, then a password.

    Returns whether the person had to answer anything. Raises `LoginFailed`.
    """
    asked = _Counting(asker, f"{target.user}@{target.hostname}")
    tried: list[str] = []
    try:
        allowed = _none(transport, target.user)
        if allowed is None:
            return False
        if "publickey" in allowed:
            for label, key in _keys(target, asked):
                tried.append(label)
                try:
                    rest = transport.auth_publickey(target.user, key)
                except paramiko.AuthenticationException:
                    continue
                if not rest:
                    return asked.any
                # Right, but not enough: the server wants something besides.
                allowed = rest
                break
        for method, act in (
            ("keyboard-interactive", _interactive), ("password", _password),
        ):  # fmt: skip
            while method in allowed:
                rest = act(transport, target, asked)
                if not rest:
                    return asked.any
                if rest == allowed:
                    break
                allowed = rest
    except paramiko.BadAuthenticationType as error:
        raise _refused(target, tried, f"it takes only {', '.join(error.allowed_types)}") from None
    except paramiko.AuthenticationException:
        raise _refused(target, tried, "the answers were not accepted") from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        why = clean(str(error)) or "the connection was closed"
        raise _refused(target, tried, why) from None
    raise _refused(target, tried, f"it wants {', '.join(allowed)}")


def _none(transport: paramiko.Transport, user: str) -> list[str] | None:
    """Ask for the ways in; None when the server wants nothing at all."""
    try:
        transport.auth_none(user)
    except paramiko.BadAuthenticationType as error:
        return list(error.allowed_types)
    return None


def _interactive(transport: paramiko.Transport, target: SshTarget, asker: _Counting) -> list[str]:
    def answer(title: str, instructions: str, fields: list[tuple[str, bool]]) -> list[str]:
        heading = " ".join(part for part in (clean(title), clean(instructions)) if part.strip())
        return [asker.must(heading, prompt, secret=not echo) for prompt, echo in fields]

    return list(transport.auth_interactive(target.user, answer))


def _password(transport: paramiko.Transport, target: SshTarget, asker: _Counting) -> list[str]:
    password = asker.must("", "Password:", secret=True)
    return list(transport.auth_password(target.user, password, fallback=False))


def _keys(target: SshTarget, asker: _Counting) -> Iterator[tuple[str, paramiko.PKey]]:
    """Yield keys to offer: the agent's, those without a passphrase, then those with one."""
    files = [file for file in target.identity_files if file.is_file()]
    wanted = {_public(file) for file in files}
    offered: set[bytes] = set()
    agent: list[paramiko.AgentKey] = []
    with contextlib.suppress(paramiko.SSHException, OSError):
        agent = list(paramiko.Agent().get_keys())
    for key in agent:
        if len(offered) < _MOST_KEYS and (not target.identities_only or key.asbytes() in wanted):
            offered.add(key.asbytes())
            yield f"agent {fingerprint(key)}", key
    locked = []
    for file in files:
        if _public(file) in offered:
            continue
        try:
            yield str(file), paramiko.PKey.from_path(file)
        except (paramiko.PasswordRequiredException, TypeError):
            # The cryptography library reports a missing passphrase as a TypeError.
            locked.append(file)
        except (paramiko.SSHException, ValueError, OSError):
            continue
    for file in locked:
        unlocked = _unlock(file, asker)
        if unlocked is not None:
            yield str(file), unlocked


def _unlock(file: Path, asker: _Counting) -> paramiko.PKey | None:
    for attempt in range(_PASSPHRASE_TRIES):
        title = "That was not it. " if attempt else ""
        passphrase = asker.ask(title, f"Passphrase for {file}:", secret=True)
        if not passphrase:
            return None
        with contextlib.suppress(paramiko.SSHException, ValueError, TypeError):
            # Bytes whatever the signature says: the cryptography library takes nothing else.
            return paramiko.PKey.from_path(file, passphrase.encode())  # type: ignore[arg-type]
    return None


def _public(file: Path) -> bytes | None:
    """Return the key in `file.pub`, which tells whether the agent holds it."""
    try:
        return base64.b64decode(Path(f"{file}.pub").read_text(encoding="utf-8").split()[1])
    except (OSError, IndexError, ValueError):
        return None


def _known(target: SshTarget) -> Iterator[tuple[Path, dict[str, paramiko.PKey]]]:
    for file in target.known_hosts:
        keys = paramiko.HostKeys()
        with contextlib.suppress(OSError, UnicodeDecodeError):
            keys.load(str(file))
        if found := keys.lookup(target.key_name):
            yield file, dict(found.items())


def _refused(target: SshTarget, tried: list[str], why: str) -> LoginFailed:
    offered = f" Keys offered: {', '.join(clean(name) for name in tried)}." if tried else ""
    return LoginFailed(
        f"{clean(target.user)}@{clean(target.hostname)} did not let us in: {why}.{offered}",
        "Check the user and the key (`ssh` with the same name shows more), then connect again.",
    )


class _Counting:
    """An asker that knows whether it was asked anything."""

    def __init__(self, asker: Asker, who: str) -> None:
        self._asker = asker
        self._who = who
        self.any = False

    def ask(self, title: str, prompt: str, *, secret: bool) -> str | None:
        self.any = True
        return self._asker.ask(f"{self._who} {title}".strip(), clean(prompt), secret=secret)

    def must(self, title: str, prompt: str, *, secret: bool) -> str:
        answer = self.ask(title, prompt, secret=secret)
        if answer is None:
            raise LoginFailed(
                f"The login to {clean(self._who)} was given up at '{clean(prompt.strip())}'.",
                "Connect again when you have the answer.",
            )
        return answer
