"""Looking, measuring and exporting on a real full disk: one error that names it, and nothing left.

The model is a fake one, what reads and writes is real; benchmarks/full_disk_models.py runs the
commands with a trained model.
"""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mounts import fill, small_disk
from PIL import Image

from core.common.errors import DiskFull, RunError
from core.common.full_disk import naming_full_disk
from core.common.temporary import folder_beside
from core.evaluation import EvaluationOptions
from core.evaluation import __main__ as evaluation_child
from core.inference import InferenceOptions, infer
from core.inference.records import RecordWriter
from core.models.backend import Opened
from core.models.detector import Detector
from core.processes.job import raised_failure, serve_job, told_failure

IMAGES = 12


class OneBox(Detector):
    """Finds one object in the middle of every image."""

    def forward(self, batch: Any) -> tuple[Any, Any]:
        count = len(batch)
        boxes = np.full((count, 1, 4), 0.5, np.float32)
        return boxes, np.tile(np.array([[[9.0, -9.0]]], np.float32), (count, 1, 1))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "1m") as place:
        yield place


@pytest.fixture
def detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OneBox:
    found = OneBox(
        tmp_path / "best.pth", classes=["thing"], model_size="tiny", resolution=32, num_select=1,
        device="cpu", batch_size=4,
    )  # fmt: skip
    found.path.touch()
    monkeypatch.setattr("core.models.backend.open_model", lambda *_, **__: Opened(found, []))
    return found


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Images of noise, which no compression makes small: about 12 KB each."""
    folder = tmp_path / "images" / "test"
    folder.mkdir(parents=True)
    for number in range(IMAGES):
        noise = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    (folder / "_annotations.coco.json").write_text(json.dumps({
        "images": [
            {"id": n, "file_name": f"{n}.png", "width": 64, "height": 64} for n in range(IMAGES)
        ],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 0, "bbox": [16, 16, 32, 32], "area": 1024,
             "iscrowd": 0}
            for n in range(IMAGES)
        ],
        "categories": [{"id": 0, "name": "thing"}],
    }))  # fmt: skip
    return folder


def leave(disk: Path, free: int) -> None:
    fill(disk / "filler")
    os.truncate(disk / "filler", (disk / "filler").stat().st_size - free)


def there(disk: Path) -> dict[str, bytes]:
    (disk / "filler").unlink(missing_ok=True)
    return {
        str(path.relative_to(disk)): path.read_bytes() if path.is_file() else b""
        for path in disk.rglob("*")
    }


def refused(disk: Path, free: int, target: Path, work: Callable[[], object]) -> DiskFull:
    """Do what does not fit; return the error, after a look at what is left."""
    before = there(disk)
    leave(disk, free)
    with pytest.raises(DiskFull) as caught:
        work()
    assert f"on '{disk}', where '{target}' would be written" in caught.value.message
    assert "runs delete" in caught.value.hint
    assert there(disk) == before
    return caught.value


@pytest.mark.parametrize("free", [0, 4096, 65536])
def test_infer(disk: Path, detector: OneBox, images: Path, free: int) -> None:
    options = InferenceOptions(
        target=detector.path, inputs=[str(images)], output=disk / "predictions" / "r-1"
    )
    error = refused(disk, free, options.output, lambda: infer(options))
    assert "Nothing was changed" in error.hint
    assert infer(options).images == IMAGES


def test_infer_over_the_pictures_of_an_earlier_call(
    disk: Path, detector: OneBox, images: Path
) -> None:
    options = InferenceOptions(target=detector.path, inputs=[str(images)], output=disk / "out")
    infer(options)
    drawn = disk / "out" / "annotated"
    for path in drawn.iterdir():
        if path.name not in ("0.png", "1.png"):  # which come first
            path.unlink()
    names = set(there(disk))
    leave(disk, 32768)
    with pytest.raises(DiskFull) as caught:
        infer(options)
    assert "of an earlier call had been replaced" in caught.value.hint
    assert "Nothing was changed" not in caught.value.hint
    assert set(there(disk)) == names


def test_records_leave_nothing(disk: Path) -> None:
    """What they still hold finds no room when they are closed, one after the other."""
    leave(disk, 0)
    with pytest.raises(OSError, match="No space left"), RecordWriter(disk, ["thing"]):
        pass
    with pytest.raises(RuntimeError, match="ours"), RecordWriter(disk, ["thing"]):
        raise RuntimeError("ours")
    assert there(disk) == {}


def fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            if file.write(bytes(65536)) < 65536:
                file.write(b"and no byte more")


def test_a_checkpoint_names_its_disk(disk: Path) -> None:
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    from core.training.run.checkpoints import save_checkpoint

    content = {"weights": torch.zeros(100_000)}
    for free in (0, 200_000):
        error = refused(disk, free, disk / "out", lambda: _save(save_checkpoint, content, disk))
        assert isinstance(error.__cause__, OSError)
        assert error.__cause__.filename in (None, str(disk / "model.pth"))


def _save(save: Callable[[object, Path], int], content: object, disk: Path) -> None:
    with naming_full_disk(disk / "out"):
        save(content, disk / "model.pth")


@pytest.mark.parametrize("free", [0, 4096, 32768])
def test_evaluate(disk: Path, detector: OneBox, images: Path, free: int) -> None:
    pytest.importorskip("rfdetr", reason="the train extra is not installed")
    from core.evaluation import evaluate

    options = EvaluationOptions(
        detector.path, split="test", dataset=images.parent, output=disk / "evaluation" / "test"
    )
    (disk / "evaluation").mkdir()
    refused(disk, free, options.output or disk, lambda: evaluate(options))
    assert evaluate(options).images == IMAGES


def test_the_disk_is_named_before_what_was_made_is_removed(disk: Path, tmp_path: Path) -> None:
    def half() -> None:
        with folder_beside(disk / "out") as working:
            fill_up(working / "a")

    refused(disk, 300_000, disk / "out", half)
    # Not this disk: what was to be written there is named.
    fill(disk / "filler")
    log = disk / "log"
    with pytest.raises(DiskFull, match="disk/log' would be written"), naming_full_disk(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device", str(log))
    # A library that says it in words of its own keeps the cause.
    cause = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(DiskFull, match="disk/out' would"), naming_full_disk(disk / "out"):
        raise RuntimeError("conversion failed") from cause
    for other in (ValueError("x"), OSError(errno.EACCES, "Permission denied"), RunError("y")):
        with pytest.raises(type(other)) as caught, naming_full_disk(disk / "out"):
            raise other
        assert caught.value is other


def test_a_child_tells_a_full_disk_as_such(disk: Path) -> None:
    fill(disk / "filler")
    told = told_failure(OSError(errno.ENOSPC, "No space left on device"), disk / "out")
    assert told["kind"] == "DiskFull"
    again = raised_failure(told)
    assert isinstance(again, DiskFull)
    assert str(disk) in again.message
    assert "runs delete" in again.hint
    told = told_failure(RunError("no model", "train one"))
    again = raised_failure(told)
    assert (type(again), again.message, again.hint) == (RunError, "no model", "train one")
    with pytest.raises(ZeroDivisionError):
        told_failure(ZeroDivisionError())


def test_the_child_that_evaluates_says_it(
    disk: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def evaluate(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    fill(disk / "filler")
    monkeypatch.setattr(evaluation_child, "evaluate", evaluate)
    errors = os.dup(2), os.dup(1)
    try:
        options = json.dumps({"target": "r", "output": f"{disk}/out"})
        monkeypatch.setattr("sys.stdin", io.StringIO(options))
        code = serve_job(EvaluationOptions, evaluation_child._evaluate, stops=False)
    finally:
        for kept, fd in zip(errors, (2, 1), strict=True):
            os.dup2(kept, fd)
            os.close(kept)
    assert code == 1
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (told["event"], told["kind"]) == ("failed", "DiskFull")
    assert str(disk) in told["message"]
