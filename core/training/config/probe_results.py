"""The largest batches that `batman probe` and `--batch-size auto` have found, remembered.

A JSON file in the person's cache folder, by everything that memory depends on: the GPU's name and
memory, the model, the image size and the switches that change what is kept for the backward pass.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError
from core.common.files import read_json, write_json
from core.common.folders import cache_dir
from core.common.hardware import GIB, Gpu
from core.common.text import clean
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


def remember(config: TrainingConfig, gpu: Gpu, batch: int) -> str:
    """Note that `batch` images at once are the most that fit on an idle `gpu`.

    Returns what to tell: a file that cannot be read begins anew, and what it held is lost. One that
    cannot be written is passed over: the batch can be found again.
    """
    found, wrong = _read()
    try:
        path = probes_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {**found, probe_key(config, gpu): {"batch": batch, "at": time.time()}})
    except OSError:
        return ""
    return f"{wrong} It begins anew; batches of before are tried again." if wrong else ""


def recall(config: TrainingConfig, gpu: Gpu) -> int | None:
    """Return the most images at once that were found to fit on `gpu`, None if nobody has tried."""
    found = _read()[0].get(probe_key(config, gpu))
    batch = found.get("batch") if isinstance(found, dict) else None
    return batch if isinstance(batch, int) and batch > 0 else None


def _read() -> tuple[dict[str, Any], str]:
    """Return what is remembered, and what is wrong with the file; one that is not there is fine."""
    path = probes_file()
    if not os.path.lexists(path):
        return {}, ""
    try:
        content = read_json(path)
    except (BatmanError, OSError) as error:
        return {}, str(error)
    if not isinstance(content, dict):
        return {}, f"'{clean(str(path))}' holds no batches by GPU."
    return content, ""
