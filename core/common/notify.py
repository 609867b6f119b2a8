"""Telling the person that something ended: the terminal's bell, the desktop, a command of theirs.

The bell and the desktop's escape sequences go through the terminal, so they reach the person over
SSH as well; `notify-send` is for a desktop on this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.common.files import read_plain
from core.common.folders import config_dir
from core.common.parse import Check, one_of, parse_toml, read_entries, switch
from core.common.text import clean
from core.late import late
from core.privacy.secrets import redact

if TYPE_CHECKING:
    import shlex
else:
    shlex = late("shlex")

DESKTOP = ("auto", "osc9", "osc777", "notify-send", "off")
COMMAND_S = 30.0
BELL = "\a"
_FILE = "config.toml"
_MOST = 240


@dataclass(frozen=True)
class NotifySettings:
    """The table `[notify]` of `config.toml`.

    `bell` rings the terminal's bell. `desktop` is how the desktop is told: `auto` by what this
    terminal and machine have, `osc9`, `osc777`, `notify-send`, or `off`. `command` is a program of
    the person's own with its arguments, run without a shell; the facts are in its environment.
    """

    bell: bool = True
    desktop: str = "auto"
    command: tuple[str, ...] = ()


def read_notify(table: object) -> tuple[NotifySettings, list[str]]:
    """Return the settings in the TOML table, and a sentence for each entry that is wrong."""
    if not isinstance(table, Mapping):
        return NotifySettings(), ["notify must be a table: [notify]"]
    values, problems = read_entries(table, _ENTRIES, "notify.")
    return NotifySettings(**values), problems


def _command(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise ValueError(f"cannot be taken apart: {error}") from None
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise ValueError('must be a command line, or a list of words such as ["my-tool", "--loud"]')


_ENTRIES: dict[str, Check] = {"bell": switch, "desktop": one_of(DESKTOP), "command": _command}


def load_notify(folder: Path | None = None) -> NotifySettings:
    """Return the settings in the configuration folder; what is wrong there keeps its default.

    The app tells what is wrong in the file when it opens.
    """
    try:
        text = read_plain((folder or config_dir()) / _FILE).decode()
        return read_notify(parse_toml(text).get("notify", {}))[0]
    except (OSError, ValueError):
        return NotifySettings()


def notify(
    settings: NotifySettings,
    title: str,
    body: str,
    variables: Mapping[str, str],
    write: Callable[[str], None] | None,
    failed: Callable[[str], None] | None = None,
) -> list[threading.Thread]:
    """Tell the person, and return the threads that wait for programs; nobody has to join them.

    `write` puts escape sequences on the terminal (None: there is none). `failed` hears, from
    another thread, what went wrong with the person's own command.
    """
    threads = []
    if write is not None:
        text = BELL if settings.bell else ""
        way = settings.desktop if settings.desktop != "auto" else desktop_way(os.environ)
        if way in ("osc9", "osc777"):
            text += escape(way, title, body, os.environ)
        if text:
            with suppress(OSError, ValueError):
                write(text)
    if settings.desktop in ("auto", "notify-send") and _has_desktop(os.environ):
        words = ["notify-send", "--app-name=Batman", "--", _plain(title), _plain(body)]
        threads.append(_start(words, {}, None))
    if settings.command:
        threads.append(_start(list(settings.command), variables, failed))
    return threads


def desktop_way(env: Mapping[str, str]) -> str:
    """Return which escape sequence this terminal shows on its desktop; `notify-send` if that is.

    Terminals that know neither ignore both. OSC 9 is iTerm2's, taken over by WezTerm, Ghostty,
    kitty and Windows Terminal; OSC 777 is rxvt-unicode's, taken over by foot and VTE.
    """
    if _has_desktop(env):
        return "notify-send"
    term = env.get("TERM", "")
    if term in ("", "dumb", "linux"):
        return "off"
    if term.startswith(("rxvt", "foot")) or env.get("VTE_VERSION"):
        return "osc777"
    return "osc9"


def escape(way: str, title: str, body: str, env: Mapping[str, str]) -> str:
    """Return the escape sequence that shows a notification, passed through tmux and screen.

    tmux hands it on where `allow-passthrough` is on, and else drops it.
    """
    title, body = _plain(title), _plain(body)
    if way == "osc777":
        # Its parts are divided by semicolons.
        sequence = f"\x1b]777;notify;{title.replace(';', ',')};{body.replace(';', ',')}\x1b\\"
    else:
        # `9;4;…` is a progress bar, so the text never begins with a number and a semicolon.
        text = f"{title}: {body}" if body else title
        sequence = f"\x1b]9;{re.sub(r'^(?=[0-9]+;)', ' ', text)}\x1b\\"
    if env.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if env.get("TERM", "").startswith("screen"):
        # screen ends the passing through at the first terminator; the bell ends OSC as well.
        return "\x1bP" + sequence.replace("\x1b\\", "\a") + "\x1b\\"
    return sequence


def _plain(text: str) -> str:
    """Return text in one line without control characters, cut to what a notification holds."""
    one = " ".join(clean(text).split())
    return one if len(one) <= _MOST else one[: _MOST - 1] + "…"


def _has_desktop(env: Mapping[str, str]) -> bool:
    shown = env.get("WAYLAND_DISPLAY") or env.get("DISPLAY")
    return bool(shown) and not env.get("SSH_CONNECTION") and bool(shutil.which("notify-send"))


def _start(
    argv: list[str], variables: Mapping[str, str], failed: Callable[[str], None] | None
) -> threading.Thread:
    thread = threading.Thread(target=_run, args=(argv, variables, failed), daemon=True)
    thread.start()
    return thread


def _run(
    argv: list[str], variables: Mapping[str, str], failed: Callable[[str], None] | None
) -> None:
    # No NUL can stand in an environment.
    told = {name: redact(text.replace("\0", "")) for name, text in variables.items()}
    env = {**os.environ, **told}
    wrong = ""
    try:
        done = subprocess.run(
            argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_S,
            check=False, start_new_session=True,
        )  # fmt: skip
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            wrong = f"ended with code {done.returncode}{': ' + clean(said[-1]) if said else ''}"
    except subprocess.TimeoutExpired:
        wrong = f"took longer than {COMMAND_S:g} s"
    except OSError as error:
        wrong = f"cannot be run: {error.strerror}"
    if wrong and failed is not None:
        failed(f"The notification command '{clean(argv[0])}' {wrong}.")
