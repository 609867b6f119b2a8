"""Real servers for the tests of the door and of what is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.common.workspace import Workspace
from core.data.store import Project

pytest.importorskip("aiohttp", reason="the serve extra is not installed")
pytest.importorskip("textual_serve", reason="the serve extra is not installed")

from serving import Served, Start, end, serve


def make_workspace(folder: Path) -> Workspace:
    """Make a workspace with one project."""
    made = Workspace(folder / "workspace")
    Project.create(made.project_path("night-watch")).close()
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


@pytest.fixture
def start(workspace: Workspace, tmp_path: Path) -> Iterator[Start]:
    """Start servers with options; each ends with the test, and its apps with it."""
    started: list[Served] = []

    def begin(*options: str) -> Served:
        started.append(serve(workspace.root, tmp_path, *options))
        return started[-1]

    yield begin
    for served in started:
        end(served)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for tests that leave it as it is."""
    home = tmp_path_factory.mktemp("running")
    served = serve(make_workspace(home).root, home)
    yield served
    end(served)
