"""Colour themes as data: TOML files read into Textual themes.

A file holds `name`, `dark`, a table `colors` and, when wanted, a table `variables` of Textual's
CSS variables. The ones beside this module are Batman's own; a person puts others in the
`themes` folder of the configuration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import Theme

from core.common.errors import BatmanError
from core.common.files import read_plain
from core.common.parse import parse_toml
from core.common.workspace import entries_of

OWN = Path(__file__).parent
DARK = "batman-dark"
LIGHT = "batman-light"
COLORS = (
    "primary",
    "secondary",
    "warning",
    "error",
    "success",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "boost",
)


class BadTheme(Exception):
    """A theme file that cannot be used; the text says which line to mend."""


def read_theme(path: Path) -> Theme:
    """Return the theme in the TOML file `path`.

    Raises `BadTheme` when the file cannot be read, a name is unknown or a colour is none.
    """
    try:
        data = parse_toml(read_plain(path).decode())
    except (OSError, ValueError) as error:
        raise BadTheme(f"{path.name}: {error}") from error
    if unknown := set(data) - {"name", "dark", "colors", "variables"}:
        raise BadTheme(f"{path.name}: unknown entry '{min(unknown)}'")
    colors = _strings(path, data, "colors")
    if unknown := set(colors) - set(COLORS):
        raise BadTheme(
            f"{path.name}: unknown colour '{min(unknown)}'; there are {', '.join(COLORS)}"
        )
    if "primary" not in colors:
        raise BadTheme(f"{path.name}: colors.primary is missing")
    for name, value in colors.items():
        try:
            Color.parse(value)
        except ColorParseError as error:
            raise BadTheme(f"{path.name}: colors.{name} = '{value}' is not a colour") from error
    return Theme(
        name=str(data.get("name", path.stem)),
        dark=bool(data.get("dark", True)),
        variables=_strings(path, data, "variables"),
        **colors,  # type: ignore[arg-type]
    )


def load(folder: Path) -> tuple[list[Theme], list[str]]:
    """Return the themes in `folder`, by file name, and a sentence for each that is unusable."""
    themes: list[Theme] = []
    problems: list[str] = []
    try:
        names = sorted(entry.name for entry in entries_of(folder))
    except BatmanError as error:
        return [], [error.message]
    for path in (folder / name for name in names if name.endswith(".toml")):
        try:
            themes.append(read_theme(path))
        except BadTheme as error:
            problems.append(str(error))
    return themes, problems


def _strings(path: Path, data: dict[str, Any], table: str) -> dict[str, str]:
    found = data.get(table, {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadTheme(f"{path.name}: [{table}] must map names to strings")
    return found
