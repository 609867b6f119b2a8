"""What a child process printed before it died: a last word to show, and all of it in a file."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import IO

from core.common.errors import RunError
from core.common.folders import cache_dir
from core.common.text import clean
from core.privacy.secrets import redact

_TRACEBACK = "Traceback (most recent call last):"
_LONGEST = 300
# A child that prints without end leaves its beginning and its end.
_KEPT = 1 << 20


def died(what: str, code: int, output: IO[bytes]) -> RunError:
    """Return the error for a child that ended with `code` and told no reason of its own.

    `output` is what it printed; it is kept in the cache folder, where the hint points to.
    """
    output.seek(0)
    text = redact(output.read().decode(errors="replace"))
    ended = f"was ended by {_signal(-code)}" if code < 0 else f"ended with code {code}"
    word = last_word(text)
    if not word:
        return RunError(f"{what} {ended} and printed nothing.", _out_of_memory(code))
    kept = _keep(text)
    hint = f"All that it printed is in {clean(str(kept))}." if kept is not None else ""
    return RunError(f"{what} {ended}: {word}", f"{hint} {_out_of_memory(code)}".strip())


def last_word(text: str) -> str:
    """Return the line that says why: that of the last exception, else the last line of all."""
    lines = [line.rstrip() for line in text.splitlines()]
    for at in range(len(lines) - 1, -1, -1):
        if lines[at].strip() != _TRACEBACK:
            continue
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        # Below the frames, which are indented further, stands the exception.
        for line in lines[at + 1 :]:
            if line and not line.startswith(f"{indent} "):
                return _short(line)
    return _short(next((line for line in reversed(lines) if line.strip()), ""))


def _short(line: str) -> str:
    line = clean(line.strip())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _out_of_memory(code: int) -> str:
    return "Perhaps the memory ran out." if code == -signal.SIGKILL else ""


def _keep(text: str) -> Path | None:
    """Write the output for its owner's eyes alone; None where it cannot be written."""
    if len(text) > _KEPT:
        text = f"{text[: _KEPT // 2]}\n…\n{text[-_KEPT // 2 :]}"
    try:
        folder = cache_dir() / "failures"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{os.getpid()}.log"
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as opened:
            opened.write(text)
        for old in sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)[:-10]:
            old.unlink(missing_ok=True)
    except OSError:
        return None
    return file
