"""One visitor's app: a child process that draws through Textual's web driver.

The protocol is that of `textual.drivers.web_driver`: after a line `__GANGLION__` the child writes
packets of one letter, a big-endian length of four bytes and the content: `D` is for the terminal,
`M` is JSON about the session, `P` a part of a file that it delivers. It reads packets `D` (what is
typed) and `M` (size, focus, quit).

The child lives as long as its standard input: when we close it or die, `batman_tui.served` sees
the end of it and ends the app. Whoever is not gone in time after that is sent SIGTERM and SIGKILL.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.common.text import clean

_PRELUDE = b"__GANGLION__\n"
_KINDS = (b"D", b"M", b"P")
_DRIVER = "batman_tui.served:ServedDriver"
# How long an app may take to end by itself, and after SIGTERM.
_QUIT_S = 5.0
_TERM_S = 3.0
_SAID = 4096
_LINES = 8
_SAFE = "What was saved is safe, and training goes on."


@dataclass(frozen=True)
class Ending:
    """How a visitor's app ended: its exit code, or minus a signal's number, and its last words."""

    code: int
    said: str = ""

    def message(self) -> dict[str, str]:
        """Return what the page shows: title, text, hint and detail."""
        if self.code == 0:
            return {"title": "Batman is closed", "text": _SAFE, "hint": "", "detail": ""}
        if self.code < 0:
            with contextlib.suppress(ValueError):
                name = signal.Signals(-self.code).name
                how = f"It was ended from outside, by {name}."
                return self._died(how)
        return self._died(f"Its exit code is {self.code}.")

    def _died(self, how: str) -> dict[str, str]:
        return {
            "title": "The app ended unexpectedly",
            "text": f"{how} {_SAFE}",
            "hint": "Open it again, or reload this page. What it said last:"
            if self.said
            else "Open it again, or reload this page.",
            "detail": self.said,
        }


class Visitor:
    """A running child and the streams to and from it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._input = process.stdin
        self._output = process.stdout
        self._said = bytearray()
        self._listening = asyncio.create_task(self._listen(process.stderr))

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], width: int, height: int
    ) -> Visitor:
        """Start `command` for a terminal of `width` × `height` cells."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env={
                **environment,
                "TEXTUAL_DRIVER": _DRIVER,
                "TEXTUAL_COLOR_SYSTEM": "truecolor",
                "TERM_PROGRAM": "textual",
                "COLUMNS": str(width),
                "ROWS": str(height),
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Ctrl-C in the server's terminal is for the server, which then ends us all.
            start_new_session=True,
        )
        return cls(process)

    async def packets(self) -> AsyncIterator[tuple[bytes, bytes]]:
        """Yield the kind and content of each packet, until the child's output ends.

        What stands before the first packet is none of ours to show: a child that never draws says
        why on its standard error.
        """
        try:
            while (line := await self._output.readline()) != _PRELUDE:
                if not line:
                    return
            while True:
                head = await self._output.readexactly(5)
                if head[:1] not in _KINDS:
                    return  # something else wrote there, and nobody knows where a packet begins
                yield head[:1], await self._output.readexactly(int.from_bytes(head[1:], "big"))
        except (asyncio.IncompleteReadError, ConnectionResetError, ValueError):
            return

    async def type(self, text: str) -> None:
        """Hand on what was typed or pasted, or what the mouse did."""
        await self._send(b"D", text.encode(errors="replace"))

    async def tell(self, **message: Any) -> None:
        """Send a message about the session, such as `type="resize"` with width and height."""
        await self._send(b"M", json.dumps(message).encode())

    async def ending(self) -> Ending:
        """Return how the child ended, once its output has: one that lingers is ended."""
        await self.end()
        code = await self._process.wait()
        with contextlib.suppress(TimeoutError):  # a process of its own may hold the stream open
            await asyncio.wait_for(asyncio.shield(self._listening), 1)
        lines = bytes(self._said).decode(errors="replace").splitlines()
        said = "\n".join(clean(line) for line in lines[-_LINES:])
        return Ending(code, said)

    async def end(self) -> None:
        """End the child, kindly first, and wait until it is gone."""
        with contextlib.suppress(OSError, RuntimeError):
            self._input.close()
        # Its last packets are read away: it could not end while it waits to be read.
        draining = asyncio.create_task(self._drain())
        for wait, harder in (
            (_QUIT_S, self._process.terminate),
            (_TERM_S, self._process.kill),
        ):
            try:
                await asyncio.wait_for(self._process.wait(), wait)
                break
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    harder()
        await self._process.wait()
        draining.cancel()

    async def _send(self, kind: bytes, content: bytes) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # gone: its end is told elsewhere
            self._input.write(kind + len(content).to_bytes(4, "big") + content)
            await self._input.drain()

    async def _drain(self) -> None:
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            while await self._output.read(1 << 16):
                pass

    async def _listen(self, errors: asyncio.StreamReader) -> None:
        while data := await errors.read(_SAID):
            self._said += data
            del self._said[:-_SAID]
