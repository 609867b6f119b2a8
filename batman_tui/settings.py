"""What a person can set, read from `config.toml` in their configuration folder."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.common import parse
from core.common.errors import BatmanError
from core.common.files import read_plain, write_atomic
from core.common.folders import config_dir
from core.common.notify import NotifySettings, read_notify
from core.common.text import clean
from core.late import late

if TYPE_CHECKING:
    import json
else:
    json = late("json")

FILE = "config.toml"


@dataclass(frozen=True)
class Settings:
    """The settings; each has a default, so an empty or missing file is a good file."""

    theme: str = "batman-dark"
    """The colour theme: `batman-dark`, `batman-light`, one of Textual's, or one of your own."""

    light_theme: str = "batman-light"
    """The theme that F2 changes to from a dark one."""

    dark_theme: str = "batman-dark"
    """The theme that F2 changes to from a light one."""

    files: str = "link"
    """How an import takes image files: `link`, `copy`, `move` or `reference`."""

    pictures: str = "auto"
    """How pictures are shown: `kitty` or `sixel` in real pixels, else in cells of two colours:
    `blocks` (two parts a cell, in every font), `quadrants` (four), `sextants` (six) or `octants`
    (eight, in hardly any font); `auto` takes what the terminal is known to have."""

    animations: bool = True
    """Whether scrolling and fading are animated; off is better over a slow connection."""

    jobs_columns: tuple[str, ...] = ()
    """The columns of the jobs screen, in their order; empty: all that fit. `v` there sets them."""

    runs_columns: tuple[str, ...] = ()
    """The columns of the runs screen, likewise; any setting of training can be one."""

    notify: NotifySettings = field(default_factory=NotifySettings)
    """How you are told that a run has ended: the table `[notify]` with `bell`, `desktop` and
    `command`."""

    keys: dict[str, str] = field(default_factory=dict)
    """Other keys for actions: `"classes.merge" = "M"`; F1 lists the actions' names."""

    problems: tuple[str, ...] = ()
    """What was wrong in the file, a sentence each; the rest of the file is used."""


def _keys(value: object) -> dict[str, str]:
    if isinstance(value, dict) and all(isinstance(key, str) for key in value.values()):
        return value
    raise ValueError('must map action names to keys, such as "classes.merge" = "M"')


ABOUT = {
    "theme": "The colours.",
    "light_theme": "The theme that F2 changes to from a dark one.",
    "dark_theme": "The theme that F2 changes to from a light one.",
    "files": "How an import takes image files.",
    "pictures": "How pictures are drawn on this terminal.",
    "animations": "Whether scrolling and fading are animated.",
    "jobs_columns": "The columns of the jobs; v on Jobs chooses them.",
    "runs_columns": "The columns of the runs; v on Runs chooses them.",
    "notify": "How you are told that a run has ended: the table [notify].",
    "keys": "Other keys for actions: the table [keys].",
}
CHOICES: dict[str, tuple[str, ...]] = {
    "files": ("link", "copy", "move", "reference"),
    "pictures": ("auto", "kitty", "sixel", "octants", "sextants", "quadrants", "blocks"),
}

_ENTRIES: dict[str, parse.Check] = {
    "theme": parse.text,
    "light_theme": parse.text,
    "dark_theme": parse.text,
    "files": parse.one_of(CHOICES["files"]),
    "pictures": parse.one_of(CHOICES["pictures"]),
    "animations": parse.switch,
    "jobs_columns": parse.names('["id", "name", "state"]'),
    "runs_columns": parse.names('["name", "state", "lr"]'),
    "notify": lambda table: table,  # a table of its own, read below
    "keys": _keys,
}


def load(folder: Path | None = None) -> Settings:
    """Return the settings in `folder` (the configuration folder when None).

    A wrong entry keeps its default and is told in `Settings.problems`; nothing is raised, for
    the app must open to say so.
    """
    path = (folder or config_dir()) / FILE
    try:
        data = parse.parse_toml(read_plain(path).decode())
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
            return Settings()
        return Settings(problems=(f"{FILE}: {clean(str(error))}",))
    values, problems = parse.read_entries(data, _ENTRIES)
    if "notify" in values:
        values["notify"], wrong = read_notify(values["notify"])
        problems += wrong
    return Settings(**values, problems=tuple(f"{FILE}: {problem}" for problem in problems))


def setting_names() -> list[str]:
    """Return the names of the settings, in their order."""
    return list(ABOUT)


def save_setting(name: str, value: str | bool, folder: Path | None = None) -> None:
    """Write one setting into the configuration, the rest as it is. Raises `BatmanError`."""
    _save(name, json.dumps(value, ensure_ascii=False), folder)


def save_theme(name: str, folder: Path | None = None) -> None:
    """Write `theme = name` into the configuration, leaving every other line as it is.

    Raises `BatmanError` when the file cannot be written or is not valid TOML as it stands.
    """
    _save("theme", f'"{name}"', folder)


def save_jobs_columns(names: Sequence[str], folder: Path | None = None) -> None:
    """Write the columns of the jobs screen into the configuration. Raises `BatmanError`."""
    _save("jobs_columns", f"[{', '.join(json.dumps(name) for name in names)}]", folder)


def save_runs_columns(names: Sequence[str], folder: Path | None = None) -> None:
    """Write the columns of the runs screen into the configuration. Raises `BatmanError`."""
    _save("runs_columns", f"[{', '.join(json.dumps(name) for name in names)}]", folder)


def _save(name: str, value: str, folder: Path | None) -> None:
    path = (folder or config_dir()) / FILE
    line = f"{name} = {value}"
    try:
        text = read_plain(path).decode() if os.path.lexists(path) else ""
        head, table, rest = _split_tables(text)
        head, found = re.subn(rf"(?m)^{name}\s*=.*$", line.replace("\\", r"\\"), head, count=1)
        if not found:
            head = f"{line}\n{head}"
        parse.parse_toml(head + table + rest)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, head + table + rest)
    except (OSError, ValueError) as error:
        raise BatmanError(
            f"{name} could not be saved in {clean(str(path))}.", clean(str(error))
        ) from error


def _split_tables(text: str) -> tuple[str, str, str]:
    """Return what comes before the first `[table]`, its bracket, and the rest."""
    match = re.search(r"(?m)^\s*\[", text)
    if match is None:
        return text, "", ""
    return text[: match.start()], match.group(), text[match.end() :]
