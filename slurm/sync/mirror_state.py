"""How far a run on a cluster has been copied here: `.mirror.json` in the run folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from core.common.errors import BatmanError
from core.common.files import read_json, write_json
from core.training.run.run import MIRROR_FILE as FILE
from slurm.sync.tail_copy import Grown


@dataclass
class MirrorState:
    """How far the files that grow are here, and size and time of each whole file that was fetched.

    `log_path` is the log that `log` counts: each job has one of its own.
    """

    events: Grown = field(default_factory=Grown)
    log: Grown = field(default_factory=Grown)
    log_path: str = ""
    files: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def load(cls, run_dir: Path) -> MirrorState:
        """Return what is recorded in `run_dir`; nothing fetched yet if that cannot be read."""
        try:
            told = read_json(run_dir / FILE)
            for name in ("events", "log"):
                # A number alone is what earlier versions wrote.
                value = told[name]
                told[name] = Grown(**value) if isinstance(value, dict) else Grown(int(value))
            return cls(**told)
        except (BatmanError, TypeError, KeyError, ValueError):
            return cls()

    def save(self, run_dir: Path) -> None:
        """Write the record."""
        write_json(run_dir / FILE, asdict(self))
