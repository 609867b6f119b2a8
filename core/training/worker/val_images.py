"""Validation images with what the model sees and what is there, drawn at each new best epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from core.common.temporary import file_beside
from core.data.images.class_colours import TRUTH, Colour
from core.data.images.draw_boxes import DrawnBox, draw_boxes

# Predictions below this score are noise in the early epochs; a picture shows at most this many.
MIN_SCORE = 0.3
MAX_BOXES = 100
# Pictures are shrunk to this side (pixels): enough to judge boxes by, small enough to keep many.
MAX_SIDE = 1024


class ValImages:
    """Collects predictions for a few validation images and draws them.

    `dataset` is the folder of a prepared data set, `colours` those of its classes in the order of
    their labels, `count` how many of its validation images are shown: evenly spread through the
    split, the same ones every time.
    """

    def __init__(
        self, dataset: Path, colours: Mapping[str, Colour], out_dir: Path, count: int
    ) -> None:
        self._folder = dataset / "valid"
        self._colours = dict(colours)
        self._out = out_dir
        self._found: dict[int, list[tuple[float, int, list[float]]]] = {}
        coco = json.loads((self._folder / "_annotations.coco.json").read_bytes())
        images = coco["images"]
        stride = max(1, len(images) // count) if count else 1
        chosen = images[::stride][:count]
        self._files = {int(image["id"]): str(image["file_name"]) for image in chosen}
        names = {category["id"]: str(category["name"]) for category in coco["categories"]}
        self._truth: dict[int, list[tuple[str, list[float]]]] = {key: [] for key in self._files}
        for annotation in coco["annotations"]:
            if annotation["image_id"] in self._truth:
                self._truth[annotation["image_id"]].append(
                    (names[annotation["category_id"]], annotation["bbox"])
                )

    def collect(self, results: Sequence[dict[str, Any]], targets: Sequence[dict[str, Any]]) -> None:
        """Keep the predictions of a validation batch that belong to the chosen images.

        `results` are rfdetr's: tensors boxes (xyxy, pixels of the original image), scores, labels.
        """
        for result, target in zip(results, targets, strict=False):
            image = int(target["image_id"])
            if image not in self._files:
                continue
            scores = result["scores"].tolist()
            self._found[image] = sorted(
                (
                    (score, int(label), box)
                    for score, label, box in zip(
                        scores, result["labels"].tolist(), result["boxes"].tolist(), strict=True
                    )
                    if score >= MIN_SCORE
                ),
                key=lambda found: -found[0],
            )[:MAX_BOXES]

    def write(self, epoch: int) -> list[Path]:
        """Draw the collected images as `epoch_NNNN_<name>.jpg` and return the files written."""
        written = []
        for image, file_name in self._files.items():
            if image not in self._found:
                continue
            self._out.mkdir(exist_ok=True)
            target = self._out / f"epoch_{epoch:04d}_{Path(file_name).stem}.jpg"
            with Image.open(self._folder / file_name) as picture:
                drawn = self._draw(picture, image)
            with file_beside(target) as temporary:
                drawn.save(temporary, format="JPEG", quality=88)
            written.append(target)
        self._found.clear()
        return written

    def _draw(self, picture: Image.Image, image: int) -> Image.Image:
        scale = min(1.0, MAX_SIDE / max(picture.size))
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        canvas = picture.convert("RGB").resize(size)
        boxes = []
        for name, (x, y, w, h) in self._truth[image]:
            corners = (x * scale, y * scale, (x + w) * scale, (y + h) * scale)
            boxes.append(DrawnBox(corners, TRUTH, name, "thin", below=True))
        classes = list(self._colours.items())
        for score, label, box in reversed(self._found[image]):
            if label < len(classes):  # not rfdetr's background class
                name, colour = classes[label]
                x0, y0, x1, y1 = (value * scale for value in box)
                corners = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
                boxes.append(DrawnBox(corners, colour, f"{name} {score:.2f}"))
        draw_boxes(canvas, boxes)
        return canvas
