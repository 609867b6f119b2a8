"""Where a run that began from a checkpoint comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from core.common.text import clean


@dataclass(frozen=True)
class Origin:
    """The checkpoint that a run began from, and the run that wrote it.

    `checkpoint` is the file's path when the run was made, `run` the name of the run in whose folder
    it lay; None for a file that lay in no run's folder. The run's own curve starts at the
    checkpoint's epoch; the curve up to there stays where it was trained, in the origin.
    """

    # Read by pydantic, which is not loaded to show one.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    run: str | None
    checkpoint: Path

    def __str__(self) -> str:
        if self.run is None:
            return clean(str(self.checkpoint))
        return f"{clean(self.checkpoint.name)} of {clean(self.run)}"
