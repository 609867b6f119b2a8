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
from core.data.store import Project

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


def settled(monkeypatch: pytest.MonkeyPatch, after_s: float) -> None:
    """Keep what was read from files that changed `after_s` ago."""
    words = f"from cli.answers import kept\nkept._SETTLED_S = {after_s}\nfrom cli.main"
    monkeypatch.setattr(sys.modules[__name__], "PROGRAM", PROGRAM.replace("from cli.main", words))


def test_a_list_is_said_again_until_what_it_tells_of_changes(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(monkeypatch, 0.0)
    monkeypatch.delenv("BATMAN_WORKSPACE", raising=False)
    projects = cache / "data" / "projects"
    listing = ("project", "list")

    def changed(before: str) -> str:
        text, loaded = said(cache, *listing)
        assert loaded == "0 True", text
        assert text != before
        assert said(cache, *listing) == (text, "0 False")
        return text

    empty = changed("")
    with Project.create(projects / "one") as project:
        one = changed(empty)  # while it is open, with its changes beside the file
        with project.change("test", "made") as change:
            change.insert("classes", {"name": "person"})
        another = changed(one)
    said(cache, *listing)
    assert said(cache, *listing) == (another, "0 False"), "once it is closed"
    with Project.create(projects / "two"):
        pass
    two = changed(another)
    (projects / "two").rename(projects / "three")
    three = changed(two)
    (projects / "three" / "project.db").write_bytes(b"not a project")
    assert "unreadable" in changed(three)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    assert said(cache, *listing)[1] == "0 True", "times are those of another place"
    assert said(cache, *listing, "--json")[1] == "0 True"
    other = cache / "elsewhere"
    other.mkdir()
    monkeypatch.setenv("BATMAN_WORKSPACE", str(other))
    assert "no projects" in said(cache, *listing)[0]


def test_what_changed_a_moment_ago_is_not_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(monkeypatch, 3600.0)
    with Project.create(cache / "data" / "projects" / "one"):
        pass
    first, loaded = said(cache, "project", "list")
    assert loaded == "0 True"
    assert said(cache, "project", "list") == (first, "0 True")


def test_where_things_lie_is_said_again_for_the_same_places(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The answers lie in the workspace here: what is kept changes it.
    (cache / "answers").mkdir()
    settled(monkeypatch, 0.0)
    first, _ = said(cache, "locate")
    assert said(cache, "locate") == (first, "0 False")
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(cache / "mine"))
    second, loaded = said(cache, "locate")
    assert str(cache / "mine" / "config.toml") in second
    assert loaded == "0 True"
    assert said(cache, "locate", "config") == (f"{cache / 'mine' / 'config.toml'}\n", "0 True")


def test_an_error_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / "file").write_text("")
    monkeypatch.setenv("BATMAN_WORKSPACE", str(cache / "file"))
    for _ in range(2):
        assert said(cache, "locate")[1].endswith("2 True")


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
