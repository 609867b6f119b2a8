"""Two trained runs that all of the engine's tests share, whichever worker of xdist has them."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from engine_models import train_learned
from engine_runs import Runs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [name for name in ("torch", "rfdetr") if importlib.util.find_spec(name) is None]
    if missing:
        skip = pytest.mark.skip(reason=f"the train extra is not installed: no {', '.join(missing)}")
        for item in items:
            if Path(item.path).parent.name == "engine":
                item.add_marker(skip)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("engine"))


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Path]) -> Path:
    """Return what `make` made of an empty folder, made by the worker that came first.

    The others wait for it; where it failed, the next tries again. A test may not change it.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # the session's folder, above that of each worker
    folder, made = base / name, base / f"{name}.made"
    with (base / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            made.write_text(str(make(folder)))
    return Path(made.read_text())


def train_six_epochs(folder: Path) -> Path:
    runs = Runs(folder)
    run = runs.make("trained")
    code = runs.train(run)
    assert code == 0, (run / "train.log").read_text()[-3000:]
    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six epochs that nobody may change."""
    return once(tmp_path_factory, "engine-trained", train_six_epochs)


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned its shapes, for what comes after training; nobody may change it."""
    return once(tmp_path_factory, "engine-learned", train_learned)
