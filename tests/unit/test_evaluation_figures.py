"""What matplotlib draws of an evaluation is drawn in a process beside it, which ends with it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from core.common.errors import Cancelled, RunError
from core.data.images.class_colours import class_colours
from core.evaluation import figures
from core.evaluation.figures import FiguresBeside
from core.evaluation.result import CONFUSION, PR_CURVES, ClassResult, Confusion
from core.processes.child_process import python_environment

CLASSES = ["a$b", "c"]
ROWS = [
    ClassResult(
        name=name, annotations=3, ap50=0.5, precision=0.5, recall=0.4, curve=[0.5] * 101
    )
    for name in CLASSES
]  # fmt: skip
TABLE = Confusion(labels=[*CLASSES, "background"], matrix=[[2, 1, 0], [0, 3, 1], [4, 0, 0]])


def drawing() -> list[psutil.Process]:
    """Return the processes of this test that draw; others run these tests too."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and figures.MODULE in child.cmdline()
    ]


def until_one_draws() -> psutil.Process:
    """Return the process that draws as soon as it is there."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if there := drawing():
            return there[0]
        time.sleep(0.01)
    raise AssertionError("nothing draws")


def test_they_are_those_that_are_drawn_here(tmp_path: Path) -> None:
    colours = class_colours(CLASSES, None)
    beside, here = tmp_path / "beside", tmp_path / "here"
    beside.mkdir()
    here.mkdir()
    with FiguresBeside(beside) as drawn:
        drawn.draw(beside, ROWS, colours, TABLE)
        drawn.wait()
    figures.draw_curves(here, ROWS, colours)
    figures.draw_confusion(here, TABLE)
    for name in (PR_CURVES, CONFUSION):
        with Image.open(beside / name) as one, Image.open(here / name) as other:
            assert one.size == other.size
            assert one.tobytes() == other.tobytes()
            assert len(one.convert("RGB").getcolors(1 << 16) or []) > 10, "something is drawn"


def test_who_evaluates_does_not_load_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from test_evaluation_figures import CLASSES, ROWS, TABLE\n"
        "from core.data.images.class_colours import class_colours\n"
        "from core.evaluation.figures import FiguresBeside\n"
        "with FiguresBeside(Path()) as drawn:\n"
        "    drawn.draw(Path(sys.argv[1]), ROWS, class_colours(CLASSES, None), TABLE)\n"
        "    drawn.wait()\n"
        "print('matplotlib' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(command, env=python_environment(), capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
    assert (tmp_path / PR_CURVES).is_file()


def test_an_error_ends_the_process() -> None:
    there: list[psutil.Process] = []
    with contextlib.suppress(ValueError), FiguresBeside(Path("/nowhere")):
        there.append(until_one_draws())
        raise ValueError
    assert [child.is_running() for child in there] == [False]
    assert drawing() == []


def test_what_keeps_them_from_being_drawn_is_told(tmp_path: Path) -> None:
    with FiguresBeside(tmp_path) as drawn:
        drawn.draw(tmp_path / "nowhere", ROWS, class_colours(CLASSES, None), TABLE)
        with pytest.raises(RunError, match=r"matplotlib ended with code 1: FileNotFoundError"):
            drawn.wait()


@pytest.mark.parametrize(("stopped", "kind"), [(True, Cancelled), (False, RunError)])
def test_a_stop_from_the_keyboard_is_no_failure(stopped: bool, kind: type[Exception]) -> None:
    """The terminal tells both processes of it: the one that draws is gone first."""
    with FiguresBeside(Path("/nowhere"), lambda: stopped) as drawn:
        until_one_draws().send_signal(signal.SIGKILL)
        drawn.draw(Path("/nowhere"), ROWS, class_colours(CLASSES, None), TABLE)
        with pytest.raises(kind):
            drawn.wait()
