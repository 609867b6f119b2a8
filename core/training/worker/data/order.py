"""Training images in an order that a resumed run can go on in.

rfdetr's own loader shuffles from the global random state, so a run that resumes within an epoch
would see some images twice and others not at all. Here the order of an epoch depends on the seed
and the epoch only, and an epoch can start at any batch. What is drawn for an image when it is
loaded: `core.training.worker.data.seeds`.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rfdetr.config import ModelConfig, TrainConfig
from rfdetr.training import RFDETRDataModule
from torch.utils.data import DataLoader, DistributedSampler

from core.common.text import size
from core.training.config.class_balance import drawn, epoch_length, repeat_factors
from core.training.config.effective_batch import steps_per_epoch
from core.training.log.train_log import say
from core.training.worker.data.image_cache import keep_images
from core.training.worker.data.seeds import Draw, SeededPictures
from core.training.worker.ranks import is_rank_zero


def samples_per_epoch(images: int, effective_batch: int) -> int:
    """Return how many images an epoch shows: whole effective batches (`steps_per_epoch`)."""
    return steps_per_epoch(images, effective_batch) * effective_batch


class EpochSampler(DistributedSampler):
    """One rank's images as `Draw`, a new order every epoch, from any point of the first one.

    `total` is the number of images that all ranks together see in an epoch; what exceeds the data
    set is filled by further shuffled passes through it. A pass shows every image once, or as often
    as `factors` says (see `core.training.config.class_balance`).
    """

    def __init__(
        self,
        images: int,
        total: int,
        seed: int,
        rank: int,
        world: int,
        factors: NDArray[np.float64] | None = None,
    ) -> None:
        super().__init__(range(images), num_replicas=world, rank=rank, shuffle=True, seed=seed)
        self.factors = factors
        self.total = total
        self.skip_in: tuple[int, int] = (0, 0)

    def start_at(self, epoch: int, done: int) -> None:
        """Begin with `epoch` (from 0), of which this rank has seen `done` images already."""
        self.skip_in = (epoch, done)
        self.set_epoch(epoch)

    def __iter__(self) -> Iterator[Draw]:
        order = torch.Generator()
        order.manual_seed((self.seed * 1_000_003 + self.epoch * 7_919) % 2**62)
        indices: list[int] = []
        while len(indices) < self.total:
            indices += self._pass(order)
        epoch, done = self.skip_in
        first = done if epoch == self.epoch else 0
        places = range(self.rank, self.total, self.num_replicas)[first:]
        return (Draw(indices[place], self.epoch, place) for place in places)

    def _pass(self, order: torch.Generator) -> list[int]:
        if self.factors is None:
            return torch.randperm(len(self.dataset), generator=order).tolist()
        images = drawn(self.factors, float(torch.rand(1, generator=order)))
        return [images[at] for at in torch.randperm(len(images), generator=order).tolist()]

    def __len__(self) -> int:
        return self.total // self.num_replicas


class RunDataModule(RFDETRDataModule):
    """rfdetr's data module with `EpochSampler` in front of the training images.

    `position` is where to begin: the epoch (from 0) and the batches of it that are behind us.
    `balance` and `image_cache` are those of `TrainingConfig`; `cached` is how many bytes of images
    may be kept.
    """

    _dataset_train: Any
    _dataset_val: Any

    def __init__(
        self,
        model_config: ModelConfig,
        train_config: TrainConfig,
        balance: float = 0.0,
        image_cache: float | None = 0.0,
    ) -> None:
        super().__init__(model_config, train_config)
        self.balance, self.image_cache = balance, image_cache
        self.cached = 0
        self.position = (0, 0)

    def setup(self, stage: str) -> None:
        """Read the annotations, without the words that pycocotools prints on each file."""
        fresh = self._dataset_train is None
        with contextlib.redirect_stdout(io.StringIO()):
            super().setup(stage)
        # What is shown once is not looked for again.
        if stage == "fit" and fresh and self.position[0] + 1 < self.train_config.epochs:
            self._dataset_train, self._dataset_val, self.cached = keep_images(
                self._dataset_train,
                self._dataset_val,
                self.model_config.resolution,
                self.image_cache,
                loaders=self._num_workers,
                sharers=int(self.trainer.num_devices) if self.trainer else 1,
            )
            if self.cached and is_rank_zero():
                say(f"decoded images are kept for later epochs in up to {size(self.cached)}")

    def pictures(self) -> SeededPictures:
        """Return the training images as they are shown: transformed by chance, drawn by `Draw`."""
        dataset = self._require_dataset(self._dataset_train, "fit")
        return SeededPictures(dataset, int(self.train_config.seed or 0))

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the training loader, which begins at `position`."""
        pictures = self.pictures()
        dataset = pictures.dataset
        batch = self._resolve_batch_size()
        world, seed = int(self.trainer.world_size), int(self.train_config.seed or 0)
        factors = self._factors(dataset)
        images = len(dataset) if factors is None else epoch_length(factors)
        sampler = EpochSampler(
            len(dataset),
            samples_per_epoch(images, batch * int(self.trainer.accumulate_grad_batches) * world),
            seed,
            int(self.trainer.global_rank),
            world,
            factors,
        )
        epoch, batches = self.position
        sampler.start_at(epoch, batches * batch)
        return DataLoader(
            pictures,
            batch_size=batch,
            sampler=sampler,
            drop_last=True,
            collate_fn=self._collate_fn_train,
            num_workers=self._num_workers,
            pin_memory=self._pin_memory,
            persistent_workers=self._persistent_workers,
            prefetch_factor=self._prefetch_factor,
        )

    def _factors(self, dataset: Any) -> NDArray[np.float64] | None:
        """Return how often to show each image of rfdetr's COCO data set, None for once each."""
        if not self.balance:
            return None
        boxes = dataset.coco.imgToAnns
        classes = [{box["category_id"] for box in boxes.get(image, ())} for image in dataset.ids]
        return repeat_factors(classes, self.balance)
