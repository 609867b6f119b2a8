"""These tests need a CUDA GPU, which they say when they are skipped."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import pytest


@functools.cache
def _why_not() -> str:
    missing = [name for name in ("torch", "rfdetr") if importlib.util.find_spec(name) is None]
    if missing:
        return f"the train extra is not installed: no {', '.join(missing)}"
    from core.common.hardware import find_gpus

    # NVML first: importing torch takes seconds, and there is seldom a GPU.
    if not find_gpus():
        return "there is no NVIDIA GPU on this machine"
    import torch

    return "" if torch.cuda.is_available() else "torch does not find CUDA on this machine"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).parent.name == "gpu" and _why_not():
            item.add_marker(pytest.mark.skip(reason=_why_not()))
