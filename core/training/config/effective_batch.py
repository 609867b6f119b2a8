"""How images come together in one step of the optimiser."""

from __future__ import annotations

from dataclasses import dataclass


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
