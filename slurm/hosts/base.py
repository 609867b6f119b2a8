"""What a host can do. Nothing above `slurm.hosts` knows whether it is here or behind SSH."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.common.errors import BatmanError
from core.common.text import clean


class HostError(BatmanError):
    """A host that cannot be reached, or does not answer in time."""


class NotConnected(HostError):
    """The host is out of reach for now; what is known of it is as old as the last answer."""


class Unreachable(NotConnected):
    """Nothing of the host was reached, so that no login was tried."""


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

    @property
    def said(self) -> str:
        """What it said of its failure, for a sentence; "no reason given" where it said nothing."""
        return in_words(self.stderr.decode(errors="replace"))


# What SLURM's commands begin a line of errors with: their name, its library's, or how bad it is.
_OWN_NAME = re.compile(
    r"(?:s(?:acct|batch|cancel|control|info|prio|queue|run|stat): *)?"
    r"(?:(?:slurm_\w+ )?(?:error|fatal): *)?(?:allocation failure: *)?"
)


def in_words(errors: str, most: int = 200) -> str:
    """Return the last lines of a command's error output in `most` characters, safe to print.

    What SLURM's commands put before each line is left out, and what two lines say alike is said
    once; no full stop at the end, for it stands within a sentence.
    """
    lines = [clean(line.strip()) for line in errors.splitlines()]
    bare = dict.fromkeys(filter(None, (_OWN_NAME.sub("", line, count=1) for line in lines)))
    return "; ".join([*bare][-3:])[-most:].rstrip(". ") or "no reason given"


class Host(Protocol):
    """A machine that runs commands and holds files. Paths are that machine's.

    A host is a `core.training.live.tail.FileSource`: a run is followed through it.
    """

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def files_by(self) -> str:
        """How files come and go, in words, as far as is known."""
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

    def stream(
        self,
        argv: Sequence[str],
        *,
        source: Iterable[bytes] = (),
        sink: Callable[[bytes], object] | None = None,
        idle: float = 120.0,
    ) -> Completed:
        """Run an argument list for as long as its input or output moves, however much that is.

        What `source` yields is its input, `sink` gets its output as it comes; the `Completed` has
        none. Raises `HostError` when nothing moves for `idle` seconds, and what the two raise.
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
