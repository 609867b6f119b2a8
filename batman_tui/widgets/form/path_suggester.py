"""Completion of a path as it is typed."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path

from textual.suggester import Suggester

# A folder with more entries is not worth the wait at every key.
LOOK_AT = 2000


class PathSuggester(Suggester):
    """Suggests the first entry, by name, that begins with what is typed; folders end in `/`."""

    def __init__(self, *, several: bool = False) -> None:
        """Make it; with `several`, the last of paths with spaces between is completed as well."""
        super().__init__(use_cache=False, case_sensitive=True)
        self._several = several

    async def get_suggestion(self, value: str) -> str | None:
        """Return the completed path, or None; the disk is read in a thread."""
        found = await asyncio.to_thread(complete, value)
        before, space, last = value.rpartition(" ")
        if found is None and space and self._several:
            found = await asyncio.to_thread(complete, last)
            return None if found is None else f"{before} {found}"
        return found


def complete(value: str) -> str | None:
    """Return `value` with its last part completed from the disk, or None. `~` is understood."""
    head, slash, start = value.rpartition("/")
    if not slash or not start:
        return None
    try:
        folder = Path(head + "/").expanduser()
        names = [entry.name for entry in islice(folder.iterdir(), LOOK_AT)]
        found = min((name for name in names if name.startswith(start)), default=None)
        if found is None:
            return None
        return f"{head}/{found}{'/' if (folder / found).is_dir() else ''}"
    except (OSError, RuntimeError, ValueError):
        return None
