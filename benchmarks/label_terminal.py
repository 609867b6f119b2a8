"""Keys of the labelling screen in the terminal: a 4k picture with 60 boxes at 120×40, half blocks;
and the keys that a review of 900 suggestions by pages of crops takes.

    python benchmarks/label_terminal.py [REPEATS]

Each key is pressed through Textual's pilot, and counts until the app is idle again: what the key
does, scales, paints and writes, in all of its threads. Limits: 50 ms of processor time a key,
whatever else the machine does; and 130 keys for 900 suggestions, a tenth of them wrong. The time by
the clock from the key to the last frame that it brought about is printed beside.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

SIZE, BOXES, LIMIT_S = (3840, 2160), 60, 0.050
SUGGESTIONS, WRONG, MOST_KEYS = 900, 90, 130


Measured = tuple[dict[str, list[float]], dict[str, float]]


def make_project(path: Path) -> None:
    """Make a project of one 4k picture of noise, the worst case, with labels and suggestions."""
    from PIL import Image

    from core.data.labels.passes import Found, PassInfo, record_pass
    from core.data.store import Project

    dice = random.Random(4)
    with Project.create(path) as project:
        with project.change("import", "made") as change:
            change.insert("imports", {"kind": "coco", "origin": "o", "at": "2026", "active": 1})
            for name in ("hook", "person"):
                of = change.insert("classes", {"name": name})
                change.insert("labels", {"import_id": 1, "name": name, "class_id": of})
            folder = project.images_dir / "1"
            folder.mkdir()
            parts = [Image.effect_noise((480, 270), 90).resize(SIZE) for _ in range(3)]
            Image.merge("RGB", parts).save(folder / "a.jpg", quality=90)
            change.insert(
                "images",
                {"import_id": 1, "path": "1/a.jpg", "name": "a.jpg", "width": SIZE[0],
                 "height": SIZE[1]},
            )  # fmt: skip
            for _ in range(BOXES // 2):
                change.insert(
                    "annotations",
                    {"image_id": 1, "label_id": 1, "x": dice.uniform(0, 3300),
                     "y": dice.uniform(0, 1700), "w": dice.uniform(80, 500),
                     "h": dice.uniform(80, 400)},
                )  # fmt: skip
        found = [
            Found(2, (dice.uniform(0, 3300), dice.uniform(0, 1700), 300, 250), dice.uniform(0.5, 1))
            for _ in range(BOXES // 2)
        ]
        record_pass(project, PassInfo("run", "r", (2,)), [(1, found)])


async def measure(root: Path, path: Path, repeats: int) -> Measured:
    """Press each kind of key; return the seconds of each press, and of the processor for one."""
    from batman_tui.app import BatmanApp
    from batman_tui.label.screen import LabelScreen
    from core.common.workspace import Workspace

    kinds = {
        "nudge an edge": ["l", "L"],
        "edge by ruler": ["e", "l", "m", "q"],
        "hide boxes": ["v"],
        "threshold": [">", "<"],
        "look aside": ["shift+right", "shift+left"],
        "next box": ["tab"],
    }

    class Timed(BatmanApp):
        painted = 0.0

        def _display(self, screen: Any, renderable: Any) -> None:
            super()._display(screen, renderable)
            self.painted = perf_counter()

    app = Timed(Workspace(root))
    times: dict[str, list[float]] = {}
    cpu: dict[str, float] = {}
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_label(path)
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, LabelScreen)
        canvas = screen.editor.canvas

        async def still() -> None:
            while not (canvas.shown and canvas.settled and screen.editor.settled):
                await asyncio.sleep(0.005)
            await pilot.pause()

        await still()
        await pilot.press("tab")
        await still()
        for kind, keys in kinds.items():
            times[kind] = []
            began = process_time()
            for turn in range(repeats):
                before = canvas.shown
                pressed = perf_counter()
                await pilot.press(keys[turn % len(keys)])
                while not canvas.settled or (kind == "next box" and canvas.shown == before):
                    await asyncio.sleep(0.001)
                await pilot.pause()
                if app.painted > pressed:
                    times[kind].append(app.painted - pressed)
            cpu[kind] = (process_time() - began) / repeats
            await still()
    return times, cpu


def make_many(path: Path) -> set[int]:
    """Make a project of 300 pictures with 900 suggestions; return which of them are wrong."""
    from core.data.labels.passes import Found, PassInfo, record_pass
    from core.data.store import Project

    dice = random.Random(11)
    with Project.create(path) as project:
        with project.change("import", "made") as change:
            change.insert("imports", {"kind": "coco", "origin": "o", "at": "2026", "active": 1})
            change.insert("classes", {"name": "hook"})
            for number in range(SUGGESTIONS // 3):
                row = {"import_id": 1, "path": f"{number}.jpg", "name": f"{number}.jpg"}
                change.insert("images", {**row, "width": 160, "height": 120})
        record_pass(
            project,
            PassInfo("run", "r", (1,)),
            (
                (n, [Found(1, (5.0 + 30 * k, 40, 20, 20), dice.uniform(0.5, 1)) for k in range(3)])
                for n in range(1, SUGGESTIONS // 3 + 1)
            ),
        )
        ids = [row[0] for row in project.db.execute("SELECT id FROM suggestions")]
    return set(dice.sample(ids, WRONG))


async def review(root: Path, path: Path, wrong: set[int]) -> int:
    """Review all suggestions by pages of crops, and return how many keys that took."""
    from batman_tui.app import BatmanApp
    from batman_tui.crops.screen import CropsScreen
    from core.common.workspace import Workspace
    from core.data.store import Project

    app, keys = BatmanApp(Workspace(root)), 0
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_crops(path)
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, CropsScreen)
        while not screen.crop_page.page.ids:
            await asyncio.sleep(0.005)
        while screen.current is not None:
            page = screen.crop_page.page
            letters = [page.letter(n) for n, number in enumerate(page.ids) if number in wrong]
            for key in (*letters, "enter"):
                await pilot.press(key)
                keys += 1
            while screen.crop_page.page is page or not screen.settled:
                await asyncio.sleep(0.002)
    with Project.open(path) as project:
        rows = project.db.execute("SELECT id FROM suggestions WHERE state = 'rejected'")
        assert {row[0] for row in rows} == wrong
        (accepted,) = project.db.execute(
            "SELECT count(*) FROM suggestions WHERE state = 'accepted'"
        ).fetchone()
        assert accepted == SUGGESTIONS - WRONG
    return keys


def main() -> int:
    """Measure, print, and return 1 when a limit is broken."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["BATMAN_CONFIG_DIR"] = str(root / "config")
        make_project(root / "data/projects/large")
        times, cpu = asyncio.run(measure(root, root / "data/projects/large", repeats))
        wrong = make_many(root / "data/projects/many")
        keys = asyncio.run(review(root, root / "data/projects/many", wrong))
    print(f"{SIZE[0]} × {SIZE[1]}, {BOXES} boxes, 120×40, half blocks")
    good = True
    for kind, seconds in times.items():
        good = good and cpu[kind] <= LIMIT_S
        late = quantiles(seconds, n=20)[-1]
        print(
            f"{kind:14} {cpu[kind] * 1000:6.1f} ms of processor (limit {LIMIT_S * 1000:.0f});"
            f" painted after {median(seconds) * 1000:.1f} ms at the median,"
            f" {late * 1000:.1f} ms at 95 %"
        )
    print(f"{SUGGESTIONS} suggestions, {WRONG} wrong: {keys} keys  (limit {MOST_KEYS})")
    return 0 if good and keys <= MOST_KEYS else 1


if __name__ == "__main__":
    raise SystemExit(main())
