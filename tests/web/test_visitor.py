"""One visitor's child process: how it ends, by itself, asked to, or not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest
from serving import ROOT

from core.common.workspace import Workspace
from web import visitor as visitor_module
from web.visitor import Ending, Visitor

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


async def child(script: str) -> Visitor:
    """Start a Python child that runs `script`."""
    command = [sys.executable, "-P", "-c", textwrap.dedent(script)]
    return await Visitor.start(command, ENVIRONMENT, 80, 24)


async def all_of(visitor: Visitor) -> tuple[list[tuple[bytes, bytes]], Ending]:
    """Return what the child wrote, and how it ended."""
    async with asyncio.timeout(30):
        packets = [packet async for packet in visitor.packets()]
        return packets, await visitor.ending()


async def test_the_app_itself(workspace: Workspace) -> None:
    command = [sys.executable, "-P", "-m", "cli.app.tui", "--workspace", str(workspace.root)]
    visitor = await Visitor.start(command, ENVIRONMENT, 100, 30)
    seen, asked = b"", False
    async with asyncio.timeout(60):
        async for packet in visitor.packets():
            seen += packet[1]
            if b"night-watch" in seen and not asked:
                asked = True
                await visitor.tell(type="quit")
        ending = await visitor.ending()
    assert packet == (b"M", b'{"type": "exit"}')
    assert ending.code == 0
    assert ending.message()["title"] == "Batman is closed"


async def test_a_child_that_says_why_it_failed() -> None:
    packets, ending = await all_of(
        await child(
            r"""
            import sys
            print("not for the terminal")
            print("first\n\x1b[31mThe workspace is gone.\x1b]52;c;eA==\x07", file=sys.stderr)
            sys.exit(7)
            """
        )
    )
    assert packets == []
    assert ending.code == 7
    message = ending.message()
    assert "exit code is 7" in message["text"]
    assert "The workspace is gone." in message["detail"]
    assert "\x1b" not in message["detail"]
    assert "\x07" not in message["detail"]


async def test_a_workspace_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-P", "-m", "cli.app.tui", "--workspace", str(tmp_path / "file")]
    _, ending = await all_of(await Visitor.start(command, ENVIRONMENT, 80, 24))
    assert ending.code == 2
    assert "is not a folder" in ending.message()["detail"]


async def test_much_said_is_kept_short() -> None:
    _, ending = await all_of(
        await child("import sys; sys.stderr.write('line\\n' * 100_000 + 'last'); sys.exit(1)")
    )
    assert ending.said.endswith("last")
    assert len(ending.said) < 100


async def test_packets_end_where_something_else_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as by a library: where the next packet begins is unknown, so the app is ended."""
    monkeypatch.setattr(visitor_module, "_QUIT_S", 0.2)
    packets, ending = await all_of(
        await child(
            """
            import os, time
            os.write(1, b"noise\\n__GANGLION__\\nD\\0\\0\\0\\2hi" + b"a library prints\\n")
            time.sleep(3600)
            """
        )
    )
    assert packets == [(b"D", b"hi")]
    assert ending.code == -signal.SIGTERM


async def test_a_child_that_lingers_without_output_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page of such an app would wait for ever."""
    monkeypatch.setattr(visitor_module, "_QUIT_S", 0.2)
    visitor = await child(
        "import os, time; os.close(1); os.close(2); time.sleep(3600)"
    )  # fmt: skip
    _, ending = await all_of(visitor)
    assert ending.code == -signal.SIGTERM
    assert "SIGTERM" in ending.message()["text"]


async def test_a_child_that_ignores_all_requests_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor_module, "_QUIT_S", 0.2)
    monkeypatch.setattr(visitor_module, "_TERM_S", 0.2)
    visitor = await child(
        """
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(1, b"__GANGLION__\\nD\\0\\0\\0\\2hi")
        while True:
            os.write(1, b"D\\0\\0\\0\\2hi")
        """
    )
    async for _ in visitor.packets():
        break
    async with asyncio.timeout(30):
        await visitor.end()
        assert (await visitor.ending()).code == -signal.SIGKILL


async def test_an_app_that_hangs_ends_with_its_pipe() -> None:
    """As when its server was killed: nobody is left to send it a signal."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c",
        textwrap.dedent(
            """
            import os, time
            from batman_tui import served
            from textual.app import App
            served._GRACE_S = 0.5
            class Hanging(App):
                def on_ready(self):
                    os.write(1, b"hanging\\n")
                    time.sleep(3600)
            Hanging().run()
            """
        ),
        env={**ENVIRONMENT, "TEXTUAL_DRIVER": "batman_tui.served:ServedDriver"},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while (await process.stdout.readline())[-8:] != b"hanging\n":
            pass
        process.stdin.close()
        assert await process.wait() == 1


@pytest.mark.parametrize(("code", "wanted"), [(-9, "SIGKILL"), (-15, "SIGTERM"), (-64, "-64")])
def test_how_an_end_is_worded(code: int, wanted: str) -> None:
    message = Ending(code).message()
    assert wanted in message["text"].replace("SIGRTMAX", "-64")
    assert "reload" in message["hint"]
