"""How images come together in one step of the optimiser."""

from __future__ import annotations

from dataclasses import dataclass

# As rfdetr does: an epoch has at least this many optimiser steps, however small the data set.
MIN_STEPS = 5


def steps_per_epoch(images: int, effective_batch: int) -> int:
    """Return how many steps of the optimiser an epoch takes for so many images to show.

    `effective_batch` is the images of a step. Images are repeated to fill the last step, so that
    every step averages over as many images, and to make `MIN_STEPS`.
    """
    return max(MIN_STEPS, -(-images // effective_batch))


@dataclass(frozen=True, slots=True)
class Batching:
    """`batch` images on each of `world` devices at once, `accum` times before each step."""

    batch: int
    accum: int
    world: int = 1

    @property
    def effective(self) -> int:
        """Images in one step of the optimiser."""
        return self.batch * self.accum * self.world

    def smaller(self) -> Batching | None:
        """Return a batching with at most half the batch and the same step; None from 1 on.

        The batch is the largest one at most half as large that divides what a device adds up.
        """
        total = self.batch * self.accum
        batch = next((n for n in range(self.batch // 2, 0, -1) if total % n == 0), None)
        return None if batch is None else Batching(batch, total // batch, self.world)
