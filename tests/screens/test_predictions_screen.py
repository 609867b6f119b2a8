"""Looking with a run's model: what is asked, the child process, and what it found."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import numpy as np
import pytest
from harness import FrozenApp, screen_text, settled, until
from prediction_data import CLASSES, make_predictions
from run_data import finished, make_run
from textual.widgets import Button

from batman_tui.label.screen import LabelScreen
from batman_tui.predictions import look_dialog
from batman_tui.predictions.look_dialog import LookDialog, paths_in
from batman_tui.predictions.screen import PredictionsScreen
from batman_tui.run.screen import RunScreen
from batman_tui.runs.screen import RunsScreen
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.picture.picture import Picture
from core.common.errors import BatmanError, Cancelled
from core.common.progress import Progress
from core.data.importers.pictures import import_pictures
from core.data.labels.passes import list_passes
from core.data.store import Project
from core.inference.found import Look
from core.training.run_list.outputs import remember

SIZES = [(80, 24), (120, 40)]
NAME = "site"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    av = pytest.importorskip("av", reason="needs the video extra")
    path = tmp_path / "yard.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(6):
            pixels = np.full((240, 320, 3), 40 * number, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


async def shown(pilot: Any, folder: Path) -> PredictionsScreen:
    await settled(pilot)
    screen = PredictionsScreen(folder)
    pilot.app.push_screen(screen)
    await until(pilot, lambda: pilot.app.screen is screen and screen.found is not None)
    await until(pilot, lambda: screen.query_one(Picture).settled)
    return screen


def names(screen: PredictionsScreen) -> dict[str, int]:
    counts = screen._shown.counts
    return {row.name: counts[row.place] for row in screen.query_one("#pictures").rows()}


async def test_the_confidence_is_a_view_of_what_was_kept(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, make_predictions(tmp_path))
        assert names(screen) == {"site_0.png": 2, "site_1.png": 0, "site_2.png": 0}
        assert "2 of 5 shown   lowest score 0.07" in screen_text(app)
        assert "written: predictions/site-1" in screen_text(app)
        before = screen.query_one(Picture).shown
        await pilot.press("left", "left")
        await until(pilot, lambda: screen.query_one(Picture).shown not in (None, before))
        assert names(screen) == {"site_0.png": 3, "site_1.png": 0, "site_2.png": 0}
        assert "person [front] 2" in screen_text(app)
        await pilot.press(*["left"] * 20)
        assert (screen.look.least, sum(names(screen).values())) == (0.0, 5)
        await pilot.press("shift+right", "right")
        assert screen.look.least == 0.06
        await pilot.press("right", "e")
        await settled(pilot)
        assert names(screen) == {"site_0.png": 3, "site_1.png": 1}
        await pilot.press(*["right"] * 30)
        await settled(pilot)
        assert names(screen) == {}
        assert "Nothing from this score on" in screen_text(app)


async def test_classes_are_switched_off_and_on(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, make_predictions(tmp_path))
        await pilot.press(*["left"] * 4, "right_square_bracket")
        classes = screen.query_one("#classes")
        assert [(row.name, row.count) for row in classes.rows()] == [
            (CLASSES[0], 2), (CLASSES[1], 2), (CLASSES[2], 0),
        ]  # fmt: skip
        await pilot.press("space")
        await settled(pilot)
        assert names(screen)["site_0.png"] == 1
        assert "1 class off" in screen_text(app)
        assert [row.on for row in classes.rows()] == [False, True, True]
        await pilot.press("a")
        await settled(pilot)
        assert names(screen)["site_0.png"] == 3
        # One class alone, and all again.
        await pilot.press("down", "a")
        await settled(pilot)
        assert [row.on for row in classes.rows()] == [False, True, False]
        assert names(screen) == {"site_0.png": 1, "site_1.png": 1, "site_2.png": 0}


async def test_a_track_is_followed_frame_by_frame(tmp_path: Path, film: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, make_predictions(tmp_path, video=film))
        await pilot.press("left", "left", "left", "right_square_bracket", "right_square_bracket")
        await settled(pilot)
        rows = screen.query_one("#tracks").rows()
        assert [(row.number, row.name, row.frames) for row in rows] == [
            (3, "crane_hook", 5), (7, CLASSES[0], 2),
        ]  # fmt: skip
        await pilot.press("down", "T", "enter")
        await until(pilot, lambda: screen.query_one(Picture).settled and screen.tab == "pictures")
        assert screen.query_one("#pictures").cursor_row.name == "yard.mp4#000002"
        assert "only #7" in screen_text(app)
        assert "#7" in str(screen.query_one("#caption").render())
        shade = screen.query_one(Picture).shown
        assert shade is not None, "the frame was read"
        await pilot.press("j")
        await until(pilot, lambda: screen.query_one(Picture).shown not in (None, shade))
        assert "0.25 s" in screen_text(app)
        assert not app.errors


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_everything_fits(tmp_path: Path, film: Path, size: tuple[int, int], opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app, size) as pilot:
        screen = await shown(pilot, make_predictions(tmp_path, video=film))
        for _ in range(3):
            for panel in screen.query("Panel"):
                assert panel.region.right <= size[0]
                assert panel.region.height >= 5
            await pilot.press("right_square_bracket")
            await settled(pilot)
        await pilot.press("z", "n", "n")
        await until(pilot, lambda: screen.query_one(Picture).settled)
        assert screen.query_one("#predictions-picture").region.width == size[0]
        assert "site_2.png" in screen_text(app)


async def test_a_folder_without_predictions_is_an_error(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app, (80, 24)) as pilot:
        await settled(pilot)
        app.push_screen(PredictionsScreen(tmp_path))
        await settled(pilot)
        await until(pilot, lambda: "There is no detections.coco.json" in screen_text(app))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    made = make_run(tmp_path, NAME, finished(NAME))
    (made / "best.pth").touch()
    return made


class Child:
    """Stands in for `python -m core.inference`."""

    def __init__(self, root: Path) -> None:
        self.root, self.options = root, None
        self.error: BatmanError | None = None
        self.waits = False

    def __call__(self, module: str, options: Any, report, cancelled, *, name: str) -> Any:
        assert module == "core.inference"
        self.options = options
        report(Progress("images", 3, 12))
        while self.waits and not cancelled():
            sleep(0.005)
        if self.waits:
            raise Cancelled(f"{name} was stopped.")
        if self.error is not None:
            raise self.error
        folder = make_predictions(self.root)
        remember(options.target / "best.pth", "inference", folder, {"images": 3})
        skipped = [{"path": "x.jpg", "reason": "is damaged"}]
        return {"output": str(folder), "skipped": skipped, "notes": ["Run with torch: so."]}


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Child:
    made = Child(tmp_path)
    monkeypatch.setattr(look_dialog, "run_job", made)
    monkeypatch.setattr("core.models.backend.require_model", lambda *_: None)
    return made


async def asked(pilot: Any, run: Path, photos: str) -> LookDialog:
    await settled(pilot)
    pilot.app.open_run(run)
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen) and pilot.app.screen.run)
    await settled(pilot)
    await pilot.press("i")
    await until(pilot, lambda: isinstance(pilot.app.screen, LookDialog))
    dialog = pilot.app.screen
    dialog.query_one("#inputs", LineInput).value = photos
    await settled(pilot)
    return dialog


async def test_a_finished_run_looks_and_shows_and_remembers(
    run: Path, tmp_path: Path, child: Child, opened
) -> None:
    make_predictions(tmp_path)  # for the photos
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        dialog = await asked(pilot, run, f"'{tmp_path}/photos/*_1.png' {tmp_path / 'photos'}")
        assert "3 pictures" in screen_text(app)
        assert "Run with" in screen_text(app)
        dialog._track.value = "yes"
        dialog._backend.value = "torch"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, PredictionsScreen))
        options = child.options
        assert (options.target, options.backend) == (run, "torch")
        assert (options.keep, options.confidence, options.track, options.annotate) == (
            0.05, 0.5, True, False,
        )  # fmt: skip
        assert options.output == tmp_path / "predictions" / "site-2", "site-1 is there"
        await settled(pilot)
        assert "Passed over: x.jpg is damaged" in screen_text(app)
        assert "Run with torch: so." in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        screen = app.screen
        await until(pilot, lambda: screen.details.made)
        screen.details.tab = "made"
        await settled(pilot)
        assert "inference" in screen_text(app)
        screen.query_one("#made").focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PredictionsScreen))


async def test_what_cannot_be_looked_at_is_said_at_once(
    run: Path, tmp_path: Path, child: Child, opened
) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app, (80, 24)) as pilot:
        dialog = await asked(pilot, run, str(tmp_path / "nothing"))
        assert "does not exist" in screen_text(app)
        assert "auto: onnx on a CPU, the faster of the two on a GPU" in screen_text(app)
        assert dialog.query_one("#ok", Button).disabled
        dialog.query_one("#confidence", LineInput).value = "7"
        await settled(pilot)
        assert "between 0 and 1" in screen_text(app)
        await pilot.press("ctrl+s")
        await settled(pilot)
        assert child.options is None


async def test_it_can_be_stopped_and_says_what_went_wrong(
    run: Path, tmp_path: Path, child: Child, opened
) -> None:
    make_predictions(tmp_path)
    child.waits = True
    app = FrozenApp(tmp_path)
    async with opened(app, (80, 24)) as pilot:
        dialog = await asked(pilot, run, str(tmp_path / "photos"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "3 of 12" in screen_text(app))
        assert dialog in app.busy
        await pilot.press("escape")
        await until(pilot, lambda: dialog.phase == "form")
        assert dialog not in app.busy
        child.waits, child.error = False, BatmanError("No room [here].", "Make some.")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "No room [here]. Make some." in " ".join(
            screen_text(app).split()))  # fmt: skip
        assert dialog.phase == "form"


async def test_the_list_of_runs_offers_both(run: Path, tmp_path: Path, opened) -> None:
    from batman_tui.run.export_dialog import ModelExportDialog

    app = FrozenApp(tmp_path)
    async with opened(app, (80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.chosen)
        for key, kind in (("i", LookDialog), ("x", ModelExportDialog)):
            await pilot.press(key)
            await until(pilot, lambda kind=kind: isinstance(app.screen, kind))
            await settled(pilot)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        (run / "best.pth").unlink()
        await pilot.press("i")
        await settled(pilot)
        assert isinstance(app.screen, RunsScreen)
        assert "holds no trained model" in screen_text(app)


def test_paths_are_taken_as_they_are_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my photos").mkdir()
    assert paths_in("my photos") == [str(tmp_path / "my photos")]
    assert paths_in("'my photos' a/*.jpg") == [
        str(tmp_path / "my photos"), str(tmp_path / "a" / "*.jpg"),
    ]  # fmt: skip
    assert paths_in("") == []
    with pytest.raises(BatmanError, match="quote"):
        paths_in("'my")


def test_broken_predictions_are_one_error(tmp_path: Path) -> None:
    from core.inference.found import read_found

    folder = make_predictions(tmp_path)
    file = folder / "detections.coco.json"
    whole = json.loads(file.read_text())
    for wrong in ("[]", "{", json.dumps({**whole, "images": []})):
        file.write_text(wrong)
        with pytest.raises(BatmanError):
            read_found(folder)


async def test_what_was_found_comes_back_as_suggestions(tmp_path: Path, opened) -> None:
    folder = make_predictions(tmp_path)
    project = tmp_path / "data" / "projects" / "yard"
    with Project.create(project) as made:
        import_pictures(made, [tmp_path / "photos" / f"{NAME}_{n}.png" for n in range(2)])
    app = FrozenApp(tmp_path)
    async with opened(app) as pilot:
        await shown(pilot, folder)
        # There is no class yet that it could be of: said, and nothing is changed.
        await pilot.press("s", "enter")
        await settled(pilot)
        assert "knows none of the project's classes" in screen_text(app).replace("\n", " ")
        with Project.open(project) as opened_again:
            assert list_passes(opened_again) == []
            with opened_again.change("classes.add", "Add") as change:
                change.insert("classes", {"name": CLASSES[0]})
        await pilot.press("s", "enter")
        await until(pilot, lambda: isinstance(app.screen, LabelScreen))
        await settled(pilot)
    with Project.open(project) as opened_again:
        (line,) = list_passes(opened_again)
    assert (line.model, line.images, dict(line.states)) == ("site-1", 2, {"open": 2})


def yard(tmp_path: Path) -> Path:
    """A project with the photos and two of the classes."""
    project = tmp_path / "data" / "projects" / "yard"
    with Project.create(project) as made:
        import_pictures(made, [tmp_path / "photos" / f"{NAME}_{n}.png" for n in range(2)])
        with made.change("classes.add", "Add") as change:
            for name in CLASSES[:2]:
                change.insert("classes", {"name": name})
    return project


def states(project: Path) -> list[dict[str, int]]:
    with Project.open(project) as opened:
        return [dict(line.states) for line in list_passes(opened)]


async def test_what_is_not_shown_does_not_become_a_suggestion_in_silence(
    tmp_path: Path, opened
) -> None:
    folder = make_predictions(tmp_path)
    project = yard(tmp_path)
    app = FrozenApp(tmp_path)
    async with opened(app, (80, 24)) as pilot:
        screen = await shown(pilot, folder)
        assert "s Suggest" in screen_text(app)
        screen.look = Look(0.75)
        await pilot.press("s")
        await settled(pilot)
        said = " ".join(screen_text(app).replace("│", " ").split())
        assert "4 found from 0.10 on can become suggestions; 1 of them is shown now" in said
        assert "(from 0.75 on)" in said
        await pilot.press("escape")
        await settled(pilot)
        assert states(project) == [], "nothing is taken without an answer"
        # Nothing shown: there is no taking only that.
        screen.look = Look(0.99)
        await pilot.press("s")
        await settled(pilot)
        assert "0 of them are shown now" in " ".join(screen_text(app).replace("│", " ").split())
        assert "Only what is shown now" not in screen_text(app)
        await pilot.press("escape")
        screen.look = Look(0.4, frozenset({0}))
        await pilot.press("s")
        await settled(pilot)
        assert "without the 1 class switched off" in " ".join(
            screen_text(app).replace("│", " ").split()
        )
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, LabelScreen))
        await until(pilot, lambda: "4 boxes that were not shown" in " ".join(
            screen_text(app).replace("│", " ").split()))  # fmt: skip
    assert states(project) == [{"open": 1}]


async def test_nothing_is_asked_where_all_of_it_is_shown(tmp_path: Path, opened) -> None:
    folder = make_predictions(tmp_path)
    project = yard(tmp_path)
    app = FrozenApp(tmp_path)
    async with opened(app, (80, 24)) as pilot:
        screen = await shown(pilot, folder)
        screen.look = Look(0.1)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, LabelScreen))
        await settled(pilot)
    assert states(project) == [{"open": 4}]


async def test_a_key_is_spelt_the_same_with_the_list_and_without(tmp_path: Path, opened) -> None:
    app = FrozenApp(tmp_path)
    async with opened(app, (120, 40)) as pilot:
        await shown(pilot, make_predictions(tmp_path))
        for key in ("", "z"):
            await pilot.press(*([key] if key else []))
            await settled(pilot)
            assert "← Lower  → Higher" in screen_text(app)


async def test_what_was_typed_last_is_looked_at_before_it_is_refused(
    run: Path, tmp_path: Path, child: Child, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_predictions(tmp_path)  # for the photos
    photos, go, began = str(tmp_path / "photos"), Event(), Event()
    found = look_dialog.find_sources

    def slowly(inputs, output):
        if inputs == [photos]:
            began.set()
            assert go.wait(30)
        return found(inputs, output)

    monkeypatch.setattr(look_dialog, "find_sources", slowly)
    app = FrozenApp(tmp_path)
    async with opened(app, (80, 24)) as pilot:
        dialog = await asked(pilot, run, photos[:-2])
        assert "does not exist" in screen_text(app)
        dialog.query_one("#inputs", LineInput).value = photos
        await until(pilot, began.is_set)
        await pilot.press("ctrl+s")
        go.set()
        await until(pilot, lambda: isinstance(app.screen, PredictionsScreen))
        assert child.options.inputs == [photos]
        assert not [note for note in app._notifications if "does not exist" in note.message]
