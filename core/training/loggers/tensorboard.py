"""The run's events as TensorBoard scalars, by global step."""

from __future__ import annotations

from pathlib import Path

from core.training.loggers.metric_names import scalars
from core.training.run.events import Epoch, Event


class TensorBoardLog:
    """Writes `tensorboard/` of a run folder from the events it is given.

    `from_step` is the last step that still counts: what an earlier attempt wrote after it is
    hidden by TensorBoard. Raises ImportError when the tensorboard package is missing.
    """

    def __init__(self, folder: Path, from_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purge = from_step + 1 if from_step else None
        self._writer = SummaryWriter(str(folder), purge_step=purge, flush_secs=30)

    def write(self, event: Event) -> None:
        """Add what `event` measures; other events are ignored."""
        for name, value in scalars(event).items():
            self._writer.add_scalar(name, value, event.step, walltime=event.t)  # type: ignore[union-attr]
        if isinstance(event, Epoch):
            self._writer.flush()

    def close(self) -> None:
        """Write what is left and close the file."""
        self._writer.close()
