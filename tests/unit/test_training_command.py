"""The command shown beside a form says what the form says."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

import pytest

from cli import train
from core.training.config.command_line import command_line, equivalent_command, option_names
from core.training.config.options import TrainingConfig, parse_config


def parsed(words: list[str]) -> TrainingConfig:
    """Read a command back as the command line does."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    options = parser.parse_args(words[2:])
    values = {name: getattr(options, name) for name in option_names()}
    return parse_config({name: value for name, value in values.items() if value is not None})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"model": "tiny"},
        {"model": "tiny", "ema": True, "image_size": 160, "from_scratch": False},
        {"project": Path("data/projects/My; rm -rf ~ $HOME `id`"), "lr": 3.3e-5},
        {"filter_classes": ["it's", 'a "b"'], "splits": (0.8, 0.1, 0.1), "ema": False},
        {"filter_classes": ["-x", "--y"], "project": Path("-p")},
        {"batch_size": "auto", "workers": 0, "device": "cuda:1", "seed": 7, "num_gpus": 4},
        {"splits": (0.333, 0.333, 0.334), "resume": Path("runs/x/checkpoint_last.pth")},
        {"lr_encoder": 1e-6, "tensorboard": False, "wandb": True, "precision": "bf16"},
    ],
)
def test_it_gives_the_same_config(values: dict[str, Any]) -> None:
    config = TrainingConfig(**values)
    assert parsed(equivalent_command(config)) == config
    assert shlex.split(command_line(config)) == equivalent_command(config)


def test_only_what_differs_is_said() -> None:
    assert command_line(TrainingConfig()) == "batman train --model base"
    config = TrainingConfig(project=Path("p"), batch_size=4, grad_accum=4, epochs=50)
    assert command_line(config, ("python", "-m", "cli.train")) == (
        "python -m cli.train --project p --model base --batch-size 4 --grad-accum 4"
    )


def test_what_was_worked_out_is_not_said() -> None:
    assert "--notes" not in command_line(TrainingConfig().resolved())
