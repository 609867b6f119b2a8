"""What a finished run leaves in its folder."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from engine_runs import CLASSES, STEPS, events_of
from PIL import Image

from core.training.config.options import TrainingConfig
from core.training.run import events as ev
from core.training.run.checkpoints import read_info
from core.training.run.run import Run


def test_the_folder_holds_what_the_design_lists_and_nothing_else(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert names == {
        "training_config.json", "events.jsonl", "train.log", "best.pth", "checkpoint_last.pth",
        "checkpoint_epoch_5.pth", "checkpoint_epoch_6.pth", "results.json", "tensorboard",
        "val_images", "worker.json", ".worker.lock",
    }  # fmt: skip
    assert Run(trained).state() == "finished"


def test_the_log_holds_our_lines_only(trained: Path) -> None:
    lines = (trained / "train.log").read_text().splitlines()
    assert [line for line in lines if not re.match(r"\d\d:\d\d:\d\d \S", line)] == []
    assert sum(" mAP50-95 " in line for line in lines) == 6


def test_events_tell_every_step_and_epoch_once_in_order(trained: Path) -> None:
    events = events_of(trained)
    assert isinstance(events[0], ev.Started)
    assert isinstance(events[-1], ev.Finished)
    started = events[0]
    assert (started.steps_per_epoch, started.effective_batch, started.epochs) == (STEPS, 8, 6)
    assert started.classes == CLASSES
    steps = [event for event in events if isinstance(event, ev.Step)]
    assert [step.step for step in steps] == list(range(1, 6 * STEPS + 1))
    assert [step.epoch for step in steps] == [n for n in range(1, 7) for _ in range(STEPS)]
    assert [e.epoch for e in events if isinstance(e, ev.Epoch)] == [1, 2, 3, 4, 5, 6]
    assert [e.epoch for e in events if isinstance(e, ev.Validation)] == [1, 2, 3, 4, 5, 6]
    for step in steps:
        assert step.loss is not None
        assert 0 < step.loss < 100
        assert 0 < step.step_s < 60
        assert step.data_s < step.step_s
        assert step.images_per_s == pytest.approx(8 / step.step_s, rel=1e-3)
        assert step.rss_mb is not None
        assert step.rss_mb > 100
    # A warm-up of one epoch from zero, then cosine down from the configured 1e-3.
    rates = [step.lr for step in steps]
    assert rates[0] == 0
    assert rates[STEPS] == pytest.approx(1e-3)
    assert all(a > b for a, b in itertools.pairwise(rates[STEPS:]))
    times = [event.t for event in events if isinstance(event, (ev.Step, ev.Epoch))]
    assert times == sorted(times)


def test_checkpoints_say_where_they_stand(trained: Path) -> None:
    kept = read_info(trained / "checkpoint_last.pth")
    assert (kept.epoch, kept.step, kept.class_names) == (6, 48, CLASSES)
    assert read_info(trained / "checkpoint_epoch_5.pth").epoch == 5
    assert not (trained / "checkpoint_epoch_4.pth").exists()  # two are kept
    written = [e for e in events_of(trained) if isinstance(e, ev.Checkpoint)]
    assert {e.kind for e in written} == {"best", "last", "periodic"}
    last = next(e for e in reversed(written) if e.kind == "last")
    assert last.bytes == (trained / "checkpoint_last.pth").stat().st_size


def test_the_epochs_loss_is_the_mean_of_its_steps(trained: Path) -> None:
    events = events_of(trained)
    for epoch in (e for e in events if isinstance(e, ev.Epoch)):
        losses = [e.loss for e in events if isinstance(e, ev.Step) and e.epoch == epoch.epoch]
        assert epoch.train_loss == pytest.approx(sum(losses) / len(losses), rel=1e-6)


def test_results_agree_with_the_events(trained: Path) -> None:
    results = json.loads((trained / "results.json").read_text())
    validations = [e for e in events_of(trained) if isinstance(e, ev.Validation)]
    best = max(validations, key=lambda e: e.map50_95)
    assert results["state"] == "finished"
    assert best.map50 > 0  # it has begun to learn: what follows compares more than zeros
    assert results["best_epoch"] == best.epoch
    assert results["best"]["map50_95"] == best.map50_95
    assert results["final"]["map50"] == validations[-1].map50
    assert results["final"]["per_class"] == validations[-1].per_class
    assert set(validations[-1].per_class) == set(CLASSES)
    assert [record["epoch"] for record in results["history"]] == [1, 2, 3, 4, 5, 6]
    assert results["final"]["val_loss"] == validations[-1].loss
    assert results["duration_seconds"] > 0
    assert all(e.ema for e in validations)


def test_the_log_is_plain_text(trained: Path) -> None:
    text = (trained / "train.log").read_text()
    assert "\x1b" not in text
    assert "epoch 6/6" in text
    assert not re.search("[│┃━╭]", text)


def test_tensorboard_reads_the_curve(trained: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(trained / "tensorboard"))
    board.Reload()
    steps = [e for e in events_of(trained) if isinstance(e, ev.Step)]
    losses = board.Scalars("train/loss")
    assert [item.step for item in losses] == [e.step for e in steps]
    assert [item.value for item in losses] == pytest.approx([e.loss for e in steps], rel=1e-5)
    assert len(board.Scalars("val/mAP50-95")) == 6
    assert "val/AP/square" in board.Tags()["scalars"]


def test_validation_images_show_the_best_epochs(trained: Path) -> None:
    best = {e.epoch for e in events_of(trained) if isinstance(e, ev.Validation) and e.best}
    pictures = sorted((trained / "val_images").iterdir())
    assert len(pictures) == 3 * len(best)
    assert {int(path.name[6:10]) for path in pictures} == best
    with Image.open(pictures[0]) as picture:
        assert picture.size == (128, 128)
        colours: Any = picture.convert("RGB").getcolors(128 * 128)
        assert colours is not None
        # The white frame around the truth is on it.
        assert any(min(colour) > 200 for _, colour in colours)


def test_best_loads_with_class_names_and_scores_what_results_say(learned: Path) -> None:
    """pycocotools, on predictions of `best.pth` made through rfdetr's own API, agrees to 1e-3."""
    import contextlib
    import io

    import numpy as np
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    from rfdetr import RFDETR

    model = RFDETR.from_checkpoint(learned / "best.pth")
    assert list(model.class_names) == CLASSES
    folder = TrainingConfig.load(learned / "training_config.json").dataset_dir(learned) / "valid"
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "_annotations.coco.json"))
        found = []
        for image in truth.loadImgs(truth.getImgIds()):
            detections = model.predict(str(folder / image["file_name"]), threshold=0.0)
            for box, label, score in zip(
                detections.xyxy, detections.class_id, detections.confidence, strict=True
            ):
                if label < len(CLASSES):
                    x0, y0, x1, y1 = (float(value) for value in box)
                    found.append(
                        {
                            "image_id": image["id"],
                            "category_id": int(label),
                            "bbox": [x0, y0, x1 - x0, y1 - y0],
                            "score": float(score),
                        }
                    )
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    best = json.loads((learned / "results.json").read_text())["best"]
    measured = np.array([best["map50_95"], best["map50"], best["map75"]])
    assert np.abs(evaluation.stats[:3] - measured).max() < 1e-3
