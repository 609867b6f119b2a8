"""Where things lie, and the app in a browser."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cli.main import main
from cli.serve import app_command


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
    assert main(["locate", "confg"]) == 2
    assert "config" in capsys.readouterr().err


def test_the_workspace_is_one_argument_whatever_it_is_called() -> None:
    words = shlex.split(app_command("/data/it's $(here)"))
    assert words[1:] == ["-m", "cli.tui", "--workspace", "/data/it's $(here)"]


def test_serve_answers_a_browser(tmp_path: Path) -> None:
    pytest.importorskip("textual_serve")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-u", "-m", "cli.serve", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as server:  # fmt: skip
        try:
            page = ""
            while server.poll() is None and "Batman" not in page:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                        page = answer.read().decode()
                except ConnectionError:
                    continue
                except urllib.error.URLError as error:
                    if not isinstance(error.reason, ConnectionRefusedError):
                        raise
            assert "data-session-websocket-url" in page
        finally:
            server.terminate()


def test_a_port_that_is_none(capsys) -> None:
    assert main(["serve", "--port", "70000"]) == 2
    assert "no port 70000" in capsys.readouterr().err
