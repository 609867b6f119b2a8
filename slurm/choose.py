"""From what a person chose to what is trained and asked for: sweeps, resources, the GPU's batch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import BatmanError
from core.text import clean, did_you_mean
from core.training.command import option_names
from core.training.config import TrainingConfig, parse_config
from core.training.models import get_model
from slurm.plan import CannotGive, Wanted
from slurm.profiles import check_sbatch_option, parse_time
from slurm.resources import Resources
from slurm.soonest import Soonest


def combinations(values: Mapping[str, Any], sweep: Sequence[str]) -> list[TrainingConfig]:
    """Return the settings of every run: `values`, with each combination of the sweep's choices.

    `sweep` is `name=a,b` for each setting that varies. Raises BatmanError naming what is wrong.
    """
    axes: dict[str, list[str]] = {}
    for word in sweep:
        name, equals, choices = word.partition("=")
        field = name.strip().lstrip("-").replace("-", "_")
        listed = [choice.strip() for choice in choices.split(",") if choice.strip()]
        if field in ("num_gpus", "num_nodes"):
            raise BatmanError(
                "Every run of a sweep is given the same GPUs.", "Submit one sweep for each number."
            )
        if field not in option_names() or field in ("project", "output_dir", "resume"):
            guess = did_you_mean(field, option_names())
            raise BatmanError(
                f"There is no setting '{clean(name)}' to sweep; {guess}".rstrip("; ") + ".",
                "Write --sweep lr=1e-4,5e-5 model=base,medium.",
            )
        if not equals or not listed:
            raise BatmanError(f"'{clean(word)}' names no values.", "Write --sweep lr=1e-4,5e-5.")
        axes[field] = listed
    if axes and "resume" in values:
        raise BatmanError("A sweep begins new runs.", "Leave out --resume, or --sweep.")
    configs = []
    for choice in itertools.product(*axes.values()):
        here = {**values, **dict(zip(axes, choice, strict=True))}
        if axes and "output_dir" in values:
            words = [f"{name}={value}" for name, value in zip(axes, choice, strict=True)]
            here["output_dir"] = Path(str(values["output_dir"])) / " ".join(words).replace("/", "-")
        configs.append(parse_config(here))
    return configs


def wanted_of(
    config: TrainingConfig,
    *,
    gpu: str = "",
    time: str = "",
    partition: str = "",
    memory: str = "",
    cpus: int | None = None,
    account: str = "",
    qos: str = "",
    extra: Sequence[str] = (),
) -> Wanted:
    """Return what is asked of a cluster for a run; `time` and `extra` as a person types them.

    Raises BatmanError for a time that is none, and for options that sbatch does not take from us.
    """
    try:
        limit = parse_time(time) if time else None
        options = tuple(check_sbatch_option(option) for option in extra)
    except ValueError as error:
        raise BatmanError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    return Wanted(
        gpu=gpu,
        num_gpus=config.num_gpus,
        num_nodes=config.num_nodes,
        time_s=limit,
        partition=partition,
        memory=memory,
        cpus=cpus,
        account=account,
        qos=qos,
        extra=options,
    )


def with_gpu_batch(config: TrainingConfig, resources: Resources) -> TrainingConfig:
    """Take the GPU's own batch size where nobody and no model size chose one."""
    own = "batch_size" in config.model_fields_set or "batch_size" in get_model(config.model).preset
    if own or resources.batch is None or config.resume is not None:
        return config
    return config.with_changes(batch_size=resources.batch)


def first_to_start(rows: Sequence[Soonest]) -> str:
    """Return the type of GPU that is to be had first. Raises `CannotGive` with every reason."""
    able = [row for row in rows if row.start is not None]
    if able:
        return able[0].gpu
    reasons = "; ".join(f"{clean(row.gpu)}: {row.why_not}" for row in rows)
    raise CannotGive("No type of GPU can take this run.", reasons)
