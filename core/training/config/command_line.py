"""The command line that starts the same training as a config: for the form, logs and advice."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from core.training.config.augmentation import augmentation_text
from core.training.config.options import TrainingConfig, default_for

# What a command line does not say: it is worked out on the way.
_NOT_OPTIONS = ("dataset", "notes", "origin", "sweep")


def option_names() -> list[str]:
    """Return the fields of `TrainingConfig` that are options, in the order of the help."""
    return [name for name in TrainingConfig.model_fields if name not in _NOT_OPTIONS]


def option_flag(name: str) -> str:
    """Return the flag of the option `name`: `--batch-size` for `batch_size`."""
    return "--" + name.replace("_", "-")


def equivalent_command(
    config: TrainingConfig,
    program: Sequence[str] = ("batman", "train"),
    shown: Collection[str] = ("model",),
) -> list[str]:
    """Return the argument list that gives `config`, with only what differs from the defaults.

    Defaults are those of the config's model size. A switch is `--name` or `--no-name`, class names
    are joined by bars, shares by slashes. Options in `shown` are there with their defaults too.
    """
    words = list(program)
    for name in option_names():
        value = getattr(config, name)
        if value == default_for(name, config.model) and name not in shown:
            continue
        flag = option_flag(name)
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag.removeprefix("--"))
        elif value is not None:
            text = _text(name, value)
            # Apart, a value with a dash in front would be taken for a flag.
            words += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    return words


def command_line(
    config: TrainingConfig,
    program: Sequence[str] = ("batman", "train"),
    shown: Collection[str] = ("model",),
) -> str:
    """Return `equivalent_command` as one line, quoted for a POSIX shell."""
    return shlex.join(equivalent_command(config, program, shown))


def _text(name: str, value: Any) -> str:
    if name == "filter_classes":
        return "|".join(value)
    if isinstance(value, dict):
        return augmentation_text(value)
    if name == "splits":
        return "/".join(f"{share * 100:.6g}" for share in value)
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value) if not isinstance(value, Path) else value.as_posix()


def resume_line(run_dir: Path, **changes: Any) -> str:
    """Return the line that goes on with the run in `run_dir` after `changes` to its settings.

    A run in a workspace's `runs` folder is called by its name, which holds on any machine.
    """
    words = ["batman", "train", "--resume"]
    words.append(run_dir.name if run_dir.parent.name == "runs" else run_dir.as_posix())
    for name, value in changes.items():
        words += [option_flag(name), _text(name, value)]
    return shlex.join(words)
