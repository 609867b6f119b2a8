"""From a mistake to the same picture in its project, and back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from evaluation_data import result, worst_image
from harness import FrozenApp, screen_text, settled, until, words_on
from picture_data import make_pictures
from PIL import Image
from run_data import finished, make_run

from batman_tui.evaluate.screen import EvaluationScreen
from batman_tui.health.screen import HealthScreen
from batman_tui.images.screen import ImagesScreen
from batman_tui.label.screen import LabelScreen
from batman_tui.run.screen import RunScreen
from cli.model.evaluate import show
from core.data.store import Project
from core.evaluation.display import Mixup, shows
from core.evaluation.result import Box, EvaluationResult, WorstImage, evaluation_folder
from core.evaluation.worst_images import with_names
from core.evaluation.wrong_images import MISTAKES, save_mistakes
from core.training.launch.dataset_files import file_name, find_prepared
from core.training.run.run import Run

pytestmark = pytest.mark.usefixtures("painting")

NAME = "site-small"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "data/projects/site")


@pytest.fixture
def run(tmp_path: Path, project: Path) -> Path:
    """An evaluated run, of which the worst images are 3, 12, 20 and one that is gone."""
    run = make_run(tmp_path, NAME, finished(NAME), project=project)
    files = [file_name(number, f"site_{number:03}.png", f"1/site_{number:03}.png")
             for number in (3, 12, 20)]  # fmt: skip
    made = result(run)
    worst = [
        msgspec.structs.replace(image, file=file)
        for image, file in zip(made.worst, [*files, "site_099-99.png"], strict=True)
    ]
    msgspec.structs.replace(made, worst=worst).save(evaluation_folder(run, "valid"))
    return run


async def worst(pilot: Any, run: Path) -> EvaluationScreen:
    await settled(pilot)
    screen = EvaluationScreen(run)
    pilot.app.push_screen(screen)
    await until(pilot, lambda: pilot.app.screen is screen and screen.result is not None)
    await pilot.press("right_square_bracket", "right_square_bracket")
    await settled(pilot)
    return screen


async def test_a_worst_picture_leads_to_the_project_and_back(
    run: Path, project: Path, opened
) -> None:
    app = FrozenApp(run.parents[1])
    async with opened(app, (120, 40)) as pilot:
        screen = await worst(pilot, run)
        await pilot.press("j", "v")
        await until(pilot, lambda: isinstance(app.screen, ImagesScreen))
        images = app.screen
        await until(pilot, lambda: images.table.cursor_row is not None)
        assert (images.project, images.table.cursor_key) == (project, 12)
        assert images.table.row_count == 24, "among its neighbours"
        assert "site_012.png" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert screen.query_one("#images").cursor == 1
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LabelScreen))
        await until(pilot, lambda: "site_012.png" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)


async def test_pictures_are_called_as_in_the_project(run: Path, opened) -> None:
    app = FrozenApp(run.parents[1])
    async with opened(app, (120, 40)) as pilot:
        screen = await worst(pilot, run)
        assert [image.shown for image in screen.result.worst] == [
            "site_003.png", "site_012.png", "site_020.png", "site_099-99.png",
        ]  # fmt: skip
        text = screen_text(app)
        assert "site_012.png" in text
        assert "site_003-3" not in text, "neither in the list nor above the picture"
        await pilot.press("escape")
        await settled(pilot)
        folder = run / "val_images"
        folder.mkdir()
        for name in ("site_012-12", "site_099-99"):
            Image.new("RGB", (40, 30)).save(folder / f"epoch_0002_{name}.jpg")
        app.push_screen(RunScreen(run))
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        app.screen.details.tab = "pictures"
        await until(pilot, lambda: "site_012.png" in screen_text(app))
        assert "site_012-12" not in screen_text(app)
        assert "site_099-99" in screen_text(app), "as its file is called, where it is gone"


def test_what_evaluate_prints_is_called_as_in_the_project(
    run: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = EvaluationResult.load(evaluation_folder(run, "valid"))
    show(msgspec.structs.replace(made, worst=with_names(made.worst, run)), run)
    out = capsys.readouterr().out
    assert "site_012.png" in out
    assert "site_012-12" not in out
    shutil.rmtree(project)
    assert with_names(made.worst, run) == made.worst, "and without the project by their files"


async def test_one_that_is_gone_is_said(run: Path, opened) -> None:
    app = FrozenApp(run.parents[1])
    async with opened(app, (120, 40)) as pilot:
        screen = await worst(pilot, run)
        await pilot.press("G", "l")
        await until(pilot, lambda: "has no picture 'site_099-99.png' any more" in words_on(app))
        assert app.screen is screen
        config = Run(run).config()
        config.model_copy(update={"project": None}).save(run / "training_config.json")
        await pilot.press("v")
        await until(pilot, lambda: "was not trained on a project" in words_on(app))


async def test_a_confusion_leads_to_pictures_that_show_it(run: Path, opened) -> None:
    app = FrozenApp(run.parents[1])
    async with opened(app, (120, 40)) as pilot:
        screen = await worst(pilot, run)
        await pilot.press("left_square_bracket")
        table, images = screen.query_one("#confusion"), screen.query_one("#images")
        # "hard hat" is missed on each, but where a crane hook was seen instead.
        table.move_to(("hard hat", "background"))
        await pilot.press("enter")
        await until(pilot, lambda: screen.tab == "images")
        await settled(pilot)
        expected = [image.file for image in screen.result.worst
                    if shows(image, Mixup("hard hat", "background", 1, None))]  # fmt: skip
        assert [row.file for row in images.rows()] == expected
        assert expected
        assert "hard hat not found" in screen_text(app)
        await pilot.press("enter")
        await settled(pilot)
        assert len(images.rows()) == 4
        # Escape goes one step back: to the mistakes, and all images are there again.
        await pilot.press("left_square_bracket", "enter")
        await until(pilot, lambda: len(images.rows()) == len(expected) and screen.tab == "images")
        await pilot.press("escape")
        await settled(pilot)
        assert app.screen is screen
        assert (screen.tab, len(images.rows())) == ("confusion", 4)
        assert table.cursor_row.said == "hard hat not found"
        await pilot.press("right_square_bracket")
        await pilot.press("left_square_bracket")
        table.move_to(("crane_hook", "hard hat"))
        await pilot.press("enter")
        await settled(pilot)
        assert "None of the 4 worst images shows it" in words_on(app)
        await pilot.press("enter")
        await settled(pilot)
        assert len(images.rows()) == 4
        # All that were wrong are listed, not only those among the worst.
        folder = evaluation_folder(run, "valid")
        save_mistakes(folder, [*screen.result.worst, *map(worst_image, range(5, 9))])
        await pilot.press("left_square_bracket")
        table.move_to(("hard hat", "background"))
        await pilot.press("enter")
        await until(pilot, lambda: len(images.rows()) == len(expected) + 4)
        (folder / MISTAKES).write_bytes(b"[{]")
        await pilot.press("enter", "left_square_bracket", "enter")
        await until(pilot, lambda: len(images.rows()) == len(expected))


async def test_the_frames_of_a_video_are_shown_alone(project: Path, opened) -> None:
    app = FrozenApp(project.parents[2])
    async with opened(app, (120, 40)) as pilot:
        await settled(pilot)
        app.open_images(project, image_id=3)
        await until(pilot, lambda: isinstance(app.screen, ImagesScreen))
        table = app.screen.table
        await until(pilot, lambda: table.cursor_row is not None and table.cursor_key == 3)
        await pilot.press("F")
        await until(pilot, lambda: table.row_count == 4)
        assert (list(table.visible_keys), table.cursor_key) == ([1, 2, 3, 4], 3)
        await pilot.press("F")
        await until(pilot, lambda: table.row_count == 24)
        assert table.cursor_key == 3
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LabelScreen))
        await until(pilot, lambda: "site_003.png" in screen_text(app))


async def test_an_example_of_a_finding_is_labelled(project: Path, opened) -> None:
    app = FrozenApp(project.parents[2])
    async with opened(app, (120, 40)) as pilot:
        await settled(pilot)
        app.open_health(project)
        await until(pilot, lambda: isinstance(app.screen, HealthScreen) and app.screen.report)
        await settled(pilot)
        screen = app.screen
        screen.table.move_to("box-degenerate")
        await settled(pilot)
        await pilot.press("n")
        await settled(pilot)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LabelScreen))
        await until(pilot, lambda: "site_010.png" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        await settled(pilot)
        screen.table.move_to("box-degenerate")
        await settled(pilot)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ImagesScreen))
        await until(pilot, lambda: app.screen.table.row_count == 3)


def test_a_prepared_picture_is_found_by_its_number_and_its_name(project: Path) -> None:
    with Project.open(project) as opened:
        name = file_name(7, "site_007.png", "1/site_007.png")
        assert find_prepared(opened, name) == find_prepared(opened, f"valid/{name}") == 7
        assert find_prepared(opened, "site_007.png") == 7, "as exports call it"
        # Another picture has the number now.
        assert find_prepared(opened, "other-7.png") is None
        assert find_prepared(opened, f"{name}x") is None
        assert find_prepared(opened, "site_007-700.png") is None


@pytest.mark.parametrize(
    ("truth", "taken", "there"),
    [
        ("cat", "dog", True),
        ("cat", "background", False),
        ("owl", "background", True),
        ("owl", "dog", False),
        ("background", "fox", True),
        ("background", "dog", False),
        ("dog", "cat", False),
    ],
)
def test_which_mistakes_an_image_shows(truth: str, taken: str, there: bool) -> None:
    def box(name: str, x: float, score: float | None = None) -> Box:
        return Box(class_name=name, bbox=(x, 0.0, 10.0, 10.0), right=False, score=score)

    image = WorstImage(
        image_id=1, file="a.jpg", width=100, height=20, false_positives=2, missed=2, picture="",
        truth=[box("cat", 0), box("owl", 40)],
        predictions=[box("dog", 2, 0.7), box("fox", 80, 0.6)],
    )  # fmt: skip
    assert shows(image, Mixup(truth, taken, 1, None)) is there
