"""How a job's script ended: exit codes and signals in words, and whose word to take for them.

Accounting prints an exit code from 128 on as 128 less: seen with sacct 22.05.8, where `exit 137`
becomes `9:0` and `exit 128` becomes `0:0`, while squeue has the whole code as long as it remembers
the job. A shell's code for a program that a signal ended is 128 and the signal's number (POSIX,
`sh`, exit status for commands).
"""

from __future__ import annotations

import signal as signals

# Signals that end jobs often enough for their codes less 128 to be taken for themselves.
_USUAL = (signals.SIGABRT, signals.SIGBUS, signals.SIGKILL, signals.SIGSEGV, signals.SIGTERM)


def same_end(known: int | None, told: int | None) -> bool:
    """Return whether accounting's exit code `told` may be the code `known`, of 128 and more."""
    return known is not None and known >= 128 and told == known - 128


def kept_code(known: int | None, told: int | None) -> int | None:
    """Return the exit code to keep of the one `known` and the one `told` now."""
    return known if same_end(known, told) else told


def end_words(exit_code: int | None, signal: int | None, *, accounted: bool = False) -> str:
    """Return in words how a script ended; empty for one that ended well, or whose end is unknown.

    `accounted` says that accounting told of a job that failed: its code may lack 128.
    """
    if signal:
        return _named(signal)
    if exit_code is None or (exit_code == 0 and not accounted):
        return ""
    if accounted and exit_code == 0:  # it failed, so 128 is missing
        return "exit code 128"
    if accounted and exit_code in _USUAL:
        return f"exit code {exit_code}, or {exit_code + 128}: {_named(exit_code)}"
    if exit_code > 128 and (named := _named(exit_code - 128)).endswith(")"):
        return f"exit code {exit_code}: {named}"
    return f"exit code {exit_code}"


def _named(number: int) -> str:
    """Return `signal 9 (SIGKILL, as when its memory ran out)`; a number that is none stays one."""
    try:
        name = signals.Signals(number).name
    except ValueError:
        return f"signal {number}"
    more = ", as when memory runs out" if number == signals.SIGKILL else ""
    return f"signal {number} ({name}{more})"
