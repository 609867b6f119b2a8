"""The largest batch that a GPU takes, found by training on it. Imports torch and rfdetr.

`python -m core.training.worker.trial.probe_batch_size` is a job of `core.processes.job`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from core.common.errors import RunError
from core.common.progress import Cancelled, Progress, Report
from core.common.text import clean
from core.processes.job import serve_job
from core.training.config.effective_batch import Batching
from core.training.config.options import DatasetInfo, TrainingConfig, parse_config
from core.training.worker import build

# The head of COCO's classes, more than most data sets have; it makes next to no difference.
_CLASSES = [f"class {number}" for number in range(80)]


def largest_batch(model: Any, train: Any) -> int:
    """Return the most images at once that training fits on the current GPU, with a tenth spare.

    `model` and `train` are rfdetr's configs, from `core.training.worker.build`. rfdetr tries steps
    on random images with 100 boxes each at the largest size of multi-scale training, and leaves
    room for averaged weights. Raises RunError when not even one image fits.
    """
    from rfdetr.training.auto_batch import resolve_auto_batch_config

    module = build.build_module(model, train.model_copy(update={"batch_size": 1}))
    device = torch.device("cuda", torch.cuda.current_device())
    try:
        found = resolve_auto_batch_config(
            SimpleNamespace(model=module.model.to(device), device=device),
            model,
            train.model_copy(update={"batch_size": "auto"}),
        )
    except RuntimeError as error:
        raise RunError(
            f"Not even one image of {model.resolution} pixels fits: {clean(str(error))[:300]}",
            "Take a smaller model or image size, or switch on --gradient-checkpointing.",
        ) from error
    finally:
        del module
        torch.cuda.empty_cache()
    return int(found.safe_micro_batch)


def probe(config: TrainingConfig) -> tuple[int, str]:
    """Return the largest batch for `config` on this machine's GPU, and the GPU's name.

    Random weights will do, and no data set is needed. Raises ConfigError and RunError.
    """
    info = DatasetInfo(
        dir=Path("none"), fingerprint="", class_names=_CLASSES, images={}, annotations={}
    )
    config = config.with_changes(dataset=info).resolved()
    accelerator, devices = build.device_arguments(config)
    if accelerator != "gpu":
        raise RunError(
            "There is no CUDA GPU to try batches on.", "Run batman probe on the machine with it."
        )
    if isinstance(devices, str):
        torch.cuda.set_device(int(devices.rstrip(",")))
    model = build.model_config(config, _CLASSES, None)
    train = build.train_config(config, Path(), _CLASSES, Batching(1, 1))
    return largest_batch(model, train), torch.cuda.get_device_name()


def _probe(options: dict[str, Any], report: Report, _cancelled: Cancelled) -> dict[str, Any]:
    """Probe for a training config as plain values."""
    report(Progress("trying batches", 0))
    batch, gpu = probe(parse_config(options))
    return {"batch": batch, "gpu": gpu}


if __name__ == "__main__":
    sys.exit(serve_job(dict, _probe, stops=False))
