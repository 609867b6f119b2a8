"""The images that a model gets most wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from core.evaluation.ground_truth import Truth, by_image
from core.evaluation.result import Box, WorstImage

if TYPE_CHECKING:
    from core.evaluation.coco import CocoMetrics

Records = Sequence[dict[str, Any]]


def worst_images(
    truth: Truth,
    predictions: Records,
    metrics: CocoMetrics,
    classes: Sequence[str],
    confidence: float,
) -> list[WorstImage]:
    """Return the images with mistakes among what scores at least `confidence`, worst first.

    The most false positives and missed objects together come first; of equally bad images the one
    that was surer of its false positives, then the one with the lower id.
    """
    class_of = truth.class_of()
    there = by_image(truth.annotations)
    seen: dict[int, list[tuple[int, dict[str, Any]]]] = {}
    for number, record in enumerate(predictions, start=1):
        if record["score"] >= confidence and number not in metrics.ignored:
            seen.setdefault(record["image_id"], []).append((number, record))
    found = {
        metrics.pairs[number]
        for records in seen.values()
        for number, _ in records
        if number in metrics.pairs
    }
    ranked = []
    for image in truth.images:
        objects = [a for a in there.get(image["id"], []) if not a["iscrowd"]]
        guesses = seen.get(image["id"], [])
        wrong = [record["score"] for number, record in guesses if number not in metrics.pairs]
        missed = sum(a["id"] not in found for a in objects)
        if wrong or missed:
            ranked.append(((-len(wrong) - missed, -sum(wrong), image["id"]), image, missed))
    result = []
    for rank, (key, image, missed) in enumerate(sorted(ranked, key=lambda r: r[0]), start=1):
        truth_boxes = [
            _box(a, classes[class_of[a["category_id"]]], a["id"] in found)
            for a in there.get(image["id"], [])
            if not a["iscrowd"]
        ]
        guessed = [
            _box(record, classes[class_of[record["category_id"]]], number in metrics.pairs)
            for number, record in seen.get(image["id"], [])
        ]
        result.append(
            WorstImage(
                image_id=image["id"],
                file=image["file_name"],
                width=image["width"],
                height=image["height"],
                false_positives=-key[0] - missed,
                missed=missed,
                picture=f"worst/{rank:03d}.jpg",
                truth=truth_boxes,
                predictions=guessed,
            )
        )
    return result


def with_names(images: Sequence[WorstImage], run: Path) -> list[WorstImage]:
    """Return images with the names that the project of the run in the folder `run` has for them.

    Those that are named already, or that the project does not have, stay as they are. Reads the
    project.
    """
    from core.training.launch.dataset_files import names_in_project

    names = names_in_project(run, [image.file for image in images if not image.name])
    return [
        replace(image, name=names[image.file]) if image.file in names else image for image in images
    ]


def _box(record: dict[str, Any], name: str, right: bool) -> Box:
    x, y, w, h = (round(float(value), 2) for value in record["bbox"])
    return Box(class_name=name, bbox=(x, y, w, h), right=right, score=record.get("score"))
