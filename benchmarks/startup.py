"""Time to the first painted frame of batman-tui against a bare Textual app.

    python benchmarks/startup.py [--repeats N] [--projects N] [--runs N] [--earlier FOLDER]

Both are started as a person starts them: a new process in a pseudo-terminal of 120×40, timed from
the start until the heading of the table is in what the terminal got. The bare app is a header, a
data table and a footer. Ours opens a workspace of 200 projects and no runs, which this makes first.
Repeats are interleaved, in an order drawn anew for each, and the ratio is the median of the pairs';
the first of each is thrown away, for it warms the disk. Processor seconds stand beside those that
passed: on a busy machine they say more. Python keeps what it compiles, whatever the environment
says, in a folder of the benchmark's own: as it does where Batman is installed. With `--earlier` a
checkout of an earlier build starts in turn with them.

Limits: 1.05 times the bare app; 1.1 times with 5,000 projects and 10,000 runs.
"""

from __future__ import annotations

import argparse
import os
import pty
import random
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

LIMIT, LIMIT_MANY = 1.05, 1.1
PROJECTS, MANY = 200, 1000
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


def first_frame(
    command: list[str], folder: Path, wait_for: bytes, build: Path = ROOT
) -> tuple[float, float]:
    """Start `command` in a terminal; return the seconds until it painted `wait_for`, as they passed
    and of a processor.

    Raises `TimeoutError` with the end of what it wrote when that does not come.
    """
    environment = dict(
        os.environ,
        TERM="xterm-256color",
        COLORTERM="truecolor",
        PYTHONPATH=str(build),
        PYTHONPYCACHEPREFIX=str(folder / "compiled"),
        BATMAN_CONFIG_DIR=str(folder / "config"),
        BATMAN_CACHE_DIR=str(folder / f"cache-{build.name}"),
    )
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        os.chdir(folder)
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
        passed = time.perf_counter() - started
    finally:
        os.kill(pid, signal.SIGKILL)
        _, _, used = os.wait4(pid, 0)
        os.close(terminal)
    return passed, used.ru_utime + used.ru_stime


def make_projects(root: Path, count: int = PROJECTS) -> None:
    """Make a workspace of projects with a few classes each."""
    from core.data.store import Project

    for number in range(count):
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
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--projects", type=int, default=PROJECTS)
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--earlier", type=Path, help="checkout of an earlier build")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_projects(folder / "workspace", args.projects)
        if args.runs:
            from many_runs import make_runs

            make_runs(folder / "workspace", args.runs)
        bare = folder / "bare.py"
        bare.write_text(BARE, encoding="utf-8")
        code = "import sys; from cli.main import tui; sys.exit(tui())"
        ours = [sys.executable, "-P", "-c", code, "--workspace", str(folder / "workspace")]
        builds = {"batman-tui": ROOT} | (
            {"earlier": args.earlier.resolve()} if args.earlier else {}
        )
        times: dict[str, list[tuple[float, float]]] = {"bare Textual app": []}
        commands = {"bare Textual app": ([sys.executable, str(bare)], ROOT)}
        commands |= {kind: (ours, build) for kind, build in builds.items()}
        for turn in range(args.repeats + 1):
            # Whoever comes after another finds the processor as that has left it.
            order = random.sample(list(commands), len(commands))
            found = {
                kind: first_frame(commands[kind][0], folder, HEADING, commands[kind][1])
                for kind in order
            }
            if turn:
                for kind, seconds in found.items():
                    times.setdefault(kind, []).append(seconds)
    ratios: dict[str, float] = {}
    for kind, all_seconds in times.items():
        wall, cpu = (statistics.median(of) * 1000 for of in zip(*all_seconds, strict=True))
        pairs = list(zip(all_seconds, times["bare Textual app"], strict=True))
        by_wall, by_cpu = (statistics.median(one[at] / bare[at] for one, bare in pairs)
                           for at in (0, 1))  # fmt: skip
        ratios[kind] = by_wall
        print(f"{kind:<17} {wall:6.0f} ms passed  {cpu:6.0f} ms of a processor"
              f"  {by_wall:5.2f} and {by_cpu:5.2f} times the bare app")  # fmt: skip
    limit = LIMIT_MANY if args.projects >= MANY or args.runs >= MANY else LIMIT
    print(f"{args.projects:,} projects, {args.runs:,} runs, {args.repeats} repeats; limit {limit}")
    return 0 if ratios["batman-tui"] <= limit else 1


if __name__ == "__main__":
    raise SystemExit(main())
