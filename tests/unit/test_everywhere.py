"""The table of where the app does what a command does: none left out, no key that is not there."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Iterator

from everywhere_page import rows

from batman_tui.action import key_name
from batman_tui.keys import ACTIONS, room_title
from cli.main import COMMANDS
from cli.parser import BatmanParser


def leaves(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not below:
        yield name
    for action in below:
        for word, inner in action.choices.items():
            yield from leaves(inner, f"{name} {word}")


def commands() -> set[str]:
    found: set[str] = set()
    for name, command in COMMANDS.items():
        module = importlib.import_module(f"cli.{command.module}")
        parser = BatmanParser(prog=name)
        module.add_arguments(parser)
        found |= set(leaves(parser, name))
    return found


def test_every_command_has_its_row() -> None:
    told = {command for names, _ in rows() for command in names}
    missing = {
        command
        for command in commands() - told
        # Formats are told together, but for what stands in a row of its own.
        if not command.startswith(("import ", "export "))
    }
    assert missing == set()
    assert told - commands() <= {"import", "export"}


def test_no_cell_is_empty_and_each_key_is_there() -> None:
    keys = {
        (room_title(name), key_name(key))
        for name, action in ACTIONS.items()
        for key in action.keys.split(",")
    }
    shown = 0
    for names, cell in rows():
        assert cell, names
        for room, key in re.findall(r"([A-Z][a-z]+(?: [a-z]+)*) `([^`]+)`", cell):
            assert (room, key) in keys, (names, room, key)
            shown += 1
    assert shown > 50
