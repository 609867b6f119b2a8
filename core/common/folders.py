"""The person's own folders, configuration and cache, and files that are kept in the cache."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.common.files import expand_user, write_atomic
from core.late import late

if TYPE_CHECKING:
    import hashlib
else:
    hashlib = late("hashlib")

_DIGEST = 16


def config_dir() -> Path:
    """Return the configuration folder: `$BATMAN_CONFIG_DIR`, else the platform's place for it."""
    chosen = os.environ.get("BATMAN_CONFIG_DIR")
    if chosen:
        return expand_user(chosen)
    known = _of_linux("XDG_CONFIG_HOME", ".config")
    if known is not None:
        return known
    from platformdirs import user_config_path

    return user_config_path("batman")


def cache_dir() -> Path:
    """Return the cache folder: `$BATMAN_CACHE_DIR`, else the platform's place for it.

    Downloads and measurements that can be had again; shared by all workspaces.
    """
    chosen = os.environ.get("BATMAN_CACHE_DIR")
    if chosen:
        return expand_user(chosen).absolute()
    known = _of_linux("XDG_CACHE_HOME", ".cache")
    if known is not None:
        return known
    from platformdirs import user_cache_path

    return user_cache_path("batman")


def _of_linux(variable: str, folder: str) -> Path | None:
    """Return our folder as platformdirs has it on Linux, whose import takes longer than the rest.

    None on other systems, and where the home folder has to be looked up (XDG Base Directory
    Specification 0.8: what is not absolute in `variable` does not count).
    """
    if sys.platform != "linux":
        return None
    chosen, home = (Path(os.environ.get(name, "")) for name in (variable, "HOME"))
    if chosen.is_absolute():
        return chosen / "batman"
    return home / folder / "batman" if home.is_absolute() else None


class KeptFile:
    """A file of the cache folder that is whole or is not there.

    It is the one of a `kind` that keeps what is known of `place`; `version` heads what is in it. It
    is replaced as a whole: of two that write, one is kept, and a kill leaves the old one. Whatever
    is wrong with it, or another version's, only means that nothing is kept.
    """

    def __init__(self, kind: str, place: str, version: bytes) -> None:
        mark = hashlib.blake2b(os.fsencode(place), digest_size=8).hexdigest()
        self.file = cache_dir() / kind / f"{mark}.bin"
        self._version = version

    def load(self) -> memoryview | None:
        """Return what is kept; None where the file is not there, damaged or of another version."""
        try:
            data = self.file.read_bytes()
        except OSError:
            return None
        start = len(self._version) + _DIGEST
        body = memoryview(data)[start:]
        return body if data[:start] == self._version + _sum(body) else None

    def save(self, body: bytes) -> None:
        """Keep `body` and nothing else; where that cannot be written, nothing is kept."""
        with contextlib.suppress(OSError):
            write_atomic(self.file, self._version + _sum(body) + body)


def _sum(body: bytes | memoryview) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST).digest()
