"""What `--help` and `--version` said the last time, said again without loading what it is made of.

The help of a command is made of the options, choices and defaults of the modules that it would run:
hundreds of files, each of which a network file system charges for. It is the same each time, so it
is kept in the cache folder, by command, and held against all that could change it: the time and
size of every module of ours that was loaded for it, what is installed beside them, Python, the
width and colours of the terminal. What does not fit, or is damaged, is made anew.

Nothing is imported here but what Python itself has loaded: `cli.main` asks before all else.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAGIC = "batman answer 1"
_PACKAGES = ("batman", "batman_tui", "cli", "core", "slurm", "themes", "web")
# What argparse, gettext, rich and Python's output look at.
_LOOKED_AT = (
    "COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE",
    "TTY_INTERACTIVE", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES",
    "PYTHONIOENCODING", "PYTHONUTF8",
)  # fmt: skip
_MOST_WORDS = 4

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
    if not _wanted or sys.stdout is None:
        return None
    try:
        with open(_file(_wanted), encoding="utf-8", errors="surrogateescape", newline="") as file:  # noqa: PTH123
            return _valid(file.read())
    except (OSError, ValueError):
        return None


def keep(name: str, text: str) -> None:
    """Keep `text`, the answer to `name`, such as `batman runs list`, if that was asked for."""
    if name != _wanted:
        return
    import contextlib
    from pathlib import Path

    from core.common.files import write_atomic

    stamps = [stamp for path in _made_of() if (stamp := _stamp(path))]
    if any("\n" in stamp for stamp in stamps):
        return
    lines = [_MAGIC, _looks(), str(len(stamps)), *stamps, str(len(text)), text]
    with contextlib.suppress(OSError, UnicodeError):
        write_atomic(Path(_file(name)), "\n".join(lines).encode("utf-8", "surrogateescape"))


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
    return f"{folder}/answers/{name.replace(' ', '+')}+{_width()}+{colours}.txt"


def _width() -> int:
    for number in (1, 2, 0):
        try:
            return os.get_terminal_size(number).columns
        except (OSError, ValueError):
            continue
    return 0


def _looks() -> str:
    """Return, in one line, what decides beside the code how an answer looks."""
    sizes = []
    for number in (0, 1, 2):
        try:
            sizes.append(tuple(os.get_terminal_size(number)))
        except (OSError, ValueError):
            sizes.append(())
    seen = [os.environ.get(name) for name in _LOOKED_AT]
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


def _valid(kept: str) -> str | None:
    """Return the answer in what is kept, None where it no longer holds. Raises ValueError."""
    magic, looks, count, rest = kept.split("\n", 3)
    if magic != _MAGIC or looks != _looks():
        return None
    *stamps, length, text = rest.split("\n", int(count) + 1)
    if len(stamps) != int(count) or not stamps or len(text) != int(length):
        return None
    if any(stamp != _stamp(stamp.split(" ", 2)[2]) for stamp in stamps):
        return None
    return text
