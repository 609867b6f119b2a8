"""What takes long to make is made once, whichever worker of xdist needs it first."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

_MADE = ".made"


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Path]) -> Path:
    """Return what `make` made of an empty folder, made by the worker that came first.

    The others wait for it; where it failed, the next tries again. A test may not change it, as the
    next one, whichever that is, expects it as it was made: `changed` tells.
    """
    base = _base(factory)
    folder, made = base / name, base / f"{name}{_MADE}"
    with (base / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            made.write_text(json.dumps([str(done := make(folder)), _stamps(done)]))
    return Path(json.loads(made.read_text())[0])


def changed(factory: pytest.TempPathFactory) -> list[str]:
    """Return the files of what `once` made, by any worker, that are new, gone or others now."""
    found = []
    for made in _base(factory).glob(f"*{_MADE}"):
        folder, then = json.loads(made.read_text())
        now = _stamps(Path(folder))
        found += [f"{folder}/{name}" for name in then | now if then.get(name) != now.get(name)]
    return sorted(found)


def _base(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    # The session's folder, above that of each worker.
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def _stamps(folder: Path) -> dict[str, list[int]]:
    """Return the size and the time of every file in a folder."""
    files = {path.relative_to(folder): path.stat() for path in folder.rglob("*") if path.is_file()}
    return {str(name): [seen.st_size, seen.st_mtime_ns] for name, seen in files.items()}
