"""`batman serve` as a command: what it refuses, what it prints, and opening a browser."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from serving import ROOT, Start

from cli.main import main
from core.common.workspace import Workspace
from core.processes.installation import how_to_install


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--port", "0"], "no port 0"),
        (["--port", "65536"], "no port 65536"),
        (["--visitors", "0"], "let in"),
        (["--max-upload", "inf"], "'inf' is no finite number"),
        (["--max-upload", "0"], "must be more than 0"),
        (["--allow-host", "https://batman.example.org/"], "not the name of a host"),
        (["--host", "192.0.2.1"], "--host localhost"),
        (["--socket", "/x"], "Others may enter"),
    ],
)
def test_what_is_refused(
    options: list[str], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *options]) == 2
    assert wanted in capsys.readouterr().err


def test_a_page_of_no_project(capsys: pytest.CaptureFixture[str]) -> None:
    for name, said in (("", "name cannot be empty"), ("nowhere", "no project at")):
        assert main(["label", "--project", name]) == 2
        assert said in capsys.readouterr().err


def test_a_port_that_is_taken(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    served = start()
    assert main(["serve", "--port", str(served.port)]) == 2
    error = capsys.readouterr().err
    assert f"Port {served.port}" in error
    assert "--port" in error


def test_without_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["serve"]) == 2
    assert how_to_install("batman-tui[serve]") in capsys.readouterr().err


async def test_on_every_address_all_names_of_the_machine_are_ours(start: Start) -> None:
    served = start("--host", "0.0.0.0", "--allow-host", "batman.example.org")
    assert served.link.startswith(f"http://{socket.gethostname()}:{served.port}/?token=")
    assert "can read along" in "\n".join(served.printed)
    url = f"http://127.0.0.1:{served.port}/"
    async with aiohttp.ClientSession() as session:
        for host, status in (
            (socket.gethostname(), 401),
            ("localhost:9", 401),
            ("batman.example.org", 401),
            ("0.0.0.0", 403),
            ("evil.example", 403),
        ):
            async with session.get(url, headers={"Host": host}) as answer:
                assert answer.status == status, host


def test_over_ssh_the_tunnel_is_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    served = start()
    assert f"ssh -L {served.port}:localhost:{served.port} " in "\n".join(served.printed)


def test_open_shows_no_token_to_who_lists_processes(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "browser"
    seen = tmp_path / "seen.json"
    browser.write_text(
        f"#!{sys.executable}\n"
        "import json, sys, urllib.parse, pathlib\n"
        "path = pathlib.Path(urllib.parse.urlsplit(sys.argv[1]).path)\n"
        "seen = {'argument': sys.argv[1], 'mode': path.parent.stat().st_mode,\n"
        "        'page': path.read_text()}\n"
        f"made = pathlib.Path({str(seen)!r} + '.part')\n"
        "made.write_text(json.dumps(seen))\n"
        f"made.rename({str(seen)!r})\n"
    )
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.setenv("DISPLAY", ":99")
    served = start("--open")
    until = time.monotonic() + 30
    while not seen.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    found = json.loads(seen.read_text())
    assert served.token not in found["argument"]
    assert found["argument"].startswith("file:///")
    assert stat.S_IMODE(found["mode"]) == 0o700
    assert served.link in found["page"]
    served.process.terminate()
    assert served.wait() == 0
    assert not Path(found["argument"].removeprefix("file://")).exists()


def test_open_without_a_desktop(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    served = start("--open")
    served.process.terminate()
    served.wait()
    assert any("no desktop here" in line for line in served.printed)


async def test_nothing_in_the_current_folder_is_taken_for_ours(
    start: Start, workspace: Workspace
) -> None:
    for name in ("cli.py", "core.py", "web.py", "batman_tui.py", "aiohttp.py", "textual.py"):
        (workspace.root / name).write_text("raise SystemExit('the wrong module')\n")
    served = start()
    jar = aiohttp.CookieJar(unsafe=True)
    async with asyncio.timeout(60), aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.get(served.link) as answer:
            assert answer.status == 200
        async with session.ws_connect(f"{served.address}/ws") as browser:
            seen = b""
            while b"night-watch" not in seen:
                seen += await browser.receive_bytes()


def test_the_wheel_has_the_pages() -> None:
    from slurm.setup.wheel import PACKAGES

    assert "web" in PACKAGES
    for name in ("app.html", "app.js", "app.css", "batman.css", "message.html"):
        assert (ROOT / "web" / "static" / name).is_file()
