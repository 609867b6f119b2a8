"""What a person asks of a cluster for a run, beside the training's own settings.

A further wish is a field of `JobRequest` (the command line's option, the clone of a job and the
form's beginning follow from it), a line in `slurm.submit.plan.plan` and one in
`slurm.submit.resources.resource_options`.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import Any

from core.common.errors import BatmanError
from core.common.text import sentence
from core.training.config.sweep import EXAMPLE, METAVAR
from slurm.job.record import CHECKPOINTS
from slurm.site.profiles import check_sbatch_option, parse_time

AUTO = "auto"


class CannotGive(BatmanError):
    """Something was asked for that the cluster cannot give; the hint says what it can."""


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
    counts for each GPU, `share` is of one GPU, where the type is one that is had in shares;
    `constraint` are features of the nodes; `extra` are further options of sbatch, `sweep` is
    `name=a,b` for each setting that varies, `parallel` how many runs of it at once, `checkpoints`
    one of `CHECKPOINTS`.
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
    share: int | None = _wish(
        None, "--gpu-share", "N", "of a GPU in shards or by MPS: how many, for a share", of_gpu=True
    )
    constraint: str = _wish(
        "", "--constraint", "FEATURES", "features of the node, such as gpu_mem_80&rack1",
        of_gpu=True, sbatch="constraint",
    )  # fmt: skip
    account: str = _wish("", "--account", "NAME", "account to charge", sbatch="account")
    qos: str = _wish("", "--qos", "NAME", "quality of service", sbatch="qos")
    extra: tuple[str, ...] = _wish(
        (), "--sbatch", "OPTION",
        "further option of sbatch, as --sbatch=--exclude=n3; may be given several times",
    )  # fmt: skip
    sweep: tuple[str, ...] = _wish(
        (), "--sweep", METAVAR, f"train every combination, as one array: --sweep {EXAMPLE}",
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
