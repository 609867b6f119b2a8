"""Tracebacks as a person may see them: without secrets, and with nothing a terminal would obey.

What an exception says comes from data in many cases: a file's name, a line that cannot be read.
"""

from __future__ import annotations

import sys
import threading
import traceback
from types import TracebackType

from core.common.text import clean_lines


def traceback_text(error: BaseException) -> str:
    """Return the traceback of `error` as Python prints it, safe to show, with a line end."""
    return clean_lines("".join(traceback.format_exception(error))) + "\n"


def guard_tracebacks() -> None:
    """Have tracebacks that Python prints by itself, of threads too, be as by `traceback_text`."""

    def told(
        kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error or kind(), trace)
        elif sys.stderr is not None:
            lines = "".join(traceback.format_exception(kind, error, trace))
            sys.stderr.write(clean_lines(lines) + "\n")

    def of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:
            told(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = told
    threading.excepthook = of_thread
