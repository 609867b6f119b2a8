"""Make the checked ONNX beside a run's best model: `python -m core.export.companion`, once each.

What it is for says `core.models.companion`. It is no export of the user's: nothing lists it among
what was made of the run.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from core.common.errors import Cancelled, DiskFull, ExportFailed
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report, never, nothing
from core.common.temporary import folder_beside
from core.common.text import clean
from core.export.check_images import load_images, validation_images
from core.export.facts import describe
from core.export.formats import FORMATS, require_formats
from core.export.tolerance import TOLERANCE
from core.models.backend import CompanionOptions, faster_of
from core.models.companion import (
    Companion,
    Stamp,
    model_path,
    read_companion,
    runtime_version,
    stamp,
    write_companion,
)
from core.models.find import ONNX, TORCH
from core.processes.job import serve_job

if TYPE_CHECKING:
    from core.models.detector import Detector

# Pictures that both look at. An export takes 50; here somebody waits, and what converting does
# wrong shows on every picture.
IMAGES = 16
# Batches on a GPU: the first few are slower, torch's network is traced after four.
_WARM, _TIMED = 8, 10
_POLL_S = 0.2


def make(
    options: CompanionOptions, report: Report = nothing, cancelled: IsCancelled = never
) -> Companion:
    """Make the ONNX of a checkpoint where there is none yet, and return its record.

    Two processes at once make it once: the second waits and takes what the first made. A model that
    cannot be converted or does not agree is recorded as such. With a `device` both are measured on
    that GPU. Raises RunError for a broken checkpoint, ExportFailed when it changes meanwhile or a
    package is missing, DiskFull, Cancelled; nothing half is left then.
    """
    require_formats([ONNX])
    checkpoint = options.checkpoint
    with _alone(checkpoint, report, cancelled):
        record = read_companion(checkpoint)
        if record is None:
            record = _make(checkpoint, report, cancelled)
        if options.device and record.model is not None:
            record = _measured(checkpoint, record, options.device, report)
    return record


@contextlib.contextmanager
def _alone(checkpoint: Path, report: Report, cancelled: IsCancelled) -> Iterator[None]:
    """Hold the checkpoint's lock for the block. Where there are no locks it may be made twice."""
    with checkpoint.open("rb") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                report(Progress("waiting: another process makes the ONNX", 0, None))
                if cancelled():
                    raise Cancelled("Making the ONNX was stopped.") from None
                time.sleep(_POLL_S)
            except OSError:
                break
        yield


def _make(checkpoint: Path, report: Report, cancelled: IsCancelled) -> Companion:
    report(Progress("making the ONNX of the model, once", 0, None))
    before = stamp(checkpoint)
    try:
        record = _written(checkpoint, before, report, cancelled)
    except (Cancelled, DiskFull):
        raise
    except ExportFailed as error:
        failed = f"{error.message} {error.hint}".strip()
        record = Companion(checkpoint=before, failed=failed, runtime=runtime_version())
    if stamp(checkpoint) != before:
        raise ExportFailed(
            f"'{clean(checkpoint.name)}' changed while its ONNX was made.", "Look again."
        )
    write_companion(checkpoint, record)
    return record


def _written(checkpoint: Path, before: Stamp, report: Report, cancelled: IsCancelled) -> Companion:
    """Write the ONNX, hold it against PyTorch and put it in its place; return its record."""
    from core.export.verify import require_agreement
    from core.export.write import write_model
    from core.models.pytorch import TorchDetector

    kind = FORMATS[ONNX]
    original = TorchDetector.open(checkpoint, device="cpu")
    target = model_path(checkpoint)
    with folder_beside(target) as working:
        facts = describe(original, checkpoint, original.classes)
        written = write_model(kind, original, checkpoint, facts, working)
        if [path.name for path in working.iterdir()] != [written.name]:
            raise ExportFailed("The model is too large for one file of ONNX.")
        if cancelled():
            raise Cancelled("Making the ONNX was stopped.")
        report(Progress("checking the ONNX of the model", 0, None))
        folder = validation_images(checkpoint.parent)
        images, _ = load_images(folder, IMAGES, original.resolution)
        apart = require_agreement(
            original, written, kind.title, images, original.classes, TOLERANCE
        )
        if cancelled():
            raise Cancelled("Making the ONNX was stopped.")
        with written.open("rb") as file:
            os.fsync(file.fileno())
        written.replace(target)
    return Companion(
        checkpoint=before,
        model=stamp(target),
        runtime=runtime_version(),
        images=apart.images,
        scores=apart.scores,
        boxes=apart.boxes,
        tolerance=TOLERANCE,
    )


def _measured(checkpoint: Path, record: Companion, device: str, report: Report) -> Companion:
    """Return the record with which of the two is faster on a GPU, and write it."""
    import torch

    from core.models.onnx import OnnxDetector
    from core.models.pytorch import TorchDetector, choose_device

    chosen = choose_device(device)
    gpu = torch.cuda.get_device_name(chosen)
    report(Progress(f"measuring torch and onnxruntime on {clean(gpu)}, once", 0, None))
    speeds = {
        TORCH: _speed(TorchDetector.open(checkpoint, device=chosen)),
        ONNX: _speed(OnnxDetector.open(model_path(checkpoint), device=chosen)),
    }
    record = msgspec.structs.replace(
        record,
        faster={**record.faster, gpu: faster_of(speeds)},
        pictures_per_s={**record.pictures_per_s, gpu: speeds},
    )
    write_companion(checkpoint, record)
    return record


def _speed(detector: Detector) -> float:
    """Return how many pictures a second go through the network, scaled already."""
    side = detector.resolution
    random = np.random.default_rng(0)
    batch = random.integers(0, 256, (detector.batch_size, side, side, 3), dtype=np.uint8)
    for _ in range(_WARM):
        detector.forward(batch)
    started = time.perf_counter()
    for _ in range(_TIMED):
        detector.forward(batch)
    return round(_TIMED * detector.batch_size / (time.perf_counter() - started), 2)


if __name__ == "__main__":
    sys.exit(serve_job(CompanionOptions, make))
