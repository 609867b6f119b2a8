"""From a `TrainingConfig` to rfdetr's model, data and Lightning trainer.

Imports rfdetr and torch: for the training process only. rfdetr's own checkpoint, early-stopping
and logging callbacks are left out, because `RunRecorder` does their work atomically and resumably;
its model, losses, data transforms, averaging of weights and COCO evaluation are used as they are.
"""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from rfdetr.config import ModelConfig, TrainConfig
from rfdetr.training import (
    RFDETREMACallback,
    RFDETRModelModule,
    build_trainer,
)

from core.common.errors import ConfigError
from core.common.text import clean
from core.models.encoder_blocks import used_blocks_only
from core.models.pytorch import size_name
from core.models.sizes import MODELS, get_model
from core.processes.installation import how_to_install
from core.training.config.augmentation import DEFAULT, PRESETS
from core.training.config.effective_batch import Batching
from core.training.config.options import TrainingConfig
from core.training.launch.devices import require_devices
from core.training.launch.pretrained_weights import unreadable
from core.training.worker.coco_validation import CocoEval
from core.training.worker.data.order import RunDataModule
from core.training.worker.ranks import under_srun, under_torchrun

# rfdetr ramps its averaging of weights up over this many steps.
_EMA_TAU = 100


def model_config(config: TrainingConfig, classes: Sequence[str], weights: Path | None) -> Any:
    """Return rfdetr's ModelConfig for `config`.

    `weights` is the file of the first weights, None for random ones. Raises ConfigError when the
    size needs a package that is not installed, or cannot take the image size.
    """
    spec = get_model(config.model)
    if config.image_size % spec.divisor or config.image_size < spec.min_size:
        raise ConfigError(
            f"{config.model} cannot take an image size of {config.image_size}.",
            f"It takes multiples of {spec.divisor} from {spec.min_size} on.",
        )
    config_class = _config_class(spec.class_name, spec.needs_plus)
    return config_class(
        **spec.build,
        resolution=config.image_size,
        num_classes=len(classes),
        pretrain_weights=str(weights) if weights else None,
        gradient_checkpointing=config.gradient_checkpointing,
        model_name=spec.class_name,
    )


def _config_class(class_name: str, needs_plus: bool) -> type[ModelConfig]:
    if not needs_plus:
        return cast(
            "type[ModelConfig]",
            getattr(importlib.import_module("rfdetr.config"), f"{class_name}Config"),
        )
    try:
        models = importlib.import_module("rfdetr.platform.models")
        return cast("type[ModelConfig]", getattr(models, class_name)._model_config_class)
    except (ImportError, AttributeError):
        raise ConfigError(
            f"{class_name} needs the package rfdetr-plus, which is not installed.",
            f"Mind its licence, PML-1.0. Install it with: {how_to_install('rfdetr[plus]')}; or"
            " choose a smaller model.",
        ) from None


def device_arguments(config: TrainingConfig) -> tuple[str, int | str]:
    """Return Lightning's accelerator and devices for the config's device.

    Raises ConfigError when the device is not here.
    """
    name, _, index = config.device.partition(":")
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    require_devices(config, torch.cuda.device_count() if cuda else 0, mps)
    if name == "auto":
        name = "cuda" if cuda else "mps" if mps else "cpu"
    if name != "cuda":
        return name, config.num_gpus if name == "cpu" else 1
    return "gpu", f"{index}," if index else config.num_gpus


def train_config(
    config: TrainingConfig, run_dir: Path, classes: Sequence[str], batching: Batching
) -> TrainConfig:
    """Return rfdetr's TrainConfig for `config`, with everything switched on that we report."""
    accelerator, devices = device_arguments(config)
    return TrainConfig(
        dataset_file="roboflow",
        dataset_dir=str(config.dataset_dir(run_dir)),
        output_dir=str(run_dir),
        class_names=list(classes),
        epochs=config.epochs,
        batch_size=batching.batch,
        grad_accum_steps=batching.accum,
        eval_batch_size=config.eval_batch_size,
        eval_interval=config.eval_interval,
        lr=config.lr,
        lr_encoder=config.encoder_lr,
        lr_vit_layer_decay=config.lr_vit_layer_decay,
        lr_component_decay=config.lr_component_decay,
        lr_scheduler=config.lr_scheduler,
        warmup_epochs=config.warmup_epochs,
        weight_decay=config.weight_decay,
        clip_max_norm=config.clip_max_norm,
        use_ema=config.ema,
        ema_decay=config.ema_decay,
        multi_scale=config.multi_scale,
        # Crops every second image (_build_train_resize_config in rfdetr's datasets/coco.py).
        scale_jitter=config.augment,
        aug_config=augmentation(config),
        amp_dtype=None if config.precision == "fp32" else config.precision,
        num_workers=config.worker_count(),
        seed=config.seed,
        accelerator=accelerator,
        devices=devices,
        num_nodes=config.num_nodes,
        best_model_metric=config.best_metric,
        compute_val_loss=True,
        log_per_class_metrics=True,
        tensorboard=False,
        progress_bar=None,
    )


def augmentation(config: TrainingConfig) -> dict[str, Any] | None:
    """Return rfdetr's `aug_config` for `config`: None is its default, which mirrors every second
    image, and empty is none.

    Raises ConfigError for transforms that cannot be made: rfdetr 1.11.2 leaves them out, with a
    word in its log only (`AlbumentationsWrapper.from_config`).
    """
    chosen = config.augmentation
    if not config.augment:
        return {}
    if chosen is None or chosen == DEFAULT:
        return None
    if isinstance(chosen, str):
        presets = importlib.import_module("rfdetr.datasets.aug_configs")
        return dict(getattr(presets, f"AUG_{chosen.upper()}"))
    from rfdetr.datasets.transforms import AlbumentationsWrapper

    for name, parameters in chosen.items():
        try:
            with warnings.catch_warnings():
                # A parameter that a transform does not have is passed over with a warning.
                warnings.filterwarnings("error", message=".*not valid for transform")
                AlbumentationsWrapper.from_config({name: parameters}, strict=True)
        except (RuntimeError, TypeError, ValueError, ImportError, UserWarning) as error:
            said = " ".join(clean(str(error.__cause__ or error)).split())[:300].rstrip(".")
            raise ConfigError(
                f"The augmentation '{clean(name)}' cannot be made: {said}.",
                "Its names and parameters are those of Albumentations; "
                f"{', '.join(PRESETS)} are there by name.",
            ) from error
    return chosen


@contextlib.contextmanager
def _random_encoder() -> Iterator[None]:
    """Keep rfdetr from fetching DINOv2 over the network when random weights were asked for.

    Its Base and first Large sizes call `from_pretrained` for an encoder without weights, which
    takes minutes to fail where there is no network.
    """
    module: Any = importlib.import_module("rfdetr.models.backbone.dinov2")
    backbone = module.WindowedDinov2WithRegistersBackbone

    class FromConfig(backbone):  # type: ignore[misc, valid-type]
        @classmethod
        def from_pretrained(cls, _name: str, *, config: Any) -> Any:
            return backbone(config)

    module.WindowedDinov2WithRegistersBackbone = FromConfig
    try:
        yield
    finally:
        module.WindowedDinov2WithRegistersBackbone = backbone


def build_module(
    model: ModelConfig, train: TrainConfig, resumed_blocks: int = 0
) -> RFDETRModelModule:
    """Return the Lightning module: the model with its first weights, its losses and optimiser.

    A size of our own has the blocks of the encoder that it uses; those of rfdetr have all, as
    rfdetr itself reads the weights. A checkpoint to go on from that has more, of an earlier Batman,
    is gone on from with all: `resumed_blocks` is how many it has. Raises ConfigError when the file
    of the first weights holds none for this model.
    """
    # The head and, from scratch, everything else starts at random: the seed decides how.
    torch.manual_seed(int(train.seed or 0))
    used = max(model.out_feature_indexes)
    spec = MODELS.get(size_name(model.model_name or "", model.model_dump()))
    shorter = spec is not None and spec.build and resumed_blocks <= used
    blocks = used_blocks_only() if shorter else contextlib.nullcontext()
    if model.pretrain_weights is None:
        with blocks, _random_encoder():
            return RFDETRModelModule(model, train)
    try:
        with blocks:
            return RFDETRModelModule(model, train)
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        unfit = _unfit_weights(error, model)
        raise unfit or error from error


def _unfit_weights(error: Exception, model: ModelConfig) -> ConfigError | None:
    """Return what `error` says of the file of first weights, None where it says something else.

    The texts are torch's (`load_state_dict`) and rfdetr 1.11.2's (`_safe_torch_load`).
    """
    shown = f"'{clean(Path(str(model.pretrain_weights)).name)}'"
    text = str(error)
    if "size mismatch for" in text:
        return ConfigError(
            f"The weights in {shown} are of another model size than {model.model_name}.",
            "Choose with --model the size that they were trained with, or leave out --pretrained.",
        )
    if "safely load" in text or not isinstance(error, RuntimeError):
        return unreadable(Path(str(model.pretrain_weights)))
    return None


def build_data(
    model: ModelConfig, train: TrainConfig, balance: float = 0.0, image_cache: float | None = 0.0
) -> RunDataModule:
    """Return the Lightning data module for the prepared data set; the rest as in the settings."""
    return RunDataModule(model, train, balance, image_cache)


def build_evaluation(train: TrainConfig) -> CocoEval:
    """Return the callback that measures the validation split."""
    return CocoEval(
        max_dets=train.eval_max_dets,
        segmentation=False,
        eval_interval=train.eval_interval,
        log_per_class_metrics=True,
        eval_backend=train.eval_backend,
        eval_base_model=train.eval_base_model,
        in_notebook=False,
    )


def _environment() -> ClusterEnvironment:
    """Return how several processes find each other.

    Never Lightning's default under SLURM, which requeues the job by itself when it is signalled.
    """
    if under_torchrun():
        return TorchElasticEnvironment()
    return SLURMEnvironment(auto_requeue=False) if under_srun() else LightningEnvironment()


def make_trainer(
    config: TrainingConfig,
    model: ModelConfig,
    train: TrainConfig,
    callbacks: Sequence[Callback],
    plugins: Sequence[Any] = (),
) -> Trainer:
    """Return a Lightning trainer with rfdetr's precision and strategy.

    `callbacks` come after rfdetr's averaging of weights; Lightning's own checkpoints and loggers
    are off. That algorithms need not be deterministic is torch's default: rfdetr says it all the
    same, and torch 2.15 loads its compiler to hear it.
    """
    chain = list(callbacks)
    if config.ema:
        # An average that reaches back only 10 steps (decay 0.9) needs no ramp of 100.
        tau = min(_EMA_TAU, round(1 / (1 - config.ema_decay)))
        chain.insert(0, RFDETREMACallback(decay=config.ema_decay, tau=tau))
    return build_trainer(
        train,
        model,
        callbacks=chain,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        deterministic=None,
        plugins=[_environment(), *plugins],
    )
