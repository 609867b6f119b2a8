"""From a run that is ready to one that is queued: its data and code sent, its job submitted once.

On a login node (`Site.shared`) the job trains in the run folder itself and nothing is sent. Behind
SSH the run gets a folder of its own on the cluster, and what comes of it is mirrored back by
`slurm.sync.mirror`.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import BatmanError, RunError
from core.common.full_disk import disk_full
from core.common.progress import Cancelled, Report, never, nothing
from core.common.text import clean, shell_word
from core.models.sizes import weights_file
from core.training.config.options import TrainingConfig
from core.training.run.checkpoints import BEST, LAST
from core.training.run.damage import JOB_FILE
from core.training.run.events import Epoch, read_events
from core.training.run.overwrite_guard import reached, refuse_setback
from core.training.run.results import RESULTS_FILE
from core.training.run.run import CONFIG_FILE, EVENTS_FILE, Run
from core.training.run.worker_process import ENDED, WORKER_FILE, expect_worker
from slurm.hosts import HostError
from slurm.job.record import SCRIPT_FILE, JobRecord, read_record, write_record
from slurm.site.site import Site
from slurm.submit.resources import Resources
from slurm.submit.sbatch import NotNoted, SubmitError, SubmitUnknown, find_job, submit_once
from slurm.submit.script import BatchScript, JobSpec, Work, build_script
from slurm.submit.sending import code_place, make_folders, put_text, send_code, send_file
from slurm.sync.mirror_state import MirrorState
from slurm.sync.pack import pack_folder
from slurm.sync.patience import PATIENCE_S, persist
from slurm.sync.tail_copy import Grown
from slurm.sync.upload import send

# Puts the file $1 at $2, whole or not at all, unless one is there.
_PLACE = 'test -e "$2" || { cp -- "$1" "$2.part" && mv -- "$2.part" "$2"; }'


@dataclass(frozen=True)
class Submission:
    """A job to be: its runs, what it asks for, its script and the folders it will train in."""

    runs: tuple[Run, ...]
    spec: JobSpec
    script: BatchScript

    def command(self) -> list[str]:
        """Return sbatch's argument list."""
        return self.script.command(f"{self.spec.run_dirs[0]}/{SCRIPT_FILE}")


def plan_submission(
    site: Site, runs: Sequence[Run], resources: Resources, parallel: int | None = None
) -> Submission:
    """Return the job that trains `runs` (several: one array, `parallel` at once).

    Nothing is written or sent. Raises RunError for a run whose job is still known to be queued, and
    BatmanError for names SLURM cannot take.
    """
    token = secrets.token_hex(8)
    for run in runs:
        record = read_record(run.path)
        if record is not None and run.state() not in ENDED:
            raise RunError(
                f"The run '{clean(run.name)}' has a job already:"
                f" {clean(record.job_id) or 'one whose answer was lost'}.",
                f"Watch it with batman watch {shell_word(run.name)}, or cancel the job first.",
            )
    name = runs[0].name if len(runs) == 1 else f"{runs[0].name}-sweep"
    folders = tuple(_remote_dir(site, run, token) for run in runs)
    spec = job_spec(site, name, token, folders, resources, parallel=parallel)
    return Submission(tuple(runs), spec, build_script(spec))


def job_spec(
    site: Site,
    name: str,
    token: str,
    folders: tuple[str, ...],
    resources: Resources,
    *,
    work: Work = "train",
    module: str = "",
    parallel: int | None = None,
) -> JobSpec:
    """Return a job with all that follows from the cluster; the rest is as in `JobSpec`."""
    return JobSpec(
        name=name,
        token=token,
        run_dirs=folders,
        log_dir=site.log_dir,
        python=site.python,
        code=code_place(site),
        resources=resources,
        prelude=tuple(site.profile.prelude),
        environment=site.environment,
        signal_s=site.profile.signal_seconds,
        parallel=parallel,
        work=work,
        module=module,
    )


def submit(
    site: Site,
    submission: Submission,
    report: Report = nothing,
    cancelled: Cancelled = never,
    patience_s: float = PATIENCE_S,
) -> list[JobRecord]:
    """Send what the job needs, submit it, and return the record of each run.

    A connection that breaks is waited for up to `patience_s`. Raises `SubmitError` when SLURM does
    not take the job; the runs are then as before. Raises `SubmitUnknown` when the connection was
    lost for good in between: the records are kept, and `recover` finds the job.
    """
    spec = submission.spec
    host = site.host
    if site.shared:
        for folder in (spec.log_dir, *spec.run_dirs):
            Path(folder).mkdir(parents=True, exist_ok=True)
    else:
        folders = [*spec.run_dirs, spec.log_dir]
        make_folders(site, "run", folders, cancelled, patience_s)
        for run, folder in zip(submission.runs, spec.run_dirs, strict=True):
            _refuse_setback(site, run, folder, cancelled, patience_s)
        send_code(site, spec.code, report, cancelled, patience_s)
        for run, folder in zip(submission.runs, spec.run_dirs, strict=True):
            _send_run(site, run, folder, report, cancelled, patience_s)
    marker = f"{spec.run_dirs[0]}/.submitted-{spec.token}"
    now = time.time()
    records = []
    try:
        for task, (run, folder) in enumerate(zip(submission.runs, spec.run_dirs, strict=True)):
            task_of = task if spec.is_array else None
            records.append(new_record(site, submission, folder, marker, now, task_of))
            put_text(
                site, run.path, folder, SCRIPT_FILE, submission.script.text, cancelled, patience_s
            )
            # From here on the run is expected to be trained there, whatever becomes of our answer.
            write_record(run.path, records[-1])
            expect_worker(run.path, f"cluster {site.name}")
            if not site.shared:
                source = run.path / WORKER_FILE
                target = f"{folder}/{WORKER_FILE}"
                persist(lambda s=source, t=target: host.put(s, t), cancelled, patience_s)  # type: ignore[misc]
        number = submit_once(
            host, submission.command(), marker, spec.token, cancelled, min(patience_s, 300.0)
        )
    except SubmitUnknown:
        raise
    except (BatmanError, OSError):
        for run in submission.runs:
            forget(run)
        raise
    with noting(submission.runs, number):
        return [
            _numbered(run, record, number, spec)
            for run, record in zip(submission.runs, records, strict=True)
        ]


def new_record(
    site: Site,
    submission: Submission,
    folder: str,
    marker: str,
    now: float,
    task: int | None = None,
) -> JobRecord:
    """Return the record of a job that is to work in `folder`, as it is before its submission."""
    asked = submission.spec.resources
    return JobRecord(
        cluster=site.name,
        host=site.profile.host,
        token=submission.spec.token,
        run_dir=folder,
        log="",
        marker=marker,
        submitted_at=now,
        command=submission.command(),
        task=task,
        gpu=asked.gpu,
        num_gpus=asked.gpus_per_node,
        num_nodes=asked.nodes,
        share=asked.share,
        share_of=asked.share_of,
        partition=asked.partition,
        time_limit=asked.time_s,
    )


@contextlib.contextmanager
def noting(runs: Sequence[Run], number: str) -> Iterator[None]:
    """Let the block, which notes the job `number` of `runs`, raise `NotNoted` on a full disk."""
    try:
        yield
    except OSError as error:
        full = disk_full(error, [run.path for run in runs])
        if full is None:
            raise
        name = shell_word(runs[0].name)
        raise NotNoted(
            f"The job {clean(number)} was submitted, and that cannot be noted here: {full.message}",
            f"Make room (batman runs delete RUN --checkpoints), then batman watch {name}: the job"
            " is found again. Do not submit it once more.",
        ) from error


def recover(site: Site, run: Run) -> JobRecord | None:
    """Find the job of a run whose submission got no answer; None if there is none.

    Where there is none, the record is removed, and the run can be submitted again. Raises
    `SubmitUnknown` while it cannot be known yet.
    """
    record = read_record(run.path)
    if record is None or record.job_id:
        return record
    try:
        kind, number = find_job(site.host, record.marker, record.token)
    except SubmitError:
        forget(run)
        raise
    if kind == "nothing":
        forget(run)
        return None
    if kind == "begun":
        raise SubmitUnknown(
            "sbatch was started and neither answered nor left a job.",
            "Look at squeue on the cluster; if there is none, submit the run again.",
        )
    log = f"{site.log_dir}/job_{number}{'' if record.task is None else f'_{record.task}'}.log"
    job = number if record.task is None else f"{number}_{record.task}"
    return write_record(run.path, record.changed(job_id=job, log=log))


def forget(run: Run) -> None:
    """Remove what says that the run was submitted: there is no job."""
    for name in (JOB_FILE, WORKER_FILE):
        with contextlib.suppress(FileNotFoundError):
            (run.path / name).unlink()


def _numbered(run: Run, record: JobRecord, number: str, spec: JobSpec) -> JobRecord:
    job = number if record.task is None else f"{number}_{record.task}"
    log = spec.log_file(number, record.task)
    return write_record(run.path, record.changed(job_id=job, log=log))


def _remote_dir(site: Site, run: Run, token: str) -> str:
    """Return where the run trains: a folder that is its alone, the same one when it goes on."""
    if site.shared:
        return str(run.path.absolute())
    before = read_record(run.path)
    if before is not None and before.cluster == site.name and _there(site, before.run_dir):
        return before.run_dir
    return f"{site.root}/runs/{run.name}-{token[:8]}"


def _there(site: Site, run_dir: str) -> bool:
    return site.host.size(f"{run_dir}/{CONFIG_FILE}") is not None


def _send_run(
    site: Site, run: Run, folder: str, report: Report, cancelled: Cancelled, patience_s: float
) -> None:
    """Send the run's data set, the files it starts from, and its settings made for there."""
    config = run.config()
    host = site.host
    pack = pack_folder(config.dataset_dir(run.path), report=report, cancelled=cancelled)
    target = f"{site.root}/datasets/{pack.digest}"
    send(host, pack, target, "data set", report, cancelled, patience_s)
    if config.dataset is None:
        raise RunError(f"The run '{clean(run.name)}' has no prepared data set.")
    changes: dict[str, object] = {
        "dataset": config.dataset.model_copy(update={"dir": Path(target)}),
        "output_dir": Path(folder),
    }
    if config.resume is not None:
        changes["resume"] = Path(
            _send_resume(site, run, config, folder, report, cancelled, patience_s)
        )
    weights = _weights(config)
    if weights is not None:
        changes["pretrained"] = Path(
            send_file(site, weights, f"{site.root}/weights", report, cancelled, patience_s)
        )
    there = config.with_changes(**changes)
    put_text(site, run.path, folder, CONFIG_FILE, there.model_dump_json(indent=2), cancelled,
              patience_s, keep=False)  # fmt: skip


def _refuse_setback(
    site: Site, run: Run, folder: str, cancelled: Cancelled, patience_s: float
) -> None:
    """Raise Setback when a run would begin again there, because its last checkpoint is nowhere."""
    config = run.config()
    last = f"{folder}/{LAST}"
    if config.resume is not None:
        return
    if persist(lambda: site.host.size(last), cancelled, patience_s) is None:
        refuse_setback(run.path, config, reached(run.path, run.summary().epoch), None, None)


def _weights(config: TrainingConfig) -> Path | None:
    """Return the weights to send: those named, or the published ones if they are here.

    Nodes have no network as a rule; what is not here the trainer fetches there, if it can.
    """
    if config.resume is not None or config.from_scratch:
        return None
    if config.pretrained is not None:
        return config.pretrained
    published = weights_file(config.model)
    return published if published is not None and published.is_file() else None


def _send_resume(
    site: Site,
    run: Run,
    config: TrainingConfig,
    folder: str,
    report: Report,
    cancelled: Cancelled,
    patience_s: float,
) -> str:
    """Send the checkpoint to go on from, unless it lies there already, and return its place."""
    checkpoint = config.resume
    assert checkpoint is not None
    own = checkpoint.parent.resolve() == run.path.resolve()
    if own:
        # What the job wrote there is newer than any copy of it here.
        there = f"{folder}/{checkpoint.name}"
        if persist(lambda: site.host.size(there), cancelled, patience_s) is not None:
            persist(lambda: _refuse_left_behind(site, run, folder), cancelled, patience_s)
            return there
        _send_events(site, run, folder, cancelled, patience_s)
        _send_reached(site, run, folder, report, cancelled, patience_s)
    return send_file(site, checkpoint, f"{site.root}/weights", report, cancelled, patience_s)


def _refuse_left_behind(site: Site, run: Run, folder: str) -> None:
    """Raise RunError when the run was trained on here since it was there.

    What would go on there is older, and its curve and best model would come back over those here.
    """
    copied = MirrorState.load(run.path).events
    if copied.here is None or not run.events_file.is_file():
        return
    more = run.events_file.read_bytes()[copied.here :]
    if not any(isinstance(event, Epoch) for event in read_events(more)[0]):
        return
    if site.host.read(f"{folder}/{EVENTS_FILE}", copied.there, len(more)) == more:
        return  # copied, and not yet noted
    raise RunError(
        f"The run '{clean(run.name)}' has been trained on here since it was on {clean(site.name)}.",
        "Go on there in a new run: batman submit --resume"
        f" {clean(shlex.quote(str(run.path)))} --output-dir NEW.",
    )


def _send_events(
    site: Site, run: Run, folder: str, cancelled: Cancelled, patience_s: float
) -> None:
    """Send what the run has told so far, so that its curve goes on there."""
    state = MirrorState()
    if run.events_file.is_file():
        persist(
            lambda: site.host.put(run.events_file, f"{folder}/{EVENTS_FILE}"), cancelled, patience_s
        )
        size = run.events_file.stat().st_size
        state.events = Grown(size, size)
    state.save(run.path)


def _send_reached(
    site: Site, run: Run, folder: str, report: Report, cancelled: Cancelled, patience_s: float
) -> None:
    """Send the run's best model and results, so that training there replaces neither by worse.

    Without them there its first epoch would be its best, and would come back over the best here.
    """
    results = run.path / RESULTS_FILE
    if results.is_file():
        persist(lambda: site.host.put(results, f"{folder}/{RESULTS_FILE}"), cancelled, patience_s)
    if not (run.path / BEST).is_file():
        return
    sent = send_file(site, run.path / BEST, f"{site.root}/weights", report, cancelled, patience_s)
    place = ["sh", "-c", _PLACE, "sh", sent, f"{folder}/{BEST}"]
    placed = persist(lambda: site.host.run(place, timeout=300), cancelled, patience_s)
    if placed.code:
        raise HostError(
            f"{BEST} cannot be put into the run's folder on {clean(site.host.name)}: {placed.said}."
        )
