"""Versions: named states of a project, told apart, gone back to, read as they were.

What tells two of them apart is in `compare`, which brings NumPy.
"""

from core.data.versions.names import Version, find_state, list_versions, name_state, remove_version
from core.data.versions.past import at_state, state_of
from core.data.versions.restore import restore
from core.data.versions.since import moved_on, trained_on

__all__ = [
    "Version",
    "at_state",
    "find_state",
    "list_versions",
    "moved_on",
    "name_state",
    "remove_version",
    "restore",
    "state_of",
    "trained_on",
]
