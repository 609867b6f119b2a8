"""What this machine has to train with: GPUs through NVML, cores and memory. No torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU. Memory in bytes, `utilisation` 0 to 100 percent (None: not told)."""

    index: int
    name: str
    memory_total: int
    memory_free: int
    utilisation: int | None = None

    @property
    def label(self) -> str:
        """Name and memory for people, such as `NVIDIA A100-SXM4-40GB · 40 GiB`."""
        return f"{self.name} · {self.memory_total / GIB:.0f} GiB"


def find_gpus(library: Any = None) -> list[Gpu]:
    """Return this machine's NVIDIA GPUs, none without a driver; never raises.

    `CUDA_VISIBLE_DEVICES` with numbers hides the others, as it will from the trainer. `library`
    stands in for the module `pynvml` in tests.
    """
    nvml: Any = library
    if nvml is None:
        try:
            import pynvml
        except ImportError:
            return []
        nvml = pynvml
    try:
        nvml.nvmlInit()
    except Exception:  # NVML raises its own errors for no driver, no library, no permission
        return []
    try:
        count = int(nvml.nvmlDeviceGetCount())
        gpus = [_read_gpu(nvml, index) for index in _visible(range(count))]
        return [gpu for gpu in gpus if gpu is not None]
    except Exception:
        return []
    finally:
        _quietly(nvml.nvmlShutdown)


def _read_gpu(nvml: Any, index: int) -> Gpu | None:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        name = nvml.nvmlDeviceGetName(handle)
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        total, free = int(memory.total), int(memory.free)
    except Exception:  # a GPU that fell off the bus must not hide the others
        return None
    busy = _quietly(lambda: int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu))
    return Gpu(index, name.decode() if isinstance(name, bytes) else str(name), total, free, busy)


def _visible(indices: Sequence[int]) -> list[int]:
    """Return the indices that `CUDA_VISIBLE_DEVICES` leaves, in its order.

    UUIDs cannot be told apart here and leave all; CUDA stops reading at the first bad entry.
    """
    wish = os.environ.get("CUDA_VISIBLE_DEVICES")
    if wish is None:
        return list(indices)
    if not wish.strip() or wish.strip() == "-1":
        return []
    chosen: list[int] = []
    for part in wish.split(","):
        text = part.strip()
        if not text.isdigit():
            return list(indices) if not chosen and text[:3].upper() in ("GPU", "MIG") else chosen
        if int(text) not in indices:
            break
        chosen.append(int(text))
    return chosen


def usable_cores() -> int:
    """Return the cores this process may use: its affinity, which SLURM and containers set."""
    try:
        return len(os.sched_getaffinity(0)) or 1
    except (AttributeError, OSError):  # macOS has no affinity
        return os.cpu_count() or 1


def _quietly(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception:  # figures for people: better none than no screen
        return None
