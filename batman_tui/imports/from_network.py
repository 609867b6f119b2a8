"""Ways in from elsewhere: COCO by class, and Roboflow."""

from __future__ import annotations

import os

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, RadioSet, Static

from batman_tui.imports.import_way import ImportJob, Line, Way
from batman_tui.widgets.form.choice import Choice
from batman_tui.widgets.form.line_input import LineInput
from core.common.errors import BatmanError
from core.common.text import clean, whole_number

SPLITS = ("validation", "train")
KEY_VARIABLE = "ROBOFLOW_API_KEY"


class ZooWay(Way):
    """Images of COCO 2017 that show some classes, downloaded."""

    TITLE = "COCO by class"
    ABOUT = "Some of COCO's 80 classes with commas between them, or none for all."

    def compose(self) -> ComposeResult:
        """Lay out classes, split and how many."""
        yield Line("Classes", LineInput(placeholder="person, car, bicycle", compact=True, id="zoo"))
        yield Static(self.ABOUT, markup=False, id="zoo-hint", classes="way--hint")
        yield Line(
            "Split",
            RadioSet(
                Choice("validation (5,000 images)", True, compact=True),
                Choice("train (118,287)", compact=True),
                id="zoo-split",
                compact=True,
            ),
        )
        yield Line(
            "At most",
            LineInput("500", type="integer", compact=True, id="zoo-images", classes="-short"),
            Static("images; empty for all of them", classes="dialog--hint"),
        )
        yield Static(
            "The annotations are downloaded once (253 MB), then about 160 kB an image.",
            classes="way--hint",
        )

    def on_mount(self) -> None:
        """Judge the fields as they are."""
        self._typing()

    @property
    def _names(self) -> list[str]:
        names = self.query_one("#zoo", LineInput).text.split(",")
        return [name.strip() for name in names if name.strip()]

    @property
    def _most(self) -> int | None:
        """How many images at most; None for all, 0 for what is no number of images."""
        text = self.query_one("#zoo-images", LineInput).text.strip()
        if not text:
            return None
        return whole_number(text) or 0

    @on(Input.Changed)
    def _typing(self) -> None:
        hint = self.query_one("#zoo-hint", Static)
        wrong = ""
        if self._names:
            # Imported when it is needed: it brings HTTP with it.
            from core.data.importers.services.coco_zoo import known_classes

            try:
                known_classes(self._names)
            except BatmanError as error:
                wrong = f"{error.message} {error.hint}"
        most = self.query_one("#zoo-images", LineInput)
        most.set_class(self._most == 0, "-wrong")
        hint.update(clean(wrong or self.ABOUT))
        hint.set_class(bool(wrong), "-wrong")
        self.judge(not wrong and self._most != 0)

    def missing(self) -> str:
        """Return what is wrong with the classes, or with the number of images."""
        if self._most == 0:
            return "At most: a whole number of images, or nothing for all of them."
        return str(self.query_one("#zoo-hint", Static).visual)

    def job(self) -> ImportJob:
        """Download and import."""
        from core.data.importers.services.coco_zoo import import_coco_zoo

        names, most, anyway = self._names or None, self._most, self.anyway
        split = SPLITS[max(0, self.query_one("#zoo-split", RadioSet).pressed_index)]
        return lambda project, progress, cancelled: [
            import_coco_zoo(
                project,
                names,
                split=split,
                max_samples=most,
                anyway=anyway,
                progress=progress,
                cancelled=cancelled,
            )
        ]


class RoboflowWay(Way):
    """A version of a project on Roboflow. The key is typed secretly and kept nowhere."""

    TITLE = "Roboflow"

    def compose(self) -> ComposeResult:
        """Lay out what is asked for, and the key."""
        yield Line(
            "Workspace", LineInput(placeholder="your-workspace", compact=True, id="rf-space")
        )
        yield Line("Project", LineInput(placeholder="your-project", compact=True, id="rf-project"))
        yield Line(
            "Version",
            LineInput("1", type="integer", compact=True, id="rf-version", classes="-short"),
            Static("all three as in the address of the version", classes="dialog--hint"),
        )
        yield Line("API key", LineInput(password=True, compact=True, id="rf-key"))
        there = bool(os.environ.get(KEY_VARIABLE, "").strip())
        yield Static(
            f"{KEY_VARIABLE} is set: leave the key empty to use it."
            if there
            else "Used for this import only, shown and written nowhere.",
            id="rf-hint",
            classes="way--hint",
        )

    def _text(self, name: str) -> str:
        return self.query_one(f"#rf-{name}", LineInput).text.strip()

    @property
    def _key(self) -> str:
        return self._text("key") or os.environ.get(KEY_VARIABLE, "").strip()

    @on(Input.Changed)
    def _typing(self) -> None:
        version = self._text("version")
        number = (whole_number(version) or 0) > 0
        self.query_one("#rf-version", LineInput).set_class(not number, "-wrong")
        self.judge(bool(number and self._text("space") and self._text("project") and self._key))

    def missing(self) -> str:
        """Name the fields that are still empty, or the version that is no number."""
        given = {"Workspace": self._text("space"), "Project": self._text("project")}
        given["API key"] = self._key
        empty = [name for name, text in given.items() if not text]
        if empty:
            return f"Still empty: {', '.join(empty)}."
        return "Version: a whole number above zero, as in the address of the version."

    def job(self) -> ImportJob:
        """Download and import."""
        from core.data.importers.services.roboflow import import_roboflow

        space, name, version = self._text("space"), self._text("project"), self._text("version")
        key, anyway = self._key, self.anyway
        # A function, not a `partial`: Textual names a worker by its arguments, and the text of a
        # `partial` would hold the key.
        return lambda project, progress, cancelled: [
            import_roboflow(
                project,
                space,
                name,
                int(version),
                api_key=key,
                anyway=anyway,
                progress=progress,
                cancelled=cancelled,
            )
        ]
