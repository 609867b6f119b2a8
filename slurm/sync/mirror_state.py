"""How far a run on a cluster has been copied here: `.mirror.json` in the run folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError, RunError
from core.common.files import read_typed_json, write_json
from core.common.text import clean
from core.training.run.damage import MIRROR_FILE as FILE
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
        """Return what is recorded in `run_dir`, nothing fetched yet where there is no record.

        Raises RunError for one that cannot be read: what came before would be copied once more
        behind what is here.
        """
        try:
            told = read_typed_json(run_dir / FILE, dict[str, Any])
            if told is None:
                return cls()
            for name in ("events", "log"):
                # A number alone is what earlier versions wrote.
                value = told[name]
                told[name] = Grown(**value) if isinstance(value, dict) else Grown(int(value))
            return cls(**told)
        except (BatmanError, TypeError, KeyError, ValueError) as error:
            said = error.message if isinstance(error, BatmanError) else f"{type(error).__name__}."
            raise RunError(
                f"How far the run '{clean(run_dir.name)}' was copied from its cluster is not known:"
                f" {said}",
                f"Move {FILE}, events.jsonl and train.log out of its folder: they are copied anew.",
            ) from None

    def save(self, run_dir: Path) -> None:
        """Write the record."""
        write_json(run_dir / FILE, asdict(self))
