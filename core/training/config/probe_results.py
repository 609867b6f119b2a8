"""The largest batches that `batman probe` and `--batch-size auto` have found, remembered.

A JSON file in the person's cache folder, by everything that memory depends on: the GPU's name and
memory, the model, the image size and the switches that change what is kept for the backward pass.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError
from core.common.files import read_json, write_json
from core.common.folders import cache_dir
from core.common.hardware import GIB, Gpu
from core.models.sizes import resolve_image_size
from core.training.config.options import TrainingConfig


def probes_file() -> Path:
    """Return where the batches are remembered."""
    return cache_dir() / "probes.json"


def probe_key(config: TrainingConfig, gpu: Gpu) -> str:
    """Return what the batch depends on, as one line such as `NVIDIA A100 | 40 GiB | base | 616`."""
    size, _ = resolve_image_size(config.model, config.image_size)
    parts = [gpu.name, f"{gpu.memory_total / GIB:.0f} GiB", config.model, str(size)]
    parts.append(config.precision)
    switches = ("multi_scale", "ema", "gradient_checkpointing")
    parts += [name for name in switches if getattr(config, name)]
    return " | ".join(parts)


def remember(config: TrainingConfig, gpu: Gpu, batch: int) -> None:
    """Note that `batch` images at once are the most that fit on an idle `gpu`.

    A cache that cannot be written is passed over: the batch can be found again.
    """
    with contextlib.suppress(OSError):
        path = probes_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {**_read(), probe_key(config, gpu): {"batch": batch, "at": time.time()}})


def recall(config: TrainingConfig, gpu: Gpu) -> int | None:
    """Return the most images at once that were found to fit on `gpu`, None if nobody has tried."""
    found = _read().get(probe_key(config, gpu))
    batch = found.get("batch") if isinstance(found, dict) else None
    return batch if isinstance(batch, int) and batch > 0 else None


def _read() -> dict[str, Any]:
    try:
        content = read_json(probes_file())
    except (BatmanError, OSError):
        return {}
    return content if isinstance(content, dict) else {}
