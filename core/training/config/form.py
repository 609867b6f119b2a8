"""The training form without its widgets: what each field shows, what follows from it.

A field shows what the person typed, or else what will be used: the model's default, or for the
batch what this machine's memory suggests. Only what differs from the defaults goes into the config,
so that the equivalent command stays short and a change of model brings its own defaults.
"""

from __future__ import annotations

import importlib.util
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.common.errors import ConfigError
from core.common.hardware import Gpu
from core.common.text import whole_number
from core.models.sizes import MODELS, get_model, resolve_image_size, valid_sizes
from core.training.config.augmentation import augmentation_text
from core.training.config.batch_size import accum_for, recommend_here
from core.training.config.options import TrainingConfig, default_for, errors_by_field, parse_config


@dataclass(frozen=True)
class Section:
    """Some options under one heading; the first one is always shown, the others on request."""

    title: str
    names: tuple[str, ...]


SECTIONS = (
    Section(
        "Basics",
        (
            *("model", "epochs", "batch_size", "grad_accum"),
            *("image_size", "lr", "patience", "output_dir"),
        ),
    ),
    Section(
        "Data",
        (
            *("only_reviewed", "filter_classes", "max_per_class", "balance"),
            *("splits", "split_policy", "seed", "augment", "augmentation", "multi_scale"),
        ),
    ),
    Section("Starting point", ("pretrained", "from_scratch", "resume")),
    Section(
        "Machine",
        (
            *("device", "num_gpus", "num_nodes", "workers"),
            *("image_cache", "precision", "gradient_checkpointing"),
            *("eval_batch_size", "eval_interval"),
        ),
    ),
    Section(
        "Learning",
        (
            *("warmup_epochs", "lr_scheduler", "lr_encoder", "lr_vit_layer_decay"),
            *("lr_component_decay", "weight_decay", "clip_max_norm", "ema", "ema_decay"),
        ),
    ),
    Section(
        "Keeping",
        (
            *("checkpoint_interval", "keep_checkpoints", "best_metric", "val_images"),
            *("tensorboard", "wandb", "mlflow"),
        ),
    ),
)

_LABELS = {
    "lr": "Learning rate",
    "lr_encoder": "Encoder lr",
    "grad_accum": "Accumulate",
    "output_dir": "Run folder",
    "filter_classes": "Only classes",
    "only_reviewed": "Only reviewed",
    "max_per_class": "Most per class",
    "num_gpus": "GPUs",
    "num_nodes": "Nodes",
    "ema": "Average (EMA)",
    "ema_decay": "EMA decay",
    "lr_scheduler": "Schedule",
    "lr_vit_layer_decay": "Layer decay",
    "lr_component_decay": "Part decay",
    "clip_max_norm": "Gradient clip",
    "gradient_checkpointing": "Save memory",
    "eval_batch_size": "Valid. batch",
    "eval_interval": "Valid. every",
    "checkpoint_interval": "Keep every",
    "keep_checkpoints": "Keep newest",
    "best_metric": "Best by",
    "val_images": "Drawn images",
    "tensorboard": "TensorBoard",
    "wandb": "W&B",
    "mlflow": "MLflow",
    "resume": "Resume from",
    "pretrained": "Weights",
    "multi_scale": "Vary size",
    "warmup_epochs": "Warm-up",
}

# Shorter or more telling beside a field than the help of the command line; figures from the guide.
_HINTS = {
    "epochs": "20 for a test, 50 as a rule",
    "lr": "fine-tune 1e-5 to 1e-4; tiny 1e-3",
    "grad_accum": "batches added up for each step",
    "patience": "epochs without progress; 0: never",
    "output_dir": "empty: runs/project-model-number",
    "batch_size": "images at once on a GPU; or auto",
    "filter_classes": "empty: all; else names as a|b",
    "only_reviewed": "only images somebody has reviewed",
    "max_per_class": "images of each class; empty: all",
    "balance": "0.1: repeat what is rarer; 0: off",
    "splits": "train/valid/test in percent",
    "split_policy": "auto: the import's, if it had some",
    "augment": "flip and crop images at random",
    "augmentation": "empty: default; F12 shows them",
    "multi_scale": "vary the size around the chosen",
    "pretrained": "empty: the published; else a .pth",
    "resume": "empty: new run; else a run or .pth",
    "from_scratch": "start from random weights",
    "workers": "processes loading images; or auto",
    "image_cache": "GB; empty: ¼ of the free; 0: none",
    "precision": "on a GPU; auto: bf16 if it has it",
    "gradient_checkpointing": "slower, needs less GPU memory",
    "eval_batch_size": "empty: the batch size",
    "eval_interval": "epochs; others cannot be the best",
    "warmup_epochs": "epochs in which lr rises from zero",
    "lr_encoder": "empty: 1.5 times the learning rate",
    "lr_vit_layer_decay": "lr factor from layer to layer down",
    "lr_component_decay": "lr factor from part to part down",
    "clip_max_norm": "largest gradient norm; 0: any",
    "ema": "average weights: usually better",
    "checkpoint_interval": "epochs between kept checkpoints",
    "keep_checkpoints": "kept checkpoints; 0: all",
    "best_metric": "mAP50-95, or mean average recall",
    "val_images": "images drawn at each best epoch",
    "wandb": "figures to Weights & Biases too",
    "mlflow": "figures to MLflow too",
}

# Options that need the package of their name, beside what training itself needs.
_SERVICES = ("wandb", "mlflow")

FOLLOWS = ("batch_size", "grad_accum")


def label(name: str) -> str:
    """A short name of the option for people: `Batch size` for batch_size."""
    return _LABELS.get(name) or name.replace("_", " ").capitalize()


def description(name: str) -> str:
    """What to say beside a field: a short hint, else the option's help on the command line."""
    if name in _SERVICES and importlib.util.find_spec(name) is None:
        return "not installed; yes tells how"
    return _HINTS.get(name) or TrainingConfig.model_fields[name].description or ""


def choices(name: str) -> list[str] | None:
    """What the option can be when it is one of a few words; None when it is typed."""
    if name == "model":
        return list(MODELS)
    annotation = TrainingConfig.model_fields[name].annotation
    if typing.get_origin(annotation) is Literal:
        return [str(value) for value in typing.get_args(annotation)]
    return None


def is_switch(name: str) -> bool:
    """True for an option that is on or off."""
    return TrainingConfig.model_fields[name].annotation is bool


def to_text(name: str, value: Any) -> str:
    """An option's value as it is typed: 70/15/15, a|b, yes, 0.0001; None is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return augmentation_text(value)
    if name == "splits":
        return "/".join(f"{share * 100:g}" for share in value)
    if isinstance(value, (list, tuple)):
        return "|".join(str(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


@dataclass(frozen=True)
class Reading:
    """What follows from the form as it stands.

    Attributes:
        config: The settings to train with; None while a field is wrong.
        errors: What is wrong, by field; under the empty name what is wrong between fields.
        texts: What every field shows.
        batch_reason: Why the batch was suggested; empty while a field it depends on is wrong.
        size_note: Which image size is used instead of the one asked for; empty when it is that.
        effective_batch: Images in one step of the optimiser; None while batch_size is auto.
    """

    config: TrainingConfig | None
    errors: Mapping[str, str]
    texts: Mapping[str, str]
    batch_reason: str = ""
    size_note: str = ""
    effective_batch: int | None = None


@dataclass
class Form:
    """What was typed so far, for one project and this machine's GPUs."""

    project: Path
    gpus: list[Gpu] = field(default_factory=list)
    typed: dict[str, str] = field(default_factory=dict)

    def type(self, name: str, text: str) -> None:
        """Take what a field holds now; a field left at what it showed anyway is not typed in."""
        if name not in self.typed and text == self.read().texts.get(name):
            return
        self.typed[name] = text

    def forget(self, name: str | None = None) -> None:
        """Go back to the default of one field, or of all."""
        if name is None:
            self.typed.clear()
        else:
            self.typed.pop(name, None)

    def read(self) -> Reading:
        """Work out settings, errors and suggestions. Takes about a millisecond."""
        model = self.typed.get("model", "base")
        known = model if model in MODELS else "base"
        texts = {
            name: to_text(name, default_for(name, known))
            for section in SECTIONS
            for name in section.names
        }
        texts.update(self.typed)
        values: dict[str, Any] = {
            name: text.strip()
            for name, text in self.typed.items()
            if text.strip() or default_for(name, known) is not None
        }
        errors = errors_by_field(values)
        reason = self._suggest(values, errors, texts)
        note = ""
        if "image_size" not in errors and "model" not in errors:
            note = resolve_image_size(known, int(texts["image_size"]))[1] or ""
        if errors:
            return Reading(None, errors, texts, reason, note)
        chosen = {
            name: value
            for name, value in values.items()
            if name == "model" or value != to_text(name, default_for(name, known))
        }
        try:
            config = parse_config({"project": self.project, "model": known, **chosen})
        except ConfigError as error:
            return Reading(None, {"": error.message}, texts, reason, note)
        if "augment" not in values:
            texts["augment"] = to_text("augment", config.augment)
        return Reading(config, {}, texts, reason, note, config.effective_batch)

    def _suggest(
        self, values: dict[str, Any], errors: Mapping[str, str], texts: dict[str, str]
    ) -> str:
        """Fill in the batch where it was not typed; return why it is what it is."""
        sound = {n: v for n, v in values.items() if n not in errors and n not in FOLLOWS}
        if "" in errors or "image_size" in errors or "model" in errors:
            return ""
        config = parse_config(sound)
        advice = recommend_here(config, self.gpus)
        if "batch_size" not in values:
            texts["batch_size"] = values["batch_size"] = str(advice.batch_size)
            if "grad_accum" not in values:
                texts["grad_accum"] = values["grad_accum"] = str(advice.grad_accum)
        elif "grad_accum" not in values and "batch_size" not in errors:
            batch = values["batch_size"]
            if (size := whole_number(batch)) is not None:
                accum = accum_for(advice, size, config.num_gpus * config.num_nodes)
                texts["grad_accum"] = values["grad_accum"] = str(accum)
        return advice.reason


def size_choices(model: str, text: str) -> str:
    """What the model makes of the image size that was typed, in a few words; empty for no number.

    The size it trains at where it cannot take the typed one, and what sizes it can take.
    """
    size = whole_number(text.strip())
    if size is None or model not in MODELS:
        return ""
    every = get_model(model).divisor
    if valid_sizes(model, size) == [size]:
        return f"multiples of {every}"
    return f"trains at {resolve_image_size(model, size)[0]}: multiples of {every}"
