"""What is in the folders of runs on a cluster: of many of them by one command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.common.text import clean, whole_number
from slurm.hosts import Host, HostError

_FIND = "find . -maxdepth 2 -type f ! -name '.*' -printf '%s %T@ %P\\0'"
# A folder is whole where a full stop ends it; names are never absolute, so that `/` is the log.
_MANY = f"""
while [ $# -gt 1 ]; do
  printf '=\\0'
  (cd -- "$1" 2>/dev/null && {_FIND} 2>/dev/null && printf '.\\0')
  [ -z "$2" ] || find -L "$2" -maxdepth 0 -type f -printf '%s 0 /\\0' 2>/dev/null
  shift 2
done
exit 0
"""


@dataclass(frozen=True)
class Listing:
    """Size in bytes and time (Unix) of every file of a folder, and the size of its job's log.

    The size is None where the log is not there, or was not asked for.
    """

    files: dict[str, list[float]]
    log: int | None = None


def list_folder(host: Host, folder: str) -> Listing:
    """Return what is in a run's folder. Raises `HostError` when it cannot be read."""
    done = host.run(["sh", "-c", _FIND], cwd=folder)
    if done.code:
        raise HostError(f"The run's folder on {clean(host.name)} cannot be read: {done.said}.")
    return _read(done.text.split("\0"))


def list_folders(host: Host, places: Sequence[tuple[str, str]]) -> list[Listing | None]:
    """Return what is in each folder, None for one that could not be read to its end.

    `places` are folders with their jobs' logs, absolute (a log may be empty: none). Raises
    `HostError`.
    """
    if not places:
        return []
    words = [word for place in places for word in place]
    done = host.run(["sh", "-c", _MANY, "sh", *words], timeout=60)
    parts: list[list[str]] = []
    for entry in done.text.split("\0"):
        if entry == "=":
            parts.append([])
        elif parts:
            parts[-1].append(entry)
    if len(parts) != len(places):
        raise HostError(f"{clean(host.name)} did not say what is in the folders: {done.said}.")
    return [_read(part) if "." in part else None for part in parts]


def _read(entries: Sequence[str]) -> Listing:
    files: dict[str, list[float]] = {}
    log = None
    for entry in entries:
        words = entry.split(" ", 2)
        if len(words) == 3 and words[2] == "/":
            log = whole_number(words[0])
        elif len(words) == 3:
            files[words[2]] = [float(words[0]), float(words[1])]
    return Listing(files, log)
