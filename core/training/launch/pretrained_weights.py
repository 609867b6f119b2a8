"""Where training's first weights come from: a file, the folder of published weights, a download.

Looked for before anything heavy is imported, so that a machine without a network says within a
second which file is missing and where to put it.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from core.common.errors import WeightsMissing
from core.common.files import expand_user
from core.common.text import clean
from core.models.sizes import get_model, weights_file
from core.training.config.options import TrainingConfig

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
