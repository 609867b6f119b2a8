"""What runs a model, torch or onnxruntime, and the model opened with it.

A run's best model is run by onnxruntime on a CPU, through the checked ONNX beside it
(`core.models.companion`), which is made where it is not there or the checkpoint is another: torch
and rfdetr take seconds and a gigabyte to load, onnxruntime a third of a second. On a GPU the faster
of the two is taken, measured once where onnxruntime can use it.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from core.common.errors import BatmanError, Cancelled, ClassError, ConfigError, DiskFull, RunError
from core.common.hardware import find_gpus
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Report, never, nothing
from core.common.text import clean, did_you_mean, sentence
from core.models.companion import Companion, model_path, read_companion, runtime_version
from core.models.find import AUTO, BACKENDS, EXPORTED, ONNX, TORCH, find_checkpoint
from core.models.load import load_detector
from core.processes.installation import how_to_install
from core.processes.job import run_job

if TYPE_CHECKING:
    from core.models.detector import Detector

MAKER = "core.export.companion"

_BEST = "best.pth"


@dataclass(frozen=True)
class CompanionOptions:
    """The checkpoint whose ONNX is wanted, and the GPU to measure both on ("": none)."""

    checkpoint: Path
    device: str = ""


class Opened(NamedTuple):
    """A model, and what a person should know of what runs it."""

    detector: Detector
    notes: list[str]


@dataclass
class _Choice:
    backend: str
    notes: list[str] = field(default_factory=list)


def open_model(
    target: str | Path,
    *,
    backend: str = AUTO,
    device: str = "auto",
    batch_size: int | None = None,
    classes: Sequence[str] | None = None,
    throughput: bool = False,
    report: Report = nothing,
    cancelled: IsCancelled = never,
) -> Opened:
    """Return the detector that `target` stands for, run by `backend`; see `load_detector`.

    With `auto` torch is taken where the ONNX cannot be made or does not agree, and a note says so;
    with `onnx` that is an error. Making it happens in a child process, whose progress goes to
    `report`. Raises as `load_detector`, ConfigError for a backend that does not fit, and Cancelled.
    """
    path = find_checkpoint(target)
    require_backend(path, backend)
    options: dict[str, Any] = {
        "device": device, "batch_size": batch_size, "classes": classes, "throughput": throughput,
    }  # fmt: skip
    if path.suffix in EXPORTED:
        return Opened(load_detector(path, **options), [])
    chosen = _chosen(path, backend, device, report, cancelled)
    if chosen.backend == ONNX:
        from core.models.onnx import OnnxDetector

        try:
            detector = OnnxDetector.open(model_path(path), **options)
        except ClassError:
            raise
        except BatmanError as error:
            if backend == ONNX:
                raise
            chosen.notes.append(_instead(error.message))
        else:
            # What was looked with is the checkpoint: the run keeps its history by that.
            detector.path = path
            return Opened(detector, chosen.notes)
    _require_torch(path)
    return Opened(load_detector(path, **options), chosen.notes)


def require_backend(path: Path, backend: str = AUTO) -> None:
    """Raise BatmanError when `backend` cannot run the model in `path` here, as far as that shows.

    Nothing is loaded. Without torch a run's best model runs where its ONNX is beside it.
    """
    shown = f"'{clean(path.name)}'"
    if backend not in BACKENDS:
        guess = sentence(did_you_mean(backend, BACKENDS))
        raise ConfigError(
            f"There is no backend '{clean(backend)}'.",
            f"{guess} There are: {', '.join(BACKENDS)}.".strip(),
        )
    if path.suffix in EXPORTED:
        if backend == TORCH or (backend == ONNX and path.suffix != ".onnx"):
            raise ConfigError(
                f"{shown} is an export, which {backend} does not run.",
                "Leave out --backend, or give the run that it was made from.",
            )
        return
    if backend == ONNX and path.name != _BEST:
        raise ConfigError(
            f"{shown} has no ONNX beside it: only a run's {_BEST} is given one.",
            "Export it with batman export, and use that model.onnx.",
        )
    if backend == ONNX or (backend == AUTO and path.name == _BEST):
        if not runtime_version():
            if backend == ONNX:
                raise RunError(
                    "onnxruntime is not installed.",
                    f"Install it with: {how_to_install('batman-tui[infer]')}",
                )
        elif _has_torch():
            return
        else:
            record = read_companion(path)
            if record is not None and record.model is not None:
                return
    _require_torch(path)


def require_model(target: str | Path, backend: str = AUTO) -> None:
    """Raise BatmanError when `target` has no model, or `backend` cannot run it here."""
    require_backend(find_checkpoint(target), backend)


def on_cpu(device: str) -> bool:
    """Tell whether `device` comes down to the CPU, as far as it can be known without torch."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return device == "cpu" or (device == "auto" and not apple and not find_gpus())


def _chosen(
    path: Path, backend: str, device: str, report: Report, cancelled: IsCancelled
) -> _Choice:
    """Return what runs the checkpoint, its ONNX made where that is to."""
    if backend == TORCH or (backend == AUTO and (path.name != _BEST or not runtime_version())):
        return _Choice(TORCH)
    gpu = ""
    if backend == AUTO and not on_cpu(device):
        gpu = _gpu_of(device)
        if not gpu or not _runs_on_gpu():
            return _Choice(TORCH)
    try:
        record = read_companion(path)
        if record is None or (gpu and record.model is not None and gpu not in record.faster):
            record = _made(CompanionOptions(path, device if gpu else ""), report, cancelled)
    except Cancelled:
        raise
    except BatmanError as error:
        if backend == ONNX:
            raise
        return _Choice(TORCH, [_instead(error.message)])
    if record.model is None:
        if backend == ONNX:
            raise RunError(
                f"'{clean(path.name)}' does not run as ONNX: {record.failed}",
                "Leave out --backend, or give --backend torch.",
            )
        return _Choice(TORCH, [_instead(record.failed)])
    return _Choice(record.faster.get(gpu, ONNX) if gpu else ONNX)


def _made(options: CompanionOptions, report: Report, cancelled: IsCancelled) -> Companion:
    """Have the ONNX made in a child process, which has torch, and return its record."""
    _require_torch(options.checkpoint)
    try:
        run_job(MAKER, options, report, cancelled, name="Making the ONNX of the model")
    except DiskFull as error:
        raise DiskFull(f"No ONNX was made: {error.message}", error.hint) from None
    record = read_companion(options.checkpoint)
    if record is None:
        raise RunError(
            f"'{clean(options.checkpoint.name)}' has changed while its ONNX was made.",
            "Look again, or give --backend torch.",
        )
    return record


def _instead(why: str) -> str:
    return f"Run with torch, not with onnxruntime: {clean(why)}"


def _gpu_of(device: str) -> str:
    """Return the name of the NVIDIA GPU that `device` means, "" if that is another device."""
    kind, _, number = device.partition(":")
    gpus = find_gpus()
    place = int(number) if number.isdigit() else 0
    return gpus[place].name if kind in ("auto", "cuda") and place < len(gpus) else ""


def _runs_on_gpu() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def _has_torch() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "rfdetr"))


def _require_torch(path: Path) -> None:
    if not _has_torch():
        raise RunError(
            f"'{clean(path.name)}' is a checkpoint, which needs torch and rfdetr, "
            "and they are not installed here.",
            f"Use a model that batman export wrote (model.onnx), or the run's folder with the "
            f"{clean(model_path(path).name)} that looking with it makes. "
            f"Install it with: {how_to_install('batman-tui[train]')}",
        )


def faster_of(speeds: Mapping[str, float]) -> str:
    """Return which backend took most pictures a second; of equal ones torch."""
    return ONNX if speeds.get(ONNX, 0.0) > speeds.get(TORCH, 0.0) else TORCH
