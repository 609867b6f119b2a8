"""Which keys are offered, in ssh's own order (`pubkey_prepare` of OpenSSH 9.2's `sshconnect2.c`).

Certificates that are named come first, then keys of `IdentityFile` that the agent holds, the
agent's others, and files that it does not hold. One thing is other than in ssh: a file that a
person named comes before the agent's other keys, so that these do not use up the tries that a
server allows (MaxAuthTries). Files with a passphrase come last, for they need the person.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    load_ssh_public_identity,
)
from paramiko.agent import AgentSSH

from slurm.hosts.host_key import fingerprint
from slurm.hosts.ssh_config import SshTarget

CERTIFICATE = "-cert-v01@openssh.com"
_UNREADABLE = (
    paramiko.SSHException, paramiko.pkey.UnknownKeyType, UnsupportedAlgorithm, ValueError, OSError,
)  # fmt: skip
# PROTOCOL.key of OpenSSH: what a private key's file holds first.
_MAGIC = b"openssh-key-v1\0"

Unlock = Callable[[Path], paramiko.PKey | None]


@dataclass
class KeyRing:
    """The keys of a person for one login.

    `locked` are files whose passphrase was not given, `unusable` those of a kind that only ssh can
    use, both known when the offers are over.
    """

    target: SshTarget
    locked: list[Path] = field(default_factory=list)
    unusable: list[Path] = field(default_factory=list)

    def offers(self, unlock: Unlock) -> Iterator[tuple[str, paramiko.PKey]]:
        """Yield keys in the order in which to offer them, each with what it is called.

        `unlock` asks the person for a file's passphrase; it is asked when all else was refused.
        """
        with _agent(self.target.agent) as agent:
            yield from self._offers(agent, unlock)

    def _offers(
        self, agent: Sequence[paramiko.AgentKey], unlock: Unlock
    ) -> Iterator[tuple[str, paramiko.PKey]]:
        target = self.target
        offered: set[bytes] = set()
        files = {file: _public(file) for file in target.identity_files}
        opened: dict[Path, paramiko.PKey | None] = {}
        closed: list[Path] = []

        def open_file(file: Path) -> paramiko.PKey | None:
            if file not in opened:
                opened[file] = None
                try:
                    opened[file] = paramiko.PKey.from_path(file)
                    opened[file].public_blob = None  # type: ignore[union-attr]
                except (paramiko.PasswordRequiredException, TypeError):
                    # The cryptography library reports a missing passphrase as a TypeError.
                    closed.append(file)
                except _UNREADABLE:
                    if file.is_file() and _is_hardware(files[file]):
                        self.unusable.append(file)
            return opened[file]

        def once(label: str, key: paramiko.PKey) -> Iterator[tuple[str, paramiko.PKey]]:
            name = key.public_blob.key_blob if key.public_blob else key.asbytes()
            if name not in offered:
                offered.add(name)
                yield label, key

        def of_file(file: Path, key: paramiko.PKey) -> Iterator[tuple[str, paramiko.PKey]]:
            yield from once(str(file), key)
            if not target.certificate_files:
                beside = Path(f"{file}-cert.pub")
                yield from _certified(beside, [(str(file), key)], once)

        held = [(f"agent {fingerprint(key)}", key) for key in agent]
        for certificate in target.certificate_files:
            keys = [*held, *((str(f), key) for f in files if (key := open_file(f)) is not None)]
            yield from _certified(certificate, keys, once)
        wanted = set(files.values())
        for label, key in held:
            if _subject(key) in wanted:
                yield from once(label, key)
        for named in (True, False):
            if named == target.named:
                for file in files:
                    key = open_file(file)
                    if key is not None:
                        yield from of_file(file, key)
            elif not target.identities_only:
                for label, key in held:
                    yield from once(label, key)
        for file in closed:
            if files[file] in offered:
                continue
            unlocked = unlock(file)
            if unlocked is None:
                self.locked.append(file)
            else:
                unlocked.public_blob = None
                yield from of_file(file, unlocked)


Once = Callable[[str, paramiko.PKey], Iterator[tuple[str, paramiko.PKey]]]


def _certified(
    file: Path, keys: Sequence[tuple[str, paramiko.PKey]], once: Once
) -> Iterator[tuple[str, paramiko.PKey]]:
    """Yield the key that the certificate in `file` is for, as one with a certificate."""
    found = _certificate(file)
    if found is None:
        return
    for label, key in keys:
        if key.asbytes() == found[0]:
            key.public_blob = found[1]
            yield from once(f"{label} with {file}", key)
            key.public_blob = None
            return


@contextlib.contextmanager
def _agent(path: str | None) -> Iterator[Sequence[paramiko.AgentKey]]:
    """Connect to the agent at `path` and yield its keys, none where there is none."""
    with contextlib.ExitStack() as stack:
        keys: Sequence[paramiko.AgentKey] = ()
        with contextlib.suppress(paramiko.SSHException, OSError, EOFError, struct.error):
            if path is not None:
                connection = stack.enter_context(socket.socket(socket.AF_UNIX))
                connection.settimeout(30.0)
                connection.connect(path)
                # Signing may need a touch of a key, or an answer in a dialog.
                connection.settimeout(120.0)
                keys = _Agent(connection).get_keys()
        for key in keys:
            if key.get_name().endswith(CERTIFICATE):
                # Else it is known by its plain key, and is one with that when both are held.
                key.inner_key = None  # type: ignore[attr-defined]
        yield keys


class _Agent(AgentSSH):
    """An agent at a socket of our choice; paramiko's own knows SSH_AUTH_SOCK only."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connect(connection)  # type: ignore[attr-defined]


def _subject(key: paramiko.AgentKey) -> bytes:
    """Return the public key of an agent's key, of the one in its certificate too."""
    blob = bytes(key.blob)
    if not key.get_name().endswith(CERTIFICATE):
        return blob
    found = _identity(f"{key.get_name()} {base64.b64encode(blob).decode()}")
    return found or blob


def _certificate(file: Path) -> tuple[bytes, paramiko.pkey.PublicBlob] | None:
    """Return the public key that a certificate is for, and the certificate."""
    try:
        text = file.read_text(encoding="utf-8")
        blob = paramiko.pkey.PublicBlob.from_string(text)
    except (OSError, ValueError):
        return None
    subject = _identity(text)
    return None if subject is None else (subject, blob)


def _identity(text: str) -> bytes | None:
    """Return the blob of the public key in a line with a certificate."""
    try:
        found = load_ssh_public_identity(text.encode())
        if not isinstance(found, SSHCertificate):
            return None
        line = found.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        return base64.b64decode(line.split()[1])
    except (ValueError, UnsupportedAlgorithm):
        return None


def _public(file: Path) -> bytes | None:
    """Return the public key of a file of IdentityFile: its own, the one beside it, or in it."""
    for place in (Path(f"{file}.pub"), file):
        with contextlib.suppress(OSError, IndexError, ValueError):
            kind, blob = place.read_text(encoding="utf-8").split()[:2]
            if kind.startswith(("ssh-", "ecdsa-", "sk-")):
                return base64.b64decode(blob)
    with contextlib.suppress(OSError, ValueError, struct.error):
        return _of_private(file.read_bytes())
    return None


def _of_private(data: bytes) -> bytes | None:
    """Return the public key that a private key's file holds in the clear, whatever locks it."""
    lines = data.split(b"\n")
    if not lines[0].startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----"):
        return None
    body = base64.b64decode(b"".join(line for line in lines if not line.startswith(b"-----")))
    if not body.startswith(_MAGIC):
        return None
    at = len(_MAGIC)
    for _ in range(3):  # cipher, key derivation, its options
        at += 4 + struct.unpack_from(">I", body, at)[0]
    length = struct.unpack_from(">I", body, at + 4)[0]
    return body[at + 8 : at + 8 + length]


def _is_hardware(blob: bytes | None) -> bool:
    """Whether the key lies in a security key, which only ssh, or its agent, can ask."""
    return blob is not None and blob[4:7] == b"sk-"
