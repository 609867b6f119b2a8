"""The curve of a run: one number a step and quantity, in arrays that grow as steps come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, cast

import msgspec

from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
else:
    np = late("numpy")


class StepRow(msgspec.Struct, tag_field="event", tag="step", gc=False, frozen=True):
    """A `step` event as the curve needs it; fields in the order of `Series`."""

    step: int
    epoch: int
    t: float
    loss: float | None = None
    loss_cls: float | None = None
    loss_box: float | None = None
    loss_giou: float | None = None
    lr: float | None = None
    images_per_s: float | None = None
    step_s: float | None = None
    data_s: float | None = None
    gpu_mem_mb: float | None = None
    rss_mb: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Read-only arrays of equal length, one value a step, NaN where nothing was told.

    `t` is Unix seconds; losses are not divided by the accumulation; `step_s` and `data_s` are
    seconds, the memory is in megabytes. Arrays stay as they are when the run goes on. Steps are
    whole numbers, as floats because that is what a plot's axis takes: a million need no conversion.
    """

    step: NDArray[np.float64]
    epoch: NDArray[np.int32]
    t: NDArray[np.float64]
    loss: Floats
    loss_cls: Floats
    loss_box: Floats
    loss_giou: Floats
    lr: Floats
    images_per_s: Floats
    step_s: Floats
    data_s: Floats
    gpu_mem_mb: Floats
    rss_mb: Floats

    def __len__(self) -> int:
        return len(self.step)


COLUMNS = tuple(field.name for field in fields(Series))
DTYPES = dict.fromkeys(COLUMNS, "float32") | {"step": "float64", "epoch": "int32", "t": "float64"}


def no_steps() -> Series:
    """Return the series of no steps; NumPy is not loaded for it."""
    return Series(*[cast("Any", ())] * len(COLUMNS))


class SeriesBuilder:
    """Collects steps; what `view` has returned is never changed."""

    def __init__(self, columns: list[NDArray[Any]] | None = None) -> None:
        """Begin with `columns`, which stay as they are, or with nothing."""
        self.length = 0 if columns is None else len(columns[0])
        self._columns = self._empty(1024) if columns is None else columns

    @staticmethod
    def _empty(size: int) -> list[NDArray[Any]]:
        return [np.empty(size, DTYPES[name]) for name in COLUMNS]

    def append(self, rows: Sequence[StepRow]) -> None:
        """Add steps at the end."""
        if not rows:
            return
        values = np.array([msgspec.structs.astuple(row) for row in rows], dtype=np.float64)
        end = self.length + len(rows)
        if end > len(self._columns[0]):
            self._move(np.arange(self.length), max(end, 2 * len(self._columns[0])))
        with np.errstate(over="ignore"):  # a loss beyond float32 is infinite, which is no lie
            for at, column in enumerate(self._columns):
                column[self.length : end] = values[:, at]
        self.length = end

    def drop_after(self, step: int) -> int:
        """Forget the steps after `step`, return how many."""
        steps = self._columns[0][: self.length]
        kept = np.flatnonzero(steps <= step)
        dropped = self.length - len(kept)
        if dropped:
            # Into new arrays: views that were handed out keep what they show.
            self._move(kept, len(self._columns[0]))
        return dropped

    def columns(self) -> list[NDArray[Any]]:
        """Return what there is, in the order of `COLUMNS`, without copying."""
        return [column[: self.length] for column in self._columns]

    def view(self) -> Series:
        """Return what there is, without copying."""
        views = self.columns()
        for view in views:
            view.setflags(write=False)
        return Series(*views)

    def _move(self, kept: NDArray[np.intp], size: int) -> None:
        fresh = self._empty(size)
        for old, new in zip(self._columns, fresh, strict=True):
            new[: len(kept)] = old[kept]
        self._columns = fresh
        self.length = len(kept)
