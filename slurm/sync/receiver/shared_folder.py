"""The files of a folder to which several write at once, who may take it away as they are through.

A part of the program that takes files on a host (`receive.py`).
"""

import os

# So often may the folders go from under one who writes.
_TRIES = 8


def walk(folder: bytes) -> "list[tuple[bytes, os.DirEntry[bytes]]]":
    """Return the files below `folder`, by name from there.

    What goes meanwhile, as another who sends the same is through, is not there.
    """
    found = []
    waiting = [b""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(os.path.join(folder, below)) as entries:
                for entry in entries:
                    name = below + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(name + b"/")
                    else:
                        found.append((name, entry))
        except FileNotFoundError:
            continue
    return found


def listed(folder: bytes) -> "list[tuple[bytes, os.stat_result]]":
    """Return the files below `folder`, by name from there, with what the system says of them."""
    found = []
    for name, entry in walk(folder):
        try:
            found.append((name, entry.stat(follow_symlinks=False)))
        except FileNotFoundError:
            continue
    return found


def clear(*folders: bytes) -> None:
    """Remove folders with all that is in them, as far as it can be done."""
    for folder in folders:
        for place, _, names in os.walk(folder, topdown=False):
            for name in names:
                tried(os.unlink, os.path.join(place, name))
            tried(os.rmdir, place)


def tried(how: "object", *words: "object") -> None:
    """Do what may not be had, as far as the system lets it."""
    try:  # noqa: SIM105 (contextlib takes half as long to import as python3 to start)
        how(*words)  # type: ignore[operator]
    except OSError:
        pass


def opened(path: bytes, flags: int) -> int:
    """Open a file to write, made where it is not there, and so are the folders above it.

    Another who sends the same may take them away as soon as it is through.
    """
    tries = _TRIES
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o644)
        except FileNotFoundError:
            if not tries:
                raise
            tries -= 1
            _make_folder(path)


def _make_folder(path: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)


def write_small(path: bytes, data: bytes) -> None:
    """Write a file whose content is known to be right; others may write the same to it."""
    size = None
    try:
        file = opened(path, os.O_EXCL)
    except FileExistsError:
        file, size = opened(path, 0), len(data)
    try:
        write_all(file, data)
        if size is not None:
            os.ftruncate(file, size)
    finally:
        # Some file systems say only now that the disk is full.
        os.close(file)


def write_all(file: int, data: bytes) -> None:
    """Write all of `data`: a call may take less of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def renamed(mine: bytes, path: bytes) -> bool:
    """Give a file its name; return whether it was there still."""
    _make_folder(path)
    try:
        os.rename(mine, path)
    except FileNotFoundError:
        return False
    return True
