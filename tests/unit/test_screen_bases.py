"""Screens are composed: no class is cut into a chain of bases that only it has."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

from textual.app import App
from textual.widget import Widget

import batman_tui


def classes() -> list[type]:
    """Return every class of the app's modules."""
    found = []
    for module in pkgutil.walk_packages(batman_tui.__path__, "batman_tui."):
        members = vars(importlib.import_module(module.name)).values()
        found += [
            kind for kind in members if inspect.isclass(kind) and kind.__module__ == module.name
        ]
    return found


def made() -> set[str]:
    """Return the names that the app's modules call: among them all classes that are made."""
    names = set()
    for file in Path(batman_tui.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                called = node.func.value if isinstance(node.func, ast.Subscript) else node.func
                names.add(ast.unparse(called).rpartition(".")[2])
    return names


def single(kinds: list[type], made: set[str]) -> dict[str, str]:
    """Return bases with exactly one child that nobody makes by themselves, and their child.

    Counted are children that are an app, a screen or a widget, whatever the base is; what has
    several children, or is of use without any, is a base in its own right.
    """
    children: dict[type, list[type]] = {}
    for kind in kinds:
        if issubclass(kind, (App, Widget)):
            for base in kind.__bases__:
                if base in kinds:
                    children.setdefault(base, []).append(kind)
    return {
        base.__name__: below[0].__name__
        for base, below in children.items()
        if len(below) == 1 and base.__name__ not in made
    }


def test_no_screen_is_cut_into_bases_of_its_own() -> None:
    found = single(classes(), made())
    assert found == {}


def test_a_chain_of_bases_is_found() -> None:
    class Keys:
        """A mixin that knows nothing of Textual."""

    class Control(Keys, Widget):
        """Only a part of `Shown`."""

    class Shown(Control):
        """The whole."""

    class Useful(Widget):
        """Used by itself, too."""

    class Special(Useful):
        """Another one."""

    kinds = [Keys, Control, Shown, Useful, Special]
    assert single(kinds, {"Useful", "Shown"}) == {"Keys": "Control", "Control": "Shown"}
