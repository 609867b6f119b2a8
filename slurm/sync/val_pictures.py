"""The validation pictures of a run that is followed over SSH, fetched when somebody looks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from core.common.errors import BadName
from core.common.files import safe_relative
from core.common.progress import never
from core.training.live.val_pictures import FOLDER, ValPicture, val_pictures
from slurm.hosts import Host


class RemotePictures:
    """Those in the folder `there` of a run on `host`, kept in the folder `here` of its mirror.

    They lie where a mirror of the run puts them too, so that neither fetches what the other has.
    """

    def __init__(self, host: Host, there: str, here: Path) -> None:
        self._host = host
        self._there = there
        self._here = here

    def known(self) -> list[ValPicture]:
        """Return those that are here already, the last epoch first."""
        return val_pictures(self._here)

    def fetch(self, stopped: Callable[[], bool] = never) -> list[ValPicture]:
        """Fetch those that are not here yet, or of another size, and return all that are here.

        The last epochs come first; when `stopped` says so the others come next time. Raises
        `HostError` when the host does not answer; what was fetched stays.
        """
        folder = f"{self._there}/{FOLDER}"
        found = self._host.run(["find", folder, "-maxdepth", "1", "-type", "f",
                                "-name", "epoch_*.jpg", "-printf", "%s %f\\0"])  # fmt: skip
        # Without the folder find fails, and there is nothing to list: none were drawn yet.
        listed = found.stdout.decode("utf-8", "surrogateescape").split("\0")
        for entry in sorted(filter(None, listed), key=_name, reverse=True):
            if stopped():
                break
            size, name = entry.partition(" ")[0], _name(entry)
            with contextlib.suppress(BadName, FileNotFoundError):
                target = self._here / safe_relative(f"{FOLDER}/{name}")
                if not target.is_file() or str(target.stat().st_size) != size:
                    self._host.get(f"{folder}/{name}", target)
        return self.known()


def _name(entry: str) -> str:
    return entry.partition(" ")[2]
