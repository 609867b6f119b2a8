"""This machine as a host: on a login node everything works with no SSH at all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from core.common.temporary import file_beside, sweep
from core.common.text import clean
from core.training.live.tail import LocalFiles
from slurm.hosts.base import Completed, HostError


class LocalHost(LocalFiles):
    """The machine we are on."""

    name = "this machine"

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
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        except OSError as error:
            raise HostError(
                f"'{clean(str(argv[0]))}' cannot be run on {self.name}: {error.strerror}.",
                "Check that it is installed and on the PATH.",
            ) from None
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise HostError(
                    f"'{clean(str(argv[0]))}' did not answer in {timeout:g} s on {self.name}.",
                    "Try again later; the machine or its file system may be busy.",
                ) from None
            raise
        return Completed(tuple(argv), process.returncode, stdout, stderr)

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
