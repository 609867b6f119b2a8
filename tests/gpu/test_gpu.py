"""What only a GPU can show: a real probe, a real out-of-memory, and how fast bf16 training is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli.exits import Exit
from cli.main import main
from core.common.errors import ExportFailed
from core.demo.shapes import make_shapes
from core.export import ExportOptions, export
from core.export.formats import require_formats
from core.inference import InferenceOptions, infer
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.run import events as ev
from core.training.run.run import Run

ROOT = Path(__file__).parents[2]

# Takes all of the GPU's memory but so much that the batch does not fit, as another program would,
# until the run has gone on with a smaller one.
CROWDED = """
import sys, torch
from pytorch_lightning import Callback
from core.training.worker import main as worker

class Crowded(Callback):
    def on_train_start(self, trainer, module):
        if "--batching" not in sys.argv:
            free, _ = torch.cuda.mem_get_info()
            self.hog = torch.empty(max(0, free - 600_000_000), dtype=torch.uint8, device="cuda")

sys.exit(worker.main(callbacks=[Crowded()]))
"""

# rfdetr by itself, on the same data with the same settings; the time of its last epoch.
PLAIN = """
import json, sys, time
from pytorch_lightning import Callback
import rfdetr.training as training
from rfdetr import RFDETRNano

class Clock(Callback):
    def on_train_epoch_start(self, trainer, module):
        self.begun = time.perf_counter()
    def on_validation_start(self, trainer, module):
        self.took = time.perf_counter() - self.begun

clock = Clock()
build = training.build_trainer
def build_with_clock(*args, **options):
    trainer = build(*args, **options)
    trainer.callbacks.append(clock)
    return trainer
training.build_trainer = build_with_clock
settings = json.loads(sys.argv[1])
model = RFDETRNano(pretrain_weights=None, num_classes=2, resolution=384)
model.train(**settings)
print("TOOK", clock.took)
"""


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of shapes as `prepare` writes them, categories from 0."""
    folder = tmp_path_factory.mktemp("gpu") / "dataset"
    make_shapes(folder, train=256, valid=16, test=8, messy=False)
    for split in ("train", "valid", "test"):
        path = folder / split / "_annotations.coco.json"
        coco = json.loads(path.read_text())
        names = {category["id"]: category["name"] for category in coco["categories"]}
        for annotation in coco["annotations"]:
            annotation["category_id"] = ["disc", "square"].index(names[annotation["category_id"]])
        coco["categories"] = [{"id": 0, "name": "disc"}, {"id": 1, "name": "square"}]
        path.write_text(json.dumps(coco))
    return folder


def make_run(folder: Path, dataset: Path, **settings: Any) -> Path:
    run = folder / "run"
    run.mkdir()
    info = DatasetInfo(
        dir=dataset, fingerprint="shapes", class_names=["disc", "square"],
        images={"train": 256, "valid": 16, "test": 8}, annotations={},
    )  # fmt: skip
    config = TrainingConfig(
        **{
            "model": "nano", "image_size": 384, "from_scratch": True, "epochs": 2, "device": "cuda",
            "multi_scale": False, "augment": False, "val_images": 0, "dataset": info, **settings,
        }
    )  # fmt: skip
    config.save(run / "training_config.json")
    return run


def train(run: Path, *command: str) -> list[ev.Event]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (run / "train.log").open("ab") as log:
        code = subprocess.call(
            [sys.executable, *command, str(run)], stdout=log, stderr=log, cwd=run, env=env
        )
    assert code == 0, (run / "train.log").read_text()[-3000:]
    return ev.read_events((run / "events.jsonl").read_bytes())[0]


def test_the_probed_batch_trains_and_is_found_again(
    tmp_path: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    words = ["probe", "--model", "nano", "--image-size", "384", "--no-multi-scale", "--json"]
    assert main(words) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert found["remembered"]
    run = make_run(tmp_path, shapes, batch_size="auto", epochs=1)
    begun = time.monotonic()
    events = train(run, "-m", "core.training.worker")
    started = next(event for event in events if isinstance(event, ev.Started))
    assert started.batch_size == found["largest_batch"]
    assert "looking for the largest batch" not in (run / "train.log").read_text()
    assert not [event for event in events if isinstance(event, ev.Oom)]
    assert time.monotonic() - begun < 600


def test_a_real_out_of_memory_goes_on_with_half_the_batch(tmp_path: Path, shapes: Path) -> None:
    script = tmp_path / "crowded.py"
    script.write_text(CROWDED)
    run = make_run(tmp_path, shapes, batch_size=32, epochs=1)
    events = train(run, str(script))
    oom = next(event for event in events if isinstance(event, ev.Oom))
    assert (oom.batch_size, oom.new_batch_size, oom.new_grad_accum) == (32, 16, 2)
    assert "out of memory" in oom.message.lower()
    assert Run(run).state() == "finished"


def test_bf16_training_is_as_fast_as_rfdetr_by_itself(tmp_path: Path, shapes: Path) -> None:
    """Events, checkpoints and watching cost less than a tenth of an epoch's training."""
    import torch

    if not torch.cuda.is_bf16_supported():
        pytest.skip("this GPU has no bf16")
    run = make_run(tmp_path, shapes, batch_size=8, epochs=3, precision="bf16", ema=False)
    events = train(run, "-m", "core.training.worker")
    steps = [event for event in events if isinstance(event, ev.Step) and event.epoch == 3]
    ours = sum(step.step_s for step in steps)
    settings = {
        "dataset_dir": str(shapes), "dataset_file": "roboflow", "output_dir": str(tmp_path / "p"),
        "epochs": 3, "batch_size": 8, "grad_accum_steps": 1, "use_ema": False,
        "multi_scale": False, "scale_jitter": False, "aug_config": {}, "amp_dtype": "bf16",
        "num_workers": TrainingConfig().worker_count(), "tensorboard": False, "seed": 42,
    }  # fmt: skip
    script = tmp_path / "plain.py"
    script.write_text(PLAIN)
    out = subprocess.run(
        [sys.executable, str(script), json.dumps(settings)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "TOOK" in out.stdout, out.stderr[-3000:]
    plain = float(out.stdout.rsplit("TOOK", 1)[1])
    assert ours < 1.1 * plain, f"ours {ours:.2f} s, rfdetr {plain:.2f} s"


def test_tensorrt_agrees_with_torch_and_finds_as_much(tmp_path: Path, shapes: Path) -> None:
    try:
        require_formats(["tensorrt"])
    except ExportFailed as error:
        pytest.skip(f"{error.message} {error.hint}")
    run = make_run(tmp_path, shapes, batch_size=8, epochs=1)
    train(run, "-m", "core.training.worker")
    report = export(ExportOptions(run, tmp_path / "out", formats=("onnx", "tensorrt")))
    assert [file.name for file in report.files] == ["model.onnx", "model.trt"]
    assert all(max(file.scores, file.boxes) <= file.tolerance for file in report.files)
    counts = [
        infer(
            InferenceOptions(
                tmp_path / "out" / name, [shapes / "test"], tmp_path / f"found-{name}",
                confidence=0.05, annotate=False,
            )
        ).images
        for name in ("model.onnx", "model.trt")
    ]  # fmt: skip
    assert counts == [8, 8]
