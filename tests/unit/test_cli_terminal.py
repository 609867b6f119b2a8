"""What a person sees on a real terminal."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forked import begin

from cli.output import say_error
from cli.progress import Stages
from cli.runs.run_lines import step_line
from core.data.store import Project
from core.demo.shapes import make_shapes
from core.models.sizes import MODELS
from core.training.config.options import TrainingConfig
from core.training.live.follow import RunFollower
from core.training.run.events import EventWriter, Finished, Started, Step, Validation

ROOT = Path(__file__).parents[2]
_CODES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_terminal(*words: str, cwd: Path, columns: int = 120, **more: str) -> tuple[int, str]:
    """Run `batman` on a pseudo-terminal and return its exit code and all it wrote."""
    ours, theirs = pty.openpty()
    env = {
        **os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40", **more,
    }  # fmt: skip
    child = begin(words, env, theirs, theirs, stdin=theirs, cwd=cwd)
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), written.decode()


def plain(text: str) -> str:
    return _CODES.sub("", text)


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A workspace with a finished run `r`."""
    path = tmp_path / "runs" / "r"
    path.mkdir(parents=True)
    TrainingConfig(model="tiny").save(path / "training_config.json")
    events = EventWriter(path / "events.jsonl")
    events.write(
        Started(
            run="r",
            pid=1,
            host="h",
            model="tiny",
            epochs=1,
            epoch=0,
            step=0,
            steps_per_epoch=2,
            batch_size=8,
            grad_accum=1,
            effective_batch=8,
            image_size=128,
            classes=["[red]cat[/red]\x1b]0;title\x07"],
            device="cpu",
        )
    )
    for step in (1, 2):
        events.write(Step(epoch=1, step=step, loss=2.5, lr=1e-3, images_per_s=9.0, step_s=0.1))
    events.write(
        Validation(
            epoch=1,
            step=2,
            map50_95=0.25,
            map50=0.5,
            map75=0.2,
            precision=0.6,
            recall=0.7,
            f1=0.65,
            per_class={"[red]cat[/red]\x1b]0;title\x07": 0.25},
            best=True,
        )
    )
    events.write(
        Finished(epoch=1, step=2, best_epoch=1, best_map50_95=0.25, best_map50=0.5, seconds=9)
    )
    events.close()
    return tmp_path


def test_a_run_on_a_terminal_has_a_bar_and_its_end(finished: Path) -> None:
    code, text = on_terminal("watch", "r", cwd=finished)
    assert code == 0
    shown = plain(text)
    assert "100%" in shown
    assert "━" in shown
    assert "step 2/2" in shown
    assert "mAP50-95 0.250" in shown
    assert "[red]cat[/red]⟨U+001B⟩]0;title⟨U+0007⟩" in shown
    assert "\x1b]" not in text
    code, text = on_terminal("watch", "r", "--plain", cwd=finished)
    assert code == 0
    assert "━━━━" not in plain(text).split("mAP50-95", 1)[0]


def test_runs_side_by_side_fit_eighty_columns_and_are_drawn(finished: Path) -> None:
    shutil.copytree(finished / "runs" / "r", finished / "runs" / "another-run-with-a-name")
    words = ("runs", "compare", "r", "another-run-with-a-name")
    code, text = on_terminal(*words, cwd=finished, columns=80)
    assert code == 0
    lines = plain(text).splitlines()
    assert max(map(len, lines)) <= 80
    # No column is folded: what does not fit is left out.
    head = next(line for line in lines if "mAP50-95" in line)
    assert "state" not in head
    assert any("another-run-with-a-name" in line and "0.250" in line for line in lines)
    legend = next(number for number, line in enumerate(lines) if "━ A r" in line)
    assert "━ B another-run-with-a-name" in lines[legend]
    assert any("┤" in line for line in lines[legend:])
    wide = plain(on_terminal(*words, cwd=finished, columns=160)[1])
    assert "state" in next(line for line in wide.splitlines() if "mAP50-95" in line)
    piped = subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        cwd=finished, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "┤" not in piped.stdout
    assert "state" in piped.stdout.splitlines()[0]


def test_the_model_sizes_fit_eighty_columns(tmp_path: Path) -> None:
    code, text = on_terminal("train", "--list-models", cwd=tmp_path, columns=80)
    assert code == 0
    lines = plain(text).splitlines()
    table = [line for line in lines if line.split()[:1] and line.split()[0] in MODELS]
    assert [line.split()[0] for line in table] == list(MODELS)
    assert max(map(len, table)) <= 80
    nano = next(line for line in table if line.split()[0] == "nano")
    assert nano.split()[1:] == ["30.5", "M", "384", "px", "32", "px", "48.4", "2.3", "Apache-2.0"]
    assert "README" in plain(text)


def test_a_narrow_line_keeps_what_tells_most(finished: Path) -> None:
    run = RunFollower(finished / "runs" / "r").poll()
    assert step_line(run) == "epoch 1/1  step 2/2  loss 2.5  lr 0.001  9.0 images/s"
    assert step_line(run, 50) == "epoch 1/1  step 2/2  loss 2.5  9.0 images/s"
    assert step_line(run, 30) == "epoch 1/1  step 2/2  loss 2.5"
    assert step_line(run, 10) == "epoch 1/1  loss 2.5"


def test_no_color_is_heeded(finished: Path) -> None:
    _, coloured = on_terminal("watch", "r", cwd=finished)
    assert re.search(r"\x1b\[[0-9;]*3[0-9]m", coloured)
    _, text = on_terminal("watch", "r", cwd=finished, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*(3|4|9)[0-9]m", text)


def test_class_counts_are_drawn_on_a_terminal_only(tmp_path: Path) -> None:
    make_shapes(tmp_path / "shapes", train=8, valid=2, test=2)
    words = ["import", "coco-dir", str(tmp_path / "shapes"), "--project", "p", "--create"]
    assert on_terminal(*words, cwd=tmp_path)[0] == 0
    listing = ("classes", "list", "--project", "p")
    for columns in (40, 120):
        _, text = on_terminal(*listing, cwd=tmp_path, columns=columns)
        bars = [line for line in plain(text).splitlines() if "█" in line]
        assert max(map(len, bars)) == columns
        assert re.search(r"\x1b\[[0-9;]*38;[0-9;]+m█", text)
    _, text = on_terminal(*listing, cwd=tmp_path, NO_COLOR="1")
    assert "█" in text
    assert not re.search(r"\x1b\[[0-9;]*(3|4|9)[0-9]", text)
    _, text = on_terminal(*listing, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert "|" in plain(text)
    assert "##" in plain(text)
    code = (
        "import sys\nfrom cli.main import main\n"
        f"main({list(listing)!r})\n"
        "print([name for name in ('plotext', 'numpy') if name in sys.modules])"
    )
    piped = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert piped.stdout.splitlines()[-1] == "[]"
    assert "Annotations" not in piped.stdout
    assert "\x1b" not in piped.stdout


def test_lists_and_errors_on_a_terminal(tmp_path: Path) -> None:
    Project.create(tmp_path / "data" / "projects" / "cats", "[/nope] [bold]all\x1b[2J").close()
    code, text = on_terminal("project", "list", cwd=tmp_path)
    assert code == 0
    assert "[/nope] [bold]all⟨U+001B⟩[2J" in plain(text)
    assert "\x1b[2J" not in text
    code, text = on_terminal("project", "show", "[/bold]cat", cwd=tmp_path)
    assert code == 2
    assert "Error: " in plain(text)
    assert "[/bold]cat" in plain(text)
    assert "Traceback" not in text


def test_the_help_on_a_narrow_terminal(tmp_path: Path) -> None:
    code, text = on_terminal("train", "--help", cwd=tmp_path, columns=60)
    assert code == 0
    assert max(map(len, plain(text).splitlines())) <= 60
    assert "'a|b'" in plain(text)
    assert "--resume RUN [OPTION ...]" in plain(text)


def test_stages_in_a_log_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    with Stages() as show:
        for done in range(5):
            show("images\x1b", done, 4)
        show("classes", 0, None)
        show("images\x1b", 4, 4)
    assert capsys.readouterr().out == "images⟨U+001B⟩: 4 of 4\n"
    with Stages(quiet=True) as show:
        show("images", 4, 4)
    assert capsys.readouterr().out == ""


def test_a_hint_of_several_commands_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    say_error(
        "It cannot go on.", "Start anew: batman train\nOr delete: batman runs delete \x1b[31mr"
    )
    assert capsys.readouterr().err.splitlines() == [
        "Error: It cannot go on.",
        "Start anew: batman train",
        "Or delete: batman runs delete ⟨U+001B⟩[31mr",
    ]
