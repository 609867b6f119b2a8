"""The validation pictures that training drew, by epoch: `val_images/epoch_NNNN_NAME.jpg`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = "val_images"
_NAME = re.compile(r"epoch_(\d{1,9})_(.+)\.jpg")


@dataclass(frozen=True, slots=True)
class ValPicture:
    """A validation picture with what the model saw in it after `epoch` (from 1).

    `name` is that of the prepared data set, `called` the project's, "" where it is not known.
    """

    epoch: int
    name: str
    file: Path
    called: str = ""

    @property
    def shown(self) -> str:
        """What it is called where people read it."""
        return self.called or self.name


def val_pictures(run: Path) -> list[ValPicture]:
    """Return the pictures of the run in the folder `run`, of the last epoch first, then by name.

    Empty where none were drawn, or the folder cannot be read.
    """
    try:
        names = [path.name for path in (run / FOLDER).iterdir()]
    except OSError:
        return []
    found = [
        ValPicture(int(match[1]), match[2], run / FOLDER / name)
        for name in names
        if (match := _NAME.fullmatch(name))
    ]
    return sorted(found, key=lambda one: (-one.epoch, one.name))
