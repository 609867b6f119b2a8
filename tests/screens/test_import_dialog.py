"""The dialog that imports a data set, on real files."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from harness import FrozenApp, screen_text, settled, until, words_on
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import Button, Input, ProgressBar, Select

from batman_tui.imports import from_disk
from batman_tui.imports.import_dialog import ImportDialog
from batman_tui.projects.screen import ProjectsScreen
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from core.common.errors import Cancelled, ImportFailed
from core.data import importers
from core.data.importers import Progress, import_named
from core.data.importers.detect_format import KINDS
from core.data.store import Project


def make_coco(folder: Path, images: int = 6) -> Path:
    """A data set in Roboflow's layout, with one box outside its image and one of no size."""
    split = folder / "train"
    split.mkdir(parents=True)
    for number in range(images):
        Image.new("RGB", (64, 48), (number * 9, 80, 90)).save(split / f"{number}.jpg")
    boxes = [[5, 5, 20, 20]] * images + [[500, 500, 10, 10], [5, 5, 0, 0]]
    document = {
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 48} for n in range(images)
        ],
        "categories": [{"id": 1, "name": "person [front]"}, {"id": 2, "name": "car"}],
        "annotations": [
            {"id": n, "image_id": n % images, "category_id": 1 + n % 2, "bbox": box, "area": 1}
            for n, box in enumerate(boxes)
        ],
    }
    (split / "_annotations.coco.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A workspace with one empty project; returns the project."""
    path = tmp_path / "gotham" / "data" / "projects" / "site"
    Project.create(path).close()
    return path


async def dialog_on(pilot: Pilot[int], source: Path | str) -> ImportDialog:
    """Open the dialog from the list of projects and type a path."""
    await pilot.press("i")
    await settled(pilot)
    dialog = pilot.app.screen
    assert isinstance(dialog, ImportDialog)
    dialog.query_one("#path", Input).value = str(source)
    await settled(pilot)
    return dialog


def app_for(project: Path) -> FrozenApp:
    return FrozenApp(project.parent.parent.parent)


async def test_imports_and_tells_what_was_not_right(empty: Path, tmp_path: Path, opened) -> None:
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, make_coco(tmp_path / "set"))
        assert "This looks like COCO: by the names of its files." in words_on(app)
        await pilot.press("enter")
        await until(pilot, lambda: dialog.phase == "report")
        await settled(pilot)
        text = words_on(app)
        assert "6 images, 6 annotations, 2 classes" in text
        assert "2 records were not right" in text
        assert "w Write to file" in text, "the keys are in view at 80 × 24"
        assert dialog.query_one("#problems").size.height == 3, "a heading and two rows: no more"
        assert app.busy == {}
        await pilot.press("w")
        await settled(pilot)
        report = json.loads((app.workspace.logs_dir / "import_site.json").read_text())
        assert report["images"] == 6
        assert len(report["problems"]) == 2
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(app.screen, ProjectsScreen)
        line = next(line for line in screen_text(app).splitlines() if "│ site" in line)
        assert line.split()[2:5] == ["6", "6", "2"], "the list behind was read again"
    with Project.open(empty) as project:
        assert project.summary().images == 6


async def test_says_what_the_project_has_already(empty: Path, tmp_path: Path, opened) -> None:
    source = make_coco(tmp_path / "set")
    with Project.open(empty) as project:
        importers.import_coco(project, source)
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, source)
        await until(pilot, lambda: "import 1, 6 images" in words_on(app))
        assert dialog.way.ready, "it can still be taken in once more"
        dialog.query_one("#path", Input).value = str(make_coco(tmp_path / "other"))
        await until(
            pilot, lambda: "This looks like COCO: by the names of its files." in words_on(app)
        )


async def test_the_format_follows_what_lies_at_the_path(
    empty: Path, tmp_path: Path, opened
) -> None:
    (tmp_path / "yolo").mkdir()
    (tmp_path / "yolo" / "data.yaml").touch()
    (tmp_path / "voc" / "Annotations").mkdir(parents=True)
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, tmp_path / "yolo")
        kinds = dialog.query_one("#kind", Select)
        assert kinds.value == "YOLO"
        dialog.query_one("#path", Input).value = str(tmp_path / "yolo" / "no")
        await settled(pilot)
        assert kinds.value == "COCO", "what a part of the path held says nothing of the whole"
        kinds.value = "Open Images"
        dialog.query_one("#path", Input).value = str(tmp_path / "yolo" / "none")
        await settled(pilot)
        assert kinds.value == "Open Images", "what a person chose stays"
        dialog.query_one("#path", Input).value = str(tmp_path / "voc")
        await settled(pilot)
        assert kinds.value == "Pascal VOC"
        labelme = '{"version": "5.5.0", "shapes": [], "imagePath": "a.jpg"}'
        (tmp_path / "a.json").write_text(labelme, encoding="utf-8")
        dialog.query_one("#path", Input).value = str(tmp_path / "a.json")
        await settled(pilot)
        assert kinds.value == "labelme"
        titles = [kind.title for kind in KINDS]
        before = titles[titles.index("labelme") - 1]
        await pilot.press("tab", "right", "left", "left")
        assert kinds.value == before, "chosen by keys"
        dialog.query_one("#path", Input).value = str(tmp_path / "voc")
        await settled(pilot)
        assert "Pascal VOC" in words_on(app)


async def test_nothing_is_started_before_there_is_something(empty: Path, opened) -> None:
    app = app_for(empty)
    async with opened(app) as pilot:
        for typed in ("", "/no/such/folder", "~nobody-has-this-name/x", "a\x00b", "[/data]"):
            dialog = await dialog_on(pilot, typed)
            assert dialog.query_one("#ok", Button).disabled, repr(typed)
            await pilot.press("enter", "ctrl+s")
            await settled(pilot)
            assert dialog.phase == "form"
            why = "There is nothing at this path yet." if typed else "type where it lies"
            assert why in [note.message for note in app._notifications][-1], "and it says why"
            await pilot.press("escape")
            await settled(pilot)


async def test_a_data_set_that_cannot_be_read_leaves_the_form(
    empty: Path, tmp_path: Path, opened
) -> None:
    (tmp_path / "bad.json").write_text("{ not json", encoding="utf-8")
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, tmp_path / "bad.json")
        await pilot.press("enter")
        await until(pilot, lambda: app._notifications)
        assert dialog.phase == "form"
        assert app.busy == {}
        assert [note.severity for note in app._notifications] == ["error"]


class HeldImport:
    """An importer that reports, waits to be let go, and then does what an importer does."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go = threading.Event()
        self.error = error

    def __call__(self, project, source, *, files, anyway, progress, cancelled):
        progress(Progress("images", 3, 12))
        while not self.go.wait(0.01):
            if cancelled():
                raise Cancelled("The import was stopped.", "The project is as it was before.")
        raise self.error or ImportFailed("No images were found.", "Look at the folder.")


async def test_shows_how_far_it_is_and_can_be_stopped(
    empty: Path, tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldImport()
    monkeypatch.setattr(import_named, "import_coco", held)
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, make_coco(tmp_path / "set"))
        await pilot.press("enter")
        await until(pilot, lambda: "Images 3 of 12" in words_on(app))
        assert "25%" in words_on(app)
        assert "esc Stop" in words_on(app), "the keys say what Escape does now"
        await pilot.press("escape")
        await until(pilot, lambda: dialog.phase == "form")
        assert "the project is as it was" in words_on(app)
        assert app.busy == {}


async def test_leaving_during_an_import_asks_first(
    empty: Path, tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldImport()
    monkeypatch.setattr(import_named, "import_coco", held)
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, make_coco(tmp_path / "set"))
        await pilot.press("enter")
        await until(pilot, lambda: dialog.phase == "running")
        # What the bar is drawn with has the id of the whole, `bar`, too: a rule for it meant both.
        await until(pilot, lambda: dialog.query_one("#bar Bar").region.height == 1)
        around = dialog.query_one(ProgressBar).region
        assert around.contains_region(dialog.query_one("#bar Bar").region)
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmDialog)
        assert "The import into 'site' is not done" in words_on(app)
        await pilot.press("n")
        held.go.set()
        await until(pilot, lambda: dialog.phase == "form")


async def test_a_defect_in_an_importer_is_shown_and_the_form_comes_back(
    empty: Path, tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldImport(error=ZeroDivisionError("a defect [/bold]"))
    monkeypatch.setattr(import_named, "import_coco", held)
    app = app_for(empty)
    async with opened(app, errors=True) as pilot:
        dialog = await dialog_on(pilot, make_coco(tmp_path / "set"))
        await pilot.press("enter")
        held.go.set()
        await until(pilot, lambda: app.errors)
        await settled(pilot)
        assert "a defect [/bold]" in words_on(app)
        await pilot.press("escape")
        assert app.screen is dialog
        assert dialog.phase == "form"
        assert app.busy == {}


async def test_asks_before_it_goes_on_with_what_looks_like_a_mistake(
    empty: Path, tmp_path: Path, opened
) -> None:
    """Label files that are all empty: nothing comes in until the person says so."""
    source = tmp_path / "set"
    for number in range(4):
        for folder, ending in (("images", "jpg"), ("labels", "txt")):
            (source / folder).mkdir(parents=True, exist_ok=True)
            (source / folder / f"{number}.{ending}").touch()
        Image.new("RGB", (64, 48)).save(source / "images" / f"{number}.jpg")
    (source / "classes.txt").write_text("car\n")
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, source)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        text = words_on(app)
        assert "All 4 label files are empty" in text
        assert "--anyway" not in text, "that is the command line's way on"
        await pilot.press("n")
        await settled(pilot)
        with Project.open(empty) as project:
            assert project.summary().images == 0
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: dialog.phase == "report")
        await settled(pilot)
        assert "all empty" in words_on(app)
    with Project.open(empty) as project:
        assert project.summary().images == 4


async def test_pictures_that_lie_elsewhere_are_found_in_the_folder_that_is_typed(
    empty: Path, tmp_path: Path, opened
) -> None:
    made = make_coco(tmp_path / "set")
    pictures = tmp_path / "pictures"
    (made / "train").rename(pictures)
    labels = tmp_path / "labels"
    labels.mkdir()
    (pictures / "_annotations.coco.json").rename(labels / "instances.json")
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, labels)
        assert "Pictures in" in words_on(app)
        line = dialog.query_one("#pictures", Input)
        line.value = str(pictures / "nowhere")
        await settled(pilot)
        assert dialog.query_one("#ok", Button).disabled
        line.value = str(pictures)
        await settled(pilot)
        dialog.query_one("#kind", Select).value = "YOLO"
        await settled(pilot)
        assert "Pictures in" not in words_on(app)
        dialog.query_one("#kind", Select).value = "COCO"
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: dialog.phase == "report")
        assert "6 images, 6 annotations" in words_on(app)


async def test_all_formats_that_lie_there_are_named(empty: Path, tmp_path: Path, opened) -> None:
    made = make_coco(tmp_path / "set")
    (made / "labels").mkdir()
    (made / "labels" / "0.txt").write_text("0 0.5 0.5 0.2 0.2\n", encoding="utf-8")
    box = "<bndbox><xmin>1</xmin></bndbox>"
    (made / "0.xml").write_text(f"<annotation><object>{box}</object></annotation>", "utf-8")
    app = app_for(empty)
    async with opened(app) as pilot:
        await dialog_on(pilot, made)
        assert (
            "This looks like COCO: by the names of its files. YOLO and Pascal VOC lie here too."
            in words_on(app)
        )


async def test_what_was_typed_last_is_looked_at_before_it_is_judged(
    empty: Path, tmp_path: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_coco(tmp_path / "set")
    looked: list[Path] = []
    found = from_disk.find_out
    monkeypatch.setattr(from_disk, "find_out", lambda path: looked.append(path) or found(path))
    app = app_for(empty)
    async with opened(app) as pilot:
        dialog = await dialog_on(pilot, "")
        line = dialog.query_one("#path", Input)
        for end in range(len(str(source)) - 8, len(str(source)) + 1):
            line.value = str(source)[:end]
            await pilot.pause()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: dialog.phase == "report")
        assert looked == [source], "not every beginning of it, nor a refusal"
