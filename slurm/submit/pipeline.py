"""From what a person chose to runs that are queued on a cluster: the one way there is.

The form, the command line, the clone of a job and sweeps all take it: `make_order` writes nothing
and says what would be submitted or what is wrong, `send_order` submits it and leaves nothing behind
when that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.common.full_disk import naming_full_disk
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report, never, nothing
from core.common.text import clean
from core.common.workspace import Workspace
from core.models.sizes import get_model
from core.training.config.options import TrainingConfig
from core.training.config.sweep import combinations
from core.training.launch.plan import would_be_path
from core.training.launch.prepare_run import ready_run
from core.training.launch.undo import undone_when_refused
from core.training.run.run import Run
from slurm.job.record import JobRecord, keep_checkpoints
from slurm.site.discover import Facts
from slurm.site.site import Site
from slurm.submit.plan import plan
from slurm.submit.request import AUTO, CannotGive, JobRequest
from slurm.submit.resources import Resources
from slurm.submit.sbatch import NotNoted, SubmitUnknown
from slurm.submit.start_estimate import Soonest, soonest
from slurm.submit.submit import Submission, noting, plan_submission, submit
from slurm.sync.mirror import Mirror, link_log


@dataclass(frozen=True)
class Order:
    """What will be submitted: the settings of each run, and what their job asks for."""

    configs: tuple[TrainingConfig, ...]
    resources: Resources
    parallel: int | None = None
    checkpoints: str = "none"


@dataclass(frozen=True)
class Sent:
    """What was submitted: the runs, the job that trains them and the record of each."""

    runs: tuple[Run, ...]
    submission: Submission
    records: tuple[JobRecord, ...]


def make_order(site: Site, facts: Facts, values: Mapping[str, Any], request: JobRequest) -> Order:
    """Return what follows from the training's `values` and the `request`; writes nothing.

    The scheduler is asked only for the GPU `auto`. Raises BatmanError naming what is wrong, or what
    the cluster cannot give and what it can.
    """
    configs = [one.config for one in combinations(values, request.sweep)]
    first = configs[0]
    resources = asked_for(site, facts, request, first.num_gpus, first.num_nodes)
    return Order(
        tuple(_with_gpu_batch(config, resources) for config in configs),
        resources,
        request.parallel,
        request.checkpoints,
    )


def asked_for(
    site: Site, facts: Facts, request: JobRequest, num_gpus: int = 1, num_nodes: int = 1
) -> Resources:
    """Return what a job asks of SLURM; raises as `make_order` does."""
    if request.gpu.lower() == AUTO:
        rows = soonest(site.host, site.profile, request, facts, num_gpus, num_nodes)
        request = replace(request, gpu=_first_to_start(rows))
    return plan(site.profile, request, facts, num_gpus, num_nodes)


def preview(site: Site, workspace: Workspace, order: Order) -> Submission:
    """Return the job as it would be submitted; its token is drawn anew for each job."""
    models = [config.model for config in order.configs]
    runs = [
        Run(would_be_path(workspace, config, models[:number].count(config.model)))
        for number, config in enumerate(order.configs)
    ]
    return plan_submission(site, runs, order.resources, order.parallel)


def send_order(
    site: Site,
    workspace: Workspace,
    order: Order,
    report: Report = nothing,
    cancelled: IsCancelled = never,
    on_ready: Callable[[Sequence[Run]], None] = lambda runs: None,
) -> Sent:
    """Prepare the runs (told to `on_ready`), send what they need and submit their job.

    When it is not submitted, whatever the reason, everything that was made for it is gone again,
    and a run that was to go on has the settings it had. Raises BatmanError and `Cancelled`; after
    `SubmitUnknown` the runs are kept, for there may be a job.
    """
    runs: list[Run] = []
    with (
        undone_when_refused(SubmitUnknown, NotNoted) as undo,
        naming_full_disk(workspace.runs_dir),
    ):
        for config in order.configs:
            runs.append(
                ready_run(
                    workspace,
                    config,
                    lambda at: report(Progress(at.stage, at.done, at.total)),
                    cancelled,
                    undo=undo,
                )
            )
        if len(runs) > 1:
            for run in runs:
                run.save_config(run.config().with_changes(sweep=f"{runs[0].name}-sweep"))
        on_ready(runs)
        submission = plan_submission(site, runs, order.resources, order.parallel)
        records = submit(site, submission, report, cancelled)
    with noting(runs, records[0].job_id):
        records = keep_checkpoints(runs, records, order.checkpoints)
        for run in runs:
            link_log(Mirror(site, run), workspace)
    return Sent(tuple(runs), submission, tuple(records))


def _with_gpu_batch(config: TrainingConfig, resources: Resources) -> TrainingConfig:
    """Take the GPU's own batch size where nobody and no model size chose one."""
    own = "batch_size" in config.model_fields_set or "batch_size" in get_model(config.model).preset
    if own or resources.batch is None or config.resume is not None:
        return config
    return config.with_changes(batch_size=resources.batch)


def _first_to_start(rows: Sequence[Soonest]) -> str:
    """Return the type of GPU that is to be had first. Raises `CannotGive` with every reason."""
    able = [row for row in rows if row.start is not None]
    if able:
        return able[0].gpu
    reasons = "; ".join(f"{clean(row.gpu)}: {row.why_not}" for row in rows)
    raise CannotGive("No type of GPU can take this run.", reasons)
