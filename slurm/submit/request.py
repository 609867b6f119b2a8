"""What a person asks of a cluster for a run, beside the training's own settings.

A further wish is a field of `JobRequest` (the command line's option, the clone of a job and the
form's beginning follow from it), a line in `slurm.submit.plan.plan` and one in
`slurm.submit.resources.resource_options`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError
from core.common.text import clean, did_you_mean, sentence
from core.training.config.command_line import option_names
from core.training.config.options import TrainingConfig, parse_config
from slurm.job.record import CHECKPOINTS
from slurm.site.profiles import check_sbatch_option, parse_time

AUTO = "auto"


def _wish(
    default: Any, flag: str, metavar: str, text: str, *, of_gpu: bool = False, sbatch: str = ""
) -> Any:
    """Return a field: its option on the command line, and the sbatch option a clone reads it from.

    `of_gpu` is what was chosen for one type of GPU and means nothing for another.
    """
    told = {"flag": flag, "metavar": metavar, "help": text, "of_gpu": of_gpu, "sbatch": sbatch}
    return field(default=default, metadata=told)


@dataclass(frozen=True)
class JobRequest:
    """What a person asks for, as typed; what is empty or None is taken from the profile.

    `gpu` is a type of the profile's table, or `auto` for the one that is to be had soonest; `cpus`
    counts for each GPU; `extra` are further options of sbatch, `sweep` is `name=a,b` for each
    setting that varies, `parallel` how many runs of it at once, `checkpoints` one of `CHECKPOINTS`.
    """

    gpu: str = _wish(
        "", "--gpu", "TYPE", "type of GPU; auto takes the one free soonest", of_gpu=True
    )
    time: str = _wish(
        "", "--time", "TIME", "time limit, such as 10h or 2-00:00:00", of_gpu=True, sbatch="time"
    )
    partition: str = _wish("", "--partition", "NAME", "partition", of_gpu=True, sbatch="partition")
    memory: str = _wish(
        "", "--mem", "SIZE", "memory on each node, such as 64G", of_gpu=True, sbatch="mem"
    )
    cpus: int | None = _wish(None, "--cpus", "N", "CPUs for each GPU", of_gpu=True)
    account: str = _wish("", "--account", "NAME", "account to charge", sbatch="account")
    qos: str = _wish("", "--qos", "NAME", "quality of service", sbatch="qos")
    extra: tuple[str, ...] = _wish(
        (), "--sbatch", "OPTION",
        "further option of sbatch, as --sbatch=--exclude=n3; may be given several times",
    )  # fmt: skip
    sweep: tuple[str, ...] = _wish(
        (), "--sweep", "NAME=A,B",
        "train every combination, as one array: --sweep lr=1e-4,5e-5 model=base,medium",
    )  # fmt: skip
    parallel: int | None = _wish(
        None, "--sweep-parallel", "N", "runs of a sweep at once (default: any)"
    )
    checkpoints: str = _wish(
        CHECKPOINTS[0], "--checkpoints", "",
        "checkpoints to bring back beside best.pth (default: none)",
    )  # fmt: skip

    @property
    def time_s(self) -> int | None:
        """The time limit in seconds, None if none was asked for. Raises BatmanError for no time."""
        try:
            return parse_time(self.time) if self.time else None
        except ValueError as error:
            raise BatmanError(f"{sentence(str(error))}.") from None

    @property
    def sbatch_options(self) -> tuple[str, ...]:
        """The further options. Raises BatmanError for one that sbatch does not take from us."""
        try:
            return tuple(check_sbatch_option(option) for option in self.extra)
        except ValueError as error:
            raise BatmanError(f"{sentence(str(error))}.") from None


def wishes() -> tuple[Field[Any], ...]:
    """Return the fields of `JobRequest`; their metadata has `flag`, `metavar`, `help`, `of_gpu`
    (it was chosen for the type of GPU) and `sbatch` (the option of sbatch that holds it, or "").
    """
    return fields(JobRequest)


def combinations(values: Mapping[str, Any], sweep: Sequence[str]) -> list[TrainingConfig]:
    """Return the settings of every run: `values`, with each combination of the sweep's choices.

    `sweep` is `name=a,b` for each setting that varies. Raises BatmanError naming what is wrong.
    """
    axes: dict[str, list[str]] = {}
    for word in sweep:
        name, equals, choices = word.partition("=")
        option = name.strip().lstrip("-").replace("-", "_")
        listed = [choice.strip() for choice in choices.split(",") if choice.strip()]
        if option in ("num_gpus", "num_nodes"):
            raise BatmanError(
                "Every run of a sweep is given the same GPUs.", "Submit one sweep for each number."
            )
        if option not in option_names() or option in ("project", "output_dir", "resume"):
            guess = did_you_mean(option, option_names())
            raise BatmanError(
                f"There is no setting '{clean(name)}' to sweep; {guess}".rstrip("; ") + ".",
                "Write --sweep lr=1e-4,5e-5 model=base,medium.",
            )
        if not equals or not listed:
            raise BatmanError(f"'{clean(word)}' names no values.", "Write --sweep lr=1e-4,5e-5.")
        axes[option] = listed
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
