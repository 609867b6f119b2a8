"""Uploads that are cut off, sent twice or sent wrongly, and disks that do not take them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from label_server import LabelServer, label_server
from page_data import add_pictures
from serving import Served, Start
from test_label_api import Page, make_video, piece, visiting

sys.path.insert(0, str(Path(__file__).parents[1]))
from mounts import fill, read_only, small_disk

from core.common.workspace import Workspace
from core.data.store import Project

P = "/label/api/p/night-watch"
FILM = f"{P}/videos?name=film.mp4&key=abcdefgh"


@pytest.fixture
def project(workspace: Workspace) -> Path:
    path = workspace.project_path("night-watch")
    with Project.open(path) as opened:
        add_pictures(opened, 1)
    return path


class Inside:
    """What `visiting` needs of a server in a thread."""

    def __init__(self, server: LabelServer) -> None:
        self.address, self.link = server.address, server.link


@pytest.fixture
async def page(project: Path, workspace: Workspace) -> AsyncIterator[Page]:
    with label_server(workspace) as server:
        async with visiting(Inside(server)) as opened:  # type: ignore[arg-type]
            yield opened


def png(colour: int = 90, side: int = 64) -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (side, side), (colour, 10, 10)).save(file, "PNG")
    return file.getvalue()


async def names(page: Page) -> list[str]:
    return [one["name"] for one in (await page.get(f"{P}/images"))["images"]]


async def ended(page: Page, job: str) -> Any:
    async with asyncio.timeout(30):
        while (told := await page.get(f"/label/api/jobs/{job}"))["state"] == "running":
            await asyncio.sleep(0.02)
    return told


@pytest.mark.parametrize("said", ["bytes 5-2/10", "bytes 10-19/10", "bytes 0-10/10", "bytes 0-9/5"])
async def test_a_range_outside_its_file(page: Page, project: Path, said: str) -> None:
    head = {"Content-Range": said}
    status, told, _ = await page.ask("POST", FILM, data=b"x" * 10, headers=head)
    assert (status, told["error"]) == (400, "That is no range of the file's bytes.")
    assert not (project / "uploads").exists()


async def test_an_upload_goes_on_as_the_file_it_was_begun_as(page: Page, tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4")
    half = len(film) // 2
    assert (await page.ask("POST", FILM, **piece(film, 0, half)))[0] == 200
    # The same key with a file of another size, or another name, is another file.
    other = {"data": b"x" * 9, "headers": {"Content-Range": f"bytes {half}-{half + 8}/{half + 9}"}}
    status, told, _ = await page.ask("POST", FILM, **other)
    assert (status, told["received"]) == (409, half)
    assert f"begun as 'film.mp4' of {len(film):,} bytes" in told["error"]
    renamed = FILM.replace("film.mp4", "movie.mp4")
    assert (await page.ask("POST", renamed, **piece(film, half, len(film))))[0] == 409
    # A piece that is longer than it says is not taken for the rest.
    long = piece(film, half, half + 9)
    status, told, _ = await page.ask("POST", FILM, data=film[half:], headers=long["headers"])
    assert status == 413
    seen = await page.get(f"{P}/uploads/abcdefgh")
    assert (seen["total"], seen["received"] <= half + 9) == (len(film), True)
    rest = piece(film, seen["received"], len(film))
    status, told, _ = await page.ask("POST", FILM, **rest)
    assert (status, told["upload"]) == (200, "abcdefgh")


async def test_frames_of_what_has_not_arrived(page: Page, project: Path, tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4")
    await page.ask("POST", FILM, **piece(film, 0, len(film) // 2))
    wish = {"upload": "abcdefgh", "every": 0.5}
    told = await page.post(f"{P}/frames", wish, 409)
    assert told["error"] == (f"Of 'film.mp4' {len(film) // 2:,} of {len(film):,} bytes are here.")
    await page.ask("POST", FILM, **piece(film, len(film) // 2, len(film)))
    # Asked for twice, as by a second click, they are taken once.
    first = await page.post(f"{P}/frames", wish)
    second = await page.ask("POST", f"{P}/frames", wish)
    assert (second[0], "already" in second[1]["error"]) == (423, True)
    assert (await ended(page, first["job"]))["text"] == "4 frames of film.mp4"
    assert (await page.get(f"{P}/images"))["total"] == 5


async def test_a_film_that_ends_its_reader_ends_nothing_else(
    page: Page, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decoders are native code: here they end their process, as a fault of theirs would."""
    film = make_video(tmp_path / "film.mp4")
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text(
        "import sys\n"
        "class Ends:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'av' and 'video' in ' '.join(sys.orig_argv):\n"
        "            import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n"
        "sys.meta_path.insert(0, Ends())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(own))
    status, told, _ = await page.ask("POST", FILM, **piece(film, 0, len(film)))
    assert (status, "The reader of videos was ended by SIGSEGV" in told["error"]) == (415, True)
    assert list((project / "uploads").iterdir()) == []
    assert await names(page) == ["picture-00000.png"]


async def test_a_damaged_film_says_what_is_missing(page: Page, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the video extra is not installed")
    whole = make_video(tmp_path / "film.mkv")
    film = whole[: len(whole) * 2 // 3]
    address = FILM.replace("mp4", "mkv")
    status, told, _ = await page.ask("POST", address, **piece(film, 0, len(film)))
    assert status == 200, told
    job = (await page.post(f"{P}/frames", {"upload": "abcdefgh", "every": 0.1}))["job"]
    told = await ended(page, job)
    assert told["state"] == "done"
    assert "; damaged video: it " in told["text"]


async def test_a_picture_whose_answer_was_lost_is_there_once(page: Page) -> None:
    address, body = f"{P}/pictures?name=a.png", {"data": png(), "headers": {}}
    assert (await page.ask("POST", address, **body))[1]["images"] == 1
    status, told, _ = await page.ask("POST", address, **body)
    assert (status, told["images"], told["note"]) == (200, 0, "'a.png' is in the project already.")
    assert await names(page) == ["picture-00000.png", "a.png"]
    # Another picture of that name is another picture; and one that was undone comes again.
    other = await page.ask("POST", address, data=png(200))
    assert other[1]["images"] == 1
    await page.post(f"{P}/undo", {"id": (await page.get(P))["newest"]})
    assert (await page.ask("POST", address, data=png(200)))[1]["images"] == 1
    assert (await names(page)).count("a.png") == 2


async def test_two_at_once_of_the_same_name(page: Page) -> None:
    address = f"{P}/pictures?name=a.png"
    more = await asyncio.gather(*(page.ask("POST", address, data=png()) for _ in range(4)))
    assert {status for status, _, _ in more} <= {200, 423}
    assert sum(told.get("images", 0) for _, told, _ in more) == 1
    assert (await names(page)).count("a.png") == 1


@contextlib.asynccontextmanager
async def slowly(served: Served, page: Page) -> AsyncIterator[asyncio.StreamWriter]:
    """Send half of an upload, and leave it at that."""
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    cookies = page.session.cookie_jar.filter_cookies(aiohttp.client.URL(served.address))
    cookie = "; ".join(f"{name}={one.value}" for name, one in cookies.items())
    writer.write(
        f"POST {FILM} HTTP/1.1\r\nHost: localhost:{served.port}\r\nCookie: {cookie}\r\n"
        "Content-Length: 1000000\r\nContent-Range: bytes 0-999999/1000000\r\n\r\n".encode()
        + bytes(300_000)
    )
    await writer.drain()
    try:
        yield writer
    finally:
        writer.close()


async def received(page: Page) -> int:
    _, told, _ = await page.ask("GET", f"{P}/uploads/abcdefgh")
    return int(told.get("received", 0))


async def test_the_end_does_not_wait_for_an_upload(project: Path, start: Start) -> None:
    served = start()
    async with visiting(served) as page, slowly(served, page):
        async with asyncio.timeout(20):
            while not await received(page):
                await asyncio.sleep(0.02)
        began = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(served.process.wait, 30) == 0
        assert time.monotonic() - began < 3
    assert (project / "uploads/abcdefgh/1000000/film.mp4").stat().st_size > 0


async def test_a_connection_that_breaks_leaves_what_came(project: Path, start: Start) -> None:
    served = start()
    async with visiting(served) as page:
        async with slowly(served, page), asyncio.timeout(20):
            while not await received(page):
                await asyncio.sleep(0.02)
        film = piece(bytes(1_000_000), 0, 1)
        async with asyncio.timeout(20):  # until the server has seen that nobody is there
            while (answer := await page.ask("POST", FILM, **film))[0] == 423:
                await asyncio.sleep(0.02)
        status, told, _ = answer
        assert (status, told["received"] > 0) == (409, True)
    assert "Traceback" not in "\n".join(served.printed)


async def test_a_disk_without_room(workspace: Workspace, project: Path, tmp_path: Path) -> None:
    with small_disk(project / "uploads", "70m"), label_server(workspace) as server:
        async with visiting(Inside(server)) as page:  # type: ignore[arg-type]
            begun = piece(bytes(5_000_000), 0, 1_000_000)
            assert (await page.ask("POST", FILM, **begun))[0] == 200
            fill(project / "uploads" / "rest")
            head = {"Content-Range": "bytes 1000000-4999999/5000000"}
            status, told, _ = await page.ask("POST", FILM, data=bytes(4_000_000), headers=head)
            assert (status, "no room" in told["error"]) == (507, True)


async def test_a_disk_that_fills_up_meanwhile(
    page: Page, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.label.received._SPARE", -(1 << 40))
    with small_disk(project / "uploads", "1m"):
        status, told, _ = await page.ask("POST", FILM, **piece(bytes(5_000_000), 0, 5_000_000))
        assert (status, told["error"].startswith("The disk is full: ")) == (507, True)
        status, told, _ = await page.ask("POST", f"{P}/pictures?name=a.png", data=bytes(2 << 20))
        assert (status, told["error"].startswith("The disk is full: ")) == (507, True)


async def test_a_project_that_may_only_be_read(page: Page, project: Path) -> None:
    add = {"ops": [{"op": "add", "class": 1, "box": [1, 1, 9, 9]}]}
    with read_only(project):
        for path, how in (
            (FILM, piece(b"film", 0, 4)),
            (f"{P}/pictures?name=a.png", {"data": png()}),
            (f"{P}/images/1/ops", {"json": add}),
        ):
            status, told, _ = await page.ask("POST", path, **how)
            assert (400 <= status < 500, told.get("error", "")[:1] != "") == (True, True), told
            assert "permission" in told["hint"], told
