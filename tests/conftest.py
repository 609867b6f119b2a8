"""What all tests share: where they may run, what they may skip, and a user's home of their own."""

from __future__ import annotations

import functools
import gc
import importlib.util
import itertools
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.common.hardware import usable_cores
from core.data.store import project, project_file
from core.privacy.secrets import forget

# Pictures of screens must not depend on the terminal that the tests are started from.
os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
os.environ.pop("NO_COLOR", None)
# Each process that loads torch would compile its 3,000 modules anew: 26 s of processor, not 12.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Several workers and what they start share few cores, and a model this small gains nothing from a
# second thread: 43 s of processor for a training with one, 49 with two.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# By itself Python looks for garbage after every 700 new objects, and all the older ones of ten such
# times: what an app's start makes. Looking seldom takes a fifth off the processor time of screens.
gc.set_threshold(100_000, 20, 50)

ROOT = Path(__file__).parent.parent
_numbers = itertools.count()
SHARED = ROOT.parent / "shared"

# A worker of xdist takes a whole group, so that what its tests share is made once: a cluster, a
# browser, trained models, torch in this process (seven seconds to import).
_OF_MODELS = (
    "test_canaries", "test_evaluation", "test_export", "test_inference", "test_real_labellers",
)  # fmt: skip
_OF_COMMANDS = ("test_cli_engine", "test_guide", "test_no_network")
_OF_RUNS = (
    "test_data_order", "test_many_processes", "test_real_sweep", "test_same_seed", "test_services",
    "test_trial", "test_warm_trainer",
)  # fmt: skip
_WITH_TORCH = (
    "test_best_and_results", "test_checkpoint_file", "test_encoder_blocks", "test_evaluation_rules",
    "test_exports_read_elsewhere", "test_foreign_output", "test_full_disk_models", "test_reached",
    "test_start_checks", "test_video_tracking", "test_worker_parts",
)  # fmt: skip
# Tests of a cluster wait for it more than they compute: two of them at once, each with its own.
_FROM_HERE = (
    "test_app_on_cluster", "test_bare_cluster", "test_guide_submit", "test_jobs_command",
    "test_setup", "test_submit_autolabel", "test_submit_training",
)  # fmt: skip
# All but four of its questions are asked of one process that has the libraries of training.
_OF_LIBRARIES = ("test_late_libraries",)
# These have servers of their own, and no cluster.
_OF_SSH = ("test_odd_servers", "test_ssh_keys", "test_ssh_login")
GROUPS = {
    **dict.fromkeys(_OF_MODELS, "models"),
    **dict.fromkeys(_OF_COMMANDS, "commands"),
    **dict.fromkeys(_OF_RUNS, "runs"),
    **dict.fromkeys(_WITH_TORCH, "torch"),
    **dict.fromkeys(_OF_LIBRARIES, "libraries"),
    **dict.fromkeys(_FROM_HERE, "cluster from here"),
    **dict.fromkeys(_OF_SSH, "ssh"),
}
# What takes longest begins first, what waits before what computes; the thousands of tests in no
# group fill what is left of the cores, to the end.
FIRST = (
    "engine", "cluster", "cluster from here", "runs", "models", "test_option_c", "test_server",
    "test_label_page", "test_snap_page", "test_browser", "commands", "torch", "libraries",
    "ssh", "test_label_places", "test_label_api",
)  # fmt: skip


def pytest_xdist_auto_num_workers() -> int:
    """Return how many workers fit on this machine: three more than cores, as four groups wait much.

    One that has loaded torch takes up to 4 GB, the others one.
    """
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return max(1, min(usable_cores() + 3, int(gigabytes // 3)))


@pytest.hookimpl(trylast=True)  # after the plugin that counts tries
def pytest_configure(config: pytest.Config) -> None:
    """Let a worker ask how often a test was tried without waiting 40 ms for the answer.

    pytest-rerunfailures 16.7 writes two short lines to a socket before each test, and the kernel
    holds the second back until the first is acknowledged: four minutes of waiting in all.
    """
    counts = getattr(getattr(config, "failures_db", None), "sock", None)
    if isinstance(counts, socket.socket):
        counts.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Have what all workers import compiled before they start, when none of it is: a fresh clone.

    They import the same modules at the same time, so that each would compile all of them.
    """
    modules = sorted((ROOT / "tests").glob("*/test_*.py"))
    if config.args_source is not config.ArgsSource.TESTPATHS or any(map(_compiled, modules)):
        return
    commands = [["-c", f"import {', '.join(_TRAINING)}"]]
    cores = usable_cores()
    for at in range(cores):
        commands.append(["-m", "pytest", "--collect-only", "-qq", *map(str, modules[at::cores])])
    # Whatever cannot be imported is told by the workers.
    running = [
        subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=_NULL, stderr=_NULL)
        for words in commands
    ]
    for process in running:
        process.wait()


_NULL = subprocess.DEVNULL
# What the trainers of tests import, and with it torch and rfdetr.
_TRAINING = ("core.training.worker.session", "core.training.worker.build")


def _compiled(module: Path) -> bool:
    """Tell whether pytest, which compiles tests its own way, has compiled this one."""
    compiled = Path(importlib.util.cache_from_source(str(module)))
    return bool([*compiled.parent.glob(f"{module.stem}.*-pytest-*")])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Leave what a worker has collected to the end of its process: pytest looks at it five times.

    (`gc_collect_harder`, for exceptions that nobody saw.) Hundreds of apps are seconds each time.
    """
    gc.freeze()


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
    if early := {"rfdetr", "torch", "transformers"} & sys.modules.keys():
        raise pytest.UsageError(
            f"a module of the tests imports {', '.join(sorted(early))} as it is read: see installed"
        )
    rank = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: rank.get(_group(item), len(rank)))
    for item in items:
        folder = Path(item.path).parent.name
        item.add_marker(pytest.mark.flaky(reruns=1))
        if folder in _FOLDERS:
            item.add_marker(getattr(pytest.mark, folder))
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))


_FOLDERS = ("engine", "cluster", "gpu", "web")


def _group(item: pytest.Item) -> str:
    """Return the name of the group that a test is in, empty for one that goes anywhere."""
    module, folder = Path(item.path).stem, Path(item.path).parent.name
    if folder == "web":  # one Chromium and one server a module
        return module
    return GROUPS.get(module, folder if folder in _FOLDERS else "")


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


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """Do not have the kernel write at once what this process stores: no machine fails here.

    What is killed loses nothing by that. Children, which tests kill, write as ever.
    """

    @functools.wraps(project_file.prepare)
    def prepare(db: sqlite3.Connection) -> None:
        prepare.__wrapped__(db)
        db.execute("PRAGMA synchronous = OFF")

    with pytest.MonkeyPatch.context() as patch:
        for module in (project, project_file):
            patch.setattr(module, "prepare", prepare)
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one test, as pytest's own fixture gives it.

    That one looks through the folders of all tests before for the next free number: a fifth of the
    processor time of the unit tests.
    """
    name = re.sub(r"\W", "_", request.node.name)[:30]
    return tmp_path_factory.mktemp(f"{name}{next(_numbers)}", numbered=False)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the person's own settings out of the tests, and the tests out of them."""
    home = tmp_path_factory.mktemp(f"home{next(_numbers)}", numbered=False)
    for name in ("config", "cache"):
        (home / name).mkdir()
        monkeypatch.setenv(f"BATMAN_{name.upper()}_DIR", str(home / name))
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


@pytest.fixture(autouse=True)
def _environment_stays() -> Iterator[None]:
    """Put the environment back: a worker's `main` called in this process changes it for good."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)
