"""Pictures go through the network in streams, and what is written is as by one after the other."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from companion_model import CLASSES, with_companion
from installed import needs
from PIL import Image

from core.autolabel.label import label
from core.autolabel.pass_folder import PassFolder, PassTask, TaskClass, TaskImage
from core.common.errors import Cancelled
from core.common.progress import Progress
from core.inference import InferenceOptions, infer
from core.models import onnx as onnx_model
from core.models.load import many
from core.processes.child_process import python_environment

pytestmark = needs("onnxruntime", "onnx")

# More than three streams have under way at one time.
PICTURES = 23
DAMAGED = {4, 8, 9, 10, 11, 22}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return with_companion(tmp_path / "run")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """No two of a size, so that what is found on one is on no other; one batch has none whole."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(PICTURES):
        path = folder / f"{number:02}.png"
        Image.new("RGB", (40 + 3 * number, 30 + number), (9 * number, 80, 40)).save(path)
        if number in DAMAGED:
            path.write_bytes(path.read_bytes()[:40])
    frames = [Image.new("L", (20, 20), grey) for grey in (0, 255)]
    frames[0].save(folder / "23.gif", save_all=True, append_images=frames[1:])
    return folder


@pytest.fixture
def second_first(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first batch is done when the second is; the threads that look are noted."""
    seen: list[int] = []
    second = threading.Event()
    look = onnx_model.OnnxDetector.forward

    def forward(detector: Any, batch: Any) -> Any:
        seen.append(threading.get_ident())
        if len(seen) == 1:
            assert second.wait(60)
        else:
            second.set()
        return look(detector, batch)

    monkeypatch.setattr(onnx_model.OnnxDetector, "forward", forward)
    return seen


def written(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def look_at(checkpoint: Path, pictures: Path, output: Path, **more: Any) -> Any:
    told: list[Progress] = []
    options = InferenceOptions(
        checkpoint, [pictures], output, device="cpu", batch_size=4, **more
    )  # fmt: skip
    return infer(options, told.append), told


def test_pictures_are_written_as_one_after_the_other(
    checkpoint: Path,
    pictures: Path,
    tmp_path: Path,
    second_first: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnx_model, "usable_cores", lambda: 3)
    streamed, told = look_at(checkpoint, pictures, tmp_path / "out")
    assert len(set(second_first)) > 1
    (tmp_path / "out").rename(tmp_path / "streamed")
    monkeypatch.setattr(onnx_model, "usable_cores", lambda: 1)
    plain, told_then = look_at(checkpoint, pictures, tmp_path / "out")
    assert written(tmp_path / "streamed") == written(tmp_path / "out")
    assert streamed.images == plain.images == PICTURES + 1 - len(DAMAGED)
    assert streamed.detections == streamed.images
    assert streamed.skipped == plain.skipped
    assert [Path(one.path).name for one in plain.skipped] == [
        *(f"{number:02}.png" for number in sorted(DAMAGED)),
        "23.gif",
    ]
    assert told == told_then
    assert [at.done for at in told if at.stage == "images"] == [0, 4, 8, 12, 16, 20, 24]


def test_what_was_written_when_it_is_stopped_is_what_it_says(
    checkpoint: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_model, "usable_cores", lambda: 3)
    far: list[int] = []
    options = InferenceOptions(checkpoint, [pictures], tmp_path / "out", device="cpu", batch_size=4)
    with pytest.raises(Cancelled, match="Stopped after 7 images"):
        infer(options, lambda at: far.append(at.done), lambda: far[-1:] == [8])
    drawn = sorted(path.name for path in (tmp_path / "out" / "annotated").iterdir())
    assert drawn == [f"{number:02}.png" for number in range(8) if number not in DAMAGED]


def test_pictures_are_kept_only_where_they_are_drawn_on(
    checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    drawn, _ = look_at(checkpoint, pictures, tmp_path / "drawn")
    plain, _ = look_at(checkpoint, pictures, tmp_path / "plain", annotate=False)
    assert drawn.per_class == plain.per_class
    csv = "detections.csv"
    assert (tmp_path / "drawn" / csv).read_bytes() == (tmp_path / "plain" / csv).read_bytes()
    assert not (tmp_path / "plain" / "annotated").exists()


def begin(folder: Path, checkpoint: Path, pictures: Path) -> PassFolder:
    made = PassFolder(folder)
    task = PassTask(
        key="k", name="pass", at="2026-01-01T00:00:00Z", kind="run", model="run",
        weights=str(checkpoint), classes=(TaskClass(id=5, name=CLASSES[1]),),
        images=str(pictures), least=0.1, device="cpu", batch_size=4,
    )  # fmt: skip
    made.create(
        task,
        [
            TaskImage(number + 1, f"{number:02}.png", 40 + 3 * number, 30 + number)
            for number in range(PICTURES)
        ],
    )
    return made


def test_a_pass_is_written_as_one_picture_after_the_other_and_goes_on(
    checkpoint: Path,
    pictures: Path,
    tmp_path: Path,
    second_first: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnx_model, "usable_cores", lambda: 3)
    streamed = begin(tmp_path / "streamed", checkpoint, pictures)
    far: list[int] = []
    with pytest.raises(Cancelled, match="Stopped after 8 of 23 pictures"):
        label(streamed.path, lambda at: far.append(at.done), lambda: far[-1:] == [8])
    assert len(set(second_first)) > 1
    assert streamed.done() == set(range(1, 9))
    monkeypatch.setattr(onnx_model, "usable_cores", lambda: 1)
    plain = begin(tmp_path / "plain", checkpoint, pictures)
    wanted = label(plain.path)
    monkeypatch.setattr(onnx_model, "usable_cores", lambda: 3)
    assert label(streamed.path) == wanted
    assert (wanted.done, wanted.unreadable) == (PICTURES, len(DAMAGED))

    def lines(folder: PassFolder) -> list[Any]:
        return [line for line in folder.found() if line.begun is None]

    assert lines(streamed) == lines(plain)
    assert wanted.objects == PICTURES - len(DAMAGED)


def test_two_batches_are_many() -> None:
    assert [many(n) for n in (1, 7, 8)] == [False, False, True]
    assert [many(n, 16) for n in (31, 32)] == [False, True]


def test_numpy_is_loaded_by_one_thread(checkpoint: Path, tmp_path: Path) -> None:
    """Two that begin to at once may each meet it half loaded: before any other thread it is."""
    pytest.importorskip("av")
    pytest.importorskip("supervision")
    code = (
        "import sys, threading\nfrom pathlib import Path\n"
        "start, seen = threading.Thread.start, []\n"
        "def begin(self):\n"
        "    seen.append((self.name, 'numpy' in sys.modules))\n"
        "    start(self)\n"
        "threading.Thread.start = begin\n"
        "from core.common.errors import BatmanError\n"
        "from core.evaluation import EvaluationOptions, evaluate\n"
        "from core.inference import InferenceOptions, infer\n"
        "run, film, out = map(Path, sys.argv[1:4])\n"
        "assert 'numpy' not in sys.modules\n"
        "try:\n"
        "    if sys.argv[4] == 'infer':\n"
        "        infer(InferenceOptions(run, [film], out, track=True, device='cpu'))\n"
        "    else:\n"
        "        evaluate(EvaluationOptions(run, dataset=out, device='cpu'))\n"
        "except BatmanError as error:\n"
        "    print(error.message)\n"
        "print([there for name, there in seen if name == 'loading'])\n"
    )
    film = tmp_path / "film.mp4"
    film.write_bytes(b"of no use")
    for kind in ("infer", "evaluate"):
        words = (str(checkpoint), str(film), str(tmp_path / "out"), kind)
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env=python_environment(), capture_output=True, text=True,
        )  # fmt: skip
        said = done.stdout.splitlines()
        assert len(said) == 2, done.stderr
        assert said[1] == "[True]", kind
