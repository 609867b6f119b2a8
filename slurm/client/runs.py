"""A training that was submitted from Python, and what came of it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.common.errors import RunError
from core.common.text import clean
from core.training.live.follow import RunFollower
from core.training.run.run import Run
from slurm.client.job import Job, JobFailed
from slurm.client.session import Session
from slurm.job.record import read_record


@dataclass(frozen=True)
class RunResult:
    """What a training came to. Metrics lie between 0 and 1 and are of the validation split.

    They are those of the best model (`best_epoch`), whose weights `best` fetches. `per_class` is
    mAP50-95 by class, `history` one record an epoch as in `results.json`, `seconds` the time it
    trained in all. `folder` is the run's, here.
    """

    name: str
    folder: Path
    map50_95: float
    map50: float
    precision: float
    recall: float
    f1: float
    best_epoch: int
    epochs: int
    seconds: float
    per_class: dict[str, float]
    history: list[dict[str, Any]]
    _session: Session = field(repr=False, compare=False)

    @property
    def best(self) -> Path:
        """The best weights, `best.pth`, on this machine; fetched if they are not here yet."""
        return self.checkpoint("best.pth")

    def checkpoint(self, name: str = "checkpoint_last.pth") -> Path:
        """Return a checkpoint of the run on this machine, fetched if it is not here yet.

        `name` is a file of the run's folder. Raises RunError when the run has none such, and
        `HostError` when the cluster cannot be reached.
        """
        here = self.folder / name
        if here.name != name:
            raise RunError(f"'{clean(name)}' is no file of a run's folder.", "Give its name alone.")
        if not here.is_file():
            record = read_record(self.folder)
            with contextlib.suppress(FileNotFoundError):
                if record is not None and not self._session.site.shared:
                    self._session.host.get(f"{record.run_dir}/{name}", here)
        if not here.is_file():
            raise RunError(f"The run '{clean(self.name)}' has no '{clean(name)}'.")
        return here


class TrainJob(Job[RunResult]):
    """The job that trains a run. It may be put back and go on several times: that is one job."""

    @property
    def run(self) -> Run:
        """The run, whose folder fills as it is looked at."""
        return Run(self.folder)

    def done(self) -> bool:
        """See `Job.done`."""
        if self._over():
            return True
        self._look()
        return self._over()

    def _over(self) -> bool:
        # A stop may be one between two starts, until SLURM says that the job is over.
        if self._session.site.shared and self.run.state() in ("finished", "failed"):
            return True
        return self._record().fetched_at is not None

    def _failure(self) -> JobFailed | None:
        state = self.run.state()
        if state == "finished":
            return None
        failed = RunFollower(self.folder).poll().error
        if failed is not None:
            return JobFailed(failed.message, failed.hint, failed.traceback)
        record = self._record()
        return JobFailed(
            f"The run '{clean(self.run.name)}' did not finish: it is {state}, its job"
            f" {clean(record.job_id)} is {record.state.lower() or 'gone'}.",
            f"Go on with it by client.train(resume={str(self.folder)!r}), or see job.log().",
        )

    def _take(self) -> RunResult:
        results = self.run.results()
        if results is None:
            raise RunError(f"The run '{clean(self.run.name)}' left no results.")
        best = results.get("best") or {}
        metrics = ("map50_95", "map50", "precision", "recall", "f1")
        return RunResult(
            name=self.run.name,
            folder=self.folder,
            **{name: float(best.get(name, 0.0)) for name in metrics},
            best_epoch=int(results.get("best_epoch", 0)),
            epochs=int(results.get("epochs_trained", 0)),
            seconds=float(results.get("duration_seconds", 0.0)),
            per_class=dict(best.get("per_class", {})),
            history=list(results.get("history", [])),
            _session=self._session,
        )
