"""Where things lie, and the app in a browser."""

from __future__ import annotations

from pathlib import Path

from cli.app.serve import app_command
from cli.main import main


def test_locate_follows_the_environment(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "c"))
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "k"))
    for words, expected in (
        (["config"], tmp_path / "c" / "config.toml"),
        (["clusters"], tmp_path / "c" / "clusters"),
        (["cache"], tmp_path / "k"),
        (["workspace", "--workspace", str(tmp_path)], tmp_path),
    ):
        assert main(["locate", *words]) == 0
        assert capsys.readouterr().out == f"{expected}\n"
    assert main(["locate", "--workspace", str(tmp_path)]) == 0
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["cache", str(tmp_path / "k")] in told
    assert ["workspace", str(tmp_path)] in told
    assert main(["locate", "confg"]) == 2
    assert "config" in capsys.readouterr().err


def test_the_workspace_is_one_argument_whatever_it_is_called() -> None:
    words = app_command("/data/it's $(here)")
    assert words[1:] == ["-P", "-m", "cli.app.tui", "--workspace", "/data/it's $(here)"]


def test_a_port_that_is_none(capsys) -> None:
    assert main(["serve", "--port", "70000"]) == 2
    assert "no port 70000" in capsys.readouterr().err
