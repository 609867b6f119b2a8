"""Time to the first painted frame of batman-tui against a bare Textual app.

    python benchmarks/startup.py [REPEATS]

Both are started as a person starts them: a new process in a pseudo-terminal of 120×40, timed from
the start until the heading of the table is in what the terminal got. The bare app is a header, a
data table and a footer. Ours opens a workspace of 200 projects, which this makes first. Medians of
interleaved repeats; the first of each is thrown away, for it warms the disk.

Limit: 1.5 times the bare app.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from fcntl import ioctl
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

LIMIT = 1.5
PROJECTS = 200
TIMEOUT_S = 30.0

BARE = """
from textual.app import App
from textual.widgets import DataTable, Footer, Header

class Bare(App):
    BINDINGS = [("q", "quit", "Quit")]

    def compose(self):
        yield Header()
        yield DataTable()
        yield Footer()

    def on_mount(self):
        self.query_one(DataTable).add_columns("Name", "Images", "Annotations")

Bare().run()
"""
HEADING = b"Annotations"


def first_frame(command: list[str], folder: Path, wait_for: bytes) -> float:
    """Start `command` in a terminal and return the seconds until it painted `wait_for`.

    Raises `TimeoutError` with the end of what it wrote when that does not come.
    """
    environment = dict(
        os.environ,
        TERM="xterm-256color",
        COLORTERM="truecolor",
        PYTHONPATH=str(ROOT),
        BATMAN_CONFIG_DIR=str(folder / "config"),
    )
    started = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        os.execvpe(command[0], command, environment)
    seen = b""
    try:
        while wait_for not in seen:
            left = TIMEOUT_S - (time.perf_counter() - started)
            ready, _, _ = select.select([terminal], [], [], max(0.0, left))
            if not ready:
                raise TimeoutError(seen[-2000:].decode(errors="replace"))
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                raise TimeoutError(seen[-2000:].decode(errors="replace")) from None
        return time.perf_counter() - started
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def make_projects(root: Path) -> None:
    """Make a workspace of projects with a few classes each."""
    from core.data.store import Project

    for number in range(PROJECTS):
        with (
            Project.create(root / "data" / "projects" / f"project-{number:03}") as project,
            project.change("test", "made") as change,
        ):
            source = change.insert(
                "imports", {"kind": "coco", "origin": "here", "at": "2026-03-14", "active": 1}
            )
            for name in ("person", "car", "bicycle"):
                of = change.insert("classes", {"name": name})
                change.insert("labels", {"import_id": source, "name": name, "class_id": of})


def main() -> int:
    """Measure, print, and return 1 when the limit is broken."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_projects(folder / "workspace")
        bare = folder / "bare.py"
        bare.write_text(BARE, encoding="utf-8")
        script = Path(sys.executable).with_name("batman-tui")
        ours = [str(script), "--workspace", str(folder / "workspace")]
        theirs = [sys.executable, str(bare)]
        times: dict[str, list[float]] = {"bare": [], "first": []}
        for turn in range(repeats + 1):
            found = {
                "bare": first_frame(theirs, folder, HEADING),
                "first": first_frame(ours, folder, HEADING),
            }
            if turn:
                for kind, seconds in found.items():
                    times[kind].append(seconds)
        bare_s, ours_s = statistics.median(times["bare"]), statistics.median(times["first"])
    ratio = ours_s / bare_s
    print(f"bare Textual app    {bare_s * 1000:6.0f} ms")
    print(f"batman-tui          {ours_s * 1000:6.0f} ms   ({PROJECTS} projects)")
    print(f"ratio               {ratio:6.2f}      (limit {LIMIT}, {repeats} repeats)")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    raise SystemExit(main())
