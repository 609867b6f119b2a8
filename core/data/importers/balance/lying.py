"""The files that lie at a path and that no reader spoke of, in one pass over its folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from core.data.importers.report import Watch


class Folder(NamedTuple):
    """One folder: its path, the names that are not known, and how many names are hidden."""

    path: str
    names: list[str]
    hidden: int


def unknown_files(roots: Iterable[str], known: Set[str], watch: Watch) -> Iterator[Folder]:
    """Yield each folder below `roots` that holds files which are not in `known`.

    Hidden folders and those of macOS's archiver are passed over. A link to a folder is followed
    only where a known file lies below it, since others may lead in circles or far away. What cannot
    be read is passed over: what matters of it was said by the reader.
    """
    led_to: set[str] | None = None
    seen: set[str] = set()
    stack = [os.path.normpath(root) for root in roots]
    count = 0
    while stack:
        folder = stack.pop()
        if folder in seen:
            continue
        seen.add(folder)
        names: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        names.append(entry.name)
                    elif entry.is_dir(follow_symlinks=False):
                        if entry.name[0] != "." and entry.name != "__MACOSX":
                            stack.append(entry.path)
                    elif entry.is_symlink() and _is_dir(entry):
                        led_to = _parents(known) if led_to is None else led_to
                        if entry.path in led_to:
                            stack.append(entry.path)
                    else:
                        names.append(entry.name)
        except (OSError, ValueError):
            continue
        count += len(names)
        watch.tick("files", count)
        prefix = folder.rstrip("/") + "/"
        left = [name for name in names if prefix + name not in known]
        if left:
            plain = sorted(name for name in left if name[0] != ".")
            # What macOS and Windows keep beside the files is nobody's data.
            hidden = sum(
                name[0] == "." and not name.startswith("._") and name != ".DS_Store"
                for name in left
            )
            yield Folder(folder, plain, hidden)


def _parents(paths: Iterable[str]) -> set[str]:
    """Return all folders above these files."""
    found = {path.rpartition("/")[0] for path in paths}
    more = found
    while more:
        more = {path.rpartition("/")[0] for path in more} - found - {""}
        found |= more
    return found


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
