"""What the commands print of runs, jobs and models with hostile names, by the bytes.

Into a terminal (a real pty) and into a pipe. The words that `batman` is called with, and what
projects hold, are swept in tests/unit/test_hostile_output.py.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from evaluation_data import result
from hostile_data import (
    EVIL,
    foreign_codes,
    hostile_cluster,
    make_failed_run,
    make_hostile_project,
    make_hostile_run,
)
from job_data import FakeCluster
from PIL import Image

from cli import main
from cli.cluster import job_words
from cli.common import guard
from cli.progress import Stages
from core.common.invisible_characters import unseen
from core.common.notify import NotifySettings, escape, notify
from core.data.store import Project
from core.processes.child_process import python_command, python_environment
from slurm.site.profiles import Profile

ROOT = Path(__file__).parents[2]
# How rich moves a bar: back to the line's beginning, then clears it.
_BAR = "\r\x1b[2K"
ENDS = ("terminal", "pipe")


def codes_in(printed: str) -> list[str]:
    """Return what is in `printed` that neither a person sees nor rich itself makes."""
    return foreign_codes(printed.replace("\r\n", "\n").replace(_BAR, ""))


class Printed:
    """Calls things with a terminal or a pipe for standard output and error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def __call__(self, action: Callable[[], object], end: str) -> str:
        """Return all that `action` prints into that `end`."""
        ours, theirs = pty.openpty() if end == "terminal" else os.pipe()
        got: list[bytes] = []
        reader = threading.Thread(target=self._read, args=(ours, got))
        reader.start()
        try:
            with os.fdopen(theirs, "w", encoding="utf-8") as stream, self._patch.context() as patch:
                patch.setattr(sys, "stdout", stream)
                patch.setattr(sys, "stderr", stream)
                patch.setenv("COLUMNS", "500")
                action()
        finally:
            reader.join(20)
            os.close(ours)
        return b"".join(got).decode()

    @staticmethod
    def _read(ours: int, got: list[bytes]) -> None:
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # The other end of a terminal is closed: how Linux says it.
                return
            if not more:
                return
            got.append(more)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    return Printed(monkeypatch)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with a project and runs that are hostile, one of them with a model file."""
    root = tmp_path_factory.mktemp("gotham")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BATMAN_CONFIG_DIR", str(root / "config"))
        make_hostile_project(root)
        run = make_hostile_run(root, patch)
        make_hostile_run(root, patch, f"other {EVIL}")
        make_failed_run(root)
        (run / "model.onnx").write_bytes(b"no model, but a file")
        yield root


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """A hostile cluster, which the commands reach whatever they are told."""
    host = hostile_cluster()
    monkeypatch.setattr(job_words, "open_host", lambda *_: host)
    monkeypatch.setattr(job_words, "profile_for", lambda _: Profile(name="vega"))
    return host


def strings(value: object) -> list[str]:
    """Return all the texts in what JSON says."""
    if isinstance(value, dict):
        return [text for pair in value.items() for text in strings(list(pair))]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def batman(root: Path, *words: str, code: int = 0) -> Callable[[], None]:
    """Return what calls `batman` with these words in the workspace `root`; it ends with `code`."""

    def action() -> None:
        assert main.main(["--workspace", str(root), *words]) == code

    return action


OTHER = f"other {EVIL}"
RUN_COMMANDS = [
    ("runs", "list"),
    ("runs", "list", "--json"),
    ("runs", "show", EVIL),
    ("runs", "show", EVIL, "--json"),
    ("runs", "show", "failed"),
    ("runs", "compare", EVIL, OTHER),
    ("runs", "compare", EVIL, OTHER, "--metric", "map50"),
    ("runs", "compare", EVIL, OTHER, "--csv"),
    ("runs", "compare", EVIL, OTHER, "--csv", "--metric", "map50"),
    ("runs", "compare", EVIL, OTHER, "--json"),
    ("watch", EVIL),
    ("watch", "failed"),
    ("runs", "delete", EVIL, "--checkpoints"),
]
CODES = {"watch failed": 1, f"runs delete {EVIL} --checkpoints": 2}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "words", RUN_COMMANDS, ids=lambda words: " ".join(filter(str.isprintable, words))
)
def test_runs(root: Path, printed: Printed, words: tuple[str, ...], end: str) -> None:
    text = printed(batman(root, *words, code=CODES.get(" ".join(words), 0)), end)
    assert codes_in(text) == []
    if words[-1] == "--json":
        assert any(EVIL in word for word in strings(json.loads(text)))
    else:
        assert "failed" in text or "⟨U+202E⟩" in text


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("form", ["coco", "yolo", "voc", "original"])
def test_exports(printed: Printed, tmp_path: Path, form: str, end: str) -> None:
    # Exported files are called by the folder, which no hostile name can be.
    made = make_hostile_project(tmp_path)
    made = made.rename(made.parent / "plain")
    with Project.open(made) as project:
        path = project.db.execute("SELECT path FROM images ORDER BY id").fetchone()[0]
        file = project.images_dir / path
    Image.new("RGB", (1920, 1080)).save(file)
    out = tmp_path / f"out {EVIL}"
    text = printed(batman(tmp_path, "export", form, str(out), "--project", "plain"), end)
    assert "Left out, for the file is gone: " in text
    assert text.count("⟨U+202E⟩") > 5
    assert codes_in(text) == []


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "--all", "--nodes", "--unfold"),
        ("list", "--json"),
        ("show", "48210"),
        ("show", "48210", "--json"),
        ("show", "48242"),
        ("logs", "48210"),
        ("watch", "48190"),
        ("watch", "48190", "--json"),
    ],
    ids=" ".join,
)
def test_jobs(
    root: Path, cluster: FakeCluster, printed: Printed, words: tuple[str, ...], end: str
) -> None:
    cluster.ended = [[*row[:-1], EVIL] for row in cluster.ended]
    text = printed(batman(root, "jobs", *words), end)
    if words[-1] == "--json":
        assert EVIL in strings([json.loads(part) for part in _documents(text)])
    else:
        assert "⟨U+202E⟩" in text
    assert codes_in(text) == []


def _documents(text: str) -> list[str]:
    """Return the JSON documents in `text`: one, or one in each line."""
    try:
        json.loads(text)
    except ValueError:
        return text.splitlines()
    return [text]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("classes", [4, 40])
def test_evaluations(
    printed: Printed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, classes: int, end: str
) -> None:
    import msgspec

    from cli.model.evaluate import show

    names = {EVIL: 0.7, "per\u200bson": 0.5, f"{EVIL}2": 0.4, "d": 0.3}
    monkeypatch.setattr("evaluation_data.CLASSES", names)
    made = result(tmp_path / EVIL, classes=classes)
    made = msgspec.structs.replace(made, notes=[EVIL], device=EVIL, split=EVIL)
    made = msgspec.structs.replace(
        made, worst=[msgspec.structs.replace(row, file=EVIL, picture=EVIL) for row in made.worst]
    )
    text = printed(lambda: show(made, tmp_path / EVIL), end)
    assert text.count("⟨U+202E⟩") > 8
    assert codes_in(text) == []


INFERRED = {
    "images": 2, "videos": 1, "detections": 3, "frames": 9, "seconds": 1.0, "tracks": 2,
    "device": EVIL, "per_class": {EVIL: 2, "per\u200bson": 1},
    "skipped": [{"path": EVIL, "reason": EVIL}], "checkpoint": EVIL, "annotated": EVIL,
    "csv": EVIL, "coco": EVIL,
}  # fmt: skip
EXPORTED = {
    "model": EVIL, "output": EVIL, "checked_on": EVIL, "warnings": [EVIL], "classes": [EVIL],
    "resolution": 64, "files": [{"name": EVIL, "bytes": 1, "scores": 0.1, "boxes": 0.1,
                                 "pixels": 0.1, "tolerance": 0.1}], "failed": [],
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_inference(
    root: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch, as_json: bool, end: str
) -> None:
    monkeypatch.setattr("cli.inference.run_child", lambda *_, **__: INFERRED)
    model = root / "runs" / EVIL / "model.onnx"
    words = ["infer", "--checkpoint", str(model), "--input", EVIL, *["--json"] * as_json]
    text = printed(batman(root, *words), end)
    if as_json:
        told = json.loads(text.splitlines()[-1])
        assert (told.pop("type"), bool(told.pop("at"))) == ("result", True)
        assert told == INFERRED
    else:
        assert text.count("⟨U+202E⟩") >= 8
    assert codes_in(text) == []


@pytest.mark.parametrize("end", ENDS)
def test_exported_models(
    root: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    from cli.model import export_model

    monkeypatch.setattr(export_model, "run_child", lambda *_, **__: EXPORTED)
    monkeypatch.setattr(export_model, "require_trainer", lambda: None, raising=False)
    text = printed(batman(root, "export", "model", EVIL, str(root / "new")), end)
    assert text.count("⟨U+202E⟩") >= 6
    assert codes_in(text) == []


def test_the_model_card() -> None:
    from core.export.card import model_card

    facts: dict[str, Any] = {
        "model": EVIL, "classes": [EVIL, "per\u200bson"], "licence": EVIL, "resolution": 128,
        "num_select": 20, "source": {"checkpoint": EVIL}, "exported_at": "2026-01-01",
        "batman_version": "1", "rfdetr_version": "1",
        "preprocessing": {"colour": "RGB", "interpolation": "i", "mean": [0], "std": [1]},
        "training": {"run": EVIL, "best_epoch": 3, "dataset_fingerprint": EVIL,
                     "metrics": {"map50": 0.5, "per_class": {EVIL: 0.5}}},
    }  # fmt: skip
    card = model_card(facts, [{"name": "model.onnx", "bytes": 1, "checked": EVIL}])
    assert card.count("⟨U+202E⟩") == 9
    assert foreign_codes(card) == []


@pytest.mark.parametrize("way", ["osc9", "osc777"])
@pytest.mark.parametrize("env", [{}, {"TMUX": "1"}, {"TERM": "screen"}], ids=str)
def test_notifications_hold_one_sequence_of_our_own(way: str, env: dict[str, str]) -> None:
    text = escape(way, f"9;4;1;{EVIL}", f"{EVIL};x", env)
    begin = "\x1b]9; 9;4;1;" if way == "osc9" else "\x1b]777;notify;9,4,1,"
    end = "\x1b\\"
    if env.get("TMUX"):
        begin, end = f"\x1bPtmux;\x1b{begin}", "\x1b\x1b\\\x1b\\"
    elif env:
        begin, end = f"\x1bP{begin}", "\a\x1b\\"
    assert text.startswith(begin)
    assert text.endswith(end)
    inside = text[len(begin) : -len(end)]
    assert "⟨U+202E⟩" in inside
    assert unseen(inside) == []
    written: list[str] = []
    notify(NotifySettings(desktop=way), EVIL, EVIL, {}, written.append)
    assert written[0].count("\x1b") == 2


@pytest.mark.parametrize("end", ENDS)
def test_progress(printed: Printed, end: str) -> None:
    def action() -> None:
        with Stages() as show:
            for done in (1, 2, 3):
                show(EVIL, done, 3)

    text = printed(action, end)
    assert "⟨U+202E⟩" in text
    assert codes_in(text) == []


@pytest.mark.parametrize("end", ENDS)
def test_a_run_that_goes_on(printed: Printed, root: Path, end: str) -> None:
    from cli.runs.follow import _Bars, _Lines
    from core.training.live.follow import RunFollower

    snapshot = RunFollower(root / "runs" / EVIL).poll()

    def action() -> None:
        shown = _Bars() if end == "terminal" else _Lines()
        shown.update(snapshot)
        shown.close()

    text = printed(action, end)
    assert "⟨U+202E⟩" in text
    assert codes_in(text) == []


@pytest.mark.parametrize("end", ENDS)
def test_defects(printed: Printed, end: str) -> None:
    def fails() -> int:
        raise ValueError(EVIL)

    text = printed(lambda: guard(fails), end)
    assert "Traceback" in text
    assert "⟨U+202E⟩" in text
    assert codes_in(text) == []


@pytest.mark.parametrize("end", ENDS)
def test_a_script_is_exact_in_a_file_and_shown_on_a_terminal(printed: Printed, end: str) -> None:
    from cli.cluster.submit import _dry_run

    script = f"#!/bin/sh\ncd '/scratch/{EVIL}'\n\tsleep 1\n"
    submission = SimpleNamespace(script=SimpleNamespace(text=script))
    text = printed(lambda: _dry_run(submission, as_json=False), end)  # type: ignore[arg-type]
    if end == "pipe":
        assert text == script
    else:
        assert "⟨U+202E⟩" in text
        assert codes_in(text) == []


RAISES = f"""
import threading
from core.processes.child_process import begin_process
begin_process()
def fails():
    raise ValueError({EVIL!r})
thread = threading.Thread(target=fails)
thread.start()
thread.join()
fails()
"""

JOB = f"""
from core.processes.child_process import begin_process
from core.processes.job import run_job
begin_process()
run_job("core.evaluation", {{"target": "/nowhere/" + {EVIL!r}}})
"""


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ([sys.executable, "-c", RAISES], 2),
        (python_command("core.training.worker", f"/nowhere/{EVIL}"), 1),
        (python_command("slurm.attempts", "begin", f"/nowhere/{EVIL}"), 1),
        ([sys.executable, "-c", JOB], 1),
    ],
    ids=["raises", "worker", "attempts", "evaluation"],
)
def test_processes_of_ours_that_fail(command: list[str], told: int) -> None:
    done = subprocess.run(
        command, env=python_environment(), cwd=ROOT, capture_output=True, timeout=120
    )
    text = (done.stdout + done.stderr).decode()
    assert done.returncode != 0
    assert text.count("⟨U+202E⟩") >= told
    assert codes_in(text) == []


def test_what_training_failed_of() -> None:
    from core.training.warnings.failures import explain

    for error in (ValueError(EVIL), RuntimeError(f"out of memory {EVIL}"), OSError(28, EVIL)):
        failed = explain(error)
        assert "⟨U+202E⟩" in failed.traceback
        assert foreign_codes(failed.traceback + failed.message) == []
