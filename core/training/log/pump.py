"""What a training process prints, on its way into train.log: whole lines without secrets.

Libraries print from native code as well, so the process's own standard output and error are led
into a pipe, and a small process of its own (`python -m core.training.log.pump`) writes what comes
out of it. A thread could not: what a process prints as it crashes would die with it. The pipe's
other end stays open in the trainer too, so a pump that is killed does not cost the training: what
waits in the pipe is read by the next one, and only what the first had just taken out, at most
64 KiB, is lost with it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import subprocess
import sys
import threading

from core.privacy.secrets import RedactedLines
from core.processes.child_process import begin_process, python_command, python_environment

# Names the pipe that is pumped already, for processes that the trainer starts.
PUMPED = "BATMAN_LOG_PIPE"
# A byte that no text holds, at which the pump says that all before it is written.
_MARK = b"\0"
_BLOCK = 64 * 1024
# A pump that dies so often is not started again: a thread does its work.
_MOST_DEATHS = 5
_ANSWER_S = 5.0


class LogPump:
    """The pump of this process's standard output and error."""

    def __init__(self) -> None:
        self._log = os.dup(1)
        self._out, into = os.pipe()
        self._answers, self._answer = os.pipe()
        os.set_blocking(self._answers, False)
        os.set_blocking(self._answer, False)
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._written = threading.Lock()
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(into, 1)
        os.dup2(into, 2)
        os.close(into)
        os.environ[PUMPED] = _name(1)
        self._thread = threading.Thread(target=self._keep_going, name="log pump", daemon=True)
        self._begin()
        self._thread.start()

    @classmethod
    def start(cls) -> LogPump | None:
        """Lead standard output and error through a pump until this process ends.

        None where they already are: a trainer's own processes print into its pipe.
        """
        if os.environ.get(PUMPED) == _name(1):
            return None
        pump = cls()
        # Among the first to be registered, so among the last to be called: services say goodbye.
        atexit.register(pump.flush)
        return pump

    @property
    def pid(self) -> int | None:
        """The process number of the pump, None where a thread does its work."""
        return None if self._process is None else self._process.pid

    def flush(self) -> bool:
        """Wait until everything printed so far is in the log; False if that takes too long."""
        sys.stdout.flush()
        sys.stderr.flush()
        with self._written:
            with contextlib.suppress(OSError):  # an answer that came too late for an earlier one
                os.read(self._answers, _BLOCK)
            with contextlib.suppress(OSError):
                os.write(1, _MARK)
                return bool(select.select([self._answers], [], [], _ANSWER_S)[0])
        return False

    def stop(self) -> None:
        """Write the rest and lead output to the log itself again, for a program that follows."""
        atexit.unregister(self.flush)
        self.flush()
        self._stopping = True
        os.environ.pop(PUMPED, None)
        os.dup2(self._log, 1)
        os.dup2(self._log, 2)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_ANSWER_S)

    def _begin(self) -> None:
        try:
            self._process = subprocess.Popen(
                python_command("core.training.log.pump", str(self._answer)),
                stdin=self._out,
                stdout=self._log,
                stderr=subprocess.DEVNULL,
                pass_fds=[self._answer],
                env=python_environment(),
                cwd="/",
                # Neither Ctrl-C nor the end of our group may end it before its pipe does.
                start_new_session=True,
            )
        except OSError:
            self._process = None

    def _keep_going(self) -> None:
        deaths = 0
        while self._process is not None:
            self._process.wait()
            if self._stopping:
                return
            deaths += 1
            if deaths < _MOST_DEATHS:
                self._begin()
            else:
                self._process = None
        pump(self._out, self._log, self._answer)


def pump(source: int, log: int, answer: int) -> None:
    """Write what comes from `source` to `log`, file descriptors both, until it ends.

    Says on `answer` when it comes to a mark. What cannot be written, as on a full disk, is lost:
    a trainer that waits for its own output would be worse.
    """
    lines = RedactedLines()
    while data := os.read(source, _BLOCK):
        *marked, rest = data.split(_MARK)
        for part in marked:
            _write(log, lines.feed(part) + lines.end())
            with contextlib.suppress(OSError):  # nobody waits for it any more
                os.write(answer, b".")
        _write(log, lines.feed(rest))
    _write(log, lines.end())


def _write(log: int, data: bytes) -> None:
    view = memoryview(data)
    with contextlib.suppress(OSError):
        while view:
            view = view[os.write(log, view) :]


def _name(fd: int) -> str:
    """Return what tells this pipe from any other on this machine."""
    stat = os.fstat(fd)
    return f"{stat.st_dev}:{stat.st_ino}"


def main() -> int:
    """Pump standard input to standard output until the last process that prints has ended."""
    begin_process()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    pump(0, 1, int(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
