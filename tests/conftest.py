"""What all tests share: where they may run, what they may skip, and a user's home of their own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from core.privacy.secrets import forget

# Pictures of screens must not depend on the terminal that the tests are started from.
os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
os.environ.pop("NO_COLOR", None)
# Each process that loads torch would compile its 3,000 modules anew: 26 s of processor, not 12.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"

# The engine's tests take the longest by far: two groups, so that both workers stay busy. Those
# here are about trained models, the others about training; what they share is made once.
GROUPS = dict.fromkeys(
    (
        "test_canaries", "test_cli_engine", "test_evaluation", "test_export", "test_guide",
        "test_inference", "test_no_network",
    ),
    "models",
)  # fmt: skip


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test by its argument where that is a file's content.

    Content may hold the time of day, and xdist wants the same names in every worker.
    """
    return argname if isinstance(val, bytes) and len(val) > 40 else None


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share an expensive fixture in one xdist worker.

    Processes, daemons and painted screens race with whatever else runs on a shared machine: what
    fails is tried once more before it counts, and the summary lists it as RERUN.
    """
    for item in items:
        folder = Path(item.path).parent.name
        item.add_marker(pytest.mark.flaky(reruns=1))
        if folder in ("engine", "cluster", "gpu", "web"):
            item.add_marker(getattr(pytest.mark, folder))
            item.add_marker(pytest.mark.xdist_group(GROUPS.get(Path(item.path).stem, folder)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """In CI, a test that needs the engine, the cluster or a browser may not skip: it fails."""
    outcome = yield
    report = outcome.get_result()
    needed = any(item.get_closest_marker(name) for name in ("engine", "cluster", "web"))
    needed = needed and not item.get_closest_marker("may_skip")
    if report.skipped and needed and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where it must run: {report.longrepr}"


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the person's own settings out of the tests, and the tests out of them."""
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("BATMAN_WORKSPACE", raising=False)
    # Keys that another test typed in this process are not hidden in this one's output.
    forget()


@pytest.fixture(scope="session")
def bccd() -> Path:
    """The blood-cell data set: 364 real images in Roboflow's COCO layout."""
    folder = SHARED / "data" / "bccd"
    if not (folder / "train" / "_annotations.coco.json").is_file():
        pytest.skip(f"the blood-cell data set is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def guide() -> str:
    """The user's own description of the workflow, whose commands are an interface."""
    file = SHARED / "seed" / "training-workflow-guide.md"
    if not file.is_file():
        pytest.skip(f"the guide is not at {file}")
    return file.read_text(encoding="utf-8")
