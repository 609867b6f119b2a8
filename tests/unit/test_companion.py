"""A run's best model is run by the checked ONNX beside it, and by torch where that will not do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from companion_model import BOX, CLASSES, SCORE, SIDE, record, with_companion, write_onnx
from installed import needs
from PIL import Image

from core.common.errors import ConfigError, DiskFull, ExportFailed, RunError
from core.export import companion as making
from core.models import backend
from core.models import onnx as onnx_model
from core.models.backend import CompanionOptions, open_model, require_backend
from core.models.companion import (
    Companion,
    Stamp,
    model_path,
    read_companion,
    record_path,
    stamp,
    write_companion,
)
from core.models.find import run_checkpoint
from core.models.load import load_detector
from core.models.prefetch import side_by_side
from core.processes.child_process import python_environment

pytestmark = needs("onnxruntime", "onnx")

HEAVY = ("torch", "rfdetr", "torchvision", "transformers", "pytorch_lightning")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return with_companion(tmp_path / "run")


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "find_gpus", list)
    monkeypatch.setattr(backend.platform, "machine", lambda: "x86_64")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[CompanionOptions]:
    """What was asked to be made; nothing is."""
    wishes: list[CompanionOptions] = []
    monkeypatch.setattr(
        backend, "run_job", lambda _module, options, *_, **__: wishes.append(options)
    )
    return wishes


def test_the_best_model_is_looked_through_its_onnx(checkpoint: Path) -> None:
    opened = open_model(checkpoint)
    assert (opened.detector.kind, opened.notes) == ("onnx", [])
    # Runs keep their history, colours and class ids by the checkpoint.
    assert opened.detector.path == checkpoint
    assert opened.detector.classes == CLASSES
    (found,) = opened.detector.predict([Image.new("RGB", (200, 100))], 0.5)
    assert found.scores[0] == pytest.approx(SCORE, abs=1e-5)
    assert found.class_ids.tolist() == [1]
    x, y, w, h = np.array(BOX) * (200, 100, 200, 100)
    assert found.boxes[0].tolist() == [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
    # It is no model of its own to whoever looks for one.
    assert run_checkpoint(checkpoint.parent) == checkpoint


def test_looking_loads_no_torch(checkpoint: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    code = (
        "import sys; from pathlib import Path\n"
        "from core.inference import InferenceOptions, infer\n"
        "made = infer(InferenceOptions(sys.argv[1], [sys.argv[2]], Path(sys.argv[3]),"
        " device='cpu'))\n"
        f"print(made.kind, made.detections, [m for m in {HEAVY} if m in sys.modules])"
    )
    words = (str(checkpoint), str(tmp_path / "a.png"), str(tmp_path / "out"))
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=python_environment(),
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "onnx 1 []", done.stderr


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: c.write_bytes(b"others of no use!"), id="another checkpoint"),
        pytest.param(lambda c: model_path(c).unlink(), id="no model"),
        pytest.param(lambda c: model_path(c).write_bytes(b"cut short"), id="another model"),
        pytest.param(lambda c: record_path(c).unlink(), id="no record: killed before it"),
        pytest.param(lambda c: record_path(c).write_text("{"), id="a damaged record"),
        pytest.param(
            lambda c: record_path(c).write_text(
                record_path(c).read_text().replace('"version": 1', '"version": 0')
            ),
            id="an older make",
        ),
    ],
)
def test_what_has_changed_is_made_again(
    checkpoint: Path,
    change: Callable[[Path], Any],
    asked: list[CompanionOptions],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backend, "load_detector", lambda path, **_: path)
    before = stamp(checkpoint)
    change(checkpoint)
    assert read_companion(checkpoint) is None
    # The same size and another content: told by the content, as the time is another.
    os.utime(checkpoint, ns=(before.mtime_ns, before.mtime_ns + 1))
    # Nothing is made here, so that torch looks.
    assert open_model(checkpoint).detector == checkpoint
    assert asked == [CompanionOptions(checkpoint)]


def test_a_copied_run_keeps_its_onnx(checkpoint: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(checkpoint.parent, copy, copy_function=shutil.copyfile)
    assert (copy / "best.pth").stat().st_mtime_ns != checkpoint.stat().st_mtime_ns
    assert read_companion(copy / "best.pth") is not None


def test_where_it_does_not_agree_torch_is_taken_and_that_is_said(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Companion(
        checkpoint=stamp(checkpoint), failed="Scores differ by 0.5.",
        runtime=backend.runtime_version(),
    )  # fmt: skip
    write_companion(checkpoint, failed)
    opened: list[Path] = []
    monkeypatch.setattr(backend, "load_detector", lambda path, **_: opened.append(path))
    _, notes = open_model(checkpoint)
    assert opened == [checkpoint]
    assert notes == ["Run with torch, not with onnxruntime: Scores differ by 0.5."]
    with pytest.raises(RunError, match=r"does not run as ONNX: Scores differ by 0\.5"):
        open_model(checkpoint, backend="onnx")
    # Another runtime may do better.
    write_companion(checkpoint, msgspec.structs.replace(failed, runtime="0.0.1"))
    assert read_companion(checkpoint) is None


def test_a_full_disk_makes_torch_look(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_path(checkpoint).unlink()

    def full(*_: Any, **__: Any) -> None:
        raise DiskFull("The disk is full.", "Make room.")

    monkeypatch.setattr(backend, "run_job", full)
    monkeypatch.setattr(backend, "load_detector", lambda path, **_: path)
    detector, notes = open_model(checkpoint)
    assert detector == checkpoint
    assert notes == ["Run with torch, not with onnxruntime: No ONNX was made: The disk is full."]
    with pytest.raises(DiskFull):
        open_model(checkpoint, backend="onnx")


def test_a_backend_that_does_not_fit_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    exported = write_onnx(tmp_path / "model.onnx")
    with pytest.raises(ConfigError, match="is an export, which torch does not run"):
        require_backend(exported, "torch")
    with pytest.raises(ConfigError, match="There is no backend 'onx'") as said:
        require_backend(checkpoint, "onx")
    assert "onnx" in said.value.hint
    last = tmp_path / "checkpoint_last.pth"
    with pytest.raises(ConfigError, match=r"only a run's best\.pth"):
        require_backend(last, "onnx")
    assert open_model(exported, backend="onnx").detector.kind == "onnx"


def test_without_torch_the_onnx_has_to_be_there(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "_has_torch", lambda: False)
    require_backend(checkpoint)
    assert open_model(checkpoint).detector.kind == "onnx"
    record_path(checkpoint).unlink()
    for call in (require_backend, open_model):
        with pytest.raises(RunError, match="needs torch and rfdetr") as said:
            call(checkpoint)  # type: ignore[operator]
        assert "batman export" in said.value.hint


def test_on_a_gpu_the_faster_is_taken_and_measured_once(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, asked: list[CompanionOptions]
) -> None:
    from core.common.hardware import Gpu

    monkeypatch.setattr(backend, "find_gpus", lambda: [Gpu(0, "H200", 1, 1)])
    monkeypatch.setattr(backend, "load_detector", lambda path, **_: path)
    can = [False]
    monkeypatch.setattr(backend, "_runs_on_gpu", lambda: can[0])
    assert open_model(checkpoint).detector == checkpoint  # this onnxruntime knows no GPU
    assert asked == []
    can[0] = True
    open_model(checkpoint)
    assert asked == [CompanionOptions(checkpoint, "auto")]
    known = read_companion(checkpoint)
    assert known is not None
    for faster, kind in (("onnx", "onnx"), ("torch", None)):
        write_companion(checkpoint, msgspec.structs.replace(known, faster={"H200": faster}))
        detector = open_model(checkpoint, device="cuda:0" if kind is None else "auto").detector
        assert getattr(detector, "kind", None) == kind
    assert len(asked) == 1
    # Whoever asks for the CPU gets it.
    assert open_model(checkpoint, device="cpu").detector.kind == "onnx"


# Making it


def test_two_at_once_make_it_once(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_path(checkpoint).unlink()
    made: list[int] = []
    waiting, go_on = threading.Event(), threading.Event()

    def write(path: Path, before: Stamp, *_: Any) -> Companion:
        made.append(1)
        assert go_on.wait(30)
        return Companion(checkpoint=before, model=stamp(model_path(path)))

    def report(at: Any) -> None:
        if at.stage.startswith("waiting"):
            waiting.set()

    monkeypatch.setattr(making, "_written", write)
    results: list[Companion] = []
    both = [
        threading.Thread(
            target=lambda: results.append(making.make(CompanionOptions(checkpoint), report))
        )
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    assert waiting.wait(30)
    go_on.set()
    for thread in both:
        thread.join(30)
    assert made == [1]
    assert results[0] == results[1] == read_companion(checkpoint)


def test_what_fails_the_check_is_recorded_and_nothing_is_kept(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_path(checkpoint).unlink()

    def differs(*_: Any) -> Companion:
        raise ExportFailed("Scores differ by up to 0.5.", "Report it.")

    monkeypatch.setattr(making, "_written", differs)
    assert making.make(CompanionOptions(checkpoint)).failed == (
        "Scores differ by up to 0.5. Report it."
    )
    assert read_companion(checkpoint).model is None


def test_a_checkpoint_that_changes_meanwhile_is_not_recorded(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_path(checkpoint).unlink()

    def write(path: Path, before: Stamp, *_: Any) -> Companion:
        path.write_bytes(b"the next epoch's")
        return Companion(checkpoint=before, model=stamp(model_path(path)))

    monkeypatch.setattr(making, "_written", write)
    with pytest.raises(ExportFailed, match="changed while its ONNX was made"):
        making.make(CompanionOptions(checkpoint))
    assert not record_path(checkpoint).exists()


def test_killed_work_leaves_nothing_that_counts(checkpoint: Path) -> None:
    """A model in place without its record is none; a hidden folder of a dead process goes."""
    record_path(checkpoint).unlink()
    code = (
        "import sys, time; from pathlib import Path\n"
        "from core.common.temporary import folder_beside\n"
        "with folder_beside(Path(sys.argv[1])) as made:\n"
        "    (made / 'model.onnx').write_bytes(b'half')\n"
        "    print('there', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(model_path(checkpoint))],
        env=python_environment(), stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout.readline() == b"there\n"
    child.kill()
    child.wait()
    child.stdout.close()
    assert read_companion(checkpoint) is None
    assert len([p for p in checkpoint.parent.iterdir() if p.name.startswith(".")]) == 1
    record(checkpoint)  # whatever is written there next
    assert sorted(p.name for p in checkpoint.parent.iterdir()) == [
        "best.companion.json", "best.companion.onnx", "best.pth",
    ]  # fmt: skip
    assert json.loads(record_path(checkpoint).read_text())["model"]["size"] > 0


def test_both_are_measured_with_full_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((10.0, 12.0))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))

    class Looking:
        resolution, batch_size, seen = 8, 4, 0

        def forward(self, batch: Any) -> None:
            assert batch.shape == (4, 8, 8, 3)
            self.seen += 1

    looking = Looking()
    assert making._speed(looking) == 10 * 4 / 2  # type: ignore[arg-type]
    assert looking.seen == 18
    assert backend.faster_of({"torch": 20.0, "onnx": 20.0}) == "torch"
    assert backend.faster_of({"torch": 20.0, "onnx": 21.0}) == "onnx"


def test_many_pictures_go_through_it_in_streams(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each on processors of its own, with the same numbers."""
    path = model_path(checkpoint)
    monkeypatch.setattr(onnx_model, "usable_cores", lambda: 6)
    threads: list[int] = []
    session = onnx_model._session
    monkeypatch.setattr(
        onnx_model, "_session", lambda *words: threads.append(words[2]) or session(*words)
    )
    one, many = load_detector(path), load_detector(path, throughput=True)
    assert (one.streams, many.streams) == (1, 4)
    assert threads == [6, 1]
    batch = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    wanted = one.forward(batch)
    outputs = [found for _, found in side_by_side([batch] * 9, many.forward, many.streams)]
    assert len(outputs) == 9
    for found in outputs:
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a, b)
    assert open_model(checkpoint, throughput=True).detector.streams == 4
    assert open_model(checkpoint).detector.streams == 1


def test_there_are_no_more_streams_than_the_free_memory_has_room_for(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream less has more threads: all cores are used."""
    path = model_path(checkpoint)
    monkeypatch.setattr(onnx_model, "usable_cores", lambda: 6)
    threads: list[int] = []
    session = onnx_model._session
    monkeypatch.setattr(
        onnx_model, "_session", lambda *words: threads.append(words[2]) or session(*words)
    )
    one = onnx_model.memory_of(SIDE, 4)
    for free, streams, last in ((0, 1, 6), (1.9 * one, 1, 6), (2.1 * one, 2, 3), (9 * one, 4, 1)):
        monkeypatch.setattr(onnx_model, "free_memory", lambda free=free: int(free))
        detector = load_detector(path, throughput=True, batch_size=4)
        assert (detector.streams, threads[-1]) == (streams, last)
        (found,) = detector.predict_prepared(np.zeros((1, SIDE, SIDE, 3), np.uint8), [(9, 9)])
        assert found.class_ids.dtype == np.int64
    # A batch of more images takes more, and so does a larger image.
    assert onnx_model.memory_of(560, 8) == 2 * onnx_model.memory_of(560, 4)
    assert onnx_model.memory_of(1120, 4) > 4 * onnx_model.memory_of(560, 4) > 2 * 2**30


def test_evaluating_and_labelling_load_no_torch(checkpoint: Path, tmp_path: Path) -> None:
    """Both in one process, which then says what it has loaded."""
    pytest.importorskip("supervision")
    split = tmp_path / "set" / "valid"
    split.mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(split / "a.jpg")
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 64}],
        "categories": [{"id": n, "name": name} for n, name in enumerate(CLASSES)],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [16, 24, 32, 16], "area": 512,
             "iscrowd": 0},
        ],
    }  # fmt: skip
    (split / "_annotations.coco.json").write_text(json.dumps(coco))
    code = (
        "import sys; from pathlib import Path\n"
        "import numpy as np\n"
        "from core.autolabel.labellers.detectors import open_run\n"
        "from core.autolabel.labellers.labeller import Looked\n"
        "from core.autolabel.pass_folder import TaskClass\n"
        "from core.evaluation import EvaluationOptions, evaluate\n"
        "run, data = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "made = evaluate(EvaluationOptions(run, dataset=data, device='cpu'))\n"
        "labeller = open_run(run, [TaskClass(id=5, name='square')], {}, least=0.1, device='cpu',"
        " batch_size=None)\n"
        "found = labeller.look([np.zeros((32, 32, 3), np.uint8)], [Looked(1, 64, 64)])\n"
        f"print(round(made.map50_95, 9), len(found[0]), [m for m in {HEAVY} if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(checkpoint), str(tmp_path / "set")]
    done = subprocess.run(command, env=python_environment(), capture_output=True, text=True)
    assert done.stdout.strip() == "1.0 1 []", done.stderr
