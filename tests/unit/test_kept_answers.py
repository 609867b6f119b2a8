"""What is asked for help or the version says it again at once, as long as it still holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.answers import kept
from cli.common import run_module
from cli.main import COMMANDS
from core.common.folders import cache_dir

ROOT = Path(__file__).parents[2]
# Runs the command line as a process does, and says what it loaded.
PROGRAM = (
    "import sys; from cli.main import main; code = main()\n"
    "print(code, 'cli.common' in sys.modules, file=sys.stderr)"
)


def said(cache: Path, *words: str) -> tuple[str, str]:
    """What a process prints, and what it says of itself."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, *words], capture_output=True, text=True, timeout=60,
        check=False, cwd=cache, env={**os.environ, "PYTHONPATH": str(ROOT),
                                     "BATMAN_CACHE_DIR": str(cache)},
    )  # fmt: skip
    return done.stdout, done.stderr.strip()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_help_is_said_again_without_loading_anything(cache: Path) -> None:
    first, loaded = said(cache, "splits", "--help")
    assert loaded == "0 True"
    assert first.startswith("Usage: batman splits")
    assert said(cache, "splits", "--help") == (first, "0 False")
    assert said(cache, "splits", "-h") == (first, "0 False"), "asked for in another way"
    # One that is given more than names is made each time.
    assert said(cache, "splits", "--json", "--help")[0] == first
    (file,) = (cache / "answers").iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert said(cache, "splits", "--help") == (first, "0 True")
    assert said(cache, "splits", "--help") == (first, "0 False")


def test_an_answer_holds_as_long_as_what_it_is_made_of(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_of = cache / "module.py"
    made_of.write_text("one")
    monkeypatch.setattr(kept, "_made_of", lambda: [str(made_of)])
    assert kept.said_before(["runs", "list", "--help"]) is None
    kept.keep("batman runs list", "Usage: …\n\nas it is ⟨U+200B⟩\n")
    assert kept.said_before(["runs", "list", "--help"]) == "Usage: …\n\nas it is ⟨U+200B⟩\n"

    (file,) = (cache / "answers").iterdir()
    whole = file.read_bytes()
    # Torn, as by a machine that went down, or not ours.
    for damaged in (whole[:-1], whole[:60], whole + b"x", b"", b"\xff" * 4000, b"{}\n" * 9):
        file.write_bytes(damaged)
        assert kept.said_before(["runs", "list", "--help"]) is None
    file.write_bytes(whole)

    monkeypatch.setenv("NO_COLOR", "1")
    assert kept.said_before(["runs", "list", "--help"]) is None, "it may look otherwise"
    monkeypatch.delenv("NO_COLOR")
    assert kept.said_before(["runs", "list", "--help"]) is not None

    made_of.write_text("another")
    assert kept.said_before(["runs", "list", "--help"]) is None, "its code has changed"
    made_of.unlink()
    assert kept.said_before(["runs", "list", "--help"]) is None, "its code is gone"


def test_only_what_was_asked_for_is_kept(cache: Path) -> None:
    for words in (["runs", "list"], ["--json", "--help"], ["../../x", "--help"], []):
        assert kept.said_before(words) is None
        kept.keep("batman " + " ".join(words[:-1]), "text")
    kept.said_before(["runs", "nothing", "--help"])
    kept.keep("batman runs", "text")  # the parser that answered is another command's
    assert not (cache / "answers").exists()


def test_where_nothing_can_be_kept_it_is_said_each_time(cache: Path) -> None:
    (cache / "answers").write_text("a file where the folder belongs")
    first, _ = said(cache, "--version")
    assert first.startswith("batman ")
    assert said(cache, "--version") == (first, "0 True")
    assert (cache / "answers").read_text() == "a file where the folder belongs"


def test_answers_lie_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for chosen in (None, "~/here", str(tmp_path / "there")):
        monkeypatch.delenv("BATMAN_CACHE_DIR", raising=False)
        if chosen:
            monkeypatch.setenv("BATMAN_CACHE_DIR", chosen)
        assert Path(kept._file("batman runs")).parent == cache_dir() / "answers"


def test_help_depends_on_nothing_that_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def helps() -> list[str]:
        texts = []
        for name, command in COMMANDS.items():
            assert run_module(command.module, ["--help"], f"batman {name}") == 0
            texts.append(capsys.readouterr().out)
        return texts

    before = helps()
    other = tmp_path / "other"
    for folder in ("data/projects/p", "runs/r", "clusters", "themes"):
        (other / folder).mkdir(parents=True)
    for file in ("data/projects/p/project.db", "runs/r/training_config.json", "clusters/c.toml"):
        (other / file).write_text("")
    (other / "config.toml").write_text('theme = "batman-light"\nfiles = "copy"\n')
    for name in ("BATMAN_CONFIG_DIR", "BATMAN_CACHE_DIR", "BATMAN_WORKSPACE", "HOME"):
        monkeypatch.setenv(name, str(other))
    monkeypatch.chdir(other)
    assert helps() == before
