"""How far a run on a cluster has been copied here: `.mirror.json` in the run folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from core.errors import BatmanError
from core.files import read_json, write_json

FILE = ".mirror.json"


@dataclass
class MirrorState:
    """Bytes of the files that grow, and size and time of each whole file that was fetched."""

    events: int = 0
    log: int = 0
    files: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def load(cls, run_dir: Path) -> MirrorState:
        """Return what is recorded in `run_dir`; nothing fetched yet if that cannot be read."""
        try:
            return cls(**read_json(run_dir / FILE))
        except (BatmanError, TypeError):
            return cls()

    def save(self, run_dir: Path) -> None:
        """Write the record."""
        write_json(run_dir / FILE, asdict(self))
