"""What a training run is told: every option, its default, its help and its limits.

The command line and the form both read the fields of `TrainingConfig`, so that help, defaults and
limits are written once. `training_config.json` in a run folder is this model as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from core.common.errors import BatmanError, ConfigError
from core.common.files import expand_user, read_json, write_json
from core.common.hardware import usable_cores
from core.common.text import clean
from core.data.splits.shares import DEFAULT_SEED, DEFAULT_SHARES, parse_shares
from core.models.sizes import get_model, resolve_image_size
from core.privacy.secrets import redact_forms, redact_tree
from core.training.config.augmentation import NONE, PRESETS, read_augmentation
from core.training.config.option_errors import messages
from core.training.config.origin import Origin

SPLITS = ("train", "valid", "test")

# rfdetr's TrainConfig trains the encoder at 1.5e-4 and the rest at 1e-4.
ENCODER_LR_RATIO = 1.5


class DatasetInfo(BaseModel):
    """The data set that a run trains on, as `prepare` wrote it.

    `dir` is relative to the run folder when it lies inside, so that a run folder can be moved or
    copied to a cluster; `TrainingConfig.dataset_dir` makes it absolute. `fingerprint` is a SHA-256
    over images, boxes, classes and splits. `images` and `annotations` count by split, `per_class`
    annotations by split and class. `class_names` are in the order of the model's labels, from 0;
    `class_ids` are their ids in the project, by which they have their colours, None in a run of
    before they were kept. `state` is the number of the project's newest change, `version` its name
    if it had one (`core.data.versions`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    dir: Path
    fingerprint: str
    class_names: list[str]
    class_ids: list[int] | None = None
    state: int | None = None
    version: str | None = None
    images: dict[str, int]
    annotations: dict[str, int]
    per_class: dict[str, dict[str, int]] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)


Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]


class TrainingConfig(BaseModel):
    """Everything needed to start a training run again.

    Frozen: `with_changes` returns a changed copy. A model size may bring a preset (`tiny` does);
    its values take the place of defaults, never of what was chosen.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        # Built when a setting is first checked: help and lists read the fields alone.
        defer_build=True,
    )

    project: Path | None = Field(default=None, description="project folder to train on")
    model: str = Field(default="base", description="model size")
    epochs: int = Field(
        default=50, ge=1, le=100_000, description="times to go through the training images"
    )
    batch_size: Positive | Literal["auto"] = Field(
        default=8, description="images a GPU takes at once, or auto to find the largest that fits"
    )
    grad_accum: int = Field(
        default=1, ge=1, le=4096, description="batches to add up before each step of the optimiser"
    )
    image_size: int = Field(
        default=640, ge=32, le=4096, description="side in pixels that images are scaled to"
    )
    lr: float = Field(default=1e-4, gt=0, le=1, description="learning rate")
    patience: int = Field(
        default=10,
        ge=0,
        le=100_000,
        description="epochs without improvement before stopping early (0: never)",
    )
    device: str = Field(default="auto", description="auto, cpu, cuda, cuda:N or mps")
    num_gpus: int = Field(default=1, ge=1, le=1024, description="GPUs on each node")
    num_nodes: int = Field(default=1, ge=1, le=1024, description="nodes to train on")
    workers: Annotated[int, Field(ge=0, le=256)] | Literal["auto"] = Field(
        default="auto", description="processes that load images, for each GPU"
    )
    output_dir: Path | None = Field(
        default=None, description="run folder (default: runs/<project>-<model>-<number>)"
    )
    resume: Path | None = Field(
        default=None,
        description="checkpoint or run folder to go on from, with its optimiser and epoch",
    )
    pretrained: Path | None = Field(
        default=None, description="weights to start from instead of the published ones"
    )
    from_scratch: bool = Field(default=False, description="start from random weights")
    filter_classes: list[str] | None = Field(
        default=None, description="train on these classes only: 'a|b', 'a,b' or a b"
    )
    only_reviewed: bool = Field(
        default=False, description="train on images only whose labels a person has reviewed"
    )
    max_per_class: Positive | None = Field(
        default=None, description="training images of each class, about (default: all)"
    )
    balance: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="show images more often whose class is on less than this share of the training "
        "images, as LVIS does (0: off)",
    )
    splits: tuple[float, float, float] = Field(
        default=DEFAULT_SHARES, description="shares of train, valid and test"
    )
    split_policy: Literal["auto", "imported", "random"] = Field(
        default="auto",
        description="imported keeps the splits of the import, random draws new ones, "
        "auto keeps them where train and valid exist",
    )
    seed: int = Field(
        default=DEFAULT_SEED, ge=0, le=2**32 - 1, description="seed of splits and training"
    )
    checkpoint_interval: int = Field(
        default=10, ge=1, le=100_000, description="epochs between the checkpoints that are kept"
    )
    keep_checkpoints: int = Field(
        default=5, ge=0, le=100_000, description="newest checkpoint_epoch_N.pth to keep (0: all)"
    )
    best_metric: Literal["map", "mar"] = Field(
        default="map",
        description="what makes a checkpoint the best: mAP50-95 or mean average recall",
    )
    ema: bool = Field(
        default=True, description="average the weights over steps, usually more accurate"
    )
    ema_decay: float = Field(default=0.993, gt=0, lt=1, description="how slowly the average moves")
    multi_scale: bool = Field(
        default=True, description="vary the image size around the chosen one while training"
    )
    augment: bool = Field(
        default=True, description="mirror and crop training images at random; colours stay"
    )
    augmentation: str | dict[str, Any] | None = Field(
        default=None,
        description=f"how images are changed at random: {', '.join(PRESETS)}, or a JSON file of "
        "transforms (default: what --augment says)",
    )
    warmup_epochs: float = Field(
        default=0.0,
        ge=0,
        le=100_000,
        description="epochs over which the learning rate rises from zero",
    )
    lr_encoder: float | None = Field(
        default=None, gt=0, le=1, description="learning rate of the encoder (default: 1.5 times lr)"
    )
    lr_scheduler: Literal["step", "cosine"] = Field(
        default="step", description="how the learning rate falls"
    )
    lr_vit_layer_decay: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="factor of the learning rate from one encoder layer down",
    )
    lr_component_decay: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="factor of the learning rate from one part of the model down",
    )
    weight_decay: float = Field(
        default=1e-4, ge=0, le=1, description="weight decay of the optimiser"
    )
    clip_max_norm: float = Field(
        default=0.1, ge=0, le=1e9, description="largest gradient norm (0: any)"
    )
    precision: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        default="auto", description="number format on a GPU; auto takes bf16 where the GPU has it"
    )
    gradient_checkpointing: bool = Field(
        default=False, description="compute activations twice to need less memory"
    )
    eval_batch_size: Positive | None = Field(
        default=None, description="images at once while validating (default: the batch size)"
    )
    image_cache: float | None = Field(
        default=None,
        ge=0,
        le=100_000,
        description="GB of memory that keep decoded images for later epochs, on each machine "
        "(default: a quarter of what is free; 0: none)",
    )
    eval_interval: int = Field(
        default=1,
        ge=1,
        le=100_000,
        description="epochs between validations, the last always with one; best.pth is looked for "
        "among validated epochs only",
    )
    val_images: int = Field(
        default=8,
        ge=0,
        le=1000,
        description="validation images to draw predictions on at each best epoch",
    )
    tensorboard: bool = Field(default=True, description="write TensorBoard files")
    wandb: bool = Field(default=False, description="log to Weights & Biases too (needs wandb)")
    mlflow: bool = Field(default=False, description="log to MLflow too (needs mlflow)")
    dataset: DatasetInfo | None = Field(default=None, description="the prepared data set")
    notes: list[str] = Field(default_factory=list, description="what was decided on the way")
    origin: Origin | None = Field(default=None, description="the checkpoint it began from")
    sweep: str | None = Field(default=None, description="the sweep that it belongs to")

    @field_validator("model")
    @classmethod
    def _known_model(cls, value: str) -> str:
        try:
            return get_model(value.strip()).name
        except ConfigError as error:
            raise ValueError(f"{error.message} {error.hint}".strip()) from None

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str) -> str:
        text = value.strip().lower()
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", text):
            raise ValueError(
                f"'{clean(value)}' is no device: choose auto, cpu, cuda, cuda:0 … or mps"
            )
        return text

    @field_validator("filter_classes", mode="before")
    @classmethod
    def _classes_from_text(cls, value: Any) -> Any:
        # A list is kept as it is: the bar may be part of a class name there.
        if isinstance(value, str):
            value = [part.strip() for part in value.split("|") if part.strip()]
        if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
            return list(dict.fromkeys(value)) or None
        return value

    @field_validator("augmentation", mode="before")
    @classmethod
    def _known_augmentation(cls, value: Any) -> Any:
        return read_augmentation(value)

    @field_validator("project", "output_dir", "resume", "pretrained")
    @classmethod
    def _a_place(cls, value: Path | None) -> Path | None:
        try:
            if value is not None:
                expand_user(value)
        except BatmanError as error:
            raise ValueError(f"{error.message} {error.hint}".rstrip(".")) from None
        if value is not None and "\0" in str(value):
            raise ValueError("a path holds no NUL")
        return value

    @field_validator("splits", mode="before")
    @classmethod
    def _splits_from_text(cls, value: Any) -> Any:
        return parse_shares(value)

    @field_validator("batch_size", "workers", mode="before")
    @classmethod
    def _auto_in_any_case(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _preset_and_conflicts(self) -> TrainingConfig:
        for name, value in get_model(self.model).preset.items():
            if name == "from_scratch" and self.pretrained is not None:
                continue
            if name not in self.model_fields_set:
                # Past the frozen model, and not marked as chosen: a change of size drops it again.
                self.__dict__[name] = value
        self._agree_on_augmentation()
        if self.from_scratch and self.pretrained is not None:
            raise ValueError("from_scratch and pretrained exclude each other: choose one")
        if self.num_gpus * self.num_nodes > 1 and self.device in ("mps",):
            raise ValueError("mps trains on one device only: choose one GPU and one node")
        return self

    def _agree_on_augmentation(self) -> None:
        """Let what was chosen as augmentation say whether there is one."""
        if self.augmentation is None:
            return
        wanted = self.augmentation != NONE
        if "augment" in self.model_fields_set and self.augment != wanted:
            said = ("augment is off, and", "is on") if wanted else ("augment is on, and", "is off")
            raise ValueError(f"{said[0]} augmentation {said[1]}: leave one of them out")
        self.__dict__["augment"] = wanted

    @property
    def effective_batch(self) -> int | None:
        """Images in one step of the optimiser, over all GPUs; None while `batch_size` is auto."""
        if self.batch_size == "auto":
            return None
        return self.batch_size * self.grad_accum * self.num_gpus * self.num_nodes

    @property
    def encoder_lr(self) -> float:
        """The encoder's learning rate: the chosen one, else one and a half times `lr`."""
        return self.lr_encoder if self.lr_encoder is not None else self.lr * ENCODER_LR_RATIO

    def worker_count(self) -> int:
        """Return the loader processes to start, for each GPU, on the machine that asks.

        `auto` is one less than the cores this process may use, shared out between its GPUs, at
        most 8; a SLURM job's limit on cores counts.
        """
        if self.workers != "auto":
            return self.workers
        return max(0, min(8, (usable_cores() - 1) // self.num_gpus))

    def with_changes(self, **changes: Any) -> TrainingConfig:
        """Return a validated copy with `changes`; what was not chosen stays a default.

        Raises ConfigError.
        """
        chosen = {name: getattr(self, name) for name in self.model_fields_set}
        for name, other in (("augment", "augmentation"), ("augmentation", "augment")):
            if name in changes and other not in changes:  # the newer word holds
                chosen.pop(other, None)
        return parse_config({**chosen, **changes})

    def resolved(self) -> TrainingConfig:
        """Return the config with an image size that the model can take, and a note if it differs.

        The nearest size takes the place of one the model cannot take; see `resolve_image_size`.
        """
        size, note = resolve_image_size(self.model, self.image_size)
        if note is None:
            return self
        notes = self.notes if note in self.notes else [*self.notes, note]
        return self.with_changes(image_size=size, notes=notes)

    def dataset_dir(self, run_dir: Path) -> Path:
        """Return the absolute folder of the prepared data set of the run in `run_dir`.

        Raises ConfigError when nothing was prepared.
        """
        if self.dataset is None:
            raise ConfigError("This run has no prepared data set.", "Start it with batman train.")
        return (run_dir / self.dataset.dir).absolute()

    def save(self, path: Path) -> None:
        """Write the config to `path` as JSON, atomically, and without secrets.

        Paths and names of classes are needed as they are: of them goes what has a secret's form.
        """
        values = redact_tree(self.model_dump(mode="json"), redact_forms)
        write_json(path, {**values, "notes": redact_tree(values["notes"])})

    @classmethod
    def load(cls, path: Path) -> TrainingConfig:
        """Return the config in the JSON file `path`. Raises ConfigError if it is not one."""
        try:
            values = read_json(path)
        except BatmanError as error:
            raise ConfigError(error.message, error.hint) from None
        if not isinstance(values, dict):
            raise ConfigError(f"'{clean(str(path))}' does not hold training settings.")
        return parse_config(values)


def default_for(name: str, model: str = "base") -> Any:
    """Return the value that the option `name` has for `model` when nobody chooses one."""
    return getattr(_unchosen(model), name)


@lru_cache(maxsize=64)  # asked for each option of each run of a list
def _unchosen(model: str) -> TrainingConfig:
    return TrainingConfig(model=model)


def parse_config(values: Mapping[str, Any]) -> TrainingConfig:
    """Return a config from `values`, whose values may be text as typed.

    Raises ConfigError that names every option that is wrong and what it takes.
    """
    try:
        return TrainingConfig.model_validate(dict(values))
    except ValidationError as error:
        problems = messages(error, TrainingConfig.model_fields)
    said = (f"{name}: {text}" if name else text for name, text in problems.items())
    hint = "See batman train --help for what each option takes."
    raise ConfigError(f"{'; '.join(said).rstrip('.')}.", hint)


def errors_by_field(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with each of `values` (text as typed, or values), by field name.

    Empty when all is well. A problem of several fields together stands under the empty name.
    """
    try:
        TrainingConfig.model_validate(dict(values))
    except ValidationError as error:
        return messages(error, TrainingConfig.model_fields)
    return {}


def validate_field(name: str, value: Any) -> str | None:
    """Return what is wrong with one option's `value` (text as typed, or a value), None if good."""
    return errors_by_field({name: value}).get(name)
