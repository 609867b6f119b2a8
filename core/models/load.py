"""Open a model file as a `Detector`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.models.detector import CPU_BATCH
from core.models.find import EXPORTED, find_checkpoint

if TYPE_CHECKING:
    from core.models.detector import Detector


def many(images: int, batch_size: int | None = None) -> bool:
    """Tell whether so many images are worth `throughput`: two batches of the CPU's, or more.

    One batch is there soonest where all threads work on it.
    """
    return images >= 2 * (batch_size or CPU_BATCH)


def load_detector(
    target: str | Path,
    *,
    device: str = "auto",
    batch_size: int | None = None,
    classes: Sequence[str] | None = None,
    throughput: bool = False,
) -> Detector:
    """Return the detector in a file, a run's or an export's folder, or a run by name.

    `device` is auto, cpu, cuda, cuda:N or mps. `batch_size` is how many images the network takes at
    once (default: 16 on a GPU; on a CPU 8 by torch, 4 by others). `classes` names the classes of a
    checkpoint that does not name them itself; they are never guessed. With `throughput` it is
    opened for many images: where that is faster, several batches may go through it at one time
    (`Detector.streams`), each of which takes longer.

    Raises RunError when there is no model or it cannot be read, ConfigError when the device is not
    here, ClassError when the model has no class names or `classes` are of another number.
    """
    path = find_checkpoint(target)
    if path.suffix == ".onnx":
        from core.models.onnx import OnnxDetector

        return OnnxDetector.open(
            path, device=device, batch_size=batch_size, classes=classes, throughput=throughput
        )
    if path.suffix in EXPORTED:
        from core.models.exported import ExportedDetector

        return ExportedDetector.open(path, device=device, batch_size=batch_size, classes=classes)
    from core.models.pytorch import TorchDetector

    return TorchDetector.open(path, device=device, batch_size=batch_size, classes=classes)
