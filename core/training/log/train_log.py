"""What the trainer prints: its log, on a disk that may be full."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import IO

from core.common.text import clean


def say(text: str, stream: IO[str] | None = None) -> None:
    """Print one line with the time of day."""
    tell(f"{time.strftime('%H:%M:%S')} {clean(text)}\n", stream or sys.stdout)


def tell(text: str, stream: IO[str]) -> None:
    """Print `text` as it is. Where that fails, training is not to end by its own words."""
    with contextlib.suppress(OSError):
        stream.write(text)
        stream.flush()


def drop_unsaid() -> None:
    """Drop what could not be printed: Python would end with a code of its own (120) for it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
