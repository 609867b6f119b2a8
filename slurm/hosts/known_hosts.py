"""Known hosts files, read, judged and added to as OpenSSH does (sshd(8), the format's section).

paramiko's `HostKeys` knows neither markers, patterns nor several keys of one type for a name, and
one broken line ends its reading; so the files are read here. The rules are those of OpenSSH 9.2's
`hostfile.c`, and tests compare them with `ssh-keygen -F` and with `ssh` itself.
"""

from __future__ import annotations

import base64
import contextlib
import fnmatch
import functools
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

Marker = Literal["", "cert-authority", "revoked"]

CERTIFICATE = "-cert-v01@openssh.com"
_SPACE = " \t"
_MARKERS: dict[str, Marker] = {"@cert-authority": "cert-authority", "@revoked": "revoked"}
# match_pattern_list() takes no longer pattern; check_markers() no longer marker; extract_salt().
_LONGEST_PATTERN, _LONGEST_MARKER, _LONGEST_SALT = 1022, 31, 1024


@dataclass(frozen=True)
class KnownKey:
    """A key that a known hosts file has for a name: where it stands, and what it is.

    `kind` is the key's type as in the file, `blob` its encoding of RFC 4253, section 6.6.
    """

    file: Path
    line: int
    marker: Marker
    kind: str
    blob: bytes

    @property
    def place(self) -> str:
        """File and line, as OpenSSH names them: `FILE:LINE`."""
        return f"{self.file}:{self.line}"


class Status(Enum):
    """What the files say about a key that a host shows."""

    KNOWN = "known"
    NEW = "new"
    CHANGED = "changed"
    REVOKED = "revoked"


def host_name(host: str, port: int) -> str:
    """Return the name that the files have for a host: `[host]:port` unless the port is 22."""
    return host if port == 22 else f"[{host}]:{port}"


def find_keys(files: Iterable[Path], name: str) -> list[KnownKey]:
    """Return the keys that `files` have for `name`, in order; what cannot be read holds none.

    A line that is broken, or has a key of a type unknown here, counts for nothing, as with OpenSSH.
    """
    found: list[KnownKey] = []
    for file in files:
        try:
            # Characters that are one byte each: nothing here depends on an encoding.
            text = file.read_bytes().decode("latin-1")
        except OSError:
            continue
        lines = (line.partition("\0")[0] for line in text.split("\n"))
        for number, line in enumerate(lines, 1):
            parsed = _parse(line, name)
            if parsed is not None:
                found.append(KnownKey(file, number, *parsed))
    return found


def judge(known: Sequence[KnownKey], blob: bytes) -> tuple[Status, KnownKey | None]:
    """Return what the keys of a name say about the plain key `blob`, and the one that says it.

    Any other key of the name contradicts it, of whatever type: the host would have been asked for
    the known type first. A revoked key is refused whatever else is said of it.
    """
    if revoked := _find(known, "revoked", blob):
        return Status.REVOKED, revoked
    if same := _find(known, "", blob):
        return Status.KNOWN, same
    others = [key for key in known if not key.marker]
    return (Status.CHANGED, others[-1]) if others else (Status.NEW, None)


def judge_authority(
    known: Sequence[KnownKey], blob: bytes, authority: bytes
) -> tuple[Status, KnownKey | None]:
    """Return what the keys of a name say about a certificate for `blob` signed by `authority`."""
    for part in (blob, authority):
        if revoked := _find(known, "revoked", part):
            return Status.REVOKED, revoked
    if same := _find(known, "cert-authority", authority):
        return Status.KNOWN, same
    others = [key for key in known if key.marker == "cert-authority"]
    return (Status.CHANGED, others[-1]) if others else (Status.NEW, None)


def order_algorithms(algorithms: Sequence[str], known: Sequence[KnownKey]) -> tuple[str, ...]:
    """Return the host key algorithms to offer, those first that the known keys can answer.

    The order is kept else, and entirely if the first one has a known key (OpenSSH's
    `order_hostkeyalgs`): then a host shows a key that is known, if it still has one.
    """
    plain = {key.kind for key in known if not key.marker}
    authority = any(key.marker == "cert-authority" for key in known)
    if authority and not algorithms[0].endswith(CERTIFICATE):
        # paramiko names certificates last; OpenSSH names them first.
        algorithms = sorted(algorithms, key=lambda name: not name.endswith(CERTIFICATE))
    if algorithms and _key_type(algorithms[0]) in plain:
        return tuple(algorithms)

    def wanted(name: str) -> bool:
        return (authority and name.endswith(CERTIFICATE)) or _key_type(name) in plain

    return tuple(sorted(algorithms, key=lambda name: not wanted(name)))


def add_key(file: Path, names: Sequence[str], kind: str, blob: bytes, *, hashed: bool) -> None:
    """Add a key for `names` at the end of a file, which is made if it is not there.

    One write of whole lines; a last line without an end gets one first. `hashed` hides the names
    (HashKnownHosts), which takes a line for each. Raises `OSError`.
    """
    key = f"{kind} {base64.b64encode(blob).decode()}\n"
    lowered = [name.lower() for name in names]
    heads = [hash_name(name) for name in lowered] if hashed else [",".join(lowered)]
    text = "".join(f"{head} {key}" for head in heads)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.suppress(OSError):  # an empty file, or none with places in it: /dev/null
            os.lseek(handle, -1, os.SEEK_END)
            if os.read(handle, 1) not in (b"", b"\n"):
                text = f"\n{text}"
        left = text.encode("utf-8", "surrogateescape")
        while left:
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)


def hash_name(name: str, salt: bytes | None = None) -> str:
    """Return a name as HashKnownHosts writes it: `|1|salt|HMAC-SHA1 of the name|`, in base64."""
    salt = secrets.token_bytes(hashlib.sha1().digest_size) if salt is None else salt
    digest = hmac.digest(salt, os.fsencode(name), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def match_pattern(text: str, pattern: str) -> bool:
    """Return whether `text` matches a pattern of `*` and `?` (ssh_config(5), PATTERNS)."""
    return _compile(pattern).match(text) is not None


def _parse(line: str, name: str) -> tuple[Marker, str, bytes] | None:
    """Return marker, type and key of a line that is for `name`, or None."""
    line = line.lstrip(_SPACE)
    if not line or line.startswith("#"):
        return None
    marked = _marker(line)
    if marked is None:
        return None
    marker, line = marked
    hosts, rest = _word(line)
    if not rest or not _is_for(hosts, name):
        return None
    kind, rest = _word(rest.lstrip(_SPACE))
    encoded, _ = _word(rest.lstrip(_SPACE))
    blob = _decode(encoded)
    if blob is None or not _is_key(kind, blob):
        return None
    return marker, kind, blob


def _marker(line: str) -> tuple[Marker, str] | None:
    """Return the marker in front of a line and the rest, or None for one that is not known."""
    found: Marker = ""
    while line.startswith("@"):
        # A blank ends it, and only where there is none a tab: so check_markers() looks.
        end = line.find(" ") if " " in line else line.find("\t")
        if found or not 1 < end <= _LONGEST_MARKER or line[:end] not in _MARKERS:
            return None
        found, line = _MARKERS[line[:end]], line[end:].lstrip(_SPACE)
    return found, line


def _word(text: str) -> tuple[str, str]:
    """Return what comes before the first blank or tab, and the rest from there on."""
    end = next((place for place, char in enumerate(text) if char in _SPACE), len(text))
    return text[:end], text[end:]


def _is_for(hosts: str, name: str) -> bool:
    """Return whether a line's list of names means `name`."""
    if hosts.startswith("|"):
        parts = hosts.split("|")
        if not hosts.startswith("|1|") or len(parts) < 4 or len(parts[2]) > _LONGEST_SALT:
            return False
        salt = _decode(parts[2])
        if salt is None or len(salt) != hashlib.sha1().digest_size:
            return False
        return hmac.compare_digest(hash_name(name, salt).encode(), hosts.encode("latin-1"))
    # Names with other letters come from the command line in UTF-8.
    text = os.fsencode(name).decode("latin-1")
    matched = False
    for part in _lower(hosts).split(","):
        pattern = part.removeprefix("!")
        if len(pattern) > _LONGEST_PATTERN:
            return False
        if match_pattern(_lower(text), pattern):
            if part.startswith("!"):
                return False
            matched = True
    return matched


def _lower(text: str) -> str:
    return re.sub("[A-Z]+", lambda found: found[0].lower(), text)


@functools.lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    # A bracket is itself here. The translation is a pattern that cannot take exponential time.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def _decode(encoded: str) -> bytes | None:
    """Return the bytes of strict base64 as OpenSSH's b64_pton() takes it, or None."""
    packed = "".join(char for char in encoded if not char.isspace())
    try:
        raw = base64.b64decode(packed, validate=True)
    except ValueError:
        return None
    # Bits past the last byte must be zero.
    return raw if base64.b64encode(raw).decode() == packed else None


def _is_key(kind: str, blob: bytes) -> bool:
    """Return whether the bytes are a whole key of this type, and one that is taken."""
    # Certificates are no host keys of a file, and OpenSSH 10 takes DSA no more.
    if kind.endswith(CERTIFICATE) or kind == "ssh-dss" or not kind.isascii():
        return False
    length = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + length] != kind.encode():
        return False
    try:
        key = load_ssh_public_key(f"{kind} {base64.b64encode(blob).decode()}".encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    # sshkey_check_rsa_length()
    return kind != "ssh-rsa" or key.key_size >= 1024  # type: ignore[union-attr]


def _find(known: Sequence[KnownKey], marker: Marker, blob: bytes) -> KnownKey | None:
    return next((key for key in known if key.marker == marker and key.blob == blob), None)


def _key_type(algorithm: str) -> str:
    """Return the type of the key that a host key algorithm needs (RFC 8332 for RSA)."""
    plain = algorithm.removesuffix(CERTIFICATE)
    return "ssh-rsa" if plain in ("rsa-sha2-256", "rsa-sha2-512") else plain
