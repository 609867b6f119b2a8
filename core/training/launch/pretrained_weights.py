"""Where training's first weights come from: a file, the folder of published weights, a download.

Looked for before anything heavy is imported, so that a machine without a network says within a
second which file is missing and where to put it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shlex
import socket
from pathlib import Path

from core.common.errors import ConfigError, RunError, WeightsMissing
from core.common.files import expand_user
from core.common.text import clean
from core.models.checkpoint_header import read_header
from core.models.sizes import get_model, weights_file
from core.training.config.options import TrainingConfig
from core.training.launch.foreign_output import best_weights, is_ultralytics

# How the format of before 1.6 begins: MAGIC_NUMBER in torch/serialization.py, pickled.
_OLD = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)

# The host that rfdetr 1.11.2 (assets/model_weights.py) fetches all published weights from.
_HOST = "storage.googleapis.com"
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def start_weights(config: TrainingConfig) -> Path | None:
    """Return the file whose weights training starts from; None means random weights.

    The file may still have to be downloaded by `fetch`. Raises WeightsMissing if it is not on this
    machine and the network does not lead to it.
    """
    if config.pretrained is not None:
        path = expand_user(config.pretrained).absolute()
        if path.is_dir() and (best := best_weights(path)) is not None:
            raise WeightsMissing(
                f"'{clean(str(path))}' is a folder, not a file of weights.",
                f"Give a file in it: --pretrained {clean(shlex.quote(str(best)))}",
            )
        if not path.is_file():
            raise WeightsMissing(
                f"There are no weights at '{clean(str(path))}'.",
                "Give an existing .pth file with --pretrained, or start with --from-scratch.",
            )
        return path
    path_or_none = None if config.from_scratch else weights_file(config.model)
    if path_or_none is None or path_or_none.is_file():
        return path_or_none
    if not any(os.environ.get(name) for name in _PROXIES) and not _reachable():
        raise _missing(config.model, path_or_none, f"{_HOST} cannot be reached")
    return path_or_none


def require_weights(config: TrainingConfig) -> None:
    """Raise WeightsMissing when the file that was named for the first weights is not there, and
    ConfigError when it, or the published one on this machine, holds no weights of RF-DETR.

    Only what the file says of itself is read, and no torch is needed: whether its weights fit the
    model is seen when it is built, and whether published ones can be fetched when they are.
    """
    if config.pretrained is None:
        path = None if config.from_scratch else weights_file(config.model)
    else:
        path = start_weights(config)
    if path is None or not path.is_file():
        return
    if is_ultralytics(path):
        raise ConfigError(
            f"'{clean(path.name)}' holds a model of Ultralytics: YOLO is another kind of model, "
            "whose weights RF-DETR cannot take over.",
            "Leave out --pretrained, or give the best.pth of a run.",
        )
    try:
        content = read_header(path)
    except RunError:
        if _is_old(path):
            return
        content = None
    # What rfdetr 1.11.2 takes (models/weights.py): its own files, and Lightning's.
    if not isinstance(content, dict) or not {"model", "state_dict"} & content.keys():
        raise unreadable(path, published=config.pretrained is None)


def weights_to_fetch(config: TrainingConfig) -> Path | None:
    """Return where the published weights will be put that training has to fetch first, if it has
    to.
    """
    if config.pretrained is not None or config.from_scratch or config.resume is not None:
        return None
    path = weights_file(config.model)
    return None if path is None or path.is_file() else path


def unreadable(path: Path, *, published: bool = False) -> ConfigError:
    """Return the error that `path` holds no weights; `published` ones can be fetched again."""
    return ConfigError(
        f"'{clean(path.name)}' cannot be read as weights of RF-DETR.",
        f"Remove '{clean(str(path))}', and they are fetched again."
        if published
        else "Give the best.pth or a checkpoint of a run, or leave out --pretrained.",
    )


def _is_old(path: Path) -> bool:
    """Tell whether torch wrote the file before 1.6, or with its old format, which is no ZIP."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(len(_OLD)) == _OLD
    return False


def fetch(config: TrainingConfig, path: Path) -> None:
    """Download the published weights to `path` unless they are there.

    Imports rfdetr. Raises WeightsMissing when that fails, for whatever reason.
    """
    if path.is_file():
        return
    from rfdetr.assets.model_weights import download_pretrain_weights

    reason = "rfdetr knows no address for them"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        download_pretrain_weights(str(path))
    except Exception as error:  # no network, a proxy, a full disk, a wrong checksum
        path.unlink(missing_ok=True)
        reason = clean(str(error))[:300]
    if not path.is_file():
        raise _missing(config.model, path, reason)


def _reachable(timeout: float = 5.0) -> bool:
    try:
        with socket.create_connection((_HOST, 443), timeout=timeout):
            return True
    except OSError:
        return False


def _missing(model: str, path: Path, reason: str) -> WeightsMissing:
    name = get_model(model).weights
    return WeightsMissing(
        f"The pretrained weights of {model} ({name}) are not on this machine "
        f"and could not be downloaded: {reason}.",
        f"Put {name} at {clean(str(path))} (copy it from a machine that has a network), "
        "or name a file with --pretrained, or train from random weights with --from-scratch.",
    )
