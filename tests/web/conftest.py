"""Real servers for the tests of the door and of what is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.common.workspace import Workspace
from core.data.store import Project

pytest.importorskip("aiohttp", reason="the serve extra is not installed")
pytest.importorskip("textual_serve", reason="the serve extra is not installed")

from browsers import ARGUMENTS, CHROMIUM
from label_server import LabelServer, label_server
from label_tab import Tab, make_project
from serving import Served, Start, end, serve
from yarl import URL


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a module."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LabelServer]:
    """The labelling page with one project."""
    made = Workspace(tmp_path / "workspace")
    make_project(made.projects_dir)
    with label_server(made) as started:
        yield started


@pytest.fixture(scope="module")
def room(browser: Any) -> Iterator[Any]:
    """The context that the tests of a module have one after the other, with a page that stays.

    As long as a page is there the process that draws is, too, and serves all pages that follow:
    starting another for each context was two fifths of what a test took.
    """
    made = browser.new_context(viewport={"width": 1280, "height": 720})
    made.set_default_timeout(20_000)
    made.new_page()
    yield made
    made.close()


@pytest.fixture
def context(room: Any) -> Iterator[Any]:
    """A browser as it is after the installation: no cookies, nothing stored, the network there."""
    visited: set[str] = set()

    def opened(page: Any) -> None:
        page.on("framenavigated", lambda frame: visited.add(frame.url))

    room.on("page", opened)
    yield room
    room.remove_listener("page", opened)
    stays, *others = room.pages
    for page in others:
        page.close()
    room.unroute_all()
    room.set_offline(False)
    room.clear_cookies()
    # A server of another test may have this one's port, and with it all that its pages have kept.
    session = room.new_cdp_session(stays)
    for origin in {str(URL(url).origin()) for url in visited if url.startswith("http")}:
        wanted = {"origin": origin, "storageTypes": "all"}
        session.send("Storage.clearDataForOrigin", wanted)
    session.detach()


@pytest.fixture
def tab(context: Any, server: LabelServer) -> Iterator[Tab]:
    """A tab at the first picture, which must have complained of nothing in the end."""
    opened = Tab(context, server, 1)
    yield opened
    assert opened.said == []
