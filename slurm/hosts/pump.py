"""A process of this machine, fed and read at once, for as long as its time allows."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

_BLOCK = 256 * 1024
_PIPE = 1024 * 1024


class NotStarted(Exception):
    """A process that could not be started; its text is the system's reason."""


class Clock:
    """When to give up waiting: `seconds` after the start, or after something last moved."""

    def __init__(self, seconds: float, *, idle: bool = False) -> None:
        self.seconds = seconds
        self._idle = idle
        self._from = time.monotonic()

    def moved(self) -> None:
        """Note that something was sent or received."""
        if self._idle:
            self._from = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds left; 0 when it is time to give up."""
        return max(0.0, self._from + self.seconds - time.monotonic())


def pump(
    argv: Sequence[str],
    source: Iterable[bytes],
    sink: Callable[[bytes], object],
    clock: Clock,
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """Run `argv` with `source` as its input and its output to `sink`; return code and errors.

    `env` replaces the environment. When time is up, or on any error, it is killed with all its
    children. Raises `TimeoutError`, `NotStarted`, and what the two raise.
    """
    try:
        process = subprocess.Popen(
            list(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=cwd, env=env, start_new_session=True, bufsize=0,
        )  # fmt: skip
    except OSError as error:
        raise NotStarted(error.strerror or str(error)) from None
    for pipe in (process.stdin, process.stdout):
        # Fewer turns between the two processes. Not everywhere known, and not without limit.
        with contextlib.suppress(OSError, AttributeError):
            assert pipe is not None
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
    failed: list[BaseException] = []
    feeder = threading.Thread(target=_feed, args=(process, source, clock, failed), daemon=True)
    feeder.start()
    try:
        errors = _read(process, sink, clock, failed)
        process.wait(clock.left)
        if failed:
            raise failed[0]
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _let_go(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutError from None
        raise
    finally:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.close()
    return process.returncode, errors


def _read(
    process: subprocess.Popen[bytes],
    sink: Callable[[bytes], object],
    clock: Clock,
    failed: list[BaseException],
) -> bytes:
    errors = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, sink)  # type: ignore[arg-type]
        selector.register(process.stderr, selectors.EVENT_READ, errors.extend)  # type: ignore[arg-type]
        while selector.get_map() and not failed:
            for key, _ in selector.select(min(0.5, clock.left)):
                data = os.read(key.fd, _BLOCK)
                if data:
                    key.data(data)
                    clock.moved()
                else:
                    selector.unregister(key.fileobj)
            if not clock.left:
                raise TimeoutError
    return bytes(errors)


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Wait a moment until its children, killed with it, hold its outputs no more."""
    until = time.monotonic() + 1.0
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        selector.register(process.stderr, selectors.EVENT_READ)  # type: ignore[arg-type]
        while selector.get_map() and time.monotonic() < until:
            for key, _ in selector.select(until - time.monotonic()):
                if not os.read(key.fd, _BLOCK):
                    selector.unregister(key.fileobj)


def _feed(
    process: subprocess.Popen[bytes],
    source: Iterable[bytes],
    clock: Clock,
    failed: list[BaseException],
) -> None:
    assert process.stdin is not None
    try:
        for piece in source:
            try:
                view = memoryview(piece)
                while view:
                    view = view[process.stdin.write(view[:_BLOCK]) :]
                    clock.moved()
            except OSError:
                # The command may end without reading all of it.
                break
    except BaseException as error:  # of the source: told by whoever asked for it
        # Before the input ends, at which the command may end as well, as if that were all.
        failed.append(error)
        # Which ends the wait for its output.
        process.kill()
    with contextlib.suppress(OSError):
        process.stdin.close()
