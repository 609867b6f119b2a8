"""An evaluation for the tests and pictures of its screen, the same every time it is made."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw
from run_data import CLASSES
from sample_data import NOW

from core.evaluation.result import (
    Box,
    ClassResult,
    Confusion,
    EvaluationResult,
    SizeResult,
    WorstImage,
    evaluation_folder,
)

WIDTH, HEIGHT = 320, 200


def class_result(name: str, ap: float, objects: int) -> ClassResult:
    """A class with a curve that falls to nothing at a recall of 0.4 + ap."""
    reached = min(1.0, 0.4 + ap)
    curve = [
        max(0.0, 1 - (recall / 100 / reached) ** 4) if recall / 100 < reached else 0.0
        for recall in range(101)
    ]
    return ClassResult(
        name=name, annotations=objects, ap=ap, ap50=min(1.0, ap * 1.5), ap75=ap * 1.1, ar=ap,
        by_size={"small": ap * 0.6, "medium": ap, "large": None}, threshold=0.37,
        precision=0.8, recall=reached * 0.75, f1=0.74, curve=curve,
        curve_scores=[1 - recall / 100 for recall in range(101)],
    )  # fmt: skip


def worst_image(number: int) -> WorstImage:
    """An image with a found and a missed object, a right prediction and `number` wrong ones."""
    names = list(CLASSES)
    wrong = [
        Box(class_name=names[2], bbox=(200.0 - 30 * n, 20.0, 60.0, 50.0), right=False, score=0.6)
        for n in range(number)
    ]
    return WorstImage(
        image_id=number, file=f"site-[{number}].jpg", width=WIDTH, height=HEIGHT,
        false_positives=number, missed=1, picture=f"worst/{number:03}.jpg",
        truth=[
            Box(class_name=names[0], bbox=(30.0, 60.0, 80.0, 100.0), right=True),
            Box(class_name=names[1], bbox=(150.0, 110.0, 50.0, 60.0), right=False),
        ],
        predictions=[
            Box(class_name=names[0], bbox=(34.0, 64.0, 78.0, 96.0), right=True, score=0.91),
            *wrong,
        ],
    )  # fmt: skip


def result(run: Path, split: str = "valid", classes: int = 4, images: int = 4) -> EvaluationResult:
    """An evaluation of the run in `run` with `classes` classes and `images` worst images."""
    names = [*CLASSES, *(f"class {n}" for n in range(classes))][:classes]
    scores = {name: CLASSES.get(name, 0.4) for name in names}
    matrix = [[3 if row != column else 40 for column in names] + [7] for row in names]
    return EvaluationResult(
        checkpoint=str(run / "best.pth"), model="small", resolution=512,
        dataset=str(run / "dataset"), split=split, run=run.name, images=96, annotations=960,
        predictions=1200, classes=names, max_detections=500, map50_95=0.5525, map50=0.8288,
        map75=0.6078, ar=0.61, coco100={"map50_95": 0.5467}, confidence=0.37,
        precision=0.81, recall=0.74, f1=0.774,
        per_class=[class_result(name, ap, 240) for name, ap in scores.items()],
        sizes=[
            SizeResult(name="small", annotations=300, ap=0.331, ar=0.4),
            SizeResult(name="medium", annotations=660, ap=0.571, ar=0.6),
            SizeResult(name="large", annotations=0),
        ],
        confusion=Confusion(
            labels=[*names, "background"], matrix=[*matrix, [5] * len(names) + [0]]
        ),
        worst=[worst_image(images - n) for n in range(images)],
        device="cuda:0", seconds=13.0, images_per_s=88.2, finished_at=NOW.timestamp() - 600,
        trained_map50_95=0.55,
    )  # fmt: skip


def make_evaluation(run: Path, split: str = "valid", **sizes: int) -> EvaluationResult:
    """Write an evaluation into the run folder, with the images it is about; return it."""
    made = result(run, split, **sizes)
    made.save(evaluation_folder(run, split))
    folder = run / "dataset" / split
    folder.mkdir(parents=True, exist_ok=True)
    for image in made.worst:
        picture = Image.new("RGB", (WIDTH, HEIGHT))
        for y in range(HEIGHT):
            shade = round(70 + 60 * math.sin(y / 25 + image.image_id))
            ImageDraw.Draw(picture).line((0, y, WIDTH, y), fill=(shade // 2, shade, shade + 40))
        picture.save(folder / image.file)
    return made
