"""How long from the command to the first training step: `batman train` against rfdetr's `train()`.

    python benchmarks/first_step.py [--repeats 3] [--images 400]

Both start in a new process and train `tiny` with the same settings on the same shapes, on the CPU.
The clock runs from the start of the command to the end of the first step, and the processor time of
the command with all its children is taken then; what runs is killed. Medians, taking turns; the
target is 0.8 of rfdetr's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from train_overhead import make_dataset, make_run

ROOT = Path(__file__).resolve().parents[1]
TARGET = 0.8
LONGEST_S = 600
BATMAN = "import sys; from cli.main import main; sys.exit(main(sys.argv[1:]))"


class Cost(NamedTuple):
    """Seconds of the clock and of processors."""

    wall: float
    cpu: float


def until(words: Sequence[str], there: Callable[[], bool], folder: Path) -> Cost:
    """Run a Python with `words` until `there` is true, kill it, and return what it took."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"}
    log = folder / "log.txt"
    started = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *words], env=env, stdout=out, stderr=out, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
    whole: dict[int, float] = {}
    try:
        while not there():
            if process.poll() is not None or time.perf_counter() - started > LONGEST_S:
                raise SystemExit(f"no step came:\n{log.read_text()[-3000:]}")
            _count(process.pid, whole)
            time.sleep(0.02)
        wall = time.perf_counter() - started
        _count(process.pid, whole)
    finally:
        for pid in whole:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()
    return Cost(wall, sum(whole.values()))


def _count(pid: int, whole: dict[int, float]) -> None:
    """Note the processor seconds of the process and of all that descend from it, by pid."""
    with contextlib.suppress(psutil.Error):
        first = psutil.Process(pid)
        for one in (first, *first.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                used = one.cpu_times()
                whole[one.pid] = used.user + used.system


def train_plain(run: Path, out: Path) -> None:
    """Train in this process with rfdetr's own `train()`; write `out` after the first step."""
    import train_overhead
    from pytorch_lightning import Callback

    class First(Callback):
        def on_train_batch_end(self, *_: Any, **__: Any) -> None:
            out.touch()

    # What it measures is not asked for here.
    train_overhead.clock = lambda _: First()
    train_overhead.train_plain(run, out)


def ours(dataset: Path, folder: Path) -> Cost:
    """Return what `batman train` takes to its first step."""
    run = folder / "run"
    words = ["-c", BATMAN, "train", "--dataset", str(dataset), "--model", "tiny", "--plain"]
    words += ["--device", "cpu", "--output-dir", str(run), "--patience", "0"]
    events = run / "events.jsonl"
    return until(
        words, lambda: events.is_file() and b'"event":"step"' in events.read_bytes(), folder
    )


def plain(dataset: Path, folder: Path) -> Cost:
    """Return what rfdetr takes to its first step, on categories numbered as it wants them."""
    run = make_run(folder / "run", dataset, 50)
    out = folder / "first"
    return until([__file__, "--child", str(run), str(out)], out.exists, folder)


def main() -> int:
    """Run the benchmark; 0 if the target is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--child", nargs=2, metavar=("RUN", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        train_plain(*map(Path, options.child))
        return 0
    sys.path.insert(0, str(ROOT))
    costs: dict[str, list[Cost]] = {"ours": [], "rfdetr": []}
    with tempfile.TemporaryDirectory(prefix="first_step-") as temporary:
        top = Path(temporary)
        make_dataset(top / "set", options.images)
        for turn in range(options.repeats):
            order = ("ours", "rfdetr") if turn % 2 == 0 else ("rfdetr", "ours")
            for who in order:
                folder = top / f"{who}-{turn}"
                folder.mkdir()
                start = ours if who == "ours" else plain
                cost = start(top / "set", folder)
                costs[who].append(cost)
                print(f"{who:6} {cost.wall:6.2f} s, {cost.cpu:6.2f} s of processor", flush=True)
    ratios = Cost(
        *(
            statistics.median(getattr(cost, part) for cost in costs["ours"])
            / statistics.median(getattr(cost, part) for cost in costs["rfdetr"])
            for part in Cost._fields
        )
    )
    met = ratios.wall <= TARGET
    print(
        f"ratio ours / rfdetr: clock {ratios.wall:.3f}, processor {ratios.cpu:.3f} "
        f"(target {TARGET} or less: {'met' if met else 'MISSED'})"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
