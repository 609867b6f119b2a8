"""Trained runs that all of the engine's tests share, whichever worker of xdist has them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_models import copy_of, look_with, run_demo
from engine_once import changed, once
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


@pytest.fixture(autouse=True)
def _no_trainer_stays(request: pytest.FixtureRequest) -> Iterator[None]:
    """End what a test that failed has left running: it would take its processor from the others."""
    yield
    if "runs" in request.fixturenames:
        runs: Runs = request.getfixturevalue("runs")
        runs.end_all()


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
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of `batman demo`, which nobody may change."""
    return once(tmp_path_factory, "engine-demo", run_demo)


@pytest.fixture(scope="session")
def looked_with(demonstrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it with the ONNX that a look makes; nobody may change it."""
    return once(tmp_path_factory, "engine-looked-with", lambda to: look_with(demonstrated, to))


@pytest.fixture(scope="module")
def learned(looked_with: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned its shapes, a copy for the tests of one module.

    What looks with a run writes in its folder.
    """
    return copy_of(looked_with, tmp_path_factory.mktemp("learned"))


@pytest.fixture(autouse=True)
def _shared_runs_stay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the test, or one beside it, that changes what others share and may rely on."""
    yield
    assert changed(tmp_path_factory) == []
