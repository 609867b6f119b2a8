"""Images per second of `core.models` against rfdetr's own `predict` and against onnxruntime.

    python benchmarks/inference.py [--run RUN_OR_CHECKPOINT] [--images FOLDER] [--device cpu]

Every contestant reads the same files and gives boxes in pixels of each image:

- ours: threads decode and scale, batches, the network traced (what `batman infer` does)
- rfdetr: `predict(path)` for one image after another, and with `inference()` switched on
- onnxruntime: the exported model, one image after another through rfdetr's own helper functions,
  and through our detector

Prints medians of several rounds and the ratios. Without `--run` a `tiny` model from random weights
is used: what it finds does not matter for its speed.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.inference.inputs import find_sources
from core.models.detector import Detector
from core.models.find import find_checkpoint
from core.models.load import load_detector
from core.models.prefetch import in_batches

THRESHOLD = 0.3


def make_model(folder: Path) -> Path:
    """Write a `tiny` checkpoint with random weights, as a run's best.pth looks."""
    import torch
    from rfdetr import RFDETRNano

    from core.models.sizes import get_model

    torch.manual_seed(0)
    model = RFDETRNano(
        pretrain_weights=None,
        num_classes=2,
        resolution=128,
        device="cpu",
        **get_model("tiny").build,
    )
    path = folder / "best.pth"
    content = {
        "model": model.model.model.state_dict(),
        "args": {"class_names": ["disc", "square"]},
        "model_name": "RFDETRNano",
        "model_config": model.model_config.model_dump(),
    }
    torch.save(content, path)
    return path


def make_images(folder: Path, count: int) -> Path:
    """Write JPEG images of a camera's small size: smooth colours with noise."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(
            folder / f"{number:04d}.jpg", quality=90
        )
    return folder


def ours(detector: Detector, paths: Sequence[Path]) -> int:
    """Run our pipeline over the files; return how many boxes it found."""

    def load(path: Path) -> tuple[Any, tuple[int, int]]:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        return detector.prepare(picture), picture.size

    found = 0
    for batch in in_batches(paths, load, detector.batch_size):
        pixels = np.stack([loaded[0] for _, loaded in batch])
        sizes = [loaded[1] for _, loaded in batch]
        found += sum(map(len, detector.predict_prepared(pixels, sizes, THRESHOLD)))
    return found


def plain(model: Any, paths: Sequence[Path]) -> int:
    """Run rfdetr's `predict` on one file after another."""
    return sum(
        len(model.predict(str(path), threshold=THRESHOLD, include_source_image=False))
        for path in paths
    )


def helpers(session: Any, paths: Sequence[Path]) -> int:
    """Run rfdetr's own helper for ONNX models on one file after another."""
    from rfdetr.export._onnx.inference import _run_inference

    return sum(len(_run_inference(session, path, THRESHOLD)[0]) for path in paths)


def speeds(contestants: dict[str, Callable[[], int]], images: int, rounds: int) -> dict[str, float]:
    """Return the median images per second of each contestant; they take turns in every round."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            started = time.perf_counter()
            run()
            if turn:  # the first round is for warming up
                times[name].append(time.perf_counter() - started)
    return {name: images / statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Run the contest and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--run")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    warnings.simplefilter("ignore")
    from rfdetr import RFDETR
    from rfdetr.export._onnx.inference import _create_onnx_session

    from core.export import ExportOptions, export
    from core.models.pytorch import choose_device

    for name in ("rf-detr", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        checkpoint = find_checkpoint(arguments.run) if arguments.run else make_model(work)
        folder = arguments.images or make_images(work / "images", arguments.count)
        paths = [s.path for s in find_sources([folder])[0] if not s.video][: arguments.count]
        device = choose_device(arguments.device)
        exported = export(ExportOptions(checkpoint, work / "export", verify_images=8)).output
        detector = load_detector(checkpoint, device=device)
        onnx = load_detector(exported / "model.onnx", device=device.partition(":")[0])
        single = RFDETR.from_checkpoint(checkpoint, device=device)
        compiled = RFDETR.from_checkpoint(checkpoint, device=device)
        compiled.inference(compile=True, batch_size=1)
        session = _create_onnx_session(exported / "model.onnx")
        measured = speeds(
            {
                "ours": lambda: ours(detector, paths),
                "rfdetr predict": lambda: plain(single, paths),
                "rfdetr predict, compiled": lambda: plain(compiled, paths),
                "onnxruntime, rfdetr's helper": lambda: helpers(session, paths),
                "onnxruntime, ours": lambda: ours(onnx, paths),
            },
            len(paths),
            arguments.rounds,
        )
        print(
            f"{detector.model_size} at {detector.resolution} on {device}, {len(paths)} images, "
            f"batch {detector.batch_size}, median of {arguments.rounds} rounds"
        )
        for name, speed in measured.items():
            print(
                f"{name:30} {speed:8.1f} images/s   ours is {measured['ours'] / speed:5.2f} times"
            )
        ratio = measured["ours"] / measured["rfdetr predict"]
        print(f"target: ahead of rfdetr predict: {'met' if ratio > 1 else 'MISSED'} ({ratio:.2f})")


if __name__ == "__main__":
    main()
