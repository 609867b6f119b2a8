"""What follows from the training form as it stands, in words: a line for each fact."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from core.common.errors import ConfigError
from core.common.hardware import Gpu
from core.common.text import plural
from core.models.sizes import APACHE, MODELS, ModelSize
from core.training.config.command_line import command_line
from core.training.config.effective_batch import steps_per_epoch
from core.training.config.form import FOLLOWS, Reading, label
from core.training.config.model_advice import advice_sentence, advise_model, too_many_objects
from core.training.config.options import TrainingConfig
from core.training.loggers.wandb_mlflow import require_services
from core.training.run.disk_space import checkpoint_sizes

FACTS = ("Model", "Size", "Batch", "Data", "Steps", "Time", "Disk", "Check", "Note", "Command")


@dataclass(frozen=True)
class DataFacts:
    """What there is to train on: counts of images by split, boxes and classes, and notes.

    `by_boxes` counts the images by how many boxes they have.
    """

    images: dict[str, int]
    annotations: int
    classes: int
    notes: tuple[str, ...] = ()
    by_boxes: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Machine:
    """What is known of this machine: its GPUs, and how long earlier runs took (empty: unknown)."""

    gpus: tuple[Gpu, ...] = ()
    time: str = ""


class Line(NamedTuple):
    """What is said of a fact, and whether it is something to put right."""

    text: str
    wrong: bool = False


def fact_lines(
    reading: Reading,
    typed: Collection[str],
    data: DataFacts | None,
    command: str,
    machine: Machine | None = None,
) -> dict[str, Line]:
    """Return the lines by the names in `FACTS`; those of `data` are left out while it is None.

    `typed` are the options that the person set, `command` does the same as the form. `machine` is
    None while it is being looked at.
    """
    config, texts = reading.config, reading.texts
    model = MODELS.get(texts["model"])
    lines = {} if model is None else {"Model": Line(_model(model))}
    lines["Size"] = Line(reading.size_note or f"{texts['image_size']} pixels a side.")
    lines["Batch"] = Line(_batch(reading, typed))
    if data is not None:
        lines["Data"] = _data(data)
        lines["Steps"] = Line(_steps(reading, data))
        if machine is not None and model is not None:
            name, why = advise_model(list(machine.gpus), data.annotations)
            advice = advice_sentence(model.name, name, why)
            lines["Model"] = Line(f"{_model(model)} {advice[:1].upper()}{advice[1:]}".rstrip())
    lines["Time"] = Line("" if machine is None or config is None else machine.time)
    lines["Disk"] = Line("" if config is None else checkpoint_sizes(config).sentence())
    notes = list(data.notes) if data is not None else []
    # Which boxes some classes alone make is not counted here; the run's own notes tell it.
    if data is not None and config is not None and config.filter_classes is None:
        crowded = too_many_objects(config.model, data.by_boxes)
        notes = [crowded, *notes] if crowded else notes
    if model is not None and model.licence != APACHE:
        notes.insert(0, f"{model.name} is under {model.licence}, not {APACHE}: {model.note}.")
    lack = "" if config is None else _lacks(config)
    lines["Note"] = Line(" ".join([*([lack] if lack else []), *notes]), wrong=bool(lack))
    lines["Command"] = Line(command) if config is not None else Line(_problems(reading), wrong=True)
    return lines


def command_here(config: TrainingConfig, root: Path) -> str:
    """Return the command that starts `config`, with its project as seen from the folder `root`."""
    project, root = config.project, root.absolute()
    if project is not None and project.absolute().is_relative_to(root):
        config = config.with_changes(project=project.absolute().relative_to(root))
    return command_line(config)


def _lacks(config: TrainingConfig) -> str:
    """Return which package of a chosen service is not here, and how it is installed."""
    try:
        require_services(config)
    except ConfigError as error:
        return f"{error.message} {error.hint}"
    return ""


def _model(model: ModelSize) -> str:
    speed = ""
    if model.coco_ap and model.latency_ms:
        speed = f"{model.coco_ap:g} COCO AP, {model.latency_ms:g} ms on a T4. "
    note = model.note[:1].upper() + model.note[1:]
    return f"{model.name}, {model.params:g} M parameters. {speed}{note}."


def _batch(reading: Reading, typed: Collection[str]) -> str:
    texts, effective = reading.texts, reading.effective_batch
    if effective is not None:
        batch = f"{texts['batch_size']} × {texts['grad_accum']} = {effective} images a step. "
    else:
        auto = texts["batch_size"] == "auto"
        batch = "The largest that fits is found when training starts. " if auto else ""
    suggested = any(name in typed for name in FOLLOWS)
    return batch + (f"Suggested: {reading.batch_reason}" if suggested else reading.batch_reason)


def _data(data: DataFacts) -> Line:
    total = sum(data.images.values())
    if not total:
        return Line("The project has no images: import a data set first.", wrong=True)
    splits = ", ".join(f"{count:,} {name}" for name, count in data.images.items())
    return Line(
        f"{plural(total, 'image')}: {splits}. "
        f"{plural(data.annotations, 'box', 'boxes')} of {plural(data.classes, 'class')}."
    )


def _steps(reading: Reading, data: DataFacts) -> str:
    config = reading.config
    images = data.images.get("train", 0)
    if config is None or reading.effective_batch is None or not images:
        return ""
    steps = steps_per_epoch(images, reading.effective_batch)
    fewer = config.filter_classes is not None or config.max_per_class is not None
    if fewer and config.balance:
        return "as many as the images that are chosen make."
    bound = "at most " if fewer else "at least " if config.balance else ""
    # More than its images fill: the reader may have divided them.
    again = images <= (steps - 1) * reading.effective_batch
    least = f" An epoch has {steps} at least: images are shown again." if again else ""
    return f"{bound}{steps:,} an epoch, {steps * config.epochs:,} in all.{least}"


def _problems(reading: Reading) -> str:
    between = [text for name, text in reading.errors.items() if not name]
    fields = [label(name) for name in reading.errors if name]
    return " ".join(between) or f"Put right first: {', '.join(fields)}."
