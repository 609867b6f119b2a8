"""Files: names that are safe, and writes that are whole or not there."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

from core.common.errors import BadName, BatmanError
from core.common.full_disk import disk_full
from core.common.invisible_characters import unseen
from core.common.parse import ParseError, parse_json
from core.common.temporary import file_beside, sweep
from core.common.text import clean
from core.late import late, late_pattern

if TYPE_CHECKING:
    import json
    import shutil
else:
    json = late("json")
    shutil = late("shutil")

T = TypeVar("T")

FileMode = Literal["link", "copy", "move", "reference"]

_SHOWN = 120
# Reserved on Windows shares, which network file systems often are.
_RESERVED = late_pattern(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def safe_name(name: str) -> str:
    """Return `name`, stripped, if it can be the name of a folder everywhere.

    Raises `BadName` for an empty name, one that holds a slash or what nobody sees, starts with
    a dot or a dash, or is longer than 100 bytes.
    """
    stripped = name.strip()
    hint = "Use letters, digits, spaces, '-', '_' and '.', up to 100 characters."
    if not stripped:
        raise BadName("A name cannot be empty.", hint)
    if len(os.fsencode(stripped)) > 100:
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


def expand_user(path: str | Path) -> Path:
    """Return `path` with a `~` or `~user` in front replaced by that home folder.

    Raises `BatmanError` for a user that this machine does not know, and for a path that is not
    UTF-8: neither SQLite nor JSON can hold it.
    """
    try:
        return utf8_path(Path(path).expanduser())
    except RuntimeError:
        user = Path(path).parts[0]
        raise BatmanError(
            f"There is no home folder '{clean(user)}' on this machine.",
            f"Write ./{clean(user)} for a file that is called so, or the whole path.",
        ) from None


def utf8_path(path: Path) -> Path:
    """Return `path`. Raises `BatmanError` for one that is not UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise BatmanError(
            f"The path '{clean(str(path))}' is not UTF-8, so it cannot be recorded.",
            "Rename the folder or file, or reach it by a link with another name.",
        ) from None
    return path


def path_problem(error: Exception) -> BatmanError | None:
    """Return what the system has against a file or a disk as an error for a person.

    That is `DiskFull` where a full disk or quota is behind it (`disk_full`). None for an error that
    names no file and is not about a disk itself.
    """
    full = disk_full(error)
    if full is not None or not isinstance(error, OSError):
        return full
    if error.filename is None and error.errno not in (errno.ENOSPC, errno.EIO):
        return None
    name = "" if error.filename is None else os.fsdecode(error.filename)
    shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
    hint = {
        errno.ENAMETOOLONG: "Use a shorter name: most file systems take 255 bytes for each part.",
        errno.EACCES: "Ask its owner for the permission, or use another folder.",
        errno.EPERM: "Ask its owner for the permission, or use another folder.",
        errno.EROFS: "Use a folder that can be written.",
        errno.ENOSPC: "Make room on that disk, then do it again.",
    }.get(error.errno or 0, "Check the path.")
    what = error.strerror or type(error).__name__
    return BatmanError(f"'{clean(shown)}': {what}." if shown else f"{what}.", hint)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` so that a reader, or a crash, sees the old file or the new one."""
    raw = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    with file_beside(path) as making, making.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


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
    """Write `value` as indented UTF-8 JSON, atomically; halves of characters as escapes."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    # JSON has an escape for half of a character, UTF-8 has nothing.
    text = re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)
    write_atomic(path, text + "\n")


def open_plain(path: Path) -> BinaryIO:
    """Open a file for reading that lies where a file belongs; never waits.

    What lies there may be anything: a pipe that nobody writes to would be waited for for ever.
    Raises OSError, also for what is no file.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(fd, "rb")
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "It is a pipe or a device, and no file", str(path))


def leads_nowhere(path: Path) -> bool:
    """Tell whether `path` is a link to what is not there, such as a disk that is not mounted."""
    return os.path.islink(path) and not os.path.exists(path)  # noqa: PTH110, PTH114 - never raise


def read_plain(path: Path) -> bytes:
    """Return what is in a file, see `open_plain`. Raises OSError."""
    with open_plain(path) as file:
        return file.read()


def read_typed_json(path: Path, kind: type[T]) -> T | None:
    """Return the JSON that a program keeps at `path` as the type `kind`, None if there is none.

    Raises `BatmanError` that names the file when it cannot be read or is something else.
    """
    try:
        return parse_json(read_plain(path), kind)
    except (FileNotFoundError, NotADirectoryError):
        if not leads_nowhere(path):
            return None
        said = "it is a link that leads nowhere"
    except (OSError, ParseError) as error:
        said = reason(error)
    raise BatmanError(
        f"'{clean(str(path))}' cannot be read: {clean(said)}.", "Mend the file, or remove it."
    )


def read_json(path: Path) -> Any:
    """Return the JSON in `path`. Raises `BatmanError` that names the file when it cannot.

    That is: it is missing, may not be read, or is not JSON (also numbers of thousands of digits and
    nesting that is deeper than Python can follow).
    """
    try:
        return json.loads(read_plain(path))
    except FileNotFoundError:
        raise BatmanError(f"There is no file '{clean(str(path))}'.") from None
    except OSError as error:
        raise BatmanError(
            f"'{clean(str(path))}' cannot be read: {error.strerror}.",
            "Ask its owner, or check the permissions.",
        ) from error
    except RecursionError:
        raise BatmanError(
            f"'{clean(str(path))}' is not valid JSON: it is nested too deeply.",
            "Put a copy from a backup in its place, or remove it.",
        ) from None
    except ValueError as error:
        raise BatmanError(
            f"'{clean(str(path))}' is not valid JSON: {clean(str(error))}.",
            "Put a copy from a backup in its place, or remove it.",
        ) from None


def reason(error: Exception) -> str:
    """Return in words why a file could not be read, without the path that the error may hold."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)


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
