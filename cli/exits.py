"""The exit codes of every command, for scripts."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    """What was asked for is done."""
    FAILED = 1
    """A run failed or was lost, a disk is full, or Batman itself has a defect."""
    WRONG = 2
    """Something to put right: an option, a name, a file. Nothing was changed."""
    STOPPED = 3
    """A run was stopped before its end; it can be resumed."""
    INTERRUPTED = 130
    """Ctrl-C: the command ended at once; a detached run goes on."""
    PIPE = 141
    """Whoever read the output went away."""


TABLE = """exit codes:
  0    done
  1    a run failed or was lost, a full disk, or a defect in Batman
  2    something to put right: an option, a name, a file; nothing was changed
  3    a run was stopped before its end; it can be resumed
  130  Ctrl-C"""
