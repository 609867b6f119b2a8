"""What the README and the documentation tell people to type is taken by our parsers."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from cli.main import COMMANDS
from cli.parser import BatmanParser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def typed(page: Path) -> list[str]:
    """Return the lines after a `$` in the page's console blocks, continued lines joined."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:console|bash|shell)\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip().removeprefix("$ ") for line in lines if line.strip().startswith("$ ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_parse(page: Path) -> None:
    for line in typed(page):
        words = shlex.split(line.split(" | ")[0], comments=True)
        if words[:1] == ["batman"]:
            words = words[1:]
            if words[:1] == ["--workspace"]:
                words = words[2:]
            module = COMMANDS[words[0]].module
        elif words[:2] == ["python", "-m"] and words[2].startswith("cli."):
            module = words[2].removeprefix("cli.")
            words = words[2:]
        else:
            continue
        if module:
            parser = BatmanParser(prog=line)
            loaded = importlib.import_module(f"cli.{module}")
            loaded.add_arguments(parser)
            prepared = getattr(loaded, "prepared", list)
            parser.parse_args(prepared(words[1:]))


def test_every_command_is_in_the_documentation() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    missing = [name for name in COMMANDS if f"batman {name}" not in text]
    assert missing == []


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES[1:]}
    assert {page for page in pages if page not in nav} == set()


def test_every_picture_is_there() -> None:
    for page in PAGES:
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name} shows {target}"
