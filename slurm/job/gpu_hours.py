"""What runs on clusters have cost, in GPU hours: by run, project and month."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from core.common.lists.columns import Column, by_key
from core.common.text import plural
from core.common.workspace import Workspace
from core.training.run.run import Run
from slurm.job.record import JobRecord, list_records
from slurm.site.gpu_kinds import gpu_words
from slurm.site.slurm_values import Gpus

Row = TypeVar("Row")


@dataclass(frozen=True)
class RunCost:
    """A run: the hours it trained times its GPUs. `month` is that of its start, such as 2026-03.

    Waiting costs nothing, and loading the model is not counted; of a run that goes on it is what
    it has cost so far. A share of a GPU, such as a shard, counts as the part of it that it is,
    `share` of `share_of` (0 of 0 for whole GPUs); where it is not known how many make one GPU,
    `gpus` and `hours` are None. A MIG slice is a GPU, as it is to SLURM.
    """

    run: str
    project: str
    month: str
    cluster: str
    gpu: str
    gpus: float | None
    hours: float | None
    share: int = 0
    share_of: int = 0

    @property
    def gpus_words(self) -> str:
        """Its GPUs, such as `2×h100-96`, or `0.25×h100-96` of a share."""
        if self.share:
            return gpu_words(Gpus(self.gpu, self.share, self.share_of))
        return gpu_words(Gpus(self.gpu, round(self.gpus or 0)))


def run_costs(workspace: Workspace) -> list[RunCost]:
    """Return what each submitted run that has begun has cost, the latest first."""
    costs = [cost_of(Run(path), record) for path, record in list_records(workspace)]
    return [cost for cost in costs if cost is not None]


def cost_of(run: Run, record: JobRecord) -> RunCost | None:
    """Return what a run has cost; None before its first step."""
    summary = run.summary()
    if summary.started_at is None or not summary.seconds:
        return None
    gpus = record.gpus
    return RunCost(
        run=run.name,
        project=summary.project or "",
        month=f"{datetime.fromtimestamp(summary.started_at).astimezone():%Y-%m}",
        cluster=record.cluster,
        gpu=record.gpu,
        gpus=gpus,
        hours=None if gpus is None else summary.seconds * gpus / 3600,
        share=record.share * record.num_nodes,
        share_of=record.share_of,
    )


@dataclass(frozen=True)
class CostSum:
    """The GPU hours of the runs of a project that began in a month.

    Those of `unknown` runs are not among them: see `RunCost`.
    """

    month: str
    project: str
    runs: int
    hours: float
    unknown: int = 0

    @property
    def known(self) -> bool | None:
        """Whether the hours of any of them are known; None if not."""
        return True if self.unknown < self.runs else None


def by_project_and_month(costs: Iterable[RunCost]) -> list[CostSum]:
    """Return the GPU hours of each project (name) in each month, the latest month first."""
    sums: dict[tuple[str, str], list[float | None]] = {}
    for cost in costs:
        sums.setdefault((cost.month, cost.project), []).append(cost.hours)
    return [
        CostSum(month, project, len(hours), sum(h or 0 for h in hours), hours.count(None))
        for (month, project), hours in sorted(sums.items(), reverse=True)
    ]


def unknown_words(costs: Sequence[RunCost]) -> str:
    """Return what the sums of costs leave out and why; empty if they are whole."""
    missing = sum(cost.hours is None for cost in costs)
    if not missing:
        return ""
    return (
        f"Without {plural(missing, 'run')} on shares of a GPU: the cluster did not tell how many of"
        " them make one GPU."
    )


COST_COLUMNS = by_key(
    [
        Column[RunCost]("run", "Run", lambda cost: cost.run, least=14),
        Column("project", "Project", lambda cost: cost.project or None, least=10),
        Column("month", "Month", lambda cost: cost.month, width=7),
        Column(
            "cluster", "Cluster", lambda cost: cost.cluster, width=10, from_width=80, muted=True
        ),
        Column("gpus", "GPUs", lambda cost: cost.gpus_words, width=12),
        Column(
            "hours", "GPU hours",
            lambda cost: None if cost.hours is None else f"{cost.hours:.2f}", width=9, right=True,
            sort=lambda cost: cost.hours,
            seen=lambda cost, now: None if cost.hours is None else f"{cost.hours:9,.2f}",
        ),
    ]
)  # fmt: skip
SUM_COLUMNS = by_key(
    [
        Column[CostSum]("month", "Month", lambda cost: cost.month, width=7),
        Column("project", "Project", lambda cost: cost.project or None, least=14),
        Column("runs", "Runs", lambda cost: cost.runs, "number", 6),
        Column(
            "hours", "GPU hours", lambda cost: cost.known and f"{cost.hours:.2f}", width=9,
            right=True, sort=lambda cost: cost.hours,
            seen=lambda cost, now: cost.known and f"{cost.hours:9,.2f}",
        ),
    ]
)  # fmt: skip


def cost_rows(costs: Sequence[RunCost], *, each: bool) -> tuple[list[str], list[list[str | None]]]:
    """Return titles and rows for a file: of `each` run, else of each project and month."""

    def table(
        columns: Mapping[str, Column[Row]], rows: Sequence[Row]
    ) -> tuple[list[str], list[list[str | None]]]:
        titles = [column.typed for column in columns.values()]
        return titles, [[column.written(row) for column in columns.values()] for row in rows]

    return table(COST_COLUMNS, costs) if each else table(SUM_COLUMNS, by_project_and_month(costs))
