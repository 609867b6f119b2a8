"""Looking with a run's model through the ONNX beside it, against an earlier build and the loop.

    python benchmarks/without_torch.py [--run RUN] [--earlier COMMIT] [--pictures 1000] [--rounds 3]

A picture, a 1080p video with tracking, and an evaluation, each a process of its own that is waited
for: wall time, processor time and memory (the largest process) of the whole, starts included. Of
the video also what a frame costs in processor time, by the difference to one of a few frames.

- ours: `batman infer` and `batman evaluate` as they are; the ONNX is made before, once
- earlier: the same commands of an earlier commit, in this environment
- loop: rfdetr's `predict`, `trackers` and `supervision`, frame by frame, as their guides have it

Medians; contestants take turns. Without `--run` a `tiny` model is trained on shapes first. Fails
where a limit is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from core.demo.shapes import SPELLINGS, make_shapes
from core.training.config.options import DatasetInfo, TrainingConfig

ROOT = Path(__file__).parents[1]
# In the order of the data set's categories, which is that of the model's classes.
CLASSES = list(SPELLINGS)
# What the trained model reaches is above this; two evaluations that find nothing agree on anything.
LEAST_MAP = 0.1
# Frames of the film that tells what the start of each takes.
FEW = 8
BATMAN = "import sys; from cli.main import main; sys.exit(main(sys.argv[1:]))"
LOOP = """
import sys
import supervision as sv
from rfdetr import RFDETR
from trackers import ByteTrackTracker
from PIL import Image
model = RFDETR.from_checkpoint(sys.argv[1], device="cpu")
tracker = ByteTrackTracker()
boxes, labels = sv.BoxAnnotator(), sv.LabelAnnotator()
def look(frame, _):
    found = model.predict(Image.fromarray(frame[:, :, ::-1]), threshold=0.5)
    found = tracker.update(found)
    names = [f"#{n}" for n in found.tracker_id]
    return labels.annotate(boxes.annotate(frame.copy(), found), found, names)
sv.process_video(source_path=sys.argv[2], target_path=sys.argv[3], callback=look)
"""


class Cost(NamedTuple):
    """Seconds of the clock, seconds of processors, and the largest process in MB."""

    wall: float
    cpu: float
    memory: float


def cost(words: Sequence[str], tree: Path, log: Path) -> Cost:
    """Run a Python with these arguments on the sources in `tree` and return what it took."""
    env = {**os.environ, "PYTHONPATH": str(tree), "OMP_WAIT_POLICY": "passive"}
    started = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", *words], env=env, stdout=out, stderr=out, cwd=log.parent
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)[:200]} failed:\n{log.read_text()[-3000:]}")
    wall = time.perf_counter() - started
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def train(folder: Path) -> Path:
    """Train a tiny model on shapes, which finds most of them, and return its run."""
    dataset, run = folder / "train-set", folder / "run"
    make_shapes(dataset, train=96, valid=24, test=8, messy=False)
    run.mkdir()
    info = DatasetInfo(
        dir=dataset, fingerprint="shapes", class_names=CLASSES,
        images={"train": 96, "valid": 24, "test": 8}, annotations={},
    )  # fmt: skip
    TrainingConfig(model="tiny", epochs=12, val_images=0, seed=0, dataset=info).save(
        run / "training_config.json"
    )
    cost(["-m", "core.training.worker", str(run)], ROOT, folder / "train.log")
    return run


def film(path: Path, frames: int) -> Path:
    """Write a 1080p video of six shapes that move over a noisy background."""
    import av

    random = np.random.default_rng(1)
    coarse = Image.fromarray(random.integers(60, 200, (27, 48, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((1920, 1080), Image.Resampling.BICUBIC)).astype(int)
    noisy = np.clip(smooth + random.integers(-6, 7, smooth.shape), 0, 255).astype(np.uint8)
    background = Image.fromarray(noisy)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for number in range(frames):
            picture = background.copy()
            draw = ImageDraw.Draw(picture)
            for k in range(6):
                x, y = (100 + k * 280 + number * (2 + k)) % 1700, (80 + k * 150 + number * k) % 880
                corner = (x, y, x + 400, y + 400)
                (draw.rectangle if k % 2 else draw.ellipse)(corner, fill=(230, 40, 40 + 30 * k))
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture))):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    return path


def earlier_tree(commit: str, folder: Path) -> Path:
    """Write the sources of a commit into `folder`."""
    folder.mkdir()
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit], check=True, capture_output=True
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def contest(
    contestants: dict[str, tuple[Sequence[str], Path]], rounds: int, work: Path
) -> dict[str, Cost]:
    """Return the median cost of each; they take turns in every round."""
    costs: dict[str, list[Cost]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, (words, tree) in contestants.items():
            costs[name].append(cost(words, tree, work / "log.txt"))
    medians = {}
    for name, rows in costs.items():
        medians[name] = Cost(*(statistics.median(part) for part in zip(*rows, strict=True)))
        wall, cpu, memory = medians[name]
        print(
            f"  {name:9} {wall:7.2f} s   {cpu:7.2f} s of processor   {memory:6.0f} MB", flush=True
        )
    return medians


class Limits:
    """Prints each figure with its limit and remembers what was missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def most(self, name: str, value: float, limit: float) -> None:
        """Hold `value` to at most `limit`."""
        self._hold(name, value <= limit, f"{value:.4g}, at most {limit:g}")

    def least(self, name: str, value: float, limit: float) -> None:
        """Hold `value` to at least `limit`."""
        self._hold(name, value >= limit, f"{value:.4g}, at least {limit:g}")

    def _hold(self, name: str, met: bool, said: str) -> None:
        print(f"  {name}: {said}: {'met' if met else 'MISSED'}")
        if not met:
            self.missed.append(name)


def main() -> int:
    """Run the contests and return 1 where a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--run", type=Path)
    parser.add_argument("--earlier", default="12958e1", metavar="COMMIT")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("picture", "video", "evaluate"))
    options = parser.parse_args()
    limits = Limits()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        run = options.run.absolute() if options.run else train(work)
        old = earlier_tree(options.earlier, work / "earlier")
        photo = work / "photo.jpg"
        side = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(side).resize((640, 480)).save(photo)
        model = str(run / "best.pth")
        look = ["-m", "cli.inference", "--checkpoint", model, "--device", "cpu", "--output"]
        made = cost([*look, str(work / "first"), "--input", str(photo)], ROOT, work / "log.txt")
        print(f"the first look, which makes the ONNX if it is not there: {made.wall:.1f} s")
        if options.only in (None, "picture"):
            print("one picture")
            words = [*look, str(work / "one"), "--input", str(photo)]
            found = contest({"ours": (words, ROOT), "earlier": (words, old)}, options.rounds, work)
            limits.most("processor time", found["ours"].cpu / found["earlier"].cpu, 0.1)
            limits.most("wall time", found["ours"].wall, 1.5)
        if options.only in (None, "video"):
            print(f"a 1080p video of {options.frames} frames, followed")
            video = str(film(work / "film.mp4", options.frames))
            words = [*look, str(work / "video"), "--input", video, "--track"]
            loop = ["-c", LOOP, model, video, str(work / "loop.mp4")]
            found = contest(
                {"ours": (words, ROOT), "earlier": (words, old), "loop": (loop, ROOT)},
                options.rounds,
                work,
            )
            limits.most(
                "wall time against the loop", found["ours"].wall / found["loop"].wall, 1 / 8
            )
            limits.most("memory", found["ours"].memory / found["earlier"].memory, 0.5)
            few = str(film(work / "few.mp4", FEW))
            start = contest(
                {
                    "ours": ([*look, str(work / "few"), "--input", few, "--track"], ROOT),
                    "loop": (["-c", LOOP, model, few, str(work / "loop.mp4")], ROOT),
                },
                options.rounds,
                work,
            )
            for name, short in start.items():
                each = (found[name].cpu - short.cpu) / (options.frames - FEW) * 1000
                print(f"  {name}: {each:.1f} ms of processor a frame, beside the start")
        if options.only in (None, "evaluate"):
            print(f"an evaluation of {options.pictures} pictures")
            dataset = work / "set"
            make_shapes(dataset, train=4, valid=options.pictures, test=4, messy=False)
            words = ["-c", BATMAN, "evaluate", model, "--device", "cpu", "--dataset"]
            words += [str(dataset), "--output"]
            found = contest(
                {
                    "ours": ([*words, str(work / "eval-ours")], ROOT),
                    "earlier": ([*words, str(work / "eval-earlier")], old),
                },
                options.rounds,
                work,
            )
            limits.most("wall time", found["ours"].wall / found["earlier"].wall, 0.25)
            maps = [
                json.loads((work / f"eval-{name}" / "evaluation.json").read_text())["map50_95"]
                for name in ("ours", "earlier")
            ]
            print(f"  mAP50-95 {maps[0]:.6f}, by torch {maps[1]:.6f}")
            limits.most("difference of mAP50-95", abs(maps[0] - maps[1]), 1e-4)
            limits.least("mAP50-95 by torch", maps[1], LEAST_MAP)
        shutil.rmtree(work / "earlier")
    print("missed: " + ", ".join(limits.missed) if limits.missed else "all limits are met")
    return bool(limits.missed)


if __name__ == "__main__":
    sys.exit(main())
