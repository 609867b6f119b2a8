"""The labelling page's requests, one by one: what each answers, and with which status."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from page_data import add_pictures, suggest
from PIL import Image
from serving import ROOT, Served, Start

from core.common.workspace import Workspace
from core.data.labels.edit import edit
from core.data.labels.ops import Add
from core.data.labels.view import picture_labels
from core.data.store import Project
from core.data.store.lock import write_lock

P = "/label/api/p/night-watch"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def project(workspace: Workspace) -> Path:
    """A project with three pictures, two classes and a suggestion."""
    path = workspace.project_path("night-watch")
    with Project.open(path) as opened:
        add_pictures(opened, 3)
        suggest(opened, [(1, 1, (10, 10, 30, 30), 0.9), (2, 1, (10, 10, 30, 30), 0.4)])
    return path


@pytest.fixture
async def page(project: Path, start: Start) -> AsyncIterator[Page]:
    """A client that came in through the link of a server of that project."""
    async with visiting(start()) as opened:
        yield opened


class Page:
    """Requests to a server, by path."""

    def __init__(self, served: Served, session: aiohttp.ClientSession) -> None:
        self.served = served
        self.session = session

    async def ask(
        self, method: str, path: str, body: Any = None, **how: Any
    ) -> tuple[int, Any, Any]:
        """Return status, JSON (or bytes) and headers of an answer."""
        if body is not None:
            how = {"data": json.dumps(body), "headers": JSON} | how
        address = self.served.address + path
        async with self.session.request(method, address, allow_redirects=False, **how) as answer:
            raw = await answer.read()
            given = answer.content_type == "application/json"
            return answer.status, json.loads(raw) if given else raw, answer.headers

    async def get(self, path: str) -> Any:
        status, value, _ = await self.ask("GET", path)
        assert status == 200, value
        return value

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        got, value, _ = await self.ask("POST", path, body)
        assert got == status, value
        return value


@contextlib.asynccontextmanager
async def visiting(served: Served) -> AsyncIterator[Page]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with asyncio.timeout(60), aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.get(served.link, allow_redirects=False) as answer:
            assert answer.status == 303
        yield Page(served, session)


def add(box: list[float], class_id: int = 1) -> dict[str, Any]:
    return {"op": "add", "class": class_id, "box": box}


async def test_the_guides_address_opens_the_labelling_page(start: Start) -> None:
    """`./scripts/run_dev.sh` as the guide has it; the app is one address away."""
    served = start("--first", "label")
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.get(served.link) as answer:
            assert (answer.status, answer.url.path) == (200, "/label/")
            assert "label/main.js" in await answer.text()
        async with session.get(served.address) as answer:
            assert answer.url.path == "/label/"
        async with session.get(f"{served.address}/label") as answer:
            assert answer.url.path == "/label/"
        async with session.get(f"{served.address}/app") as answer:
            assert 'id="terminal"' in await answer.text()
    assert f"{served.address}/app" in "\n".join(served.printed)


async def test_from_an_empty_workspace_to_a_label(page: Page, project: Path) -> None:
    await page.post("/label/api/projects", {"name": "docks", "description": "ships"}, 201)
    status, told, _ = await page.ask("POST", "/label/api/projects", {"name": "docks"})
    assert (status, "docks" in told["error"]) == (409, True)
    docks = "/label/api/p/docks"
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 10, 10)).save(file, "PNG")
    image = {"data": file.getvalue(), "headers": {"Content-Type": "image/png"}}
    status, made, _ = await page.ask("POST", f"{docks}/pictures?name=a%20b.png", **image)
    assert (status, made["images"]) == (200, 1)
    made = (await page.get(f"{docks}/images"))["images"][0]
    ship = await page.post(f"{docks}/classes", {"name": "<b>ship</b>"})
    done = await page.post(
        f"{docks}/images/{made['id']}/ops", {"key": "k", "ops": [add([1, 2, 30, 20], ship["id"])]}
    )
    assert done["image"]["boxes"][0]["box"] == [1, 2, 30, 20]
    seen = await page.get(docks)
    assert [(one["name"], one["annotations"]) for one in seen["classes"]] == [("<b>ship</b>", 1)]
    listed = {one["name"]: one for one in await page.get("/label/api/projects")}
    assert (listed["docks"]["images"], listed["docks"]["annotations"]) == (1, 1)
    status, jpeg, headers = await page.ask("GET", f"{docks}/images/{made['id']}/picture?w=32")
    assert (status, headers["Cache-Control"].partition(",")[0]) == (200, "private")
    with Image.open(io.BytesIO(jpeg)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (32, 24))
    # Nothing of what was uploaded is left beside the project's pictures.
    assert list((project.parent / "docks" / "uploads").iterdir()) == []


async def test_an_edit_its_conflict_and_a_repeated_key(page: Page) -> None:
    first = {"key": "k1", "ops": [add([5, 5, 20, 20])]}
    done = await page.post(f"{P}/images/1/ops", first)
    assert await page.post(f"{P}/images/1/ops", first) == done
    [number] = done["ids"]
    was = {"box": [5, 5, 20, 20], "class": 1}
    move = {"op": "set", "id": number, "was": was, "box": [6, 5, 20, 20]}
    await page.post(f"{P}/images/1/ops", {"key": "k2", "ops": [move]})
    told = await page.post(f"{P}/images/1/ops", {"key": "k3", "ops": [move]}, 409)
    assert told["image"]["boxes"][0]["box"] == [6, 5, 20, 20]
    assert len((await page.get(f"{P}/images/1"))["boxes"]) == 1


async def test_undo_and_redo_name_their_change(page: Page, project: Path) -> None:
    mine = await page.post(f"{P}/images/1/ops", {"ops": [add([5, 5, 20, 20])]})
    with Project.open(project) as other:  # as the app does
        theirs = edit(other, 2, [Add(1, (1, 1, 9, 9))])
    done = await page.post(f"{P}/undo", {"id": mine["history"]})
    assert done["undone"]["image"] == 1
    assert (await page.get(f"{P}/images/1"))["boxes"] == []
    assert len((await page.get(f"{P}/images/2"))["boxes"]) == 1
    again = await page.post(f"{P}/redo", {"id": done["undone"]["id"]})
    assert again["redone"]["image"] == 1
    assert len((await page.get(f"{P}/images/1"))["boxes"]) == 1

    # What somebody built upon is not taken back, and it is said whose it is.
    with Project.open(project) as other:
        [box] = picture_labels(other, 2).boxes
    was = {"box": list(box.box), "class": 1}
    mend = {"op": "set", "id": box.id, "was": was, "box": [2, 2, 9, 9]}
    await page.post(f"{P}/images/2/ops", {"ops": [mend]})
    told = await page.post(f"{P}/undo", {"id": theirs.history_id}, 409)
    assert told["newest"]
    await page.post(f"{P}/undo", {"id": 999_999}, 409)
    for which in ("undo", "redo"):  # the newest may be anybody's
        await page.post(f"{P}/{which}", {}, 400)


async def test_suggestions_are_shown_and_decided(page: Page) -> None:
    seen = await page.get(f"{P}/images/1")
    [suggestion] = seen["suggestions"]
    assert suggestion["score"] == 0.9
    crops = await page.get(f"{P}/crops?class=1&least=0.1&n=1")
    assert ([one["id"] for one in crops["crops"]], crops["total"]) == ([suggestion["id"]], 2)
    rest = await page.get(f"{P}/crops?class=1&least=0.1&n=5&after={crops['next']}")
    assert [one["image"] for one in rest["crops"]] == [2]
    status, jpeg, _ = await page.ask("GET", f"{P}/suggestions/{suggestion['id']}/crop?w=40")
    assert (status, jpeg[:2]) == (200, b"\xff\xd8")
    body = {"key": "page-1", "accept": [suggestion["id"]], "reject": [rest["crops"][0]["id"]]}
    done = await page.post(f"{P}/review", body)
    assert (await page.post(f"{P}/review", body))["history"] == done["history"]
    assert (await page.get(P))["progress"]["open_suggestions"] == 0
    assert (await page.get(f"{P}/images/1"))["boxes"][0]["source"] == "model"
    await page.post(f"{P}/undo", {"id": done["history"]})
    assert (await page.post(f"{P}/accept", {"class": 1, "least": 0.5}))["history"]
    assert (await page.post(f"{P}/reject", {"class": 1, "least": 0.0}))["history"]
    assert (await page.post(f"{P}/reject", {"class": 1, "least": 0.0}))["history"] is None


async def test_lists_of_pictures_go_on_where_they_ended(page: Page) -> None:
    names, after = [], ""
    while after is not None:
        got = await page.get(f"{P}/images?order=name&n=2{after and f'&after={after}'}")
        assert got["total"] == 3
        names += [one["name"] for one in got["images"]]
        after = got["next"]
    assert names == sorted(names)
    assert len(names) == 3
    queue = (await page.get(f"{P}/images?order=queue"))["images"]
    assert {one["id"] for one in queue} == {1, 2}
    for order in ("time", "id"):
        assert len((await page.get(f"{P}/images?order={order}"))["images"]) == 3
    assert (await page.get(f"{P}/images?filter=is:open"))["total"] == 2
    await page.post(f"{P}/images/3/ops", {"ops": [{"op": "review", "state": "done"}]})
    assert (await page.get(f"{P}/images?filter=is:reviewed"))["images"][0]["review"] == "done"
    first = await page.get(f"{P}/images/1")
    assert (first["previous"], first["next"]) == (None, 2)


async def test_classes_are_named_prompted_and_merged(page: Page) -> None:
    assert await page.ask("PATCH", f"{P}/classes/1", {"name": "cat"})
    prompts = {"prompts": {"phrases": ["grey cat"], "least": 0.3}}
    status, _, _ = await page.ask("PATCH", f"{P}/classes/1", prompts)
    assert status == 200
    classes = {one["id"]: one for one in (await page.get(P))["classes"]}
    assert classes[1]["name"] == "cat"
    assert classes[1]["prompts"].items() >= {"phrases": ["grey cat"], "least": 0.3}.items()
    await page.post(f"{P}/classes/merge", {"sources": [2], "target": 1})
    assert [one["id"] for one in (await page.get(P))["classes"]] == [1]
    await page.post(f"{P}/classes", {"name": "cat"}, 400)
    await page.post(f"{P}/classes", {"name": "  "}, 400)
    await page.post(f"{P}/classes/merge", {"sources": [7], "target": 1}, 404)


NO = "application/x-www-form-urlencoded"
REFUSED: list[tuple[str, str, dict[str, Any], int]] = [
    ("POST", f"{P}/images/1/ops", {"data": "ops=[]", "headers": {"Content-Type": NO}}, 415),
    ("POST", f"{P}/undo", {"data": "{}", "headers": {"Content-Type": "text/plain"}}, 415),
    ("POST", f"{P}/images/1/ops", {"data": b"x" * (1 << 20) + b"x", "headers": JSON}, 413),
    ("POST", f"{P}/images/1/ops", {"data": "{", "headers": JSON}, 400),
    ("POST", f"{P}/images/1/ops", {"data": "[" * 100_000, "headers": JSON}, 400),
    ("POST", f"{P}/images/1/ops", {"data": '{"ops": [{"op": "fly"}]}', "headers": JSON}, 400),
    ("POST", f"{P}/images/1/ops", {"json": {"ops": [add([1, 1, 5, 5], 99)]}}, 400),
    ("POST", f"{P}/images/1/ops", {"json": {"ops": [add([1, 1, 5, 5], 10**30)]}}, 400),
    ("POST", f"{P}/images/1/ops", {"json": {"ops": [add([900, 900, 5, 5])]}}, 400),
    ("POST", f"{P}/images/1/ops", {"json": {"ops": [], "key": "k" * 999}}, 400),
    ("POST", f"{P}/images/77/ops", {"json": {"ops": [add([1, 1, 5, 5])]}}, 404),
    ("GET", f"{P}/images/77", {}, 404),
    ("GET", f"{P}/images/77/picture", {}, 404),
    ("GET", f"{P}/images/..%2f..%2fproject.db/picture", {}, 404),
    ("GET", f"{P}/images/1.png/picture", {}, 404),
    ("GET", f"{P}/images/{'9' * 40}", {}, 404),
    ("GET", f"{P}/suggestions/77/crop", {}, 404),
    ("GET", "/label/api/p/..%2f..%2f..%2fetc", {}, 404),
    ("GET", "/label/api/p/nowhere", {}, 404),
    ("GET", f"{P}/images?n=many", {}, 400),
    ("GET", f"{P}/images?order=size", {}, 400),
    ("GET", "/label/api/jobs/1", {}, 404),
    ("GET", f"{P}/uploads/12345678", {}, 404),
    ("GET", f"{P}/uploads/..%2f..%2fx", {}, 400),
    ("GET", f"{P}/tracks?grp=none", {}, 400),
    ("POST", f"{P}/tracks/link", {"json": {"video": "none"}}, 400),
    ("POST", f"{P}/tracks/link", {"json": {}}, 400),
    ("PUT", f"{P}/images/1", {"json": {}}, 405),
    ("POST", "/label/api/projects", {"json": {"name": "../evil"}}, 400),
    ("POST", "/label/api/projects", {"json": {"name": ""}}, 400),
    ("POST", f"{P}/videos?name=film.mp4&key=12345678", {"data": b"no film at all"}, 415),
    ("POST", f"{P}/videos?name=film.exe&key=12345678", {"data": b"MZ"}, 415),
    ("POST", f"{P}/videos?name=film.mp4&key=../../../x", {"data": b"x"}, 400),
    ("POST", f"{P}/videos?name=f.mp4&key=12345678", {"headers": {"Content-Range": "x"}}, 400),
    ("POST", f"{P}/videos?key=12345678", {"data": b"x"}, 400),
    ("POST", f"{P}/pictures?name=a.png", {"data": b"no picture"}, 400),
    ("POST", f"{P}/pictures?name=a.html", {"data": b"<script>"}, 400),
    ("POST", f"{P}/frames", {"json": {"upload": "12345678", "every": 1}}, 404),
    ("POST", f"{P}/passes", {"json": {"with": "no-such-run"}}, 400),
]


async def test_what_is_refused_changes_nothing(page: Page, project: Path) -> None:
    before = content(project)
    wrong = []
    for method, path, how, wanted in REFUSED:
        status, told, _ = await page.ask(method, path, **how)
        if status != wanted or not isinstance(told, dict) or not told["error"]:
            wrong.append((method, path, wanted, status, told))
    assert not wrong, "\n".join(map(str, wrong))
    assert content(project) == before
    uploads = project / "uploads"
    assert not uploads.exists() or list(uploads.iterdir()) == []


def content(project: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(project / "project.db")) as db:
        return list(db.iterdump())


@pytest.mark.parametrize(
    ("headers", "cookie", "status"),
    [
        ({}, False, 401),
        ({"Cookie": "batman-{port}=wrong"}, False, 401),
        ({"Host": "evil.example"}, True, 403),
        ({"Origin": "http://evil.example"}, True, 403),
        ({"Origin": "http://localhost:1"}, True, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, True, 403),
    ],
)
async def test_who_may_not_come_in(
    page: Page, project: Path, headers: dict[str, str], cookie: bool, status: int
) -> None:
    before = content(project)
    port = str(page.served.port)
    given = {name: text.replace("{port}", port) for name, text in headers.items()} | JSON
    async with aiohttp.ClientSession() as stranger:
        session = page.session if cookie else stranger
        for method, path in (
            ("POST", f"{P}/images/1/ops"), ("GET", f"{P}/images/1/picture"), ("GET", "/label/"),
            ("POST", f"{P}/videos?name=a.mp4"), ("GET", "/label/api/events"),
        ):  # fmt: skip
            body = json.dumps({"ops": [add([1, 1, 5, 5])]}) if method == "POST" else None
            address = page.served.address + path
            async with session.request(method, address, data=body, headers=given) as answer:
                assert answer.status == status, path
    async with stranger_with_token(page.served, "wrong") as answer:
        assert answer.status == 401
    assert content(project) == before


@contextlib.asynccontextmanager
async def stranger_with_token(served: Served, token: str) -> AsyncIterator[aiohttp.ClientResponse]:
    address = f"{served.address}/label/api/projects?token={token}"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        yield answer


async def test_a_project_that_is_being_changed_names_who_does(page: Page, project: Path) -> None:
    with write_lock(project / "project.lock", "importing <b>ships</b>"):
        status, told, headers = await page.ask(
            "POST", f"{P}/images/1/ops", {"ops": [add([1, 1, 5, 5])]}
        )
        assert (status, headers["Retry-After"]) == (423, "2")
        assert "importing <b>ships</b>" in told["holder"]
        # Others are answered meanwhile: nobody waits on the event loop.
        waiting = asyncio.create_task(page.ask("POST", f"{P}/undo", {"id": 1}))
        began = time.monotonic()
        await page.get(f"{P}/images/1")
        assert time.monotonic() - began < 1
        assert not waiting.done()
        assert (await waiting)[0] == 423


async def test_everybody_hears_of_a_change(page: Page, project: Path) -> None:
    async with page.session.get(f"{page.served.address}/label/api/events") as stream:
        assert stream.content_type == "text/event-stream"
        await stream.content.readline()
        await page.get(P)
        done = await page.post(f"{P}/images/2/ops", {"ops": [add([1, 1, 5, 5])]})
        told = await heard(stream)
        assert (told["project"], told["image"]) == ("night-watch", 2)
        assert told["history"] == done["history"]

        # What the app writes is heard too; the server has to have looked once before.
        async with asyncio.timeout(20):
            while True:
                with Project.open(project) as other:
                    theirs = edit(other, 3, [Add(1, (1, 1, 9, 9))]).history_id
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        told = await heard(stream)
                        break
        assert (told["image"], told["history"] <= theirs) == (3, True)


async def heard(stream: aiohttp.ClientResponse) -> dict[str, Any]:
    while True:
        line = (await stream.content.readline()).decode()
        if line.startswith("data: "):
            return dict(json.loads(line[6:]))


async def test_an_open_stream_does_not_hold_up_the_end(page: Page) -> None:
    async with page.session.get(f"{page.served.address}/label/api/events") as stream:
        await stream.content.readline()
        began = time.monotonic()
        page.served.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(page.served.process.wait, 30) == 0
        assert time.monotonic() - began < 1.5


async def test_an_upload_goes_on_after_the_server_was_killed(
    page: Page, project: Path, start: Start, tmp_path: Path
) -> None:
    film = make_video(tmp_path / "film.mp4")
    half = len(film) // 2
    address = f"{P}/videos?name=film.mp4&key=abcdefgh"
    status, got, _ = await page.ask("POST", address, **piece(film, 0, half))
    assert (status, got) == (200, {"received": half})
    page.served.process.kill()
    page.served.process.wait()

    async with visiting(start()) as second:
        assert (await second.get(f"{P}/uploads/abcdefgh"))["received"] == half
        status, told, _ = await second.ask("POST", address, **piece(film, 0, half))
        assert (status, told["received"]) == (409, half)
        status, got, _ = await second.ask("POST", address, **piece(film, half, len(film)))
        assert (status, got["upload"]) == (200, "abcdefgh")
        job = (await second.post(f"{P}/frames", {"upload": "abcdefgh", "every": 0.5}))["job"]
        async with asyncio.timeout(30):
            while (told := await second.get(f"/label/api/jobs/{job}"))["state"] == "running":
                await asyncio.sleep(0.05)
        assert told["state"] == "done", told
        videos = (await second.get(f"{P}/tracks"))["videos"]
        [shown] = videos
        frames = await second.get(f"{P}/tracks?grp={shown['name']}")
        assert [one["time"] for one in frames["pictures"]] == [0.0, 0.5, 1.0, 1.5]
    assert list((project / "uploads").iterdir()) == []


def piece(film: bytes, first: int, end: int) -> dict[str, Any]:
    said = f"bytes {first}-{end - 1}/{len(film)}"
    return {"data": film[first:end], "headers": {"Content-Range": said}}


def make_video(path: Path) -> bytes:
    av = pytest.importorskip("av", reason="the video extra is not installed")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            picture = Image.new("RGB", (64, 48), (number * 12, 90, 255 - number * 12))
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))
    return path.read_bytes()


async def test_a_file_larger_than_allowed_or_than_the_disk(page: Page, project: Path) -> None:
    head = {"Content-Range": f"bytes 0-9/{21 << 30}"}
    address = f"{P}/videos?name=film.mp4&key=abcdefgh"
    status, told, _ = await page.ask("POST", address, data=b"x" * 10, headers=head)
    assert (status, "--max-upload" in told["hint"]) == (413, True)
    # More than was announced is not kept.
    head = {"Content-Range": "bytes 0-9/10"}
    status, _, _ = await page.ask("POST", address, data=b"x" * 20, headers=head)
    assert status == 413


async def test_over_a_unix_socket(project: Path, start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir(mode=0o700)
    path = folder / "batman.sock"
    served = start("--socket", str(path), "--first", "label")
    connector = aiohttp.UnixConnector(str(path))
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:
        async with session.get(f"{served.address}{P}") as answer:
            assert answer.status == 401
        async with session.get(served.link) as answer:
            assert (answer.status, answer.url.path) == (200, "/label/")
        async with session.get(f"{served.address}{P}") as answer:
            assert (await answer.json())["name"] == "night-watch"


def test_the_sources_have_no_address_of_another_host() -> None:
    for path in (ROOT / "web" / "label").glob("*.py"):
        assert "https://" not in path.read_text(), path
