"""One trained run that all of the engine's tests share."""

from __future__ import annotations

import importlib.util
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


@pytest.fixture(scope="session")
def trained(runs: Runs) -> Path:
    """A run of three epochs that nobody may change."""
    run = runs.make("trained")
    code = runs.train(run)
    assert code == 0, (run / "train.log").read_text()[-3000:]
    return run


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned its shapes, for what comes after training; nobody may change it."""
    return train_learned(tmp_path_factory.mktemp("learned"))
