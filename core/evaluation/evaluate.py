"""Measure a model on a labelled split: predict, count, draw, write.

The heavy libraries are imported inside functions: the application imports this package for its
results only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.common.errors import BatmanError, Cancelled, RunError
from core.common.files import read_json, write_atomic
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report, never, nothing
from core.common.temporary import folder_beside, put_in_place
from core.common.text import clean, plural
from core.data.images.class_colours import class_colours, model_class_ids
from core.data.images.deep_pictures import is_deep
from core.data.images.exif_orientation import orientation_of, turn_for_boxes, turned
from core.data.images.picture_files import open_picture, why_broken
from core.evaluation.ground_truth import Truth, read_truth
from core.evaluation.result import (
    PREDICTIONS,
    SIZES,
    ClassResult,
    EvaluationResult,
    SizeResult,
    evaluation_folder,
)
from core.evaluation.training_pixels import decode_for_training
from core.late import loading_beside
from core.training.run.checkpoints import BEST, read_best
from core.training.run.results import MAX_DETECTIONS, RESULTS_FILE

if TYPE_CHECKING:
    from core.evaluation.coco import CocoMetrics
    from core.evaluation.figures import FiguresBeside
    from core.models.detector import Detector, Prediction

# What is first needed when the predictions are there: it is loaded while the model is opened.
NEEDED_TO_COUNT = (
    "core.evaluation.coco",
    "core.evaluation.pictures",
    "core.evaluation.confusion",
    "core.evaluation.worst_images",
    "core.evaluation.wrong_images",
    "core.training.launch.dataset_files",
    "ultrafast_pycocotools",
)

# How far an evaluation may lie from what training measured before a note says so.
AGREEMENT = 1e-3


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What to evaluate, on what, and where to put it.

    `target` is a run (folder or name) or a model file. `dataset` is a folder in Roboflow's COCO
    layout; None takes the run's own. `output` is the folder to write into; None takes
    `evaluation/<split>` in the run, or beside the model file. `worst` is how many of the worst
    images to draw. `backend` is one of `core.models.backend`.
    """

    target: str | Path
    split: str = "valid"
    dataset: Path | None = None
    output: Path | None = None
    device: str = "auto"
    batch_size: int | None = None
    classes: Sequence[str] | None = None
    worst: int = 24
    backend: str = "auto"


def evaluate(
    options: EvaluationOptions, progress: Report = nothing, cancelled: IsCancelled = never
) -> EvaluationResult:
    """Evaluate a model and write the evaluation's folder; an earlier one is replaced.

    The folder holds `evaluation.json` (the result), `predictions.json` (all predictions as COCO
    results), `pr_curves.png`, `confusion_matrix.png` and `worst/`. Raises BatmanError subclasses:
    for a missing run, model, split or image, classes that do not match, and Cancelled; the earlier
    evaluation stands then.
    """
    from core.evaluation.figures import FiguresBeside
    from core.models.find import find_checkpoint

    checkpoint = find_checkpoint(options.target)
    dataset = options.dataset or _own_dataset(checkpoint.parent)
    output = (options.output or evaluation_folder(checkpoint.parent, options.split)).absolute()
    with FiguresBeside(output, cancelled) as figures:
        return _evaluate(options, checkpoint, dataset, output, figures, progress, cancelled)


def _evaluate(
    options: EvaluationOptions,
    checkpoint: Path,
    dataset: Path,
    output: Path,
    figures: FiguresBeside,
    progress: Report,
    cancelled: IsCancelled,
) -> EvaluationResult:
    from core.models.backend import open_model

    started = time.monotonic()
    progress(Progress("loading the model", 0, None))
    with loading_beside(*NEEDED_TO_COUNT, first="numpy"):
        detector, notes = open_model(
            checkpoint,
            backend=options.backend,
            device=options.device,
            batch_size=options.batch_size,
            classes=options.classes,
            throughput=True,
            report=progress,
            cancelled=cancelled,
        )
    truth = read_truth(dataset, options.split, detector.classes)
    truth.notes.extend(notes)
    clock = time.monotonic()
    predictions = predict_split(detector, truth, progress, cancelled)
    speed = len(truth.images) / max(time.monotonic() - clock, 1e-9)
    progress(Progress("measuring", 0, None))
    from core.evaluation.coco import measure

    metrics = measure(truth, predictions, MAX_DETECTIONS)
    # What draws is gone before the folder is, should this fail.
    with folder_beside(output) as working, closing(figures):
        result = _result(
            options, checkpoint, dataset, detector, truth, predictions, metrics, working, figures,
            progress,
        )  # fmt: skip
        result = _finish(result, checkpoint, options.split, speed, time.monotonic() - started)
        result.save(working)
        write_atomic(
            working / PREDICTIONS, json.dumps(truth.as_named(predictions), separators=(",", ":"))
        )
        figures.wait()
        if cancelled():
            raise Cancelled("The evaluation was cancelled.")
        put_in_place(working, output)
    return result


def predict_split(
    detector: Detector, truth: Truth, progress: Report = nothing, cancelled: IsCancelled = never
) -> list[dict[str, Any]]:
    """Return the detector's predictions on a split as COCO results, without any threshold.

    Boxes are rounded to a ten-thousandth of a pixel. Raises BatmanError for an image that cannot be
    read, Cancelled.
    """
    import numpy as np

    from core.models.prefetch import in_batches, side_by_side

    def load(image: dict[str, Any]) -> tuple[Any, tuple[int, int]]:
        path = truth.folder / image["file_name"]
        try:
            with open_picture(path) as opened:
                if is_deep(opened.mode):
                    raise ValueError(f"it has more than 8 bits a channel ({opened.mode})")
                recorded = (image["width"], image["height"])
                turn = turn_for_boxes(orientation_of(opened), recorded, opened.size)
                # As rfdetr reads images for validation, down to the decoder; and turned as its
                # boxes are, which training has done with its own data set.
                picture = turned(decode_for_training(path, opened), turn)
        except Exception as error:  # missing, damaged, of an unknown kind: Pillow raises many
            why = why_broken(path) or str(error)
            raise BatmanError(
                f"The image '{clean(str(path))}' cannot be read: {clean(why)[:200]}",
                "Restore the file, or prepare the data set again.",
            ) from error
        return detector.prepare(picture), picture.size

    def look(batch: list[tuple[dict[str, Any], tuple[Any, tuple[int, int]]]]) -> list[Prediction]:
        pixels = np.stack([loaded[0] for _, loaded in batch])
        return detector.predict_prepared(pixels, [loaded[1] for _, loaded in batch])

    found: list[dict[str, Any]] = []
    done, total = 0, len(truth.images)
    progress(Progress("predicting", 0, total))
    batches = in_batches(truth.images, load, detector.batch_size)
    for batch, predictions in side_by_side(batches, look, detector.streams):
        if cancelled():
            raise Cancelled("The evaluation was cancelled.")
        for (image, _), seen in zip(batch, predictions, strict=True):
            for box, score, label in zip(
                seen.boxes.tolist(), seen.scores.tolist(), seen.class_ids.tolist(), strict=True
            ):
                x0, y0, x1, y1 = box
                corners = (x0, y0, x1 - x0, y1 - y0)
                found.append(
                    {
                        "image_id": image["id"],
                        "category_id": truth.category_of[label],
                        "bbox": [round(value, 4) for value in corners],
                        "score": round(score, 8),
                    }
                )
        done += len(batch)
        progress(Progress("predicting", done, total))
    return found


def count_sizes(truth: Truth) -> dict[str, int]:
    """Return how many objects each of COCO's sizes has, crowds not counted.

    As pycocotools counts, one of exactly 32² or 96² pixels belongs to two sizes.
    """
    areas = [a["area"] for a in truth.annotations if not a["iscrowd"]]
    return {
        name: sum(least <= area <= most for area in areas) for name, (least, most) in SIZES.items()
    }


def _own_dataset(folder: Path) -> Path:
    from core.training.config.options import TrainingConfig

    config = folder / "training_config.json"
    if config.is_file():
        try:
            own = TrainingConfig.load(config).dataset_dir(folder)
        except BatmanError:
            # rfdetr's own file of this name keeps the folder elsewhere.
            content = read_json(config)
            values = content.get("train_config") if isinstance(content, dict) else None
            named = values.get("dataset_dir") if isinstance(values, dict) else None
            own = Path(named) if isinstance(named, str) else folder / "dataset"
        if own.is_dir():
            return own
    if (folder / "dataset").is_dir():
        return folder / "dataset"
    raise RunError(
        f"'{clean(str(folder))}' has no data set to evaluate on.",
        "Give one with --dataset, in Roboflow's COCO layout.",
    )


def _result(
    options: EvaluationOptions,
    checkpoint: Path,
    dataset: Path,
    detector: Detector,
    truth: Truth,
    predictions: list[dict[str, Any]],
    metrics: CocoMetrics,
    working: Path,
    figures: FiguresBeside,
    progress: Report,
) -> EvaluationResult:
    from core.evaluation import coco, pictures
    from core.evaluation.confusion import confusion
    from core.evaluation.worst_images import with_names, worst_images
    from core.evaluation.wrong_images import save_mistakes
    from core.metrics.thresholds import best_common, best_f1

    common = best_common(metrics.matches)
    per_class = []
    for index, name in enumerate(detector.classes):
        matches = metrics.matches[index]
        best = best_f1(matches)
        values: dict[str, Any] = metrics.of_class(index)
        if best is not None:
            values |= {key: getattr(best, key) for key in ("precision", "recall", "f1")}
            values["threshold"] = best.threshold
        per_class.append(ClassResult(name=name, annotations=matches.objects, **values))
    sizes = [
        SizeResult(
            name=name, annotations=count, ap=metrics.ap(size=place), ar=metrics.ar(size=place)
        )
        for place, (name, count) in enumerate(count_sizes(truth).items(), start=1)
    ]
    overall: dict[str, Any] = metrics.summary()
    table = confusion(truth, predictions, metrics, detector.classes, common.threshold)
    class_ids = model_class_ids(checkpoint)
    colours = class_colours(detector.classes, class_ids)
    figures.draw(working, per_class, colours, table)
    found = worst_images(truth, predictions, metrics, detector.classes, common.threshold)
    worst = with_names(found, checkpoint.parent)
    save_mistakes(working, worst)
    worst = worst[: options.worst]
    for done, image in enumerate(worst):
        progress(Progress("drawing", done, len(worst)))
        pictures.draw_worst(truth.folder / image.file, image, colours, working)
    progress(Progress("drawing", len(worst), len(worst)))
    return EvaluationResult(
        checkpoint=str(checkpoint),
        model=detector.model_size,
        resolution=detector.resolution,
        dataset=str(dataset),
        split=options.split,
        images=len(truth.images),
        annotations=sum(matches.objects for matches in metrics.matches),
        predictions=len(predictions),
        classes=detector.classes,
        class_ids=class_ids,
        max_detections=MAX_DETECTIONS,
        **overall,
        coco100=metrics.summary(coco.COCO_LIMIT),
        confidence=common.threshold,
        precision=common.precision,
        recall=common.recall,
        f1=common.f1,
        per_class=per_class,
        sizes=sizes,
        confusion=table,
        worst=worst,
        device=detector.device,
        seconds=0.0,
        images_per_s=0.0,
        finished_at=time.time(),
        notes=truth.notes,
    )


def _finish(
    result: EvaluationResult, checkpoint: Path, split: str, speed: float, seconds: float
) -> EvaluationResult:
    """Return the result with its times, and beside what training measured of the same weights."""
    import msgspec

    notes = list(result.notes)
    trained = None
    if checkpoint.name == "best.pth" and split == "valid":
        trained = _trained(checkpoint.parent)
    if trained is not None and result.map50_95 is not None:
        apart = abs(trained - result.map50_95)
        if apart > AGREEMENT:
            notes.append(
                f"Training measured mAP50-95 {trained:.4f} with these weights, {apart:.4f} away: "
                "it ran with another number format, or the data set has changed since."
            )
    if len(result.notes) < len(notes) or result.annotations == 0:
        notes += [] if result.annotations else [
            f"{plural(result.images, 'image')} without a single object: nothing can be measured."
        ]  # fmt: skip
    is_run = (checkpoint.parent / "training_config.json").is_file()
    return msgspec.structs.replace(
        result,
        run=checkpoint.parent.name if is_run else None,
        trained_map50_95=trained,
        seconds=round(seconds, 2),
        images_per_s=round(speed, 2),
        notes=notes,
    )


def _trained(run: Path) -> float | None:
    """Return what training measured of the run's best model: what that says, else the results."""
    said = read_best(run / BEST)
    if said is not None and said.record:
        value = said.record.get("map50_95")
    else:
        try:
            value = (read_json(run / RESULTS_FILE).get("best") or {}).get("map50_95")
        except (BatmanError, AttributeError):
            return None
    return float(value) if isinstance(value, (int, float)) else None
