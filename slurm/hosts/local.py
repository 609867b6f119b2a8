"""This machine as a host: on a login node everything works with no SSH at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from core.common.temporary import file_beside, sweep
from core.common.text import clean
from core.training.live.tail import LocalFiles
from slurm.hosts.base import Completed, HostError
from slurm.hosts.pump import Clock, NotStarted, pump


class LocalHost(LocalFiles):
    """The machine we are on."""

    name = "this machine"
    files_by = "files are here"

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """See `Host.run`. A command that takes too long is killed with all its children."""
        out = bytearray()
        environment = {**os.environ, **(env or {})}
        code, errors = self._pump(
            argv, [stdin], out.extend, Clock(timeout), cwd=cwd, env=environment
        )
        return Completed(tuple(argv), code, bytes(out), errors)

    def stream(
        self,
        argv: Sequence[str],
        *,
        source: Iterable[bytes] = (),
        sink: Callable[[bytes], object] | None = None,
        idle: float = 120.0,
    ) -> Completed:
        """See `Host.stream`."""
        code, errors = self._pump(argv, source, sink or len, Clock(idle, idle=True))
        return Completed(tuple(argv), code, b"", errors)

    def _pump(
        self,
        argv: Sequence[str],
        source: Iterable[bytes],
        sink: Callable[[bytes], object],
        clock: Clock,
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        try:
            return pump(argv, source, sink, clock, cwd=cwd, env=env)
        except TimeoutError:
            raise HostError(
                f"'{clean(str(argv[0]))}' did not answer in {clock.seconds:g} s on {self.name}.",
                "Try again later; the machine or its file system may be busy.",
            ) from None
        except NotStarted as error:
            raise HostError(
                f"'{clean(str(argv[0]))}' cannot be run on {self.name}: {error}.",
                "Check that it is installed and on the PATH.",
            ) from None

    def put(self, local: Path, remote: str) -> None:
        """See `Host.put`."""
        _copy_whole(local, Path(remote))

    def get(self, remote: str, local: Path) -> None:
        """See `Host.get`."""
        _copy_whole(Path(remote), local)


def _copy_whole(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    with file_beside(target) as part:
        shutil.copyfile(source, part)
