"""How pictures are shown: the terminal's or the page's own pixels, or cells of some parts.

Nothing here draws, so that the app can ask before it has painted anything: numpy alone takes a
third of the time until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

Mode = Literal["kitty", "sixel", "browser", "octants", "sextants", "quadrants", "blocks"]
MODES: tuple[Mode, ...] = ("kitty", "sixel", "octants", "sextants", "quadrants", "blocks")
Glyphs = Literal["blocks", "quadrants", "sextants", "octants"]

PARTS: dict[str, tuple[int, int]] = {
    "blocks": (1, 2),
    "quadrants": (2, 2),
    "sextants": (2, 3),
    "octants": (2, 4),
}
"""How many parts a cell has, across and down."""


def choose(wanted: str, env: Mapping[str, str], *, headless: bool, web: bool) -> Mode:
    """Return how pictures are shown; `wanted` is the setting: auto, or one of `MODES`.

    By itself it is real pixels only where the environment is sure of them: kitty and Ghostty have
    placeholders (and say so in TERM, which SSH carries along); foot, mlterm and WezTerm have
    sixel. In tmux, screen and Zellij, which inherit the variables of some terminal, it is not. A
    browser shows the pictures themselves (`browser`).

    Else it is cells: quadrants where a terminal is known to draw block elements by itself, whatever
    its font has, else half blocks. Sextants and octants are for those who ask for them: Alacritty
    draws sextants from 0.14 on (alacritty/alacritty, pull request 7534), xterm.js since December
    2025 (xtermjs/xterm.js, 5467), Windows' since July 2026 (microsoft/terminal, 20424), and none of
    them tells its version; most fonts have neither.
    """
    if wanted in PARTS:
        return cast("Mode", wanted)
    if wanted == "sixel" and not web:
        return "sixel"
    # Which picture a cell is of is said by its colour.
    if wanted == "kitty" and not web and not env.get("NO_COLOR"):
        return "kitty"
    if wanted == "auto" and web:
        return "browser"
    if wanted != "auto" or headless or web or env.get("NO_COLOR"):
        return "blocks"
    if any(env.get(name) for name in ("TMUX", "STY", "ZELLIJ")):
        return "blocks"
    term, program = env.get("TERM", ""), env.get("TERM_PROGRAM", "")
    if term in ("xterm-kitty", "xterm-ghostty") or (
        term.startswith("xterm") and (env.get("KITTY_WINDOW_ID") or program == "ghostty")
    ):
        return "kitty"
    if term.split("-")[0] in ("foot", "mlterm") or program == "WezTerm":
        return "sixel"
    # TERM comes along over SSH; VTE_VERSION is set by GNOME's terminal and its like.
    if term == "alacritty" or env.get("VTE_VERSION"):
        return "quadrants"
    return "blocks"
