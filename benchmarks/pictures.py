"""From a key to the painted picture: 100 boxes on 12 megapixels at 120×40, each way of drawing;
and the grid of 24 thumbnails, new and seen before.

    python benchmarks/pictures.py [REPEATS]

Keys are pressed through Textual's pilot and timed until the last frame that they brought about is
painted. Limits, at the median: 50 ms for every key once the picture was looked at; 150 ms for a
page of 24 thumbnails of 640×480 that were never read, 50 ms for one that was seen before. Told
without a limit: the first look, the first look closer (which reads all 12 megapixels), a sixel and
kitty's picture in all pixels when keys rest, opening the screen of thumbnails, pages of photographs
of 12 megapixels, and of a process before.
Other processes on the machine count: the processor time of a key is printed beside.
"""

from __future__ import annotations

import asyncio
import os
import platform
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

LARGE, SMALL, BOXES = (4000, 3000), (640, 480), 100
KEY_LIMIT_S, NEW_LIMIT_S, SEEN_LIMIT_S = 0.050, 0.150, 0.050
MODES = ("blocks", "quadrants", "sextants", "octants", "kitty", "sixel")
KEYS = {
    "boxes off, on": ("b",),
    "class alone": ("full_stop",),
    "closer, less close": ("plus", "minus"),
    "aside": ("right", "left"),
}


def photograph(size: tuple[int, int], seed: int) -> Any:
    """Return a picture with edges, shades and noise: what a JPEG of a camera costs to read."""
    from PIL import Image, ImageDraw

    dice = random.Random(seed)
    small = Image.effect_noise((size[0] // 8, size[1] // 8), 60).convert("RGB").resize(size)
    pen = ImageDraw.Draw(small)
    for _ in range(40):
        x, y = dice.randrange(size[0]), dice.randrange(size[1])
        r = dice.randrange(size[0] // 40, size[0] // 8)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=tuple(dice.randrange(256) for _ in "rgb"))
    return small


def make_project(path: Path, size: tuple[int, int], count: int, boxes: int) -> None:
    """Make a project of `count` pictures with boxes of three classes."""
    from core.data.store import Project

    dice = random.Random(4)
    with Project.create(path) as project, project.change("import", "made") as change:
        change.insert("imports", {"kind": "coco", "origin": "o", "at": "2026", "active": 1})
        for number, name in enumerate(("cell", "plate", "speck"), 1):
            change.insert("classes", {"name": name})
            change.insert("labels", {"import_id": 1, "name": name, "class_id": number})
        (project.images_dir / "1").mkdir()
        for number in range(1, count + 1):
            name = f"{number:03}.jpg"
            photograph(size, number).save(project.images_dir / "1" / name, quality=90)
            row = {"import_id": 1, "path": f"1/{name}", "name": name}
            change.insert("images", {**row, "width": size[0], "height": size[1]})
            for _ in range(boxes):
                w, h = dice.uniform(0.03, 0.15) * size[0], dice.uniform(0.03, 0.15) * size[1]
                place = {"x": dice.uniform(0, size[0] - w), "y": dice.uniform(0, size[1] - h)}
                of = {"image_id": number, "label_id": dice.randint(1, 3), "w": w, "h": h}
                change.insert("annotations", {**of, **place})


def app_of(root: Path, mode: str) -> Any:
    """Return the app, which notes when it painted last."""
    from batman_tui.app import BatmanApp
    from batman_tui.settings import Settings
    from core.common.workspace import Workspace

    class Timed(BatmanApp):
        painted = 0.0

        def _display(self, screen: Any, renderable: Any) -> None:
            super()._display(screen, renderable)
            self.painted = perf_counter()

    return Timed(Workspace(root), settings=Settings(animations=False, pictures=mode))


async def until(pilot: Any, done: Callable[[], object]) -> None:
    """Wait until `done()`, and for what is still to be painted."""
    while not done():
        await asyncio.sleep(0.001)
    await pilot.pause()


async def timed(app: Any, pilot: Any, key: str, done: Callable[[], object]) -> float | None:
    """Press a key; return the seconds until it was painted, None where nothing was."""
    pressed = perf_counter()
    await pilot.press(key)
    await until(pilot, done)
    return app.painted - pressed if app.painted > pressed else None


async def look(root: Path, mode: str, repeats: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Look at the 12 megapixels; return the seconds of each kind of key, and processor's."""
    from batman_tui.pictures.picture_screen import PictureScreen
    from batman_tui.pictures.viewer import Viewer

    app, times, cpu = app_of(root, mode), {}, {}
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_images(root / "data/projects/large")
        await until(pilot, lambda: app.screen.query(Viewer) and app.screen.query_one(Viewer).seen)
        before = perf_counter()
        await pilot.press("z")
        await until(pilot, lambda: isinstance(app.screen, PictureScreen) and app.screen.viewer.seen)
        viewer = app.screen.viewer
        await until(pilot, lambda: viewer.settled)
        times["first look"] = [app.painted - before]
        times["first closer"] = [await timed(app, pilot, "plus", lambda: viewer.settled) or 0.0]
        for kind, keys in KEYS.items():
            began, times[kind] = process_time(), []
            for turn in range(repeats):
                took = await timed(app, pilot, keys[turn % len(keys)], lambda: viewer.settled)
                if took is not None:
                    times[kind].append(took)
            cpu[kind] = (process_time() - began) / repeats
        if mode == "sixel":
            before = perf_counter()
            await pilot.press("b")
            await until(pilot, lambda: viewer.over() is not None)
            times["a sixel at rest"] = [perf_counter() - before]
        if mode == "kitty":
            before = perf_counter()
            await pilot.press("plus", "plus")
            await until(pilot, lambda: viewer.settled and not viewer.coarse)
            times["all pixels at rest"] = [perf_counter() - before]
    return times, cpu


async def pages(root: Path, name: str, count: int) -> dict[str, list[float]]:
    """Open thumbnails, go through `count` pages that were never read, and back through them."""
    from batman_tui.pictures.grid_screen import GridScreen, thumbnails
    from batman_tui.pictures.viewer import Viewer

    thumbnails.cache_clear()
    app = app_of(root, "blocks")
    times: dict[str, list[float]] = {"opening": [], "new": [], "seen before": []}
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_images(root / "data/projects" / name)
        await until(pilot, lambda: app.screen.query(Viewer) and app.screen.query_one(Viewer).seen)
        before = perf_counter()
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, GridScreen) and app.screen.settled)
        times["opening"].append(app.painted - before)
        grid = app.screen
        # At once, before the next page is read ahead.
        for kind, key in (("new", "pagedown"), ("seen before", "pageup")):
            for _ in range(count - 1):
                took = await timed(app, pilot, key, lambda: grid.settled)
                times[kind].append(took or 0.0)
    return times


def said(kind: str, seconds: list[float], limit: float | None, more: str = "") -> bool:
    """Print a line; return whether the limit is kept."""
    middle = median(seconds)
    late = f"{quantiles(seconds, n=20)[-1] * 1000:7.1f} ms at 95 %" if len(seconds) > 1 else ""
    bound = f"  (limit {limit * 1000:.0f} ms{more})" if limit else ""
    print(f"  {kind:20} {middle * 1000:7.1f} ms median {late}{bound}")
    return limit is None or middle <= limit


def machine() -> str:
    """Return what it ran on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        model = names[0].partition(": ")[2] if names else model
    load = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}"


def main() -> int:
    """Measure, print, and return 1 when a limit is broken."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    good = True
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["BATMAN_CONFIG_DIR"] = str(root / "config")
        os.environ["BATMAN_CACHE_DIR"] = str(root / "cache")
        make_project(root / "data/projects/large", LARGE, 48, BOXES)
        run: Callable[[Awaitable[Any]], Any] = asyncio.run  # type: ignore[assignment]
        print(f"{machine()}\n{LARGE[0]}×{LARGE[1]}, {BOXES} boxes, 120×40")
        for mode in MODES:
            print(mode)
            times, cpu = run(look(root, mode, repeats))
            for kind, seconds in times.items():
                limit = KEY_LIMIT_S if kind in KEYS else None
                more = f"; processor {cpu[kind] * 1000:.1f} ms" if kind in cpu else ""
                good &= said(kind, seconds, limit, more)
        count = max(4, repeats // 2)
        make_project(root / "data/projects/small", SMALL, 24 * count, 20)
        for name, size, many in (("small", SMALL, count), ("large", LARGE, 2)):
            for process in ("", " by a process before"):
                print(f"24 thumbnails of {size[0]}×{size[1]}{process}")
                found = run(pages(root, name, many))
                limited = name == "small" and not process
                said("opening", found["opening"], None)
                good &= said("new page", found["new"], NEW_LIMIT_S if limited else None)
                good &= said("seen before", found["seen before"], SEEN_LIMIT_S if limited else None)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
