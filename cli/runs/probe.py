"""`batman probe`: the largest batch that this machine's GPU takes, found by trying."""

from __future__ import annotations

import argparse
import sys

from cli.answers.printing import say_json
from cli.child import run_child
from cli.common import run_module
from cli.exits import Exit
from cli.output import say, say_pairs
from cli.parser import add_json
from cli.train import add_option
from core.common.errors import BatmanError
from core.common.hardware import find_gpus
from core.common.text import plural
from core.training.config.batch_size import idle, recommend_here, tightest_gpu
from core.training.config.options import parse_config
from core.training.config.probe_results import probes_file, remember
from core.training.launch.local import require_trainer

DESCRIPTION = (
    "Find the largest batch that trains on this machine's GPU, by training a few steps on random"
    " images. It is remembered for the GPU, the model and the image size: the training form"
    " suggests it, and --batch-size auto takes it."
)

_OPTIONS = (
    *("model", "image_size", "device", "precision"),
    *("multi_scale", "ema", "gradient_checkpointing"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options that memory depends on."""
    for name in _OPTIONS:
        add_option(parser, name)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Probe, remember and print the batch, and return the exit code."""
    chosen = {name: getattr(args, name) for name in _OPTIONS}
    config = parse_config({name: value for name, value in chosen.items() if value is not None})
    config = config.resolved()
    gpu = tightest_gpu(config, find_gpus())
    if gpu is None:
        raise BatmanError(
            "There is no NVIDIA GPU here to try batches on.",
            "Run batman probe on the machine that has one, on a cluster in a job.",
        )
    require_trainer()
    settings = config.model_dump(mode="json", include=set(_OPTIONS))
    found = run_child("core.training.worker.trial.probe_batch_size", settings, quiet=args.json)
    batch = int(found["batch"])
    # What another program holds now is no measure for later.
    told = remember(config, gpu, batch) if idle(gpu) else ""
    advice = recommend_here(config, [gpu])
    if args.json:
        say_json(
            {
                "gpu": gpu.name, "memory_bytes": gpu.memory_total, "model": config.model,
                "image_size": config.image_size, "largest_batch": batch,
                "batch_size": advice.batch_size, "grad_accum": advice.grad_accum,
                "remembered": idle(gpu), "problem": told or None,
            }
        )  # fmt: skip
        return Exit.OK
    for note in [*config.notes, *filter(None, [told])]:
        say(f"Note: {note}", "yellow")
    say_pairs(
        [
            ("gpu", gpu.label),
            ("model", f"{config.model} at {config.image_size} pixels"),
            ("fits", plural(batch, "image")),
            ("suggested", f"--batch-size {advice.batch_size} --grad-accum {advice.grad_accum}"),
            ("remembered in", probes_file() if idle(gpu) else "not at all: the GPU is in use"),
        ]
    )
    return Exit.OK


if __name__ == "__main__":
    sys.exit(run_module("runs.probe"))
