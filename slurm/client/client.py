"""Batman's work on a cluster, from a script or a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict, TypeVar, Unpack

import msgspec

from core.autolabel.choice import parse_choice
from core.autolabel.prepare import (
    AutolabelRequest,
    find_unfinished,
    locate_weights,
    missing_weights,
    plan_pass,
    refuse_second,
)
from core.common.errors import BatmanError
from core.common.files import expand_user
from core.common.progress import Report, nothing
from core.common.text import clean, did_you_mean, sentence
from core.common.workspace import Workspace, find_project
from core.data.store import Project
from core.evaluation import EvaluationOptions, EvaluationResult, evaluation_folder
from core.export import ExportOptions, ExportReport
from core.export.formats import DEFAULT, FORMATS
from core.inference import InferenceOptions, InferenceSummary
from core.inference.inputs import find_sources
from core.inference.options import fresh_folder
from core.training.config.command_line import option_names
from core.training.run.run import CONFIG_FILE, Run, find_run
from slurm.client.calls import FunctionJob
from slurm.client.job import Job
from slurm.client.passes import PassJob
from slurm.client.runs import TrainJob
from slurm.client.session import Session
from slurm.job.record import list_records
from slurm.site.profiles import profile_for
from slurm.submit.autolabel import order_pass, send_pass
from slurm.submit.function import FunctionOrder, send_function
from slurm.submit.pipeline import asked_for, make_order, preview, send_order
from slurm.submit.request import JobRequest, wishes

T = TypeVar("T")


class Wishes(TypedDict, total=False):
    """What a job asks of the cluster, as `batman submit` has it; see `JobRequest`."""

    gpu: str
    time: str
    partition: str
    memory: str
    cpus: int | None
    account: str
    qos: str
    extra: Sequence[str]
    checkpoints: str


class Client:
    """A cluster that jobs are submitted to; `with` closes its connection, and jobs go on.

    `cluster` is its name in `batman clusters list` (None: the only one, or the login node that
    this is), `workspace` the folder of projects and runs (None: `$BATMAN_WORKSPACE`, or the
    current folder). `defaults` are wishes of every job, such as `gpu="a100"`. `report` hears how
    far a submission is. Raises BatmanError for what is not there, and `HostError`.
    """

    def __init__(
        self,
        cluster: str | None = None,
        workspace: str | Path | None = None,
        *,
        report: Report = nothing,
        **defaults: Unpack[Wishes],
    ) -> None:
        self.workspace = Workspace.find(workspace)
        self._session = Session(profile_for(cluster), self.workspace)
        self._report = report
        self._defaults: dict[str, Any] = dict(defaults)
        _request(self._defaults)  # says what is no wish

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self._session.profile.name

    def train(self, project: str | Path | None = None, **settings: Any) -> TrainJob:
        """Submit a training on a project, by name or path, and return its job.

        `settings` are those of training (`model`, `epochs`, `lr`, `resume` and so on) and what the
        job asks for (`gpu`, `time` and so on), named as the options of `batman submit` with `_`
        for `-`. Raises BatmanError naming what is wrong, and what the cluster cannot give.
        """
        return self._train(project, settings, ())[0]

    def map_array(
        self,
        project: str | Path,
        sweep: Mapping[str, Sequence[Any]],
        *,
        parallel: int | None = None,
        **settings: Any,
    ) -> list[TrainJob]:
        """Submit a training for every combination of the values in `sweep`, as one array.

        `parallel` is how many run at once (None: as many as can); the jobs come in the order of
        `itertools.product` over the values. Else as `train`.
        """
        words = tuple(_sweep_word(name, values) for name, values in sweep.items())
        return self._train(project, settings, words, parallel)

    def script(self, project: str | Path | None = None, **settings: Any) -> str:
        """Return the batch script that `train` would submit; nothing is submitted."""
        values, request = self._split(project, settings)
        site = self._session.site
        order = make_order(site, self._session.facts, values, request)
        return preview(site, self.workspace, order).script.text

    def evaluate(
        self,
        model: str | Path | TrainJob,
        split: str = "valid",
        *,
        dataset: str | Path | None = None,
        output: str | Path | None = None,
        batch_size: int | None = None,
        worst: int = 24,
        **wished: Unpack[Wishes],
    ) -> FunctionJob[EvaluationResult]:
        """Submit an evaluation of a run (by name, folder or its job) or a model file.

        `dataset` is a folder in COCO's layout (None: the run's own), `output` where the result goes
        here (None: `evaluation/SPLIT` beside the model).
        """
        target = self._model(model)
        home = target if target.is_dir() else target.parent
        here = _absolute(output) if output else evaluation_folder(home, split)
        options = EvaluationOptions(
            target=target, split=split, dataset=_absolute(dataset) if dataset else None,
            output=here, batch_size=batch_size, worst=worst,
        )  # fmt: skip
        _refuse_other(here, "evaluation.json")
        own = {"dataset": Run(target).config().dataset_dir(target)} if _is_run(target) else {}
        order = self._order("evaluate", "core.evaluation", options, here, wished)
        order = replace(order, reads=("dataset",), own=own)
        return self._call(order, lambda told, folder: EvaluationResult.load(folder))

    def infer(
        self,
        model: str | Path | TrainJob,
        inputs: str | Path | Sequence[str | Path],
        *,
        output: str | Path | None = None,
        confidence: float = 0.5,
        track: bool = False,
        annotate: bool = True,
        batch_size: int | None = None,
        **wished: Unpack[Wishes],
    ) -> FunctionJob[InferenceSummary]:
        """Submit inference with a run or a model file on images and videos.

        `inputs` are files, folders and patterns; `output` is a folder here that is new or empty
        (None: a new one below `predictions`). Else as `InferenceOptions`.
        """
        target = self._model(model)
        given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
        here = _absolute(output) if output else fresh_folder(self.workspace, target.stem)
        _refuse_other(here, "")
        folders = [_absolute(one) for one in given if expand_user(one).is_dir()]
        sources, skipped = find_sources(
            [one for one in given if not expand_user(one).is_dir()], here
        )
        if skipped:
            raise BatmanError(f"'{clean(skipped[0].path)}' {skipped[0].reason}.")
        options = InferenceOptions(
            target=target, inputs=[*folders, *(source.path.absolute() for source in sources)],
            output=here, confidence=confidence, track=track, annotate=annotate,
            batch_size=batch_size,
        )  # fmt: skip
        order = self._order("infer", "core.inference", options, here, wished)
        return self._call(replace(order, reads=("inputs",)), _told(InferenceSummary))

    def export(
        self,
        model: str | Path | TrainJob,
        formats: Sequence[str] | None = None,
        *,
        output: str | Path | None = None,
        images: str | Path | None = None,
        **wished: Unpack[Wishes],
    ) -> FunctionJob[ExportReport]:
        """Submit an export of a run or a checkpoint in some `formats` (None: the usual ones).

        Each is checked against the original on `images` (None: the run's validation images).
        `output` is a folder here (None: `exports/NAME`).
        """
        target = self._model(model)
        for name in formats or ():
            if name not in FORMATS:
                raise BatmanError(
                    f"There is no format '{clean(name)}'.", f"Formats: {', '.join(FORMATS)}."
                )
        here = _absolute(output) if output else self.workspace.root / "exports" / target.stem
        _refuse_other(here, "batman.json")
        options = ExportOptions(
            target=target, output=here, images=_absolute(images) if images else None,
            formats=list(formats or DEFAULT),
        )  # fmt: skip
        own = {}
        if _is_run(target):
            from core.export.check_images import validation_images

            found = validation_images(target)
            own = {"images": found} if found is not None else {}
        order = self._order("export", "core.export", options, here, wished)
        return self._call(replace(order, reads=("images",), own=own), _told(ExportReport))

    def autolabel(
        self,
        project: str | Path,
        labeller: str = "",
        *,
        images: Sequence[int] | None = None,
        classes: Sequence[str] | None = None,
        prompts: Mapping[str, Sequence[str]] | None = None,
        mapping: Mapping[str, str] | None = None,
        weights: str | Path | None = None,
        skip_labelled: bool = False,
        resume: str = "",
        **wished: Unpack[Wishes],
    ) -> PassJob:
        """Submit a labeller's pass over a project; its result is recorded there as suggestions.

        `labeller` is a run or another that `batman autolabel --with` takes; its weights must be on
        this machine. `resume` is an unfinished pass to go on with instead. The rest is as
        `AutolabelRequest`.
        """
        path = find_project(self.workspace, str(project))
        folder = None
        if resume:
            folder = find_unfinished(path, resume).folder
            task, chosen = folder.task(), folder.images()
        else:
            request = AutolabelRequest(
                choice=parse_choice(labeller), weights=_absolute(weights) if weights else None,
                images=images, classes=classes, prompts=prompts or {}, mapping=mapping or {},
                skip_labelled=skip_labelled,
            )  # fmt: skip
            found = locate_weights(request, self.workspace)
            if found is None:
                raise missing_weights(request.choice)
            with Project.open(path) as opened:
                task, chosen = plan_pass(opened, request, found)
            refuse_second(path, task)
        site = self._session.site
        order = order_pass(site, self._session.facts, task, chosen, self._wished(wished))
        made, _ = send_pass(site, path, order, self._report, folder=folder)
        self._session.hurry()
        return PassJob(self._session, made.path, path)

    def job(self, name: str) -> TrainJob:
        """Return the job that trains a run, by the run's name or folder, or by the job's number."""
        for path, record in list_records(self.workspace):
            if record.job_id == name:
                return self._train_job(path)
        return self._train_job(find_run(self.workspace, name).path)

    def jobs(self) -> list[TrainJob]:
        """Return the jobs of all runs of the workspace on this cluster, the latest first."""
        records = list_records(self.workspace)
        return [TrainJob(self._session, p) for p, r in records if r.cluster == self.cluster]

    def close(self) -> None:
        """End the connection; jobs go on."""
        self._session.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _train(
        self,
        project: str | Path | None,
        settings: dict[str, Any],
        sweep: tuple[str, ...],
        parallel: int | None = None,
    ) -> list[TrainJob]:
        values, request = self._split(project, settings)
        request = replace(request, sweep=sweep, parallel=parallel)
        site = self._session.site
        order = make_order(site, self._session.facts, values, request)
        sent = send_order(site, self.workspace, order, self._report)
        self._session.hurry()
        return [TrainJob(self._session, run.path) for run in sent.runs]

    def _split(
        self, project: str | Path | None, settings: dict[str, Any]
    ) -> tuple[dict[str, Any], JobRequest]:
        """Return the settings of training and what the job asks for."""
        names = Wishes.__annotations__
        values = {name: value for name, value in settings.items() if name not in names}
        for name in values:
            if name not in option_names():
                guess = sentence(did_you_mean(name, [*option_names(), *names]))
                raise BatmanError(f"There is no setting '{clean(name)}'.", guess)
        if project is not None:
            values["project"] = find_project(self.workspace, str(project))
        elif "resume" not in values:
            raise BatmanError("No project was chosen to train on.", "Name one, or a run to resume.")
        wished = {name: value for name, value in settings.items() if name in names}
        return values, self._wished(wished)

    def _wished(self, wished: Mapping[str, Any]) -> JobRequest:
        return _request({**self._defaults, **wished})

    def _order(
        self, name: str, module: str, options: Any, here: Path, wished: Mapping[str, Any]
    ) -> FunctionOrder:
        site = self._session.site
        resources = asked_for(site, self._session.facts, self._wished(wished))
        values = msgspec.to_builtins(options, enc_hook=str)
        return FunctionOrder(name, module, values, here, resources)

    def _call(self, order: FunctionOrder, load: Any) -> FunctionJob[Any]:
        folder = send_function(self._session.site, self.workspace, order, self._report)
        self._session.hurry()
        return FunctionJob(self._session, folder, load)

    def _train_job(self, path: Path) -> TrainJob:
        job = TrainJob(self._session, path)
        cluster = job._record().cluster
        if cluster != self.cluster:
            raise BatmanError(
                f"The run '{clean(path.name)}' is on the cluster {clean(cluster)}.",
                f"Take Client({cluster!r}).",
            )
        return job

    def _model(self, model: str | Path | TrainJob) -> Path:
        """Return the folder of a run or an export, or the model file, that is meant."""
        if isinstance(model, Job):
            return model.folder.absolute()
        path = expand_user(model).absolute()
        if path.is_file() or (path.is_dir() and not (path / CONFIG_FILE).is_file()):
            return path
        return find_run(self.workspace, str(model)).path.absolute()


def _request(wished: Mapping[str, Any]) -> JobRequest:
    names = [wish.name for wish in wishes() if wish.name in Wishes.__annotations__]
    for name in wished:
        if name not in names:
            guess = sentence(did_you_mean(name, names))
            raise BatmanError(f"A job cannot ask for '{clean(name)}'.", guess)
    values = {**wished, "extra": tuple(wished["extra"])} if "extra" in wished else dict(wished)
    return JobRequest(**values)


def _sweep_word(name: str, values: Sequence[Any]) -> str:
    texts = [str(value) for value in values]
    if any("," in text for text in texts):
        raise BatmanError(f"The values of '{clean(name)}' cannot hold a comma in a sweep.")
    return f"{name}={','.join(texts)}"


def _absolute(path: str | Path) -> Path:
    return expand_user(path).absolute()


def _is_run(path: Path) -> bool:
    return path.is_dir() and (path / CONFIG_FILE).is_file()


def _refuse_other(folder: Path, own: str) -> None:
    """Raise BatmanError where results would take the place of something that is none of ours."""
    if folder.exists() and not folder.is_dir():
        raise BatmanError(f"'{clean(str(folder))}' is a file.", "Choose another folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (own and (folder / own).is_file()):
        raise BatmanError(
            f"'{clean(str(folder))}' holds other files, which the results would replace.",
            "Choose a new folder.",
        )


def _told(kind: type[T]) -> Any:
    """Return what makes a `kind` of what its function answered."""

    def load(told: dict[str, Any], folder: Path) -> T:
        return msgspec.convert(told, kind, dec_hook=lambda of, value: of(value))

    return load
