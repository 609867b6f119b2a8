"""The screen of runs, and what follows runs, in a workspace of 10,000 finished runs.

    python benchmarks/many_runs.py [RUNS] [REPEATS]

Opening is timed from the call until every run is in the table, in an app that has just started:
with nothing kept of the runs from before, and with what an earlier look kept in the cache folder.
Following is the processor time of looks at all runs, taken as a share of the time between two.
Limits: 1 s to open at the median, 2 % of a core to follow.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

RUNS = 10_000
LIMIT_S, LIMIT_SHARE = 1.0, 0.02
EPOCHS, STEPS = 10, 20


def make_runs(root: Path, count: int) -> None:
    """Write `count` finished runs of a few hundred events each, a month old."""
    from core.training.config import TrainingConfig
    from core.training.events import Epoch, EventWriter, Finished, Started, Step, Validation
    from core.training.run import Run

    old = time.time() - 30 * 86400
    pattern = Run(root / "pattern")
    pattern.path.mkdir(parents=True)
    pattern.save_config(TrainingConfig(model="base", epochs=EPOCHS))
    with closing(EventWriter(pattern.events_file)) as events:
        events.write(
            Started(
                t=old, run="r", pid=1, host="h", model="base", epochs=EPOCHS, epoch=0, step=0,
                steps_per_epoch=STEPS, batch_size=8, grad_accum=1, effective_batch=8,
                image_size=560, classes=["hook", "boom"], device="cpu",
            )
        )  # fmt: skip
        step = 0
        for epoch in range(1, EPOCHS + 1):
            for _ in range(STEPS):
                step += 1
                events.write(Step(
                    t=old + step, epoch=epoch, step=step, loss=9.0 / step, lr=1e-4,
                    images_per_s=16.0, step_s=0.5,
                ))  # fmt: skip
            events.write(Validation(
                t=old + step, epoch=epoch, step=step, map50_95=epoch / 20, map50=epoch / 15,
                map75=0.1, precision=0.5, recall=0.5, f1=0.5,
            ))  # fmt: skip
            events.write(Epoch(t=old + step, epoch=epoch, step=step, train_loss=9.0 / step,
                               seconds=STEPS / 2))  # fmt: skip
        events.write(Finished(
            t=old + step + 1, epoch=EPOCHS, step=step, best_epoch=EPOCHS, best_map50_95=0.5,
            best_map50=0.66, seconds=step / 2,
        ))  # fmt: skip
    config = (pattern.path / "training_config.json").read_bytes()
    data = pattern.events_file.read_bytes()
    results = b'{"best": {"epoch": 10, "map50_95": 0.5, "map50": 0.66}}\n'
    for number in range(count):
        folder = root / "runs" / f"run-{number:05}"
        folder.mkdir(parents=True)
        written = (("training_config.json", config), ("events.jsonl", data))
        for name, text in (*written, ("results.json", results)):
            (folder / name).write_bytes(text)
            os.utime(folder / name, (old + number, old + number))
        os.utime(folder, (old + number, old + number))


async def opened(root: Path, count: int) -> tuple[float, float]:
    """Return the seconds until the screen shows its first runs, and until it has all of them."""
    from batman_tui.app import BatmanApp
    from batman_tui.screens.runs import RunsScreen
    from core.workspace import Workspace

    app = BatmanApp(Workspace(root))
    async with app.run_test(size=(120, 40)) as pilot:
        began = perf_counter()
        screen = RunsScreen()
        await app.push_screen(screen)
        first = 0.0
        while screen.table.row_count < count:
            await asyncio.sleep(0.005)
            if not first and screen.table.row_count:
                first = perf_counter() - began
        whole = perf_counter() - began
        await pilot.pause()
    return first or whole, whole


def followed(root: Path, looks: int) -> tuple[float, float]:
    """Return the processor seconds of a look at all runs, and the share of a core they make."""
    from batman_tui.following import FOLLOW_SECONDS
    from core.training.ends import EndWatch
    from core.workspace import Workspace

    watch = EndWatch(Workspace(root))
    watch.look()
    seconds = []
    for _ in range(looks):
        began = process_time()
        watch.look()
        seconds.append(process_time() - began)
    return median(seconds), median(seconds) / FOLLOW_SECONDS


def _child(what: str, root: Path, count: int) -> None:
    if what == "open":
        first, whole = asyncio.run(opened(root, count))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(first, whole, peak)
    else:
        print(*followed(root, 5), 0)


def _run(what: str, root: Path, count: int) -> list[float]:
    """Measure in a process of its own, so that nothing is warm but what the disk keeps."""
    words = [sys.executable, __file__, "--child", what, str(root), str(count)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    return [float(word) for word in done.stdout.split()]


def main() -> int:
    """Measure, print, and return 1 when a limit is broken."""
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
        return 0
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["BATMAN_CONFIG_DIR"] = str(root / "config")
        os.environ["BATMAN_CACHE_DIR"] = str(root / "cache")
        make_runs(root, count)
        print(f"{count:,} finished runs")
        first, whole, peak = _run("open", root, count)
        print(f"nothing known   first rows {first:6.2f} s  all {whole:6.2f} s  {peak:5.0f} MB")
        times = [_run("open", root, count) for _ in range(repeats)]
        first, whole, peak = (median(column) for column in zip(*times, strict=True))
        print(f"opened before   first rows {first:6.2f} s  all {whole:6.2f} s  {peak:5.0f} MB")
        look, share, _ = _run("follow", root, count)
        print(f"following       {look * 1000:6.1f} ms a look, {share:6.2%} of a core")
    print(f"open            {whole / LIMIT_S:6.2f} of the limit ({LIMIT_S:.0f} s)")
    print(f"follow          {share / LIMIT_SHARE:6.2f} of the limit ({LIMIT_SHARE:.0%} of a core)")
    return 0 if whole <= LIMIT_S and share <= LIMIT_SHARE else 1


if __name__ == "__main__":
    raise SystemExit(main())
