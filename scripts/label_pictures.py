"""Pictures of the labelling page for the docs, as PNG.

    python scripts/label_pictures.py OUT_FOLDER [WIDTHxHEIGHT …]

Each is made from pictures that are drawn here, in a real browser. Without a size those that the
docs show, at 1280x720; with sizes every place of the page at each.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "web")]

from browsers import ARGUMENTS, CHROMIUM, until  # noqa: E402
from label_server import label_server  # noqa: E402

from core.common.workspace import Workspace  # noqa: E402
from core.data.labels.passes import Found, PassInfo, record_pass  # noqa: E402
from core.data.store import Project  # noqa: E402
from core.demo.shapes import make_shapes  # noqa: E402

NAME = "night-watch"
SIZE = 640
COUNT = 24
SHOWN = ("page", "crops", "timeline")


def make_project(folder: Path) -> None:
    """Make a project of a video's frames: half of what is on them labelled, half suggested."""
    drawn = folder / "drawn"
    Workspace(folder).projects_dir.mkdir(parents=True)
    make_shapes(drawn, train=COUNT, valid=0, test=0, size=SIZE, messy=False)
    coco = json.loads((drawn / "train" / "_annotations.coco.json").read_text())
    chance = random.Random(3)
    with Project.create(Workspace(folder).project_path(NAME)) as project:
        (project.path / "images" / "1").mkdir(parents=True)
        found: dict[int, list[Found]] = {}
        with project.change("import", "Import of night.mp4") as change:
            change.insert("imports", {"kind": "video", "origin": "o", "at": "2026", "active": 1})
            for at, name in enumerate(("hook", "person"), 1):
                change.insert("classes", {"name": name})
                change.insert("labels", {"import_id": 1, "name": name, "class_id": at})
            for track in (1, 2):
                change.insert("tracks", {"grp": "night.mp4", "class_id": track})
            for at, image in enumerate(coco["images"], 1):
                file = f"night_{at:04}.png"
                shutil.copy(drawn / "train" / image["file_name"], project.path / "images/1" / file)
                row = {"import_id": 1, "path": f"1/{file}", "name": file, "grp": "night.mp4"}
                more = {"time": at / 2, "review": "done" if at < 6 else None}
                change.insert("images", {**row, **more, "width": SIZE, "height": SIZE})
                found[at] = []
                seen: set[int] = set()
                for box in (b for b in coco["annotations"] if b["image_id"] == image["id"]):
                    sides = tuple(map(float, box["bbox"]))
                    label = 1 + (box["category_id"] % 2)
                    if at > 5 and (chance.random() < 0.5 or label in seen):
                        score = round(chance.uniform(0.25, 0.98), 2)
                        found[at].append(Found(label, sides, score))
                        continue
                    track = label if label not in seen else None
                    seen.add(label)
                    row = {"image_id": at, "label_id": label, "track": track, "source": "person"}
                    change.insert("annotations", {**row, **dict(zip("xywh", sides, strict=True))})
        record_pass(project, PassInfo("run", "night-1", (1, 2)), list(found.items()))


def take(page: Any, server: str, out: Path, size: str) -> None:
    """Take all pictures at the page's size."""

    def keep(name: str) -> None:
        if not size and name not in SHOWN:
            return
        page.wait_for_timeout(400)  # thumbnails fade in, fonts and crops arrive
        file = out / f"label-{name}{size}.png"
        page.screenshot(path=file)
        with Image.open(file) as shot:  # a palette: a third of the size
            shot.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)

    def go(place: str, wait: str) -> None:
        page.goto(f"{server}/label/#/{NAME}/{place}")
        until(page, wait)

    page.goto(f"{server}/label/")
    page.wait_for_selector(".cards a")
    keep("projects")
    go("pictures", "document.querySelectorAll('.thumb').length > 0")
    keep("pictures")
    go("label/9", "batman.state().picture && batman.state().image === 9")
    for _ in range(4):  # the threshold, so that there is a suggestion beside the label
        page.keyboard.press("[")
    page.keyboard.press("Tab")
    keep("page")
    page.keyboard.press("?")
    keep("keys")
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+A")
    until(page, "document.querySelector('[data-count]')?.textContent.includes('open')")
    keep("accept")
    page.keyboard.press("Escape")
    page.locator(".timeline canvas").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    until(page, "batman.state().image === 10")
    keep("timeline")
    go("review", "document.querySelectorAll('.crops figure').length > 0")
    for letter in "cf":
        page.keyboard.press(letter)
    keep("crops")
    go("classes", "document.querySelector('table')")
    keep("classes")
    go("videos", "document.querySelector('.timeline canvas')")
    keep("videos")
    go("labellers", "document.querySelector('form.panel')")
    keep("labellers")
    go("add", "document.querySelector('.drop')")
    keep("add")


def main() -> None:
    """Take the pictures into the folder of the first argument."""
    out = Path(sys.argv[1])
    sizes = sys.argv[2:] or ["1280x720"]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_project(folder)
        with label_server(Workspace(folder)) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for size in sizes:
                width, height = map(int, size.split("x"))
                page = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme="dark"
                )
                page.goto(server.link)
                take(page, server.address, out, f"-{size}" if sys.argv[2:] else "")
                page.close()
            browser.close()


if __name__ == "__main__":
    main()
