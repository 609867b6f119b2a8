"""A project to label, and a tab of the page with a person's hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from browsers import until
from label_server import LabelServer
from PIL import Image

from core.data.labels.passes import Found, PassInfo, record_pass
from core.data.labels.view import picture_labels
from core.data.store import Project

HOOK, MAN = 1, 2
PROJECT = "cranes & hooks 100%"


def make_project(folder: Path) -> None:
    """Three pictures of 640 × 480; the first has a hook, and three suggestions of men."""
    with Project.create(folder / PROJECT) as project:
        with project.change("import", "Import") as change:
            change.insert("imports", {"kind": "coco", "origin": "o", "at": "2026", "active": 1})
            for name in ("hook", "man <i>x</i>"):
                change.insert("classes", {"name": name})
            change.insert("labels", {"import_id": 1, "name": "hook", "class_id": HOOK})
            for name in "abc":
                row = {"import_id": 1, "path": f"1/{name}.jpg", "name": f"{name}.jpg"}
                change.insert("images", {**row, "width": 640, "height": 480})
                file = project.path / "images" / "1" / f"{name}.jpg"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (640, 480), (70, 80, 90)).save(file)
            for box in ((100, 100, 300, 300), (150, 150, 60, 60)):
                sides = dict(zip("xywh", map(float, box), strict=True))
                change.insert("annotations", {"image_id": 1, "label_id": 1, **sides})
        record_pass(
            project,
            PassInfo("run", "night-3", (MAN,)),
            [(1, [
                Found(MAN, (450.0, 50.0, 100.0, 100.0), 0.9),
                Found(MAN, (450.0, 200.0, 100.0, 100.0), 0.6),
                Found(MAN, (450.0, 350.0, 100.0, 100.0), 0.2),
            ])],
        )  # fmt: skip


class Tab:
    """A tab of the page: what a person does in it, and what it complains of.

    It is at what the link leads to, or, with `image`, at that picture at once: the browser is let
    in without another page being loaded first.
    """

    def __init__(self, context: Any, server: LabelServer, image: int = 0) -> None:
        self.page = context.new_page()
        self.server = server
        self.said: list[str] = []
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        if image:
            # The cookie that it is answered with is for the pages, too.
            assert context.request.get(server.link, max_redirects=0).status == 303
            self.open(image)
        else:
            self.page.goto(server.link)

    def open(self, image: int = 1) -> Tab:
        self.page.goto(f"{self.server.address}/label/#/{encoded(PROJECT)}/label/{image}")
        until(self.page, f"batman.state().picture && batman.state().image == {image}")
        return self

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.page.evaluate("batman.state()"))

    @property
    def boxes(self) -> list[list[float]]:
        return [box["box"] for box in self.state["boxes"]]

    def keys(self, *keys: str) -> Tab:
        for key in keys:
            self.page.keyboard.press(key)
        return self

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the picture is on the screen."""
        stage = self.page.locator(".stage").bounding_box()
        view = self.state["view"]
        return stage["x"] + view["x"] + x * view["scale"], stage["y"] + view["y"] + y * view[
            "scale"
        ]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> Tab:
        self.page.mouse.move(*self.at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.at(*end), steps=5)
        self.page.mouse.up()
        return self

    def click(self, x: float, y: float) -> Tab:
        self.page.mouse.click(*self.at(x, y))
        return self

    def saved(self) -> Tab:
        until(self.page, "batman.state().save === 'saved' && batman.state().waiting === 0")
        return self

    def told(self, text: str) -> Tab:
        self.page.get_by_text(text).first.wait_for(timeout=20_000)
        return self


def encoded(name: str) -> str:
    return quote(name, safe="")


def stored(server: LabelServer, image: int = 1, project: str = PROJECT) -> Any:
    with Project.open(server.folder / project) as opened:
        return picture_labels(opened, image)


def close(got: Any, wanted: list[float], by: float = 1.5) -> bool:
    return all(abs(a - b) <= by for a, b in zip(got, wanted, strict=True))
