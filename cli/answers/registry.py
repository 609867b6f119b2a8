"""Which command answers what with `--json`, and all of it as JSON Schema.

A command of one answer has its type, or several by what it was asked; one that tells several
things as they happen has the events that it may print. docs/json.md and docs/json-schema.json are
made of this (`scripts/json_page.py`), and a test runs the commands and holds them against it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from cli.answers import cluster, data, labels, runs
from core.data.labels.tracks.problems import Problem
from core.data.labels.tracks.view import TrackBox
from core.data.stats.collect import DataStats
from core.evaluation.result import EvaluationResult
from core.training.run import events


class Events(NamedTuple):
    """The events that a command may print, by their `type`."""

    kinds: dict[str, Any]


class Either(NamedTuple):
    """Answers of which a command gives one, by its options."""

    kinds: tuple[Any, ...]


def either(*kinds: Any) -> Either:
    """Return answers of which a command gives one."""
    return Either(kinds)


# Commands that open something for a person: they have no `--json`.
FOR_PEOPLE = {
    "label": "serves the labelling page until Ctrl-C",
    "review": "opens the app",
    "tui": "opens the app",
    "serve": "serves the app until Ctrl-C",
    "completion": "prints code for a shell",
}

_RUN_EVENTS: dict[str, Any] = {
    "queued": runs.QueuedEvent,
    "started": events.Started,
    "step": events.Step,
    "epoch": events.Epoch,
    "validation": events.Validation,
    "checkpoint": events.Checkpoint,
    "warning": events.Warning_,
    "oom": events.Oom,
    "stopped": events.Stopped,
    "finished": events.Finished,
    "failed": events.Failed,
    "ended": runs.EndedEvent,
    "left": runs.LeftEvent,
}
_TRAIN_EVENTS: dict[str, Any] = {
    "progress": runs.ProgressEvent,
    "run": runs.RunEvent,
    **_RUN_EVENTS,
}

ANSWERS: dict[str, Any] = {
    "project create": data.ProjectRow,
    "project list": list[data.ProjectRow],
    "project show": data.ProjectShown,
    "project stats": DataStats,
    "project version create": data.VersionNamed,
    "project version list": list[data.VersionRow],
    "project version diff": data.VersionDiff,
    "project version restore": data.Change,
    "project version export": data.Exported,
    "project version delete": data.VersionDeleted,
    "project delete": data.ProjectDeleted,
    "import": data.Imported,
    "import list": either(list[data.ImportRow], list[data.ProjectRow]),
    "import show": data.ImportShown,
    "import remove": data.Change,
    "classes list": list[data.ClassRow],
    "classes add": data.Change,
    "classes merge": data.Change,
    "classes rename": data.Change,
    "classes delete": data.Change,
    "classes undo": data.Change,
    "classes redo": data.Change,
    "classes history": list[data.HistoryRow],
    "classes suggest": either(list[data.ClassGroup], data.Change),
    "classes apply": either(data.MappingApplied, data.ClassPlan),
    "classes mapping": data.MappingWritten,
    "classes convention": either(data.Change, data.ClassPlan),
    "images list": list[data.ImageRow],
    "images delete": data.Change,
    "splits show": data.Splits,
    "splits set": data.Change,
    "splits draw": data.SplitsDrawn,
    "check": data.Checked,
    "autolabel": either(labels.Autolabelled, labels.PassDiscarded),
    "labels queue": labels.Queue,
    "labels compare": labels.Compared,
    "labels passes": either(list[labels.PassRow], data.Change),
    "labels scores": list[labels.ClassScores],
    "labels snap": labels.Snapped,
    "labels import": labels.PredictionsTaken,
    "labels accept": data.Change,
    "labels reject": data.Change,
    "labels review": data.Change,
    "labels show": labels.Picture,
    "labels add": labels.Edited,
    "labels set": labels.Edited,
    "labels delete": labels.Edited,
    "labels edit": labels.Edited,
    "labels undo": data.Change,
    "labels redo": data.Change,
    "labels tracks list": labels.Tracks,
    "labels tracks show": list[TrackBox],
    "labels tracks problems": list[Problem],
    "labels tracks link": data.Change,
    "labels tracks split": data.Change,
    "labels tracks merge": data.Change,
    "labels tracks class": data.Change,
    "labels tracks approve": data.Change,
    "labels tracks remove": data.Change,
    "labels tracks interpolate": data.Change,
    "loop": labels.Loop,
    "export": data.Exported,
    "export model": runs.ModelExported,
    "train": Events(
        {
            **_TRAIN_EVENTS,
            "plan": runs.PlanEvent,
            "sweep": runs.SweepEvent,
            "sweep_plan": runs.SweepPlanEvent,
            "sweep_ended": runs.SweepEndedEvent,
            "models": runs.ModelsEvent,
            "result": either(runs.ModelExported, runs.InferredEvent),
        }
    ),
    "probe": runs.Probed,
    "watch": Events(_RUN_EVENTS),
    "runs list": list[runs.RunRow],
    "runs show": runs.RunShown,
    "sweeps list": list[runs.SweepShown],
    "sweeps show": runs.SweepShown,
    "sweeps stop": runs.SweepShown,
    "sweeps resume": Events(
        {
            "progress": runs.ProgressEvent,
            **_RUN_EVENTS,
            "result": runs.SweepShown,
            "sweep_ended": runs.SweepEndedEvent,
        }
    ),
    "sweeps cancel": runs.SweepCancelled,
    "runs compare": runs.RunsCompared,
    "runs stop": runs.RunsStopping,
    "runs note": runs.RunNotes,
    "runs tag": runs.RunNotes,
    "runs delete": runs.RunsRemoved,
    "evaluate": EvaluationResult,
    "infer": Events({"progress": runs.ProgressEvent, "result": runs.InferredEvent}),
    "submit": either(
        list[cluster.Submitted], list[cluster.Soonest], cluster.SubmitPreview, cluster.PassSubmitted
    ),
    "submit --watch": Events({"submitted": cluster.SubmittedEvent, **_TRAIN_EVENTS}),
    "jobs list": cluster.JobList,
    "jobs show": either(cluster.JobShown, cluster.ArrayShown),
    "jobs logs": Events({"line": cluster.LineEvent, "ended": cluster.LogEndedEvent}),
    "jobs script": cluster.JobScript,
    "jobs shell": cluster.JobShell,
    "jobs hours": cluster.GpuHours,
    "jobs pin": cluster.JobsDone,
    "jobs nodes": list[cluster.NodeRow],
    "jobs cancel": cluster.JobsDone,
    "jobs hold": cluster.JobsDone,
    "jobs release": cluster.JobsDone,
    "jobs requeue": cluster.JobsDone,
    "jobs clone": either(list[cluster.Submitted], cluster.SubmitPreview),
    "jobs watch": Events({"job": cluster.JobEvent, "ended": cluster.JobsEndedEvent}),
    "clusters add": cluster.ClusterChanged,
    "clusters list": list[cluster.ClusterRow],
    "clusters show": cluster.ClusterShown,
    "clusters test": cluster.ClusterTested,
    "clusters setup": either(cluster.SetUp, cluster.SetUpPlan),
    "clusters edit": cluster.ClusterChanged,
    "clusters remove": cluster.ClusterRemoved,
    "demo": Events({**_TRAIN_EVENTS, "evaluation": runs.EvaluationEvent}),
    "locate": dict[str, str],
}  # fmt: skip


def answer_of(command: str) -> Any:
    """Return what a command answers, such as "classes list"; formats go by their group."""
    return ANSWERS.get(command) or ANSWERS[command.partition(" ")[0]]


def schemas() -> dict[str, Any]:
    """Return the JSON Schema of every answer, by command, with what they share in `$defs`.

    Of a command of events there is one for each, by its `type`.
    """
    kinds: list[Any] = []
    _all(list(ANSWERS.values()), kinds.append)
    kinds.append(runs.ErrorEvent)
    found, parts = msgspec.json.schema_components(kinds, schema_hook=_hook)
    left = iter(found)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "commands": {
            command: _all(answer, lambda _: next(left)) for command, answer in ANSWERS.items()
        },
        "error": next(left),
        "$defs": {name: _told(part) for name, part in sorted(parts.items())},
    }


def _all(answer: Any, do: Callable[[Any], Any]) -> Any:
    """Call `do` with every type in `answer`, in order; return what it gave, in the same shape."""
    if isinstance(answer, Events):
        return {"events": {kind: _all(of, do) for kind, of in answer.kinds.items()}}
    if isinstance(answer, Either):
        return {"anyOf": [_all(of, do) for of in answer.kinds]}
    if isinstance(answer, list):
        return [_all(of, do) for of in answer]
    return do(answer)


def _told(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part with its description in one line, and a run's event as `--json` tells it."""
    if "description" in part:
        part = {**part, "description": " ".join(str(part["description"]).split())}
    fields = part.get("properties", {})
    if "event" in fields and "t" in fields:
        kind = fields["event"]["enum"][0]
        shown = {name: value for name, value in fields.items() if name not in ("event", "t")}
        shown = {"type": {"const": kind}, "at": {"type": "string"}, **shown}
        needed = [name for name in part.get("required", []) if name not in ("event", "t")]
        part = {**part, "properties": shown, "required": ["type", "at", *needed]}
    return part


def _hook(kind: type) -> dict[str, Any]:
    """Return what a path is: a text."""
    return {"type": "string"}
