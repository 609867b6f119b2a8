"""Who we are: logging in by keys, by the server's own questions, by a password."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import paramiko

from core.common.text import clean
from slurm.hosts.base import HostError
from slurm.hosts.login.keys import KeyRing
from slurm.hosts.ssh_config import SshTarget

_PASSPHRASE_TRIES = 3


class Asker(Protocol):
    """The person. Answers are used once and kept nowhere."""

    def ask(self, title: str, prompt: str, *, secret: bool) -> str | None:
        """Return what the person typed, or None if they gave up. `secret` is not echoed."""
        ...

    def trust(self, host: str, kind: str, fingerprint: str) -> bool:
        """Return whether the person trusts a host key never seen before."""
        ...

    def wait(self, why: str, seconds: float) -> bool:
        """Wait so many seconds because of `why`, where waiting is right; return whether it was."""
        ...


class Nobody:
    """There is no person to ask: nothing is answered, and no new host is trusted."""

    def ask(self, title: str, prompt: str, *, secret: bool) -> str | None:
        """Answer nothing."""
        return None

    def trust(self, host: str, kind: str, fingerprint: str) -> bool:
        """Trust nobody."""
        return False

    def wait(self, why: str, seconds: float) -> bool:
        """Wait for nothing."""
        return False


class LoginFailed(HostError):
    """The host did not let us in. Trying again by itself would lock the account out.

    `by_ssh` says why the system's own `ssh` may get in where we do not; empty if nothing speaks
    for it.
    """

    by_ssh = ""


def log_in(
    transport: paramiko.Transport, target: SshTarget, asker: Asker, *, passwords: bool = True
) -> bool:
    """Log in by whatever the server takes: keys, then its own questions, then a password.

    Without `passwords` only keys are offered: nothing that a false host could use is told to it.
    Returns whether the person had to answer anything. Raises `LoginFailed`.
    """
    asked = _Counting(asker, f"{target.user}@{target.hostname}")
    ring = KeyRing(target)
    tried: list[str] = []
    allowed: list[str] | None = []
    try:
        allowed = _none(transport, target.user)
        if allowed is None:
            return False
        if "publickey" in allowed:
            for label, key in ring.offers(partial(_unlock, asker=asked)):
                tried.append(label)
                try:
                    rest = transport.auth_publickey(target.user, key)
                except paramiko.AuthenticationException:
                    if not transport.is_active():
                        raise _TooMany from None
                    continue
                if not rest:
                    return asked.any
                # Right, but not enough: the server wants something besides.
                allowed = rest
                break
        ways = {"keyboard-interactive": _interactive, "password": _password} if passwords else {}
        for method, act in ways.items():
            while method in allowed:
                rest = act(transport, target, asked)
                if not rest:
                    return asked.any
                if rest == allowed:
                    break
                allowed = rest
    except _TooMany:
        why = "it ended the login after so many keys (MaxAuthTries)"
    except paramiko.BadAuthenticationType as error:
        why = f"it takes only {', '.join(error.allowed_types)}"
    except paramiko.AuthenticationException:
        why = "the answers were not accepted" if asked.answered else "no key of yours was accepted"
    except (paramiko.SSHException, EOFError, OSError) as error:
        why = clean(str(error)) or "the connection was closed"
    except LoginFailed as error:
        if not ring.locked:
            raise
        why = error.message
    else:
        why = f"it wants {', '.join(allowed)}"
        if not passwords:
            why += ", which is not sent to a host whose key is not the known one"
    raise _refused(ring, tried, why, allowed or ())


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


def _refused(ring: KeyRing, tried: list[str], why: str, allowed: Sequence[str] = ()) -> LoginFailed:
    target = ring.target
    offered = f" Keys offered: {', '.join(clean(name) for name in tried)}." if tried else ""
    hint = "Check the user and the key (`ssh` with the same name shows more), then connect again."
    if "MaxAuthTries" in why:
        hint = "Name the right key by IdentityFile in ~/.ssh/config, with IdentitiesOnly yes."
    if ring.locked:
        files = ", ".join(f"'{clean(str(file))}'" for file in ring.locked)
        offered += f" Locked by a passphrase that was not given: {files}."
        hint = (
            f"Unlock it once with 'ssh-add {clean(str(ring.locked[0]))}', or connect in a terminal."
        )
    by_ssh = _what_ssh_can(ring, allowed)
    if by_ssh:
        hint = f'{by_ssh}: write via = "ssh" in the cluster\'s profile. {hint}'
    failed = LoginFailed(
        f"{clean(target.user)}@{clean(target.hostname)} did not let us in: {why.rstrip('.')}."
        f"{offered}",
        hint,
    )
    failed.by_ssh = by_ssh
    return failed


def _what_ssh_can(ring: KeyRing, allowed: Sequence[str]) -> str:
    """Return why the system's ssh may get in where we do not."""
    if ring.target.only_ssh:
        return f"{' and '.join(ring.target.only_ssh)} is followed by ssh itself only"
    if ring.unusable:
        return f"The key '{clean(str(ring.unusable[0]))}' is in hardware that only ssh itself asks"
    for method, name in (("gssapi-with-mic", "Kerberos"), ("hostbased", "this host's own key")):
        if method in allowed:
            return f"The server takes {name} as well, which only ssh itself can use"
    return ""


class _TooMany(Exception):
    """The server ended the connection while keys were offered."""


class _Counting:
    """An asker that knows whether it was asked and answered."""

    def __init__(self, asker: Asker, who: str) -> None:
        self._asker = asker
        self._who = who
        self.any = False
        self.answered = False

    def ask(self, title: str, prompt: str, *, secret: bool) -> str | None:
        self.any = True
        answer = self._asker.ask(f"{self._who} {title}".strip(), clean(prompt), secret=secret)
        self.answered = self.answered or answer is not None
        return answer

    def must(self, title: str, prompt: str, *, secret: bool) -> str:
        answer = self.ask(title, prompt, secret=secret)
        if answer is None:
            raise LoginFailed(
                f"The login to {clean(self._who)} was given up at '{clean(prompt.strip())}'.",
                "Connect again when you have the answer.",
            )
        return answer
