"""From the settings a person chose to runs that are queued on a cluster: for a form.

The command line takes the same steps with its own words in between (`cli.submit`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from core.errors import BatmanError, Cancelled
from core.progress import Cancelled as IsCancelled
from core.progress import Progress, Report, never, nothing
from core.temporary import remove_tree
from core.training.config import TrainingConfig
from core.training.planning import would_be_path
from core.training.run import Run
from core.training.start import ready_run
from core.workspace import Workspace
from slurm.choose import combinations, wanted_of, with_gpu_batch
from slurm.discover import Facts
from slurm.fetch import Mirror, link_log
from slurm.plan import Wanted, plan
from slurm.record import JobRecord, keep_checkpoints, read_record
from slurm.resources import Resources
from slurm.sbatch import SubmitUnknown
from slurm.site import Site
from slurm.submit import Submission, plan_submission, submit


@dataclass(frozen=True)
class Asked:
    """What a person typed beside the training's own settings; empty is the profile's or none."""

    gpu: str = ""
    time: str = ""
    partition: str = ""
    memory: str = ""
    account: str = ""
    qos: str = ""
    cpus: int | None = None
    extra: tuple[str, ...] = ()
    sweep: tuple[str, ...] = ()
    parallel: int | None = None
    checkpoints: str = "none"

    def wanted(self, config: TrainingConfig) -> Wanted:
        """Return what is asked of the cluster. Raises BatmanError for a time that is none."""
        return wanted_of(
            config,
            gpu=self.gpu,
            time=self.time,
            partition=self.partition,
            memory=self.memory,
            cpus=self.cpus,
            account=self.account,
            qos=self.qos,
            extra=self.extra,
        )


@dataclass(frozen=True)
class Order:
    """What will be submitted: the settings of each run, and what their job asks for."""

    configs: tuple[TrainingConfig, ...]
    resources: Resources
    parallel: int | None = None
    checkpoints: str = "none"


def order(site: Site, facts: Facts, values: Mapping[str, Any], asked: Asked) -> Order:
    """Return what follows from the training's `values` and what was `asked`; writes nothing.

    Raises BatmanError naming what is wrong, or what the cluster cannot give and what it can.
    """
    configs = combinations(values, asked.sweep)
    resources = plan(site.profile, asked.wanted(configs[0]), facts)
    return Order(
        tuple(with_gpu_batch(c, resources) for c in configs),
        resources,
        asked.parallel,
        asked.checkpoints,
    )


def preview(site: Site, workspace: Workspace, wanted: Order) -> Submission:
    """Return the job as it would be submitted; its token is drawn anew for each job."""
    models = [config.model for config in wanted.configs]
    runs = [
        Run(would_be_path(workspace, config, models[:number].count(config.model)))
        for number, config in enumerate(wanted.configs)
    ]
    return plan_submission(site, runs, wanted.resources, wanted.parallel)


def send_order(
    site: Site,
    workspace: Workspace,
    wanted: Order,
    report: Report = nothing,
    cancelled: IsCancelled = never,
) -> tuple[list[Run], list[JobRecord]]:
    """Prepare the runs, send what they need and submit their job.

    When it is not submitted, the run folders that were made for it are gone again. Raises
    BatmanError and `Cancelled`; after `SubmitUnknown` the runs are kept, for there may be a job.
    """
    runs: list[Run] = []
    try:
        for config in wanted.configs:
            runs.append(
                ready_run(
                    workspace,
                    config,
                    lambda at: report(Progress(at.stage, at.done, at.total)),
                    cancelled,
                )
            )
        submission = plan_submission(site, runs, wanted.resources, wanted.parallel)
        records = submit(site, submission, report, cancelled)
    except SubmitUnknown:
        raise
    except (BatmanError, Cancelled):
        discard(runs, wanted.configs)
        raise
    records = keep_checkpoints(runs, records, wanted.checkpoints)
    for run in runs:
        link_log(Mirror(site, run), workspace)
    return runs, records


def discard(runs: Sequence[Run], configs: Sequence[TrainingConfig]) -> None:
    """Remove the folders of new runs that no job will train and nothing has happened in."""
    for run, config in zip(runs, configs, strict=False):
        begun = run.events_file.exists() or read_record(run.path) is not None
        if config.resume is None and config.output_dir is None and not begun:
            with suppress(OSError):
                remove_tree(run.path)
