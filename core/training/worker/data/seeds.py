"""Chance in training, drawn for each picture and each batch from a seed of its own.

Where a draw depends on what was drawn before it, the number of loader processes, a resume and a
different number of GPUs all change it. Here the seed of a draw is made of what it is for: the run's
seed, the epoch, and the place in it. So a resumed run needs nothing remembered, whichever process
draws draws the same, and no two pictures or processes share their draws.

Albumentations 2.0.8 keeps generators of its own in each transform, which the global seeds do not
reach (`core/composition.py`); rfdetr 1.11.2 gives them no seed, so that they differ from run to run
and are copied, with their state, into each loader process.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.utils.data import Dataset

# What a seed is for: the first part of what it is made of, after the run's own seed.
_PICTURE, _BATCH = 1, 2


class Draw(NamedTuple):
    """A picture to be shown: its index, in which epoch (from 0), and its place in the epoch.

    The place counts all processes' pictures: it is no other's, and stays when the batch or the
    number of processes changes.
    """

    image: int
    epoch: int
    place: int


def seed_of(*parts: int) -> int:
    """Return the 64-bit seed that numbers from 0 on stand for: others for each sequence of them."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


class SeededPictures(Dataset[Any]):
    """`dataset` (one of rfdetr's), asked by `Draw` and not by index.

    What its transforms draw for a picture depends on `seed` and the `Draw` only.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = dataset
        self._seed = seed
        self._own = list(_own_generators(dataset._transforms))

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: Draw) -> Any:
        with self._seeded(seed_of(self._seed, _PICTURE, draw.epoch, draw.place, draw.image)):
            return self.dataset[draw.image]

    @contextlib.contextmanager
    def _seeded(self, seed: int) -> Iterator[None]:
        """Draw from `seed`, and leave the process's own generators where they are.

        The transforms of Albumentations share one stream: with a generator each they would all
        draw the same numbers, and flip what they crop.
        """
        numbers, choices = np.random.default_rng(seed), random.Random(seed)
        for transform in self._own:
            transform.set_random_state(numbers, choices)
        python, legacy = random.getstate(), np.random.get_state()
        try:
            with torch.random.fork_rng(devices=[]):
                torch.random.default_generator.manual_seed(seed)
                random.seed(seed)
                np.random.seed(seed % 2**32)
                yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)


def _own_generators(transform: Any) -> Iterator[Any]:
    """Find the Albumentations pipelines in rfdetr's `transform`, which hold generators."""
    if hasattr(transform, "set_random_state"):
        yield transform
        return
    for part in [*getattr(transform, "transforms", ()), getattr(transform, "transform", None)]:
        if part is not None:
            yield from _own_generators(part)


class BatchSeeds(Callback):
    """Seeds what the model draws while it trains on a batch, in each process by itself."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the process's generators for the batch that begins."""
        place = (trainer.current_epoch, batch_idx, trainer.global_rank)
        seed = seed_of(self._seed, _BATCH, *place)
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
