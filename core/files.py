"""Files: names that are safe, and writes that are whole or not there."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from core.errors import BadName, BatmanError
from core.text import clean
from core.unseen import unseen

FileMode = Literal["link", "copy", "move", "reference"]

# Reserved on Windows shares, which network file systems often are.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def safe_name(name: str) -> str:
    """Return `name`, stripped, if it can be the name of a folder everywhere.

    Raises `BadName` for an empty name, one that holds a slash or what nobody sees, starts with
    a dot or a dash, or is longer than 100 bytes.
    """
    stripped = name.strip()
    hint = "Use letters, digits, spaces, '-', '_' and '.', up to 100 characters."
    if not stripped:
        raise BadName("A name cannot be empty.", hint)
    if len(stripped.encode()) > 100:
        raise BadName(f"The name '{clean(stripped[:30])}…' is too long.", hint)
    if unseen(stripped) or any(char in '/\\:*?"<>|' or not char.isprintable() for char in stripped):
        raise BadName(f"The name '{clean(stripped)}' holds a character files cannot have.", hint)
    if stripped[0] in ".-" or stripped[-1] == "." or _RESERVED.fullmatch(stripped):
        raise BadName(f"The name '{clean(stripped)}' cannot be used for a folder.", hint)
    return stripped


def safe_relative(path: str) -> PurePosixPath:
    """Return `path` as a relative path that stays inside the folder it is joined to.

    Backslashes count as separators. Raises `BadName` for absolute paths, drives, `..`, NUL and
    other control characters, and empty paths.
    """
    posix = path.replace("\\", "/")
    parts = [part for part in posix.split("/") if part not in ("", ".")]
    if not parts or posix.startswith("/") or re.match(r"[A-Za-z]:", posix):
        raise BadName(f"'{clean(path)}' is not a relative path.", "Use a path inside the data set.")
    if ".." in parts:
        raise BadName(f"'{clean(path)}' leads out of the data set.", "Remove the '..' parts.")
    if any(ord(char) < 32 or ord(char) == 127 for char in posix):
        raise BadName(f"'{clean(path)}' holds a control character.", "Rename the file.")
    if any(len(part.encode(errors="surrogateescape")) > 255 for part in parts):
        raise BadName(f"'{clean(path[:40])}…' is too long for a file name.", "Rename the file.")
    return PurePosixPath(*parts)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` so that a reader, or a crash, sees the old file or the new one."""
    raw = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; runs and exports are read by colleagues.
        temporary.chmod(0o666 & ~umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def umask() -> int:
    """Return the process's umask without setting it, or 0o022 where that cannot be read.

    The system call reads by setting, which is no good among threads; Linux shows it in /proc.
    """
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
            for line in status:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except OSError:
        pass
    return 0o022


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, atomically."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the JSON in `path`. Raises `BatmanError` that names the file when it is not JSON."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BatmanError(f"There is no file '{clean(str(path))}'.") from None
    except (ValueError, RecursionError) as error:
        raise BatmanError(
            f"'{clean(str(path))}' is not valid JSON: {clean(str(error))}.",
            "Restore it from a copy, or remove it.",
        ) from None


def link_or_copy(source: Path, target: Path, mode: FileMode = "link") -> None:
    """Place `source` at `target`: a hard link, else a copy; `copy` and `move` always copy.

    A move is a copy here because its source may only go once everything is safely recorded.
    """
    if mode == "link":
        try:
            os.link(source, target)
        except OSError as error:
            # Other file system, no permission, no support, or too many links: a copy serves.
            if error.errno not in (
                errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS,
            ):  # fmt: skip
                raise
        else:
            return
    shutil.copyfile(source, target)


def remove_tree(path: Path) -> None:
    """Remove a folder and what is in it, if it is there: renamed first, so it goes at once."""
    if not path.exists() and not path.is_symlink():
        return
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    aside = path.with_name(f".{path.name}.removed-{os.getpid()}")
    with contextlib.suppress(OSError):
        path = path.rename(aside)
    shutil.rmtree(path)
