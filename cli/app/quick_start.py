"""What the app's start leaves out: modules that its first frame does not need.

Textual and what it stands on import them as they are imported themselves, 50 of 350 modules and a
fifth of the time, for what is done later or never. Each is loaded when it is first used, see
`core.late`. Read in Rich 15.0.0, platformdirs 4.14.7, Python 3.11 and a release of Textual:
others that ask for more of them have the module loaded as ever, which costs time, no more.
"""

from __future__ import annotations

import gc
from abc import ABC
from importlib.machinery import PathFinder

from core.late import late_for, late_for_all

TEXTUAL = "8.2.8"
"""The release whose palette may be left out: its classes are known here."""

# Imported as modules: TLS and the race of addresses for connections that the app's loop does not
# make, addresses of version 6 in an address of the web, kinds of files for downloads in a browser,
# the source code that belongs to a traceback.
_MODULES = ("ssl", "asyncio.sslproto", "asyncio.staggered", "ipaddress", "mimetypes", "tokenize")

# Imported by name, and by whom.
_NAMES = {
    # The name of a note, for which it asks what machine this is.
    "uuid": ("textual.notifications",),
    # Where a browser puts downloads.
    "platformdirs": ("textual.app",),
    # A path as an address of the web.
    "urllib.parse": ("pathlib",),
    # What is said of a mistake in a style sheet.
    "textual.css._help_text": ("textual.css._style_properties", "textual.css._styles_builder"),
    "difflib": ("textual.suggestions",),
    # What a developer prints: a table of colours, a tree of widgets.
    "rich.table": ("textual.design",),
    "rich.tree": ("textual.dom",),
}


def quick_start() -> None:
    """Leave out what the app's first frame does not need; to be called before Textual is imported.

    No garbage is looked for until it is there, which `batman_tui.app` ends: what is imported and
    laid out by then stays, and to look through it, again and again as it grows, is a sixth of the
    start.
    """
    gc.disable()
    late_for_all(*_MODULES)
    for name, importers in _NAMES.items():
        late_for(name, *importers)
    if _textual_is_known():
        # The palette, and with it Textual's fields, lists and trees of folders.
        late_for("textual.command", "textual.app", "textual.theme", bases={"Provider": ABC})


def _textual_is_known() -> bool:
    """Return whether Textual is of the release `TEXTUAL`, without what loads its metadata."""
    found = PathFinder.find_spec("textual")
    if found is None or found.origin is None:
        return False
    from pathlib import Path  # after what it imports was left out

    return (Path(found.origin).parents[1] / f"textual-{TEXTUAL}.dist-info").is_dir()
