"""What some commands said the last time, said again without loading what it is made of.

The help of a command is made of the options, choices and defaults of the modules that it would run:
hundreds of files, each of which a network file system charges for. It is the same each time, so it
is kept in the cache folder, by command, and held against all that could change it: the time and
size of every module of ours that was loaded for it, what is installed beside them, Python, the
width and colours of the terminal. What does not fit, or is damaged, is made anew.

The lists in `_LISTS` are kept for a workspace as well, and held against the files and folders that
they tell of, too: each is opened for its time, for a network file system asks its server only then
whether what it knows of a file is still true.

Nothing is imported here but what Python itself has loaded: `cli.main` asks before all else.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TextIO

_MAGIC = "batman answer 1"
_PACKAGES = ("batman", "batman_tui", "cli", "core", "slurm", "themes", "web")
# What argparse, gettext, rich and Python's output look at.
_LOOKED_AT = (
    "COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE",
    "TTY_INTERACTIVE", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES",
    "PYTHONIOENCODING", "PYTHONUTF8",
)  # fmt: skip
# What decides where things lie, and how times are written.
_PLACED_BY = (
    "BATMAN_CONFIG_DIR", "BATMAN_CACHE_DIR", "BATMAN_WORKSPACE", "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME", "HOME", "TZ",
)  # fmt: skip
_LISTS = ("locate", "project list")
_MOST_WORDS = 4
# A file system's clock may tick this seldom: what was written just now may be written again
# without its time telling.
_SETTLED_S = 2.0

_wanted = ""


def said_before(words: Sequence[str]) -> str | None:
    """Return what was said to these words of a command line, None where it is to be made.

    What is said to them from now on is kept, if they only ask for help or the version.
    """
    global _wanted
    *names, last = words or [""]
    _wanted = ""
    if len(names) > _MOST_WORDS or not all(map(_plain, names)):
        return None
    if last in ("-h", "--help"):
        _wanted = " ".join(["batman", *names])
    elif last == "--version" and not names:
        _wanted = "batman --version"
    elif " ".join(words) in _LISTS:
        _wanted = " ".join(["batman", *words])
    if not _wanted or sys.stdout is None:
        return None
    try:
        with open(_file(_wanted), encoding="utf-8", errors="surrogateescape", newline="") as file:  # noqa: PTH123
            return _valid(file.read())
    except (OSError, ValueError):
        return None


def keep(name: str, text: str, told_of: Sequence[str] = ()) -> None:
    """Keep `text`, the answer to `name`, such as `batman runs`, if that was asked for.

    `told_of` are the stamps of what it tells of (`_state`).
    """
    if name != _wanted:
        return
    import contextlib
    from pathlib import Path

    from core.common.files import write_atomic

    stamps = [*(stamp for path in _made_of() if (stamp := _stamp(path))), *told_of]
    if any("\n" in stamp for stamp in stamps):
        return
    lines = [_MAGIC, _looks(), str(len(stamps)), *stamps, str(len(text)), text]
    with contextlib.suppress(OSError, UnicodeError):
        write_atomic(Path(_file(name)), "\n".join(lines).encode("utf-8", "surrogateescape"))


class _Heard:
    """Standard output, and what was written to it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return self._out.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


class Hearing:
    """Keeps what is printed in the `with` block as the answer to `name`, if that was asked for.

    It tells of the files and folders that `told_of` names when it is called. It is not kept where
    one of them changed meanwhile or a moment ago, or the block ends with an error.
    """

    def __init__(self, name: str, told_of: Callable[[], Iterable[str]]) -> None:
        self._name, self._told_of = name, told_of
        self._heard: _Heard | None = None

    def __enter__(self) -> None:
        if self._name == _wanted:
            self._before = [_state(path) for path in self._told_of()]
            self._heard = _Heard(sys.stdout)
            sys.stdout = self._heard

    def __exit__(self, kind: object, *_: object) -> None:
        if self._heard is None:
            return
        sys.stdout = self._heard._out
        after = [_state(path) for path in self._told_of()]
        if kind is None and after == self._before and all(map(_settled, after)):
            keep(self._name, self._heard.text, after)


def _plain(word: str) -> bool:
    return word.replace("-", "").replace("_", "").isalnum() and word[0] != "-" and len(word) < 40


def _file(name: str) -> str:
    """Return the file of an answer: what is asked for and how wide, as its name."""
    folder = os.environ.get("BATMAN_CACHE_DIR", "")
    if folder:
        folder = os.path.expanduser(folder)  # noqa: PTH111
    elif sys.platform.startswith("linux"):
        # As platformdirs has it, without loading that.
        home = os.environ.get("XDG_CACHE_HOME", "").strip() or os.path.expanduser("~/.cache")  # noqa: PTH111
        folder = home + "/batman"
    else:
        from core.common.folders import cache_dir

        folder = str(cache_dir())
    colours = "colour" if sys.stdout.isatty() else "plain"
    place = ""
    if name.removeprefix("batman ") in _LISTS:
        place = "+" + "+".join(part for part in _where()[-1].split("/") if part)[-120:]
    return f"{folder}/answers/{name.replace(' ', '+')}{place}+{_width()}+{colours}.txt"


def _width() -> int:
    for number in (1, 2, 0):
        try:
            return os.get_terminal_size(number).columns
        except (OSError, ValueError):
            continue
    return 0


def _where() -> list[str]:
    """Return what decides where things lie; the last of it tells workspaces apart."""
    try:
        here = os.getcwd()  # noqa: PTH109
    except OSError:
        here = ""
    named = os.environ.get("BATMAN_WORKSPACE", "")
    return [*(os.environ.get(name, "") for name in _PLACED_BY), here, named or here]


def _looks() -> str:
    """Return, in one line, what decides beside the code how an answer looks."""
    sizes = []
    for number in (0, 1, 2):
        try:
            sizes.append(tuple(os.get_terminal_size(number)))
        except (OSError, ValueError):
            sizes.append(())
    seen = [os.environ.get(name) for name in _LOOKED_AT]
    if _wanted.removeprefix("batman ") in _LISTS:
        seen += _where()
    return ascii(
        (sys.version, sys.executable, sizes, sys.stdout.isatty(), sys.stdout.encoding, seen)
    )


def _made_of() -> Iterable[str]:
    """Return the files of our modules that are loaded, and the folders of installed packages."""
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in _PACKAGES and isinstance(file, str):
            yield file
    # What is installed, removed or brought up to date changes their time.
    yield from (path for path in sys.path if path.endswith("-packages"))


def _stamp(path: str) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return ""
    return f"{found.st_mtime_ns} {found.st_size} {path}"


def _state(path: str) -> str:
    """Return the stamp of a file or folder that is told of: also that it is not there."""
    found = None
    try:
        opened = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            found = os.fstat(opened)
        finally:
            os.close(opened)
    except OSError:
        try:
            found = os.stat(path)  # noqa: PTH116 - one may know of it what one may not read
        except OSError:
            return f"@0 0 0 0 {path}"
    return f"@{found.st_mtime_ns} {found.st_ctime_ns} {found.st_size} {found.st_ino} {path}"


def _settled(stamp: str) -> bool:
    import time

    newest = max(map(int, stamp[1:].split(" ", 2)[:2])) / 1e9
    return newest < time.time() - _SETTLED_S


def _valid(kept: str) -> str | None:
    """Return the answer in what is kept, None where it no longer holds. Raises ValueError."""
    magic, looks, count, rest = kept.split("\n", 3)
    if magic != _MAGIC or looks != _looks():
        return None
    *stamps, length, text = rest.split("\n", int(count) + 1)
    if len(stamps) != int(count) or not stamps or len(text) != int(length):
        return None
    for stamp in stamps:
        told_of = stamp[:1] == "@"
        path = stamp.split(" ", 4 if told_of else 2)[-1]
        if stamp != (_state(path) if told_of else _stamp(path)):
            return None
    return text
