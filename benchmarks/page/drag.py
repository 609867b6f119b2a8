"""A drag on the labelling page and in Annotorious: how long the main thread of the tab is busy.

Both show the same picture in the same size with the same 500 boxes in the same Chromium; the same
box is chosen by a click and dragged by 40 moves of the mouse. Chromium's own count of what its main
thread did (`TaskDuration` of the DevTools protocol's `Performance.getMetrics`) is read before the
press and after what the drag set going; on our page that is the saving too.

Annotorious comes from the npm registry, at a fixed version, into a folder of its own.
"""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE, VERSION = "@annotorious/annotorious", "3.8.10"
SIZE, BOXES, STEPS, ROUNDS = (3840, 2160), 500, 40, 5
WINDOW = {"width": 1280, "height": 720}
AFTER_MS = 400
"""What a drag sets going, a save among it, is done by then."""

# The box that is dragged: no other is on it, and none on its way.
DRAGGED, BY = (200, 200, 400, 300), (900, 500)
FREE = (100, 100, 1700, 1200)
PROJECT = "drag"

_ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
_HTML = """<!doctype html><link rel="stylesheet" href="annotorious.css">
<style>body { margin: 0 }</style><img id="picture" src="picture.jpg" width="%d">
<script src="annotorious.js"></script>"""
# As its documentation has it: https://annotorious.dev/api-reference/image-annotation/
_BEGIN = """boxes => {
  window.anno = Annotorious.createImageAnnotator(document.getElementById('picture'));
  anno.setAnnotations(boxes.map(([x, y, w, h], at) => ({ id: String(at), bodies: [], target: {
    annotation: String(at), selector: { type: 'RECTANGLE', geometry: {
      x, y, w, h, bounds: { minX: x, minY: y, maxX: x + w, maxY: y + h } } } } })));
}"""
_WHERE = "() => anno.getAnnotationById('0').target.selector.geometry.x"


class Skipped(Exception):
    """What this needs is not to be had; the text says what."""


@dataclass(frozen=True)
class Busy:
    """Seconds of the main thread for one drag, at the median."""

    ours: float
    peer: float

    @property
    def ratio(self) -> float:
        """Return our share of the peer's."""
        return self.ours / self.peer


def boxes() -> list[tuple[int, int, int, int]]:
    """Return the box that is dragged, and 499 where it does not come."""
    dice = random.Random(8)
    found = [DRAGGED]
    while len(found) < BOXES:
        x, y = dice.randrange(SIZE[0] - 200), dice.randrange(SIZE[1] - 150)
        if x > FREE[2] or y > FREE[3]:
            found.append((x, y, dice.randrange(40, 200), dice.randrange(40, 150)))
    return found


def fill(path: Path) -> None:
    """Make the project of the picture, of noise, and its boxes."""
    from PIL import Image

    from core.data.store import Project

    with Project.create(path) as project:
        with project.change("import", "made") as change:
            change.insert("imports", {"kind": "b", "origin": "b", "at": "2026", "active": 1})
            change.insert("classes", {"name": "hook"})
            change.insert("labels", {"import_id": 1, "name": "hook", "class_id": 1})
            row = {"import_id": 1, "path": "1/a.jpg", "name": "a.jpg"}
            change.insert("images", {**row, "width": SIZE[0], "height": SIZE[1]})
            for box in boxes():
                sides = dict(zip("xywh", map(float, box), strict=True))
                change.insert("annotations", {"image_id": 1, "label_id": 1, **sides})
        folder = project.images_dir / "1"
        folder.mkdir(parents=True)
        parts = [Image.effect_noise((480, 270), 90).resize(SIZE) for _ in range(3)]
        Image.merge("RGB", parts).save(folder / "a.jpg", quality=90)


def fetch(folder: Path) -> Path:
    """Return the folder of Annotorious's built files. Raises `Skipped` when it cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        raise Skipped("npm, which fetches Annotorious, is not installed")
    wanted = f"{PACKAGE}@{VERSION}"
    command = [npm, "pack", wanted, "--loglevel=error", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        raise Skipped(f"the npm registry does not answer for {wanted}") from None
    packed = list(folder.glob("*.tgz"))
    if done.returncode or not packed:
        said = [line for line in done.stderr.splitlines() if not line.startswith("npm error code")]
        raise Skipped(f"npm cannot fetch {wanted}: {said[0] if said else 'it does not say why'}")
    with tarfile.open(packed[0]) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package" / "dist"


def measure(link: str, address: str, picture: Path, folder: Path) -> Busy:
    """Drag in both, in turns, and return the medians. Raises `Skipped`."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise Skipped("playwright is not installed") from None
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise Skipped("Chromium is not installed")
    built = fetch(folder)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        ours, peer = [], []
        for _ in range(ROUNDS):
            seconds, scale = _ours(browser, link, address)
            ours.append(seconds)
            peer.append(_annotorious(browser, built, picture, scale))
        browser.close()
    return Busy(statistics.median(ours), statistics.median(peer))


def _ours(browser: Any, link: str, address: str) -> tuple[float, float]:
    """Return the seconds of a drag on the labelling page, and the scale that it showed."""
    context = browser.new_context(viewport=WINDOW)
    page = context.new_page()
    page.goto(link)
    page.goto(f"{address}/label/#/{PROJECT}/label/1")
    for _ in range(2000):
        if page.evaluate("window.batman && batman.state().picture && batman.state().image === 1"):
            break
        page.wait_for_timeout(10)
    view = page.evaluate("batman.state().view")
    stage = page.locator(".stage").bounding_box()
    corner = (stage["x"] + view["x"], stage["y"] + view["y"])
    where = (
        "() => Math.min(...batman.state().boxes.filter(b => b.box[2] == 400).map(b => b.box[0]))"
    )
    seconds = _drag(page, corner, view["scale"], where)
    for _ in range(2000):
        if page.evaluate("batman.state().save === 'saved' && batman.state().waiting === 0"):
            break
        page.wait_for_timeout(10)
    page.keyboard.press("u")  # for the next round
    page.wait_for_timeout(AFTER_MS)
    context.close()
    return seconds, view["scale"]


def _annotorious(browser: Any, built: Path, picture: Path, scale: float) -> float:
    """Return the seconds of the same drag in Annotorious, the picture shown as large."""
    context = browser.new_context(viewport=WINDOW)
    page = context.new_page()
    files = {"annotorious.js": built, "annotorious.css": built}

    def serve(route: Any) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        if name == "":
            route.fulfill(body=_HTML % round(SIZE[0] * scale), content_type="text/html")
        else:
            route.fulfill(path=str(files[name] / name if name in files else picture))

    page.route("http://annotorious.test/**", serve)
    page.goto("http://annotorious.test/", wait_until="load")
    page.evaluate(_BEGIN, boxes())
    page.wait_for_timeout(AFTER_MS)
    seconds = _drag(page, (0, 0), scale, _WHERE)
    context.close()
    return seconds


def _drag(page: Any, corner: tuple[float, float], scale: float, where: str) -> float:
    """Choose the box, drag it, and return the seconds of the main thread; it has to have moved."""
    middle = (DRAGGED[0] + DRAGGED[2] / 2, DRAGGED[1] + DRAGGED[3] / 2)
    start = (corner[0] + middle[0] * scale, corner[1] + middle[1] * scale)
    page.mouse.click(*start)
    page.wait_for_timeout(AFTER_MS)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "timeTicks"})
    before, busy = page.evaluate(where), _busy(session)
    page.mouse.down()
    for step in range(1, STEPS + 1):
        part = step / STEPS * scale
        page.mouse.move(start[0] + BY[0] * part, start[1] + BY[1] * part)
    page.mouse.up()
    page.wait_for_timeout(AFTER_MS)
    seconds = _busy(session) - busy
    moved = page.evaluate(where) - before
    assert abs(moved - BY[0]) < 8, f"dragged by {moved} pixels and not by {BY[0]}"
    return seconds


def _busy(session: Any) -> float:
    told = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in told if each["name"] == "TaskDuration"))
