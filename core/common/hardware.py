"""What this machine has to train with: GPUs through NVML, cores, memory, processes. No torch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIB = 1024**3
SAME_START_S = 30.0
"""Seconds by which two starts of a process may differ and be one: they are reckoned from the
machine's start, which moves when the clock is set. No system gives a number out again sooner.
"""


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


def free_memory(root: Path = Path("/")) -> int:
    """Return the bytes of memory this process may still take: the machine's, or its group's.

    A SLURM job or a container has a control group with a limit (cgroup-v1 and cgroup-v2, as the
    kernel's documentation has them); pages that only keep files count as free there, too. `root`
    is where `proc` and `sys` are, for tests.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    return max(0, min([free, *_left_in_groups(root)]))


def process_lives(pid: int, start: float | None = None) -> bool:
    """Tell whether the process `pid` of this machine lives, and began at `start` (Unix seconds).

    One that was killed and not yet asked for by its parent does not.
    """
    try:
        # Most that are asked after are gone, for which psutil need not be loaded. kill(2): signal 0
        # is none.
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # it is there, and belongs to somebody else
    import psutil

    try:
        process = psutil.Process(pid)
        if start is not None and abs(process.create_time() - start) >= SAME_START_S:
            return False
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except (psutil.NoSuchProcess, ValueError):
        return False
    except psutil.Error:
        return True


# The files of a control group for each of the two versions: limit, use, and the line of
# `memory.stat` that says how much of the use is files not looked at lately.
_GROUP_FILES = {
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def _left_in_groups(root: Path) -> Iterator[int]:
    """Yield what is left of each limit of the groups that this process is in."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        version = 1 if controllers else 2
        mount = root / "sys/fs/cgroup" / ("memory" if version == 1 else "")
        group = mount / name.lstrip("/")
        # In a container the group's own name may not be there: it is the mount itself.
        for folder in (group, *group.parents):
            with contextlib.suppress(OSError, ValueError, StopIteration):
                limit, use, line_of = _GROUP_FILES[version]
                most = int((folder / limit).read_text())
                stat = (folder / "memory.stat").read_text().splitlines()
                files = next(int(row.split()[1]) for row in stat if row.split()[0] == line_of)
                yield most - int((folder / use).read_text()) + files
            if folder == mount:
                break


def _quietly(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception:  # figures for people: better none than no screen
        return None
