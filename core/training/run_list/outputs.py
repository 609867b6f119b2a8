"""What was made of a run's model, remembered in the run's folder: exports and what it looked at.

`outputs.jsonl` is append-only, one JSON object a line. Whoever makes something appends a line to
it; where it cannot be written the thing itself is made all the same.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from core.common.text import plural
from core.privacy.secrets import redact_forms, redact_tree
from core.training.run.events import CONFIG_FILE, LineFile

OUTPUTS_FILE = "outputs.jsonl"
# A file of somebody else's is not read to the end.
_MOST_BYTES = 8 * 1024 * 1024

Kind = Literal["export", "inference"]


class Output(msgspec.Struct, kw_only=True, frozen=True):
    """Something that was made of a run's model: in the folder `folder`, at `t` (Unix seconds).

    `model` is the name of the file it was made with, `facts` what is said of it by name: of a count
    the name of what is counted, in the plural.
    """

    kind: Kind
    folder: str
    t: float
    model: str = ""
    facts: dict[str, str | int | float] = {}

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)

    @property
    def there(self) -> bool:
        """Whether the folder is still where it was written."""
        try:
            return self.path.is_dir()
        except (OSError, ValueError):
            return False

    @property
    def said(self) -> str:
        """What is said of it, in a line."""
        return ", ".join(
            plural(value, name.removesuffix("s")) if isinstance(value, int) else f"{name} {value}"
            for name, value in self.facts.items()
        )


def remember(model: Path, kind: Kind, folder: Path, facts: Mapping[str, str | int | float]) -> str:
    """Note in the run that the file `model` lies in that `folder` was made with it.

    Does nothing for a model outside of a run. Returns why it could not be noted, in a sentence, or
    an empty text.
    """
    run = model.parent
    if not (run / CONFIG_FILE).is_file():
        return ""
    line = Output(
        kind=kind, folder=str(folder.absolute()), t=time.time(), model=model.name,
        facts=dict(facts),
    )  # fmt: skip
    # A folder's name is needed as it is, whatever a variable holds.
    told = redact_tree(msgspec.to_builtins(line), redact_forms)
    try:
        with contextlib.closing(LineFile(run / OUTPUTS_FILE)) as file:
            file.append(json.dumps(told).encode() + b"\n")
            file.sync()
    except OSError as error:
        return f"The run does not remember it: {error.strerror or error}."
    return ""


def outputs_of(run: Path) -> list[Output]:
    """Return what was made of the run in the folder `run`, the newest first, each folder once.

    Empty where nothing is known. What is torn or foreign is passed over.
    """
    try:
        with (run / OUTPUTS_FILE).open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError:
        return []
    found: dict[tuple[str, str], Output] = {}
    for line in data.splitlines():
        try:
            one = msgspec.convert(json.loads(line), Output)
        except (ValueError, msgspec.ValidationError, RecursionError):
            continue
        found[one.kind, one.folder] = one
    return sorted(found.values(), key=lambda one: -one.t)
