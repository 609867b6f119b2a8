"""Answers of the commands about runs and models, and the events of those that tell several."""

from __future__ import annotations

from typing import Any, TypedDict

from core.evaluation.result import EvaluationResult
from core.export.export import ExportedFile, FailedFormat
from core.inference.inputs import Skipped
from core.plots.compare import Difference


class WaitRow(TypedDict):
    """How a run's job waits in a cluster's queue; times are Unix seconds, null while unknown.

    `start` is SLURM's estimate, `place` the job's among the `line` jobs that wait as it does,
    `restarts` how often it was put back into the queue, `seen_at` when all of it was told.
    """

    job: str
    cluster: str
    since: float | None
    why: str
    start: float | None
    place: int | None
    line: int | None
    restarts: int
    seen_at: float | None


class RunRow(TypedDict):
    """A run: its state, its settings, and what came of it (metrics from 0 to 1).

    `started_at` and `updated_at` are Unix times in seconds, `seconds` is the time it trained.
    `error` says what failed, `problem` what is wrong with one of its files, `sweep` to which it
    belongs; empty for none. `wait` is how its job waits while its state is `queued`.
    """

    name: str
    path: str
    state: str
    model: str
    project: str | None
    epochs: int
    epoch: int
    best_map50_95: float | None
    best_map50: float | None
    best_epoch: int | None
    loss: float | None
    started_at: float | None
    updated_at: float | None
    seconds: float
    error: str
    note: str
    tags: list[str]
    problem: str
    wait: WaitRow | None
    sweep: str
    config: dict[str, Any] | None


class RunOutput(TypedDict):
    """What was made of a run's model: in which folder, when (`t`, Unix seconds), still `there`?"""

    kind: str
    folder: str
    t: float
    model: str
    facts: dict[str, Any]
    there: bool


class RunShown(RunRow):
    """A run with its results (docs: run folder) and what was made of its model."""

    results: dict[str, Any] | None
    outputs: list[RunOutput]


class RunOutcome(TypedDict):
    """A run beside others: metrics of its best epoch, from 0 to 1; `last` is its last mAP50-95."""

    name: str
    state: str
    letter: str
    epoch: int
    epochs: int
    seconds: float
    best_epoch: int | None
    map50_95: float | None
    map50: float | None
    map75: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    last: float | None
    loss: float | None


class ClassCompared(TypedDict):
    """AP50-95 of a class in each run, null where it has none."""

    name: str
    ap: list[float | None]


class EpochCompared(TypedDict):
    """The metric of an epoch in each run."""

    epoch: int
    values: list[float | None]


class _Compared(TypedDict):
    runs: list[RunOutcome]
    differences: list[Difference]
    classes: list[ClassCompared]


class RunsCompared(_Compared, total=False):
    """Runs side by side: what came of them, which settings differ, each class.

    With `--metric` that metric epoch by epoch.
    """

    metric: str
    epochs: list[EpochCompared]


class RunPlace(TypedDict):
    """A run: its name and its folder."""

    name: str
    path: str


class RunsStopping(TypedDict):
    """The runs that stop after their current step, with a checkpoint."""

    stopping: list[RunPlace]


class Event(TypedDict):
    """What every event has: its kind, and when it was (ISO 8601, UTC)."""

    type: str
    at: str


class SweepRunMade(TypedDict):
    """A run of a sweep: its folder, and the settings that make it, as typed."""

    run: str
    path: str
    choices: dict[str, str]


class SweepEvent(Event):
    """The sweep that was made (`train --sweep`): `prepared`, or `started`."""

    sweep: str
    path: str
    state: str
    runs: list[SweepRunMade]


class SweepPlanned(TypedDict):
    """A run that a sweep would train."""

    run_folder: str
    choices: dict[str, str]
    config: dict[str, Any]


class SweepPlanEvent(Event):
    """What `--sweep` with `--dry-run` would train; nothing was started."""

    runs: list[SweepPlanned]


class SweepRun(SweepRunMade):
    """What came of a run of a sweep (metrics from 0 to 1); `state` may be `cancelled`, or `gone`.

    `error` says why it failed, or could not be started; empty for neither.
    """

    state: str
    best_map50_95: float | None
    best_map50: float | None
    epoch: int
    seconds: float
    error: str


class SweepShown(TypedDict):
    """A sweep: `running`, `stopping`, `stopped` or `finished`; its runs, the best first."""

    sweep: str
    path: str
    state: str
    settings: list[str]
    runs: list[SweepRun]


class SweepEndedEvent(Event, SweepShown):
    """How a sweep ended."""

    exit_code: int


class SweepCancelled(TypedDict):
    """The runs that were given up before they began."""

    cancelled: list[str]


class RunNotes(TypedDict):
    """What people said of a run; an empty note is none."""

    run: str
    path: str
    note: str
    tags: list[str]


class RunRemoved(RunPlace):
    """A run that was removed, or whose checkpoints were, and the bytes that were freed."""

    freed_bytes: int


class RunsRemoved(TypedDict):
    """What was removed; nothing when somebody said no."""

    removed: list[RunRemoved]
    only_checkpoints: bool


class Probed(TypedDict):
    """The largest batch that fits the GPU, and what to train with."""

    gpu: str
    memory_bytes: int
    model: str
    image_size: int
    largest_batch: int
    batch_size: int
    grad_accum: int
    remembered: bool
    problem: str | None


class ModelExported(TypedDict):
    """The files of an export and how far each is from the model, at most; what `failed` and why."""

    output: str
    files: list[ExportedFile]
    classes: list[str]
    model: str
    resolution: int
    checked_on: str
    warnings: list[str]
    failed: list[FailedFormat]


class ErrorFields(TypedDict):
    """What is wrong, the way out (empty: none is known), and the exit code."""

    message: str
    hint: str
    exit_code: int


class ErrorEvent(Event):
    """How a command failed that gave no answer; of every command, the last line there is."""

    error: ErrorFields


class ProgressEvent(Event):
    """A stage of the work: `done` of `total` (null: not known); at most two a second."""

    stage: str
    done: int
    total: int | None


class RunEvent(Event):
    """The run that was made: `prepared`, or `started`; images by split."""

    run: str
    path: str
    state: str
    model: str
    classes: list[str]
    images: dict[str, int]
    notes: list[str]


class PlanEvent(Event):
    """What `--dry-run` would train; nothing was started."""

    run_folder: str
    goes_on_with: str | None
    config: dict[str, Any]
    effective_batch: int | None
    images: dict[str, int]
    classes: list[str]
    notes: list[str]


class ModelRow(TypedDict):
    """A model size; `works_offline` is one that needs no published weights."""

    name: str
    params_millions: float
    image_size_px: int
    image_size_multiple_px: int
    coco_ap_percent: float | None
    t4_ms: float | None
    licence: str
    use: str
    works_offline: bool


class ModelsEvent(Event):
    """The model sizes (`--list-models`)."""

    models: list[ModelRow]


class Best(TypedDict):
    """The best validation: metrics from 0 to 1."""

    epoch: int
    step: int
    map50_95: float
    map50: float
    map75: float
    precision: float
    recall: float
    f1: float
    loss: float | None
    per_class: dict[str, float]
    ema: bool
    best: bool
    seconds: float


class EndError(TypedDict):
    """Why a run failed, and the way out."""

    message: str
    hint: str


class EndedEvent(Event):
    """How a run ended: its state, the seconds it trained, its best validation."""

    run: str
    path: str
    state: str
    trained_s: float
    best: Best | None
    error: EndError | None
    exit_code: int


class QueuedEvent(Event):
    """The run's job waits for its node, and how; told again when that has changed."""

    job: str
    cluster: str
    since: float | None
    why: str
    start: float | None
    place: int | None
    line: int | None
    restarts: int
    seen_at: float | None


class LeftEvent(Event):
    """Ctrl-C ended the watching; the run goes on, or stops by itself."""

    run: str
    path: str
    exit_code: int


class InferredEvent(Event):
    """What was found: counts, by class, and where it was written (null: nothing was).

    `frames` counts images and frames of videos, `tracks` objects followed (null: without tracking);
    `seconds` is without the time to load the model.
    """

    checkpoint: str
    output: str
    csv: str
    coco: str | None
    annotated: str | None
    device: str
    classes: list[str]
    images: int
    videos: int
    frames: int
    detections: int
    per_class: dict[str, int]
    tracks: int | None
    skipped: list[Skipped]
    seconds: float
    kind: str
    notes: list[str]


class ModelExportedEvent(Event, ModelExported):
    """What was exported (`train --export`)."""


class EvaluationEvent(Event):
    """How good the model is that the demo trained."""

    evaluation: EvaluationResult
