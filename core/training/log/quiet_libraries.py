"""Keeps advice to programmers out of train.log, where warnings should be ours to act on."""

from __future__ import annotations

import logging
import warnings

# What rfdetr, Lightning and torch tell people who write their own training scripts.
_NOISE = (
    r".*does not have many workers.*",
    r".*smaller than the logging interval.*",
    r".*but have no logger configured.*",
    r".*your dataloader is not resumable.*",
    r".*instantiated with pretrain_weights=None.*",
    r".*torch.jit.script.* is deprecated.*",
    r".*isinstance\(treespec, LeafSpec\).*",
    r"It is recommended to use `self.log.*",
    r"You passed find_unused_parameters=true.*",
    r"The `srun` command is available on your system but is not used.*",
)


def quiet_warnings() -> None:
    """Leave such warnings out; to be called before the libraries are imported, which warn then."""
    for text in _NOISE:
        warnings.filterwarnings("ignore", message=text)


def quiet_loggers() -> None:
    """Have the libraries log what went wrong only; to be called after they were imported."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("rf-detr").setLevel(logging.ERROR)
