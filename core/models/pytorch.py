"""RF-DETR checkpoints through torch. Imports torch only where a model is opened or run."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, ConfigError, RunError
from core.common.files import read_json
from core.common.text import clean
from core.models.checkpoint_file import arguments_of, foreign_content, load_checkpoint
from core.models.detector import MEAN, STD, Detector, Floats, Pixels, choose_classes
from core.models.encoder_blocks import used_blocks_only
from core.models.sizes import MODELS
from core.processes.light_imports import light_imports

# Full batches after which tracing the network pays: it takes seconds and saves a third or more of
# each later batch (measured with the tiny size on two CPU cores: 155 to 256 images a second).
_TRACE_AFTER = 4


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a checkpoint says about the model that it holds.

    `classes` is None if it does not name them; `slots` is how many classes its head tells apart.
    `config` is rfdetr's model configuration, empty in files of old releases.
    """

    classes: list[str] | None
    slots: int | None
    model_name: str
    config: dict[str, Any] = field(default_factory=dict)
    args: dict[str, Any] = field(default_factory=dict)


def read_content(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint, its weights left on disk until they are used.

    Only data is read, never code. Raises RunError for a file that is none.
    """
    content = load_checkpoint(
        path, "Use another checkpoint of the run; this one is damaged or no RF-DETR checkpoint."
    )
    if not isinstance(content, dict) or not ({"model", "state_dict"} & content.keys()):
        raise RunError(
            f"'{clean(path.name)}' holds no RF-DETR weights.",
            "Use best.pth of a run, or a checkpoint_best_*.pth of rfdetr.",
        )
    return content


def weights_of(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the weights in a checkpoint's content by the names that rfdetr's network has."""
    return content.get("model") or {
        key.removeprefix("model."): value for key, value in content["state_dict"].items()
    }


def describe_model(path: Path, content: Mapping[str, Any]) -> ModelDescription:
    """Return what the checkpoint in `path` with `content` says about itself.

    Class names come from the checkpoint, else from what its writer put beside it: batman.json, the
    original Batman's class_info.json, or rfdetr's or our training_config.json. Raises RunError for
    content that is of another make.
    """
    hint = "Use best.pth of a run, or a checkpoint_best_*.pth of rfdetr."
    with foreign_content(path, "RF-DETR", hint):
        return _described(path, content)


def _described(path: Path, content: Mapping[str, Any]) -> ModelDescription:
    args = arguments_of(content)
    names = args.get("class_names") or content.get("class_names")
    head = weights_of(content).get("class_embed.weight")
    model_name = content.get("model_name") or args.get("model_name") or ""
    return ModelDescription(
        classes=[str(name) for name in names] if names else _names_beside(path),
        slots=int(head.shape[0]) - 1 if head is not None else None,
        model_name=str(model_name),
        config=dict(content.get("model_config") or {}),
        args=args,
    )


def _names_beside(path: Path) -> list[str] | None:
    for name, keys in (
        ("batman.json", ("classes",)),
        ("class_info.json", ("classes",)),
        ("training_config.json", ("class_names",)),
        ("training_config.json", ("dataset", "class_names")),
    ):
        try:
            value: Any = read_json(path.with_name(name))
        except BatmanError:
            continue
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return list(value)
    return None


def size_name(model_name: str, config: Mapping[str, Any]) -> str:
    """Return our name for a model of rfdetr's class `model_name`, or that name if we have none.

    `config` is rfdetr's model configuration: `tiny` is a Nano that is built smaller.
    """
    for spec in MODELS.values():
        if spec.class_name == model_name and all(
            config.get(key) == value for key, value in spec.build.items()
        ):
            return spec.name
    return model_name or "unknown"


def choose_device(name: str) -> str:
    """Return the torch device for `name` (auto, cpu, cuda, cuda:N, mps).

    Raises ConfigError when it is not here.
    """
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and (kind != "cuda" or not index.isdigit())):
        raise ConfigError(
            f"'{clean(name)}' is no device.", "Choose auto, cpu, cuda, cuda:0 or mps."
        )
    absent = (kind == "cuda" and not cuda) or (kind == "mps" and not mps)
    if absent or (index and int(index) >= torch.cuda.device_count()):
        raise ConfigError(
            f"There is no {name} device on this machine.",
            "Leave out --device, or give --device cpu.",
        )
    return name


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep rfdetr and its libraries from writing advice into the output of our commands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loggers = [logging.getLogger(name) for name in ("rf-detr", "transformers", "torch.onnx")]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


class TorchDetector(Detector):
    """An RF-DETR checkpoint: of our runs, of rfdetr, or of the original Batman."""

    kind = "torch"

    def __init__(self, path: Path, model: Any, **description: Any) -> None:
        super().__init__(path, **description)
        self.rfdetr = model
        self._network: Any = None
        self._constants: tuple[Any, Any] | None = None
        self._traced: Any = None
        self._full_batches = 0

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        device: str = "auto",
        batch_size: int | None = None,
        classes: Sequence[str] | None = None,
    ) -> TorchDetector:
        """Load the checkpoint in `path`; see `load_detector`."""
        described = describe_model(path, read_content(path))
        names = choose_classes(path, described.classes, classes, described.slots)
        chosen = choose_device(device)
        model = _build(path, described, chosen)
        resolution = int(model.model.resolution)
        config = model.model_config.model_dump()
        return cls(
            path,
            model,
            classes=names,
            model_size=size_name(type(model).__name__, config),
            resolution=resolution,
            num_select=int(model.model.postprocess.num_select),
            device=chosen,
            batch_size=batch_size or (8 if chosen == "cpu" else 16),
        )

    def forward(self, batch: Pixels) -> tuple[Floats, Floats]:
        """Run the network; see `Detector.forward`. A batch too large for the GPU is halved."""
        import torch

        try:
            with torch.inference_mode(), quiet():
                boxes, logits = self._run(batch)
                return boxes.float().cpu().numpy(), logits.float().cpu().numpy()
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
            torch.cuda.empty_cache()
        self.batch_size = max(1, len(batch) // 2)
        parts = [self.forward(batch[: self.batch_size]), self.forward(batch[self.batch_size :])]
        import numpy as np

        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def selection(self, batch: Pixels) -> Floats | None:
        """Return the encoder's scores; see `Detector.selection`."""
        seen: list[Any] = []
        with self._on_selection(lambda logits: seen.append(logits.detach())) as there:
            if there:
                self.forward(batch)
        return seen[0].float().amax(-1).cpu().numpy() if seen else None

    def forward_with(self, batch: Pixels, added: Floats) -> tuple[Floats, Floats]:
        """Run the network with other scores of the encoder; see `Detector.forward_with`."""
        import torch

        more = torch.from_numpy(added).to(self.device)[..., None]
        with self._on_selection(lambda logits: logits + more) as there:
            if not there:
                raise NotImplementedError
            return self.forward(batch)

    @contextlib.contextmanager
    def _on_selection(self, change: Callable[[Any], Any]) -> Iterator[bool]:
        """Show `change` the class logits of the encoder's places, (B, places, C), as they come.

        What it returns stands in for them, unless that is None. They serve for nothing but choosing
        queries (rfdetr 1.11.2, models/transformer.py: `topk` of `enc_out_class_embed`). Yields
        whether the model has such a stage.
        """
        if self._network is None:
            self._prepare_network()
        heads = getattr(getattr(self._network, "transformer", None), "enc_out_class_embed", None)
        if heads is None:
            yield False
            return
        hook = heads[0].register_forward_hook(lambda _module, _given, logits: change(logits))
        traced, self._traced, optimise, self.optimise = self._traced, None, self.optimise, False
        try:
            yield True
        finally:
            hook.remove()
            self._traced, self.optimise = traced, optimise

    def _prepare_network(self) -> None:
        import torch

        self._network = self._optimised()
        self._constants = (
            torch.tensor(MEAN, device=self.device).view(1, 3, 1, 1),
            torch.tensor(STD, device=self.device).view(1, 3, 1, 1),
        )

    def _run(self, batch: Pixels) -> tuple[Any, Any]:
        import torch

        if self._network is None:
            self._prepare_network()
        assert self._constants is not None
        mean, std = self._constants
        pixels = torch.from_numpy(batch.copy() if not batch.flags.writeable else batch)
        pixels = pixels.to(self.device).permute(0, 3, 1, 2).float()
        images = pixels.div_(255).sub_(mean).div_(std).contiguous()
        network = self._network
        if len(batch) == self.batch_size:
            self._full_batches += 1
            if self._full_batches == _TRACE_AFTER and self.optimise:
                self._traced = self._trace(images)
            network = self._traced or network
        elif self._traced is not None and len(batch) < self.batch_size:
            # The last few images: a traced network takes whole batches only.
            missing = self.batch_size - len(batch)
            padded = torch.cat([images, images.new_zeros(missing, *images.shape[1:])])
            boxes, logits = self._traced(padded)[:2]
            return boxes[: len(batch)], logits[: len(batch)]
        boxes, logits = network(images)[:2]
        return boxes, logits

    def _optimised(self) -> Any:
        """Return the network as rfdetr exports it: boxes and logits, nothing for losses."""
        self.rfdetr.model.model.to(self.device)
        self.rfdetr.inference(compile=False)
        return self.rfdetr.model.inference_model

    def _trace(self, images: Any) -> Any:
        import torch

        try:
            # The check would run the network twice more to compare what tracing cannot change here.
            return torch.jit.trace(self._network, images, check_trace=False)
        except RuntimeError:
            return None


def _build(path: Path, described: ModelDescription, device: str) -> Any:
    # The import sets rfdetr's log level, so it comes before quiet() does.
    with quiet(), light_imports():
        from rfdetr import RFDETR
    with quiet():
        kwargs: dict[str, Any] = {}
        if not described.config:
            # Old checkpoints keep these only among their training settings.
            for name in ("resolution", "num_select", "num_queries"):
                if isinstance(described.args.get(name), int):
                    kwargs[name] = described.args[name]
        try:
            with used_blocks_only():
                return RFDETR.from_checkpoint(path, device=device, **kwargs)
        except ImportError as error:
            raise RunError(
                f"'{clean(path.name)}' needs a package that is not installed: {clean(str(error))}",
                "Install it, mind its licence, and try again.",
            ) from error
        except Exception as error:  # rfdetr's own errors are many and deep
            raise RunError(
                f"rfdetr cannot load '{clean(path.name)}': {_own_words(error)}",
                "Use a checkpoint written by rfdetr 1.8 or later, such as best.pth of a run.",
            ) from error


def _own_words(error: Exception) -> str:
    """Return what an error says, without advice to load files unsafely."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "it is not made by it" if "weights_only" in text else f"{clean(text)[:300]}."
