"""`batman` itself: help, finding commands, exit codes, and what it must not load."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import common, main
from cli.answers.printing import say_json
from cli.exits import Exit
from cli.output import say, say_table
from cli.parser import _MEANT, BatmanParser, meant_options
from core.common.errors import BatmanError

ROOT = Path(__file__).parents[2]
ESC = "\x1b[31m"


def _python(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,  # type: ignore[call-overload]
    )


def test_help_lists_every_command_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--help"]) == Exit.OK
    out = capsys.readouterr().out
    for name, command in main.COMMANDS.items():
        assert f"  {name} " in out
        assert command.summary in out
    for code in Exit:
        if code is not Exit.PIPE:
            assert f"  {int(code)} " in out


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([name, "--help"]) == Exit.OK
    out = capsys.readouterr().out
    assert f"batman {name}" in out
    assert main.main(["help", name]) == Exit.OK
    assert capsys.readouterr().out == out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--version"]) == Exit.OK
    assert capsys.readouterr().out.startswith("batman ")


def test_without_a_command_the_help_is_printed_and_nothing_was_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main([]) == Exit.WRONG
    assert "usage: batman" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prject"], "did you mean 'project'?"),
        (["--wrokspace", "x"], "did you mean '--workspace'?"),
        (["--workspace"], "needs a folder"),
        (["project", "lst"], "did you mean 'list'?"),
        (["project", "list", "--jsn"], "did you mean '--json'?"),
        (["project", "list", "extra"], "'extra'"),
        (["classes", "list", "--projct", "p"], "did you mean '--project'?"),
        # No abbreviations: a script must not depend on which options there are.
        (["classes", "list", "--proj", "p"], "did you mean '--project'?"),
        (["project"], "SUBCOMMAND"),
        (["project", "show"], "PROJECT"),
    ],
)
def test_wrong_usage_names_what_was_meant(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(words) == Exit.WRONG
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_an_expected_error_has_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def action() -> int:
        raise BatmanError(f"It is {ESC}wrong.", "Do\nthis.")

    assert common.guard(action) == Exit.WRONG
    assert capsys.readouterr().err == "Error: It is ⟨U+001B⟩[31mwrong.\nDo\nthis.\n"


def test_a_defect_has_its_traceback_and_says_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def action() -> int:
        raise ValueError("unforeseen")

    assert common.guard(action) == Exit.FAILED
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "ValueError: unforeseen" in err
    assert "report it" in err


def test_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    def action() -> int:
        raise KeyboardInterrupt

    assert common.guard(action) == Exit.INTERRUPTED
    assert "Interrupted" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    for number in range(300):
        folder = tmp_path / "data" / "projects" / f"project-with-a-long-name-{number:04d}"
        folder.mkdir(parents=True)
        (folder / "project.db").write_bytes(b"not a database")
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "--workspace", str(tmp_path), "project", "list"],
            cwd=ROOT,
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(write)
    assert done.returncode == Exit.PIPE
    assert done.stderr == b""


def test_names_from_outside_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"a{ESC}b\nc [bold]d[/bold]")
    say_table(["n\x07"], [[f"{ESC}x"], ["[red]y"]])
    say_json({"name": "\x9b31m\u202e"})
    out = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(out)
    assert "[bold]d[/bold]" in out
    assert "[red]y" in out


def test_a_table_in_a_pipe_is_aligned_and_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(["name", "n"], [["x" * 200, 1], ["検出", 1000]], right=("n",))
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"name{' ' * 196}     n",
        f"{'x' * 200}     1",
        f"検出{' ' * 196}  1000",
    ]


def test_utf8_less_terminals_get_a_question_mark() -> None:
    done = _python(
        "-c",
        "from cli.common import guard; from cli.output import say; guard(lambda: say('é ␣') or 0)",
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "? ?\n", "")


_HEAVY = (
    *("textual", "torch", "rfdetr", "paramiko", "pydantic", "numpy", "PIL", "plotext"),
    "batman_tui",
)


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["project", "list"], ["nonsense"]], ids=" ".join
)
def test_light_commands_load_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    code = (
        "import json, sys\nfrom cli.main import main\n"
        f"main({['--workspace', str(tmp_path), *words]!r})\n"
        f"print(json.dumps([m for m in {_HEAVY!r} if m in sys.modules]))"
    )
    done = _python("-c", code)
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize(
    "module", sorted({command.module for command in main.COMMANDS.values()} - {"demo"})
)
def test_no_command_loads_torch_or_textual_to_be_parsed(module: str) -> None:
    heavy = (
        *("torch", "rfdetr", "textual", "paramiko", "supervision", "cv2", "roboflow"),
        "plotext",
    )
    done = _python(
        "-c",
        f"import json, sys, argparse, cli.{module} as m\n"
        "from cli.parser import BatmanParser\nm.add_arguments(parser := BatmanParser())\n"
        "[list(a.choices.values()) for a in parser._actions if isinstance(a.choices, dict)]\n"
        f"print(json.dumps([m for m in {heavy!r} if m in sys.modules]))",
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("module", ["importer", "classes", "train"])
def test_each_command_is_a_module_too(module: str) -> None:
    done = _python("-m", f"cli.{module}", "--help")
    assert done.returncode == 0
    assert f"python -m cli.{module}" in done.stdout


def _parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                found += _parsers(child)
    return found


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_option_has_help_and_every_parser_is_ours(name: str) -> None:
    module = importlib.import_module(f"cli.{main.COMMANDS[name].module}")
    top = BatmanParser(prog=name)
    module.add_arguments(top)
    for parser in _parsers(top):
        assert isinstance(parser, BatmanParser)
        assert not parser.allow_abbrev
        for action in parser._actions:
            if not isinstance(action, argparse._SubParsersAction):
                assert action.help, f"{parser.prog} {action.dest}"
        assert parser.format_help()


def _parser(command: str) -> BatmanParser:
    loaded = importlib.import_module(f"cli.{main.COMMANDS[command].module}")
    parser = BatmanParser(prog=command)
    loaded.add_arguments(parser)
    return parser


def test_the_option_that_is_named_is_the_one_that_was_meant() -> None:
    """By what it means, how it begins, the words in it, at last by its spelling."""
    train = _parser("train").options()
    assert {"--output-dir", "--no-augment", "--image-size", "--lr"} <= {*train}
    for word, option in {
        "--name": "--output-dir",
        "--run-name": "--output-dir",
        "--imgsz": "--image-size",
        "--batch": "--batch-size",
        "--learning_rate": "--lr",
        "--weights": "--pretrained",
        "--early-stopping": "--patience",
        "--gpus": "--num-gpus",
        "--epo": "--epochs",
        "--Epochs": "--epochs",
        "--patiance": "--patience",
        "--no-aug": "--no-augment",
        "--aug": "--augment",
    }.items():
        assert meant_options(word, train)[:1] == [option], word
    for word in ("--optimizer", "--email", "--verbose", "-x", "--"):
        assert meant_options(word, train) == [], word
    infer = _parser("infer").options()
    assert meant_options("--conf-thres", infer) == ["--confidence"]
    assert meant_options("--source", infer) == ["--input"]
    assert meant_options("--tracking", infer) == ["--track"]


def test_whatever_is_suggested_for_another_word_is_an_option_somewhere() -> None:
    """A suggestion of an option that no command has any more would say nothing."""
    parsers = [_parser(name) for name in main.COMMANDS]
    there: set[str] = set()
    while parsers:
        parser = parsers.pop()
        there |= {option.removeprefix("--") for option in parser.options()}
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
    named = {name for names in _MEANT.values() for name in names}
    assert named <= there, named - there
