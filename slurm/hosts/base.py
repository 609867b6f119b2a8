"""What a host can do. Nothing above `slurm.hosts` knows whether it is here or behind SSH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.common.errors import BatmanError


class HostError(BatmanError):
    """A host that cannot be reached, or does not answer in time."""


class NotConnected(HostError):
    """The host is out of reach for now; what is known of it is as old as the last answer."""


class NeedsPerson(NotConnected):
    """The host is out of reach until a person logs in again: nothing tries that by itself."""


@dataclass(frozen=True)
class Completed:
    """A command that ran to its end: what it was, its exit code, and what it printed."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are no UTF-8 are replaced."""
        return self.stdout.decode(errors="replace")


class Host(Protocol):
    """A machine that runs commands and holds files. Paths are that machine's.

    A host is a `core.training.live.tail.FileSource`: a run is followed through it.
    """

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run an argument list, no shell between, and wait for it up to `timeout` seconds.

        `env` adds to the host's environment. A command that fails is a `Completed` with its code.
        Raises `HostError` when it cannot be started or takes too long.
        """
        ...

    def read(self, path: str, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes of a file from `offset` on; none past its end or without it.

        Raises `HostError` when the host does not answer.
        """
        ...

    def size(self, path: str) -> int | None:
        """Return a file's length in bytes, or None when there is no such file."""
        ...

    def put(self, local: Path, remote: str) -> None:
        """Copy a file to the host: whole under its name, or not there."""
        ...

    def get(self, remote: str, local: Path) -> None:
        """Copy a file from the host: whole under its name, or not there.

        Raises `FileNotFoundError` when the host has no such file.
        """
        ...
