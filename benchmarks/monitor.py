"""Watching a run of a million steps: first plot, redraw, and the cost of following it live.

    python benchmarks/monitor.py [STEPS] [--no-peer] [--earlier FOLDER] [--dots ROUNDS]

Makes a run of STEPS (1,000,000) step events with one step of 40 times the usual loss, and opens it
as a person does: `batman-tui` in a pseudo-terminal of 120×40. Measured are

- the seconds until the first dots of a curve are painted, and until every step is in the picture;
- the milliseconds of a redraw of the plot's curve, axes aside, and of the whole widget: the median
  of 50, with the spike checked to be there;
- the share of one core while a step comes every second, with a run of 1,000 steps and with the long
  one, over 20 seconds after the first plot.

The peer is terminalboard (PyPI) on the same curve as a TensorBoard file, in an environment of its
own made by `uv`; without uv or a network it is left out, and said so.

With `--earlier` a checkout of an earlier build opens the same run in turn with this one, which has
looked at it before, and an empty Textual app stands beside them: the least that any of the two
takes. Processor seconds are those up to the first dots.

Targets: redraw 5 ms; following 2 % of a core; first plot sooner than the peer's, and in half of
what the earlier build takes.
"""

from __future__ import annotations

import argparse
import math
import os
import pty
import random
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from core.plots.braille import DOTS_ACROSS, DOTS_DOWN, pack, raster  # noqa: E402
from core.plots.chart import Chart, Curve, Ink  # noqa: E402
from core.plots.paint import paint  # noqa: E402
from core.plots.thin_and_smooth import as_curve, spans  # noqa: E402
from core.training.config.options import TrainingConfig  # noqa: E402
from core.training.live.follow import RunFollower  # noqa: E402
from core.training.run.events import Started, Step, encode_event  # noqa: E402

COLUMNS, LINES = 120, 40
REDRAW_MS = 5.0
CPU_SHARE = 0.02
FIRST_DOTS = 0.5
FOLLOW_S = 20.0
TIMEOUT_S = 120.0
SPIKE = 40.0
OPEN = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from cli.main import open_app
try:
    from core.common.workspace import Workspace
except ModuleNotFoundError:  # where it lay before
    from core.workspace import Workspace
open_app(Workspace(Path({workspace!r})), run=Path({path!r}))
"""


EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("\u2801")
Empty().run()
"""


class Terminal:
    """A command in a pseudo-terminal whose output is read all the time, as a terminal does."""

    def __init__(self, command: list[str], folder: Path) -> None:
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "BATMAN_CONFIG_DIR": str(folder / "config"),
            "HOME": str(folder),
        }
        self.started = time.monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._seen = bytearray()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        while True:
            ready, _, _ = select.select([self._fd], [], [], 1.0)
            if not ready:
                continue
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                return
            if not data:
                return
            with self._lock:
                self._seen += data

    def wait(self, found: Callable[[str], bool]) -> float:
        """The seconds from the start until `found` is true of what was painted so far."""
        while time.monotonic() - self.started < TIMEOUT_S:
            with self._lock:
                text = self._seen.decode("utf-8", "ignore")
            if found(text):
                return time.monotonic() - self.started
            time.sleep(0.01)
        raise TimeoutError(f"it did not come in {TIMEOUT_S:.0f} s: {text[-400:]!r}")

    def cpu_seconds(self) -> float:
        """User and system time of the command and its children so far."""
        process = psutil.Process(self.pid)
        every = [process, *process.children(recursive=True)]
        return sum(sum(one.cpu_times()[:2]) for one in every)

    def memory_mb(self) -> float:
        """Resident memory."""
        return float(psutil.Process(self.pid).memory_info().rss / 1e6)

    def close(self) -> None:
        """End the command."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def step_event(step: int, t: float, loss: float) -> Step:
    """One step as the trainer writes it."""
    return Step(
        t=t, epoch=1 + step // 1000, step=step, loss=loss, loss_cls=loss * 0.5,
        loss_box=loss * 0.2, loss_giou=loss * 0.3, lr=1e-4, images_per_s=16.0, step_s=1.0,
        data_s=0.01, gpu_mem_mb=20_000.0, rss_mb=4_000.0,
    )  # fmt: skip


def losses(steps: int) -> list[float]:
    """A falling, noisy loss with one spike."""
    dice = random.Random(3)
    values = [0.5 + 4 * math.exp(-4 * n / steps) + dice.gauss(0, 0.05) for n in range(1, steps + 1)]
    values[steps * 7 // 9] = SPIKE
    return values


def make_run(workspace: Path, name: str, values: list[float]) -> Path:
    """Write a run folder as if its trainer were still at work, on another machine."""
    path = workspace / "runs" / name
    path.mkdir(parents=True)
    steps = len(values)
    TrainingConfig(epochs=2 * steps // 1000 + 1).save(path / "training_config.json")
    began = time.time() - steps
    start = Started(
        t=began, run=name, pid=1, host="elsewhere", model="base", epochs=2 * steps // 1000 + 1,
        epoch=0, step=0, steps_per_epoch=1000, batch_size=16, grad_accum=1, effective_batch=16,
        image_size=640, classes=["a"], device="cuda:0",
    )  # fmt: skip
    with (path / "events.jsonl").open("wb") as file:
        file.write(encode_event(start))
        for number, loss in enumerate(values, 1):
            file.write(encode_event(step_event(number, began + number, loss)))
    (path / "worker.json").write_text(
        f'{{"pid": 1, "host": "elsewhere", "create_time": {began - 5}, "since": {began - 5}}}'
    )
    return path


def make_tensorboard(folder: Path, values: list[float]) -> None:
    """Write the same curve as a TensorBoard file.

    The record format is that of TFRecord, the message tensorboard's `Event` protocol buffer; its
    checksums are zero, which terminalboard's own reader does not look at.
    """
    folder.mkdir(parents=True)
    began = time.time() - len(values)
    with (folder / "events.out.tfevents.0.bench").open("wb") as file:
        for step, loss in enumerate(values, 1):
            file.write(tensorboard_record(began + step, step, loss))


def tensorboard_record(t: float, step: int, loss: float) -> bytes:
    """One scalar named `loss` as a TensorBoard record."""
    value = b"\x0a\x04loss\x15" + struct.pack("<f", loss)
    summary = b"\x0a" + bytes([len(value)]) + value
    number, varint = step, bytearray()
    while number > 127:
        varint.append(number & 127 | 128)
        number >>= 7
    varint.append(number)
    event = b"\x09" + struct.pack("<d", t) + b"\x10" + bytes(varint)
    event += b"\x2a" + bytes([len(summary)]) + summary
    return struct.pack("<Q", len(event)) + b"\0\0\0\0" + event + b"\0\0\0\0"


def has_dots(text: str) -> bool:
    """Whether dots of a curve (braille) were painted."""
    return any("\u2801" <= char <= "\u28ff" for char in text)


def median_ms(call: Callable[[], object], repeats: int = 50) -> float:
    """The median milliseconds of a call, after one to warm up."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def redraws(path: Path) -> tuple[float, float, float]:
    """Seconds to read the run; milliseconds of a curve and of a whole plot, drawn from it."""
    start = time.perf_counter()
    snapshot = RunFollower(path).poll()
    read = time.perf_counter() - start
    x, y = as_curve(snapshot.series.step, snapshot.series.loss)
    left, rows = 6, LINES - 2
    x0, x1 = float(x[0]), float(x[-1])

    def curve() -> object:
        extent = spans(x, y, x0, x1, (COLUMNS - left) * DOTS_ACROSS)
        return pack(raster(extent, 0.0, SPIKE, rows * DOTS_DOWN))

    chart = Chart((Curve("loss", x, y),), crop=True)  # as the run screen draws a loss
    picture = paint(chart, COLUMNS, LINES)
    column = picture.column_of(float(x[int(np.argmax(y))]))
    assert column is not None
    beside = slice(column - 1, column + 2)
    height = int((picture.inks[: picture.rows, beside] == Ink.CURVE).any(axis=1).sum())
    shown = "".join(run[0] for row in range(len(picture.chars)) for run in picture.runs(row))
    assert f"↑{SPIKE:g}" in shown, "the spike's height is not in the picture"
    assert height > picture.rows * 0.8, "the spike is not in the picture"
    return read, median_ms(curve), median_ms(lambda: paint(chart, COLUMNS, LINES))


def share_while(terminal: Terminal, write: Callable[[int], None]) -> float:
    """The share of a core a command takes while `write` is called once a second."""
    time.sleep(3.0)  # what the start left to do
    before, start = terminal.cpu_seconds(), time.monotonic()
    number = 0
    while time.monotonic() - start < FOLLOW_S:
        number += 1
        write(number)
        time.sleep(max(0.0, start + number - time.monotonic()))
    return (terminal.cpu_seconds() - before) / (time.monotonic() - start)


def first_dots(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds, and processor seconds, from the start of a command to its first dots."""
    terminal = Terminal(command, folder)
    process = psutil.Process(terminal.pid)  # it has no children by then, who take a while to find
    try:
        return terminal.wait(has_dots), sum(process.cpu_times()[:2])
    finally:
        terminal.close()


def dots_in_turn(workspace: Path, path: Path, earlier: Path, rounds: int) -> bool:
    """Print first dots of this build, the earlier one and an empty app; whether the limit holds."""
    commands = {
        "this build": OPEN.format(root=str(ROOT), workspace=str(workspace), path=str(path)),
        "earlier": OPEN.format(root=str(earlier), workspace=str(workspace), path=str(path)),
        "an empty app": EMPTY,
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, code in commands.items():
            taken[name].append(first_dots([sys.executable, "-c", code], workspace))
    shown = {
        # The first of each compiles, and leaves the index behind.
        name: [statistics.median(pair[at] for pair in pairs[1:]) for at in (0, 1)]
        for name, pairs in taken.items()
    }
    for name, (wall, cpu) in shown.items():
        print(f"  first dots, {name:<13}{wall:8.2f} s  {cpu:5.2f} s of a processor")
    share = shown["this build"][1] / shown["earlier"][1]
    print(f"  of the earlier build     {share:8.2f}      target {FIRST_DOTS:g}"
          f"  {verdict(share <= FIRST_DOTS)}")  # fmt: skip
    return share <= FIRST_DOTS


def ours(workspace: Path, path: Path, steps: int) -> tuple[float, float, float, float]:
    """Seconds to the first dots and to the whole curve, share of a core, megabytes."""
    code = OPEN.format(root=str(ROOT), workspace=str(workspace), path=str(path))
    terminal = Terminal([sys.executable, "-c", code], workspace)
    try:
        first = terminal.wait(has_dots)
        whole = terminal.wait(lambda text: f"step {steps:,}/" in text)

        def write(number: int) -> None:
            line = encode_event(step_event(steps + number, time.time(), 0.6))
            with (path / "events.jsonl").open("ab") as file:
                file.write(line)

        share = share_while(terminal, write)
        # The picture went along: its header names the newest step.
        terminal.wait(lambda text: f"{steps + int(FOLLOW_S) - 2:,}"[-4:] in text)
        return first, whole, share, terminal.memory_mb()
    finally:
        terminal.close()


def peer(folder: Path, values: list[float]) -> tuple[float, float, float] | str:
    """Seconds to terminalboard's first plot, share of a core, megabytes; or why not."""
    uv = shutil.which("uv")
    if uv is None:
        return "uv is not installed"
    place = folder / "peer"
    made = [
        [uv, "venv", "-q", "--python", sys.executable, str(place)],
        # plotext 6 dropped what terminalboard calls.
        [uv, "pip", "install", "-q", "--python", str(place / "bin" / "python"), "terminalboard",
         "plotext<6"],
    ]  # fmt: skip
    for command in made:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"it cannot be installed: {done.stderr.strip()[-120:]}"
    logs = folder / "logs"
    make_tensorboard(logs, values)
    command = [str(place / "bin" / "terminalboard"), str(logs), "--grid", "1x1", "--smooth", "0"]
    terminal = Terminal(command, folder)
    try:
        first = terminal.wait(has_dots)

        def write(number: int) -> None:
            record = tensorboard_record(time.time(), len(values) + number, 0.6)
            with (logs / "events.out.tfevents.0.bench").open("ab") as file:
                file.write(record)

        return first, share_while(terminal, write), terminal.memory_mb()
    finally:
        terminal.close()


def verdict(good: bool) -> str:
    """A word for a target."""
    return "ok" if good else "MISSED"


def main() -> int:
    """Print every figure beside its target; 1 when one of ours is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("steps", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--no-peer", action="store_true", help="leave terminalboard out")
    parser.add_argument("--earlier", type=Path, help="checkout of an earlier build")
    parser.add_argument("--dots", type=int, default=5, help="rounds of first dots beside it")
    arguments = parser.parse_args()
    steps: int = arguments.steps
    with tempfile.TemporaryDirectory(prefix="batman-monitor-") as name:
        workspace = Path(name)
        values = losses(steps)
        long_run = make_run(workspace, "long", values)
        short_run = make_run(workspace, "short", values[:1000])
        size = (long_run / "events.jsonl").stat().st_size / 1e6
        print(f"run of {steps:,} steps, {size:.0f} MB of events, terminal {COLUMNS}x{LINES}")

        read, curve, whole = redraws(long_run)
        good = [curve <= REDRAW_MS]
        print(f"  read all events          {read:8.2f} s")
        print(
            f"  redraw, the curve        {curve:8.2f} ms   target {REDRAW_MS:g}  {verdict(good[0])}"
        )
        print(f"  redraw, with axes        {whole:8.2f} ms   the spike is in the picture")

        _, _, short_share, _ = ours(workspace, short_run, 1000)
        first, complete, share, memory = ours(workspace, long_run, steps)
        print(f"  first dots               {first:8.2f} s    from the start of the process")
        print(f"  the whole curve          {complete:8.2f} s    {memory:.0f} MB")
        for label, value in (("1,000 steps", short_share), (f"{steps:,} steps", share)):
            good.append(value <= CPU_SHARE)
            print(
                f"  following, {label:<15}{value:7.1%}      target {CPU_SHARE:.0%} of a core  "
                f"{verdict(good[-1])}"
            )
        if arguments.earlier:
            earlier = arguments.earlier.resolve()
            good.append(dots_in_turn(workspace, long_run, earlier, arguments.dots))
        if not arguments.no_peer:
            other = peer(workspace, values)
            if isinstance(other, str):
                print(f"terminalboard: left out, {other}")
            else:
                good.append(first < other[0])
                print("terminalboard on the same curve")
                print(f"  first plot               {other[0]:8.2f} s    {other[2]:.0f} MB")
                print(f"  following                {other[1]:8.1%}")
                print(
                    f"  ratio, first plot        {other[0] / first:8.1f} ×    target above 1  "
                    f"{verdict(good[-1])}"
                )
        return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
