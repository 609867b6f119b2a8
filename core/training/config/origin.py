"""Where a run that began from a checkpoint comes from."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from core.common.text import clean


class Origin(BaseModel):
    """The checkpoint that a run began from, and the run that wrote it.

    `checkpoint` is the file's path when the run was made, `run` the name of the run in whose folder
    it lay; None for a file that lay in no run's folder. The run's own curve starts at the
    checkpoint's epoch; the curve up to there stays where it was trained, in the origin.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    run: str | None
    checkpoint: Path

    def __str__(self) -> str:
        if self.run is None:
            return clean(str(self.checkpoint))
        return f"{clean(self.checkpoint.name)} of {clean(self.run)}"
