"""What follows from the training form as it is typed, in words beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from textual.reactive import reactive
from textual.widgets import Button

from batman_tui.train.cluster import ClusterTraining
from batman_tui.widgets.panel.facts import Facts
from core.common.text import plural
from core.models.sizes import APACHE, MODELS
from core.training.config.command_line import command_line
from core.training.config.form import Reading, description, label, size_choices
from core.training.config.options import TrainingConfig
from core.training.run.disk_space import checkpoint_sizes

FACTS = ("Model", "Size", "Batch", "Data", "Steps", "Disk", "Check", "Note", "Command")


@dataclass(frozen=True)
class DataFacts:
    """What there is to train on: counts of images by split, boxes and classes, and notes."""

    images: dict[str, int]
    annotations: int
    classes: int
    notes: tuple[str, ...] = ()


class TrainFollows(ClusterTraining):
    """The part of the training form that says what follows; `path` is the project's folder."""

    path: Path
    data: reactive[DataFacts | None] = reactive(None, init=False, repaint=False)

    def hint(self, name: str, reading: Reading) -> str:
        """Return what stands beside a field."""
        texts = reading.texts
        if name == "model":
            model = MODELS[texts["model"]]
            return f"{model.params:g} M parameters, {model.licence}"
        if name == "image_size":
            return size_choices(texts["model"], texts[name])
        if name in ("batch_size", "grad_accum") and name not in self.form.typed:
            return "suggested for this machine"
        if name == "grad_accum" and reading.effective_batch is not None:
            return f"batches a step: {reading.effective_batch} images"
        return description(name)

    def show_facts(self, reading: Reading) -> None:
        """Show what follows from the form as it stands."""
        facts = self.query_one(Facts)
        model = MODELS.get(reading.texts["model"])
        if model is not None:
            speed = (
                f"{model.coco_ap:g} COCO AP, {model.latency_ms:g} ms on a T4. "
                if (model.coco_ap and model.latency_ms)
                else ""
            )
            note = model.note[:1].upper() + model.note[1:]
            facts.say("Model", f"{model.name}, {model.params:g} M parameters. {speed}{note}.")
        facts.say("Size", reading.size_note or f"{reading.texts['image_size']} pixels a side.")
        texts, effective = reading.texts, reading.effective_batch
        if effective is not None:
            batch = f"{texts['batch_size']} × {texts['grad_accum']} = {effective} images a step. "
        else:
            auto = texts["batch_size"] == "auto"
            batch = "The largest that fits is found when training starts. " if auto else ""
        suggestion = reading.batch_reason
        typed = [n for n in ("batch_size", "grad_accum") if n in self.form.typed]
        facts.say("Batch", batch + (f"Suggested: {suggestion}" if typed else suggestion))
        self._data_facts(reading)
        config = reading.config
        facts.say("Disk", "" if config is None else checkpoint_sizes(config).sentence())
        notes = list(self.data.notes) if self.data is not None else []
        if model is not None and model.licence != APACHE:
            notes.insert(0, f"{model.name} is under {model.licence}, not {APACHE}: {model.note}.")
        facts.say("Note", " ".join(notes))
        if config is not None:
            facts.say("Command", self.command(config))
        else:
            problems = [text for name, text in reading.errors.items() if not name]
            fields = [label(name) for name in reading.errors if name]
            words = " ".join(problems) or f"Put right first: {', '.join(fields)}."
            facts.say("Command", words, wrong=True)
        self.query_one("#start", Button).disabled = reading.config is None

    def command(self, config: TrainingConfig) -> str:
        """The command, with the project as one names it in the workspace's folder."""
        project = self.path.absolute()
        root = self.batman.workspace.root.absolute()
        if project.is_relative_to(root):
            config = config.with_changes(project=project.relative_to(root))
        return command_line(config)

    def _data_facts(self, reading: Reading) -> None:
        facts, data = self.query_one(Facts), self.data
        if data is None:
            return
        total = sum(data.images.values())
        if not total:
            facts.say("Data", "The project has no images: import a data set first.", wrong=True)
            facts.say("Steps", "")
            return
        splits = ", ".join(f"{count:,} {name}" for name, count in data.images.items())
        facts.say(
            "Data",
            f"{plural(total, 'image')}: {splits}. "
            f"{plural(data.annotations, 'box', 'boxes')} of {plural(data.classes, 'class')}.",
        )
        config = reading.config
        if config is None or reading.effective_batch is None:
            facts.say("Steps", "")
            return
        steps = math.ceil(data.images["train"] / reading.effective_batch)
        fewer = config.filter_classes is not None or config.max_per_class is not None
        if fewer and config.balance:
            facts.say("Steps", "as many as the images that are chosen make.")
            return
        bound = "at most " if fewer else "at least " if config.balance else ""
        facts.say("Steps", f"{bound}{steps:,} an epoch, {steps * config.epochs:,} in all.")
