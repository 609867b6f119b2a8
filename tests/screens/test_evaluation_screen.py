"""The evaluation screen: what there is, making one in a child process, the worst images."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

import pytest
from evaluation_data import make_evaluation
from harness import FrozenApp, screen_text, settled, until, words_on
from run_data import finished, make_run
from textual import on
from textual.app import App
from textual.pilot import Pilot
from textual.worker import Worker, WorkerState

from batman_tui.evaluate.background import BackgroundEvaluation
from batman_tui.evaluate.screen import EvaluationScreen
from batman_tui.pictures.picture_screen import PictureScreen
from batman_tui.pictures.viewer import Viewer
from batman_tui.run.screen import RunScreen
from batman_tui.runs.screen import RunsScreen
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.plot.plot import Plot
from batman_tui.widgets.table.table import VirtualTable
from core.common.errors import Cancelled, RunError
from core.common.progress import Progress
from core.evaluation.process import EvaluationProcess
from core.evaluation.result import RESULT, EvaluationResult, evaluation_folder

SIZES = [(80, 24), (120, 40)]
NAME = "building-site-small-3"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path, NAME, finished(NAME))


class Evaluator(EvaluationProcess):
    """Stands in for the child process: goes on until `go` is set or it is cancelled."""

    last: Evaluator
    error: Exception | None = None

    def __init__(self, target: Path, split: str) -> None:
        super().__init__(target, split)
        self.target, self.split = target, split
        self.go = threading.Event()
        self.stopped = False
        Evaluator.last = self

    def run(self, progress) -> Path:
        progress(Progress("predicting", 40, 96))
        assert self.go.wait(30)
        if self.stopped:
            raise Cancelled("The evaluation was stopped.")
        if Evaluator.error is not None:
            raise Evaluator.error
        make_evaluation(self.target, self.split)
        return self.target

    def cancel(self) -> None:
        self.stopped = True
        self.go.set()


@pytest.fixture(autouse=True)
def _no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evaluator, "error", None)


async def shown(pilot: Pilot[int], run: Path) -> EvaluationScreen:
    await settled(pilot)
    screen = EvaluationScreen(run, Evaluator)
    pilot.app.push_screen(screen)
    await until(pilot, lambda: pilot.app.screen is screen)
    await settled(pilot)
    return screen


async def test_an_evaluation_is_shown(run: Path, opened) -> None:
    make_evaluation(run, "test")
    app = FrozenApp(run.parents[1])
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, run)
        assert screen.split == "test", "the first split that was evaluated"
        text = screen_text(app)
        for part in ("96 images", "0.552", "small 0.331 of 300", "large – of 0", "10 min ago",
                     "person [front]", "[/x] vest", "at confidence 0.37",
                     "small 0.198  medium 0.330  large –"):  # fmt: skip
            assert part in text, part
        classes = screen.query_one("#classes")
        assert classes.cursor_row.name == "crane_hook", "the weakest first"
        plot = screen.query_one("#curve", Plot)
        assert plot.chart.x_axis == "recall"
        assert "crane_hook: precision over recall" in text
        assert "crane_hook AP50 0.495" in text
        assert "all classes AP50 0.734" in text
        await pilot.press("G")
        await settled(pilot)
        assert "person [front]: precision over recall" in screen_text(app)
        plot.focus()
        await pilot.press("c")
        await settled(pilot)
        assert "recall 1.00" in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_no_pane_is_wider_than_the_screen(run: Path, opened, size: tuple[int, int]) -> None:
    make_evaluation(run)
    app = FrozenApp(run.parents[1])
    async with opened(app, size) as pilot:
        screen = await shown(pilot, run)
        for _ in range(3):
            for panel in screen.query(Panel):
                assert panel.region.right <= size[0], panel.id
            await pilot.press("right_square_bracket")
            await settled(pilot)


async def test_the_matrix_is_shaded_by_the_share_of_each_class(run: Path, opened) -> None:
    make_evaluation(run)
    app = FrozenApp(run.parents[1])
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, run)
        await pilot.press("right_square_bracket")
        await settled(pilot)
        table = screen.query_one("#matrix", VirtualTable)
        grounds: dict[str, set[object]] = {}
        for segment in table.render_line(2):
            if segment.text.strip().isdigit() and segment.style is not None:
                grounds.setdefault(segment.text.strip(), set()).add(segment.style.bgcolor)
        # Forty of sixty are right, seven are missed and three are taken for each other class.
        assert grounds.keys() == {"40", "7", "3"}
        assert len({colour for found in grounds.values() for colour in found}) == 3


async def test_without_an_evaluation_it_says_how_to_get_one(run: Path, opened) -> None:
    app = FrozenApp(run.parents[1])
    async with opened(app) as pilot:
        screen = await shown(pilot, run)
        assert "No evaluation on valid yet: E makes one." in screen_text(app)
        await pilot.press("s")
        await settled(pilot)
        assert screen.split == "test"
        assert "No evaluation on test yet" in screen_text(app)


async def test_what_is_read_late_does_not_bring_another_split_back(
    run: Path, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, go, ended = EvaluationResult.load, threading.Event(), threading.Event()

    def slowly(folder: Path) -> EvaluationResult:
        assert go.wait(30)
        try:
            return load(folder)
        finally:
            ended.set()

    make_evaluation(run)
    monkeypatch.setattr(EvaluationResult, "load", slowly)
    app = FrozenApp(run.parents[1])
    async with opened(app) as pilot:
        await settled(pilot)
        screen = EvaluationScreen(run, Evaluator)
        app.push_screen(screen)
        await until(pilot, lambda: "not evaluated yet" in screen_text(app))
        await pilot.press("s")
        assert screen.split == "test"
        go.set()
        await until(pilot, ended.is_set)
        await settled(pilot)
        assert (screen.split, screen.result) == ("test", None)
        assert "No evaluation on test yet" in screen_text(app)


async def test_evaluating_with_progress(run: Path, opened) -> None:
    app = FrozenApp(run.parents[1])
    async with opened(app) as pilot:
        screen = await shown(pilot, run)
        await pilot.press("s", "e")
        await until(pilot, lambda: "predicting (test) 40 of 96" in screen_text(app))
        assert "The model is being evaluated on test" in words_on(app)
        assert "test  being evaluated" in screen_text(app)
        for wrong in ("No evaluation on", "not evaluated yet"):
            assert wrong not in screen_text(app)
        assert app.busy
        await pilot.press("s", "e")
        assert screen.split == "test", "the split stays while it is evaluated"
        Evaluator.last.go.set()
        await until(pilot, lambda: screen.result is not None)
        await settled(pilot)
        assert "40 of 96" not in screen_text(app)
        assert "crane_hook" in screen_text(app)
        assert not app.busy
        assert Evaluator.last.split == "test"


async def test_stopping_it(run: Path, opened) -> None:
    app = FrozenApp(run.parents[1])
    async with opened(app) as pilot:
        screen = await shown(pilot, run)
        await pilot.press("e")
        await until(pilot, lambda: "40 of 96" in screen_text(app))
        await pilot.press("X")
        await until(pilot, lambda: screen.evaluation is None)
        await settled(pilot)
        assert "No evaluation on valid yet" in screen_text(app)
        await pilot.press("e", "escape")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen)
        assert screen.evaluation is not None
        await pilot.press("escape", "y")
        await until(pilot, lambda: not screen.is_attached)
        assert Evaluator.last.stopped
        assert not app.busy


async def test_it_goes_on_behind_other_views(run: Path, opened) -> None:
    app = FrozenApp(run.parents[1])
    async with opened(app) as pilot:
        await pilot.press("2")
        screen = await shown(pilot, run)
        await pilot.press("e")
        await until(pilot, lambda: "40 of 96" in screen_text(app))
        await pilot.press("1")
        await until(pilot, lambda: app.current_mode == "projects")
        assert app.busy
        Evaluator.last.go.set()
        await until(pilot, lambda: screen.result is not None)
        assert not app.busy
        await pilot.press("2")
        await until(pilot, lambda: app.screen is screen)
        await settled(pilot)
        assert "crane_hook" in screen_text(app)


class Owner(App[None]):
    """An app that owns an evaluation itself, without any screen of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []
        self.ended = 0
        self.failed: list[BaseException | None] = []

    @on(BackgroundEvaluation.Progressed)
    def _progressed(self, message: BackgroundEvaluation.Progressed) -> None:
        self.steps.append(message.progress.done)

    @on(BackgroundEvaluation.Ended)
    def _ended(self) -> None:
        self.ended += 1

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR:
            self.failed.append(event.worker.error)


@pytest.mark.parametrize("how", ["finished", "cancelled", "failed"])
async def test_an_evaluation_that_the_app_owns(
    run: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    error = RunError("There is no 'best.pth'.", "Train first.") if how == "failed" else None
    monkeypatch.setattr(Evaluator, "error", error)
    app = Owner()
    async with app.run_test() as pilot:
        evaluation = BackgroundEvaluation(app, run, "test", Evaluator)
        evaluation.start()
        await until(pilot, lambda: app.steps == [40])
        assert not app.ended
        if how == "cancelled":
            evaluation.cancel()
        else:
            Evaluator.last.go.set()
        await until(pilot, lambda: app.ended == 1)
        await until(pilot, lambda: not any(worker.is_running for worker in app.workers))
        assert app.failed == ([error] if error else [])
        assert (evaluation_folder(run, "test") / RESULT).is_file() == (how == "finished")


async def test_what_went_wrong_is_said(run: Path, opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evaluator, "error", RunError("There is no 'best.pth'.", "Train [first]."))
    app = FrozenApp(run.parents[1])
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, run)
        await pilot.press("e")
        await until(pilot, lambda: screen.evaluation is not None)
        Evaluator.last.go.set()
        await until(pilot, lambda: "There is no 'best.pth'. Train [first]." in screen_text(app))
        assert screen.evaluation is None


async def test_confusions_as_a_matrix_where_it_fits(run: Path, opened) -> None:
    make_evaluation(run)
    app = FrozenApp(run.parents[1])
    async with opened(app) as pilot:
        screen = await shown(pilot, run)
        await pilot.press("right_square_bracket")
        await settled(pilot)
        text = screen_text(app)
        assert "Confusion matrix" in text
        assert "crane_hook not found" in text
        assert screen.focused is screen.query_one("#confusion")
        make_evaluation(run, classes=40)
        screen._load("valid")
        await settled(pilot)
        text = screen_text(app)
        assert "Confusion matrix" not in text
        assert "class 30 taken for" in " ".join(
            str(column) for column in [screen.query_one("#confusion").columns[0].value(row)
                                       for row in screen.query_one("#confusion").rows()]
        )  # fmt: skip


async def test_walking_through_the_worst_images(run: Path, opened) -> None:
    made = make_evaluation(run)
    app = FrozenApp(run.parents[1])
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, run)
        await pilot.press("left_square_bracket")
        picture = screen.viewer
        await until(pilot, lambda: picture.seen == ("valid", made.finished_at, 4))
        text = screen_text(app)
        assert "site-[4].jpg 1 of 4" in text
        assert "too many ■ crane_hook 4" in text
        assert "missed ■ hard hat 1" in text
        assert "━" in text
        await pilot.press("w")
        await until(pilot, lambda: "only wrong" in screen_text(app))
        await pilot.press("j")
        await until(pilot, lambda: picture.seen == ("valid", made.finished_at, 3))
        await pilot.press("z")
        await until(pilot, lambda: isinstance(app.screen, PictureScreen))
        whole = app.screen.query_one(Viewer)
        await until(pilot, lambda: whole.seen == 3)
        assert whole.look.only_wrong
        assert "site-[3].jpg  2 of 4" in screen_text(app)
        await pilot.press("n")
        await until(pilot, lambda: whole.seen == 2)
        await pilot.press("w", "z")
        await until(pilot, lambda: picture.seen == ("valid", made.finished_at, 2))
        # The table went along, and so did what is to be seen.
        assert "site-[2].jpg 3 of 4" in screen_text(app)
        assert not picture.look.only_wrong


async def test_images_that_are_gone(run: Path, opened) -> None:
    make_evaluation(run)
    shutil.rmtree(run / "dataset")
    app = FrozenApp(run.parents[1])
    async with opened(app, (120, 40)) as pilot:
        screen = await shown(pilot, run)
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: "004.jpg" in screen.viewer._said)
        assert "site-[4].jpg" in screen_text(app)


async def test_opened_from_the_list_and_from_the_run(run: Path, opened) -> None:
    # Tests before this one in the same process may have loaded it.
    loaded = "torch" in sys.modules
    app = FrozenApp(run.parents[1])
    async with opened(app) as pilot:
        await pilot.press("2")
        await until(
            pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.table.row_count
        )
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, EvaluationScreen))
        await pilot.press("escape", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run)
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, EvaluationScreen))
        assert app.screen.path == run
        assert ("torch" in sys.modules) == loaded


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keys", [(), ("right_square_bracket",), ("left_square_bracket",)])
def test_the_panes(run: Path, snap_compare, size: tuple[int, int], keys: tuple[str, ...]) -> None:
    make_evaluation(run)
    app = FrozenApp(run.parents[1])

    async def ready(pilot: Pilot[int]) -> None:
        screen = await shown(pilot, run)
        await pilot.press(*keys)
        await settled(pilot)
        if screen.tab == "images":
            await until(pilot, lambda: screen.viewer.seen)
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=ready)
