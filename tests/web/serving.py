"""A real server in a process of its own, as a person starts it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
_READY = "Whoever has this link"


@dataclass
class Served:
    """A running server: its process, its port and what it printed."""

    process: subprocess.Popen[str]
    port: int
    printed: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def link(self) -> str:
        found = re.search(r"http://\S+\?token=\S+", "\n".join(self.printed))
        assert found, self.printed
        return found[0]

    @property
    def token(self) -> str:
        return self.link.partition("token=")[2]

    def apps(self) -> list[psutil.Process]:
        """The apps of its visitors, and what they started."""
        if self.process.poll() is not None:
            return []
        return psutil.Process(self.process.pid).children(recursive=True)

    def visitors(self) -> list[psutil.Process]:
        """The apps of its visitors alone, without those that have ended."""
        if self.process.poll() is not None:
            return []
        found = []
        for app in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if app.status() != psutil.STATUS_ZOMBIE:
                    found.append(app)
        return found

    def wait(self) -> int:
        """Wait for its end, add the rest of its output to `printed`, return its exit code."""
        assert self.process.stdout is not None
        self.printed += self.process.stdout.read().splitlines()
        return self.process.wait(30)


Start = Callable[..., Served]


def serve(workspace: Path, home: Path, *options: str) -> Served:
    """Start `run_dev.sh` at a free port in the folder `workspace`, and wait until it listens.

    Unless `options` say otherwise, the bare address leads to the terminal app.
    """
    if "--first" not in options:
        options = (*options, "--first", "app")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    script = ROOT / "scripts" / "run_dev.sh"
    process = subprocess.Popen(
        [script, "--port", str(port), *options], cwd=workspace, text=True,
        env={**os.environ, "TERM": "xterm-256color", "HOME": str(home)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    served = Served(process, port)
    assert process.stdout is not None
    for line in process.stdout:
        served.printed.append(line.rstrip("\n"))
        if line.startswith(_READY):
            return served
    raise AssertionError(f"the server did not start: {served.printed}")


def end(served: Served) -> None:
    """End a server and make sure that no app of its visitors outlives it."""
    apps = served.apps()
    if served.process.poll() is None:
        served.process.terminate()
    try:
        served.process.wait(30)
    finally:
        if served.process.poll() is None:
            served.process.kill()
        _, alive = psutil.wait_procs(apps, 20)
        for app in alive:
            app.kill()
    assert not alive, "an app outlived its server"
