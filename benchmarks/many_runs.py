"""The screen and the list of runs, and what follows runs, with 10,000 finished ones.

    python benchmarks/many_runs.py [--runs N] [--repeats N] [--earlier FOLDER]

Opening is timed from the call until every run is in the table, in an app that has just started:
with nothing kept of the runs from before, and with what an earlier look kept in the cache folder.
Following is the processor time of looks at all runs, taken as a share of the time between two.
`batman runs list` is a whole command; the files that it opens below the folder of runs are counted.
Processor seconds, of all threads, stand beside the seconds that passed: the first are what the
work costs, the second also what else the machine does. With `--earlier` a checkout of an earlier
build does the same with the same runs in the same run of this benchmark.

Limits: 1 s to open at the median, 2 % of a core to follow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

ROOT = Path(__file__).parent.parent

LIMIT_S, LIMIT_SHARE = 1.0, 0.02
EPOCHS, STEPS = 10, 20
TIMEOUT_S = 180.0
Figures = dict[str, float]


def make_runs(root: Path, count: int) -> None:
    """Write `count` finished runs of a few hundred events each, a month old."""
    from core.training.config.options import TrainingConfig
    from core.training.run.events import Epoch, EventWriter, Finished, Started, Step, Validation
    from core.training.run.run import Run

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


async def opened(root: Path, count: int) -> Figures:
    """Return the seconds until the screen shows its first runs, and until it has all of them."""
    from batman_tui.app import BatmanApp
    from batman_tui.runs.screen import RunsScreen
    from core.common.workspace import Workspace

    app = BatmanApp(Workspace(root))
    async with app.run_test(size=(120, 40)) as pilot:
        began, worked = perf_counter(), process_time()
        screen = RunsScreen()
        await app.push_screen(screen)
        first = 0.0
        while screen.table.row_count < count:
            await asyncio.sleep(0.005)
            if not first and screen.table.row_count:
                first = perf_counter() - began
        whole, work = perf_counter() - began, process_time() - worked
        await pilot.pause()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"first": first or whole, "wall": whole, "cpu": work, "mb": peak}


def followed(root: Path, count: int) -> Figures:
    """Return the processor seconds of a look at all runs, and the share of a core they make."""
    from batman_tui.run_ends import FOLLOW_SECONDS
    from core.common.workspace import Workspace
    from core.training.run_list.run_ends import EndWatch

    watch = EndWatch(Workspace(root))
    watch.look()
    seconds = []
    for _ in range(5):
        began = process_time()
        watch.look()
        seconds.append(process_time() - began)
    return {"cpu": median(seconds), "share": median(seconds) / FOLLOW_SECONDS}


def listed(root: Path, count: int) -> Figures:
    """Return what `batman runs list` takes from its first import, and the files it opens."""
    runs = str(root / "runs") + os.sep
    files = 0

    def hear(event: str, args: tuple[object, ...]) -> None:
        nonlocal files
        if event == "open" and isinstance(args[0], str) and args[0].startswith(runs):
            files += 1

    sys.addaudithook(hear)
    began = perf_counter()
    from cli.main import main as batman

    # What is printed goes to a file, and is whole.
    with (root / "listed.txt").open("w") as sink, redirect_stdout(sink):
        code = batman(["runs", "list", "--csv", "--workspace", str(root)])
    wall = perf_counter() - began
    lines = (root / "listed.txt").read_text().count("\n")
    if code or lines != count + 1:
        raise SystemExit(f"batman runs list ended with {code} and printed {lines:,} lines")
    return {"wall": wall, "cpu": process_time(), "files": files}


def _child(build: str, what: str, root: Path, count: int) -> None:
    sys.path.insert(0, build)
    import core

    if Path(build) not in Path(core.__path__[0]).parents:
        raise SystemExit(f"this is not the build in {build}: {core.__path__[0]}")
    measures: dict[str, Callable[[Path, int], Figures]] = {
        "open": lambda root, count: asyncio.run(opened(root, count)),
        "follow": followed,
        "list": listed,
    }
    print(json.dumps(measures[what](root, count)))


def _run(build: Path, what: str, root: Path, count: int) -> Figures:
    """Measure in a process of its own, so that nothing is warm but what the disk keeps."""
    words = [sys.executable, __file__, "--child", str(build), what, str(root), str(count)]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_S, cwd=root
    )
    found: Figures = json.loads(done.stdout)
    return found


def _median(figures: list[Figures]) -> Figures:
    return {name: median(one[name] for one in figures) for name in figures[0]}


def measure(build: Path, root: Path, count: int, repeats: int) -> dict[str, Figures]:
    """Measure a build, whose cache is empty at first, print it and return the figures."""
    os.environ["BATMAN_CONFIG_DIR"] = str(root / f"config-{build.name}")
    os.environ["BATMAN_CACHE_DIR"] = str(root / f"cache-{build.name}")
    found = {"nothing known": _run(build, "open", root, count)}
    found["opened before"] = _median([_run(build, "open", root, count) for _ in range(repeats)])
    found["following"] = _run(build, "follow", root, count)
    found["runs list"] = _median([_run(build, "list", root, count) for _ in range(repeats)])
    for name, row in found.items():
        said = [f"{name:<15}"]
        if "wall" in row:
            said.append(f"{row['wall']:6.2f} s passed")
        said.append(f"{row['cpu']:6.2f} s of a processor")
        if "first" in row:
            said.append(f"first rows {row['first']:5.2f} s  {row['mb']:5.0f} MB")
        if "share" in row:
            said.append(f"a look, {row['share']:.2%} of a core")
        if "files" in row:
            said.append(f"{row['files']:,.0f} files of runs opened")
        print("  ".join(said), flush=True)
    return found


def main() -> int:
    """Measure, print, and return 1 when a limit is broken."""
    if sys.argv[1:2] == ["--child"]:
        build, what, root, count = sys.argv[2:]
        _child(build, what, Path(root), int(count))
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--earlier", type=Path, help="checkout of an earlier build")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as name:
        make_runs(Path(name), args.runs)
        print(f"{args.runs:,} finished runs, this build:")
        now = measure(ROOT, Path(name), args.runs, args.repeats)
        if args.earlier:
            print(f"The build in {args.earlier}:")
            before = measure(args.earlier.resolve(), Path(name), args.runs, 1)
            print("This build takes, of the earlier one's processor seconds:")
            for what, row in now.items():
                print(f"{what:<15}  {row['cpu'] / before[what]['cpu']:6.1%}")
    whole, share = now["opened before"]["wall"], now["following"]["share"]
    print(f"open     {whole / LIMIT_S:6.2f} of the limit ({LIMIT_S:.0f} s)")
    print(f"follow   {share / LIMIT_SHARE:6.2f} of the limit ({LIMIT_SHARE:.0%} of a core)")
    return 0 if whole <= LIMIT_S and share <= LIMIT_SHARE else 1


if __name__ == "__main__":
    raise SystemExit(main())
