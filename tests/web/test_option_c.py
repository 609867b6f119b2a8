"""The guide's Option C from its first command to a trained model, in a real browser.

`run_dev.sh`, a project made on the page, a video sent, frames, suggestions of SAM 3 (a random one,
loaded by the real code) and of the run that is trained on what a person made of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsers import until
from label_server import LabelServer
from label_tab import Tab, close, encoded, stored
from serving import ROOT, Start

from core.common.workspace import Workspace

_MISSING = [name for name in ("rfdetr", "transformers") if find_spec(name) is None]
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]

NAME = "crane yard"
SIDE, FRAMES = 128, 6
# What stands there in every frame: x, y, w, h.
BLOCK: list[float] = [70, 40, 40, 50]
# As little as trains at all: the model has learned nothing, but it is one.
TRAIN = {
    "--model": "tiny",
    "--epochs": "1",
    "--batch-size": "2",
    "--image-size": "64",
    "--val-images": "0",
}


@pytest.fixture
def making(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Makes a small random SAM 3 in `tmp_path / "sam3"`, in a process of its own meanwhile.

    What loads torch has no place in the tests' own process, and takes seconds.
    """
    code = "import sys, pathlib, tiny_labellers as t; t.make_sam3(pathlib.Path(sys.argv[1]))"
    here = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "engine")}
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "sam3")], env=here)
    yield process
    process.kill()
    process.wait()


def batman(workspace: Workspace, *words: str) -> str:
    """Run a command as a person does beside the page, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *words], cwd=workspace.root, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def make_film(file: Path) -> None:
    """Three seconds of a red block, and of a light that moves so that no two frames are alike."""
    av = pytest.importorskip("av", reason="the video extra is not installed")
    x, y, w, h = BLOCK
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for at in range(2 * FRAMES):
            pixels = np.full((SIDE, SIDE, 3), 40, np.uint8)
            pixels[y : y + h, x : x + w] = (230, 40, 40)
            pixels[:20, at * 8 : at * 8 + 8] = 200
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def to(tab: Tab, place: str) -> Any:
    tab.page.get_by_role("link", name=place, exact=True).click()
    until(tab.page, "document.querySelector('[aria-current=page]') && batman.state().project")
    return tab.page


def ended(tab: Tab, words: str) -> None:
    """Wait until some work of the server has ended with these words, and none of it badly."""
    lines, ends = tab.page.locator(".job"), time.monotonic() + 240
    while not any(words in said for said in lines.all_inner_texts()):
        said = lines.all_inner_texts()
        over = any(state in each for each in said for state in ("failed", "stopped"))
        assert not over, said
        assert time.monotonic() < ends, said
        tab.page.wait_for_timeout(50)


def test_from_a_video_to_a_model(
    start: Start, workspace: Workspace, context: Any, tmp_path: Path,
    making: subprocess.Popen[bytes],
) -> None:  # fmt: skip
    served = start("--first", "label")
    server = LabelServer(served.address, served.link, workspace.projects_dir)
    tab = Tab(context, server)
    page = tab.page
    film = tmp_path / "yard.mp4"
    make_film(film)

    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_role("button", name="Create").click()
    page.locator("input[type=file]").set_input_files(film)
    page.get_by_label("One frame every").fill("0.5")
    page.get_by_role("button", name="Take frames").click()
    ended(tab, f"{FRAMES} frames of yard.mp4")
    for name in ("block", "light"):
        to(tab, "Classes").get_by_label("New class").fill(name)
        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_label(f"Name of {name}").wait_for()

    # Suggestions of a model that knows phrases.
    to(tab, "Auto-label").get_by_label("Model", exact=True).fill("sam3")
    assert making.wait(120) == 0
    page.get_by_label("Weights", exact=True).fill(str(tmp_path / "sam3"))
    page.get_by_role("button", name="Start", exact=True).click()
    page.locator("[data-confirm]").click()  # how long a CPU takes is said, and asked about
    ended(tab, "suggestions of facebook/sam3")

    # Accepted, drawn, mended, taken back; all of it is there after a reload.
    to(tab, "Pictures").locator(".thumb").first.click()
    until(page, "batman.state().picture")
    first = tab.state["image"]
    while not any(key.startswith("s") for key in tab.state["shown"]):
        tab.keys("[")
    tab.keys("Tab", "a").saved()
    (accepted,) = stored_of(server, first).boxes
    assert (accepted.source, accepted.model) == ("model", "facebook/sam3")
    x, y, w, h = BLOCK
    tab.keys("Escape", "1", "n").drag((x, y), (x + w - 15, y + h)).saved()
    tab.drag((x + w - 15, y + h / 2), (x + w, y + h / 2)).saved()
    drawn = stored_of(server, first).boxes[-1]
    assert drawn.source == "person"
    assert close(drawn.box, BLOCK)
    tab.keys("Delete").saved()
    assert len(stored_of(server, first).boxes) == 1
    tab.keys("u")
    until(page, "batman.state().boxes.length === 2")
    before = tab.saved().state
    page.reload()
    until(page, "batman.state().picture && batman.state().boxes.length === 2")
    assert [tab.state[name] for name in ("boxes", "suggestions", "done")] == [
        before[name] for name in ("boxes", "suggestions", "done")
    ]

    # The other frames have the block where the first has it.
    tab.keys(" ")
    for _ in range(FRAMES - 1):
        until(page, "batman.state().picture && batman.state().boxes.length === 0")
        tab.keys("p")
        until(page, "batman.state().boxes.length === 2")
        tab.saved().keys(" ").saved()
    exported = workspace.root / "labels"
    batman(workspace, "export", "coco", str(exported), "--project", NAME)
    coco = [json.loads(file.read_text()) for file in exported.rglob("*.json")]
    boxes = [each["bbox"] for part in coco for each in part.get("annotations", [])]
    assert len(boxes) == 2 * FRAMES
    assert sum(close(box, BLOCK) for box in boxes) == FRAMES

    # The next round's labeller is the run that was trained on this one.
    batman(workspace, "train", "--project", NAME, "--output-dir", "runs/first",
           "--only-reviewed", *chain(*TRAIN.items()))  # fmt: skip
    to(tab, NAME)
    to(tab, "Auto-label").get_by_label("On pictures").fill("")
    page.locator("datalist option[value=first]").wait_for(state="attached")
    page.get_by_label("Model", exact=True).fill("first")
    page.get_by_label("Keep from score").fill("0")
    page.get_by_role("button", name="Start", exact=True).click()
    ended(tab, "suggestions of first")
    page.goto(f"{server.address}/label/#/{encoded(NAME)}/label/{first}")
    until(page, "batman.state().picture && batman.state().suggestions.length")
    while not any(key.startswith("s") for key in tab.state["shown"]):
        tab.keys("[")
    tab.keys("Tab", "a").saved()
    assert stored_of(server, first).boxes[-1].model == "first"
    assert tab.said == []


def stored_of(server: LabelServer, image: int) -> Any:
    return stored(server, image, NAME)
