"""The project of a labelling command: by its place, or as `--project`, whichever one types."""

from __future__ import annotations

import importlib

import pytest

from cli.main import COMMANDS
from cli.parser import BatmanParser

# Those that take something else by place have only --project.
LINES = [
    ["autolabel"],
    ["label"],
    ["loop"],
    ["review"],
    *(
        ["labels", *words.split()]
        for words in (
            "queue", "compare", "passes", "scores", "accept --class c", "reject --where x",
            "review --where x", "show --image a", "add --image a --class c --box 1 2 3 4",
            "set --id 1",
            "edit --image a --ops f", "undo", "redo", "tracks list", "tracks problems",
        )
    ),
]  # fmt: skip


def parser_of(command: str) -> BatmanParser:
    module = importlib.import_module(f"cli.{COMMANDS[command].module}")
    parser = BatmanParser(prog=f"batman {command}")
    module.add_arguments(parser)
    return parser


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_both_ways_name_the_same_project(line: list[str]) -> None:
    parser = parser_of(line[0])
    begins = next((at for at, word in enumerate(line) if word.startswith("--")), len(line))
    placed = [*line[1:begins], "yard", *line[begins:]]
    for words in (placed, [*line[1:], "--project", "yard"], [*placed, "--project", "yard"]):
        assert parser.parse_args(words).project == "yard", words


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_two_projects_are_refused(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    begins = next((at for at, word in enumerate(line) if word.startswith("--")), len(line))
    words = [*line[1:begins], "yard", *line[begins:], "--project", "site"]
    with pytest.raises(SystemExit) as ended:
        parser_of(line[0]).parse_args(words)
    assert ended.value.code == 2
    assert "Two projects were given, 'yard' and 'site'." in capsys.readouterr().err


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_a_missing_project_is_named(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if line == ["label"]:
        assert parser_of("label").parse_args([]).project is None
        return
    with pytest.raises(SystemExit) as ended:
        parser_of(line[0]).parse_args(line[1:])
    assert ended.value.code == 2
    assert "PROJECT" in capsys.readouterr().err
