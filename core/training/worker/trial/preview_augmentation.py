"""What chance makes of one's own images before training. Imports torch and rfdetr.

`python -m core.training.worker.trial.preview_augmentation` is a job of `core.processes.job`.
The images are prepared, read, transformed and seeded by the code that trains; only what is done
with them afterwards differs: boxes are drawn and a picture is written.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from core.common.errors import BatmanError, ConfigError
from core.common.progress import Cancelled, Progress, Report
from core.common.temporary import file_beside
from core.data.images.class_colours import Colour, class_colours
from core.data.images.draw_boxes import DrawnBox, draw_boxes
from core.data.store import Project
from core.processes.job import serve_job
from core.training.config.effective_batch import Batching
from core.training.config.options import parse_config
from core.training.launch.sample import write_sample
from core.training.worker import build
from core.training.worker.data.seeds import Draw

# Undoes rfdetr's normalisation (`datasets/transforms.py`, Normalize), which is ImageNet's.
_MEAN = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
_STD = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
_GAP = 4
_GROUND = (24, 24, 24)


@dataclass(frozen=True)
class PreviewOptions:
    """Settings as plain values, for how many images, how often each is drawn, and where to.

    Every picture has a row: as it is, and as it is shown in the first `draws` epochs; `tile` is the
    longest side of one in pixels, `line` how wide the lines of boxes are at least. `output` is a
    PNG file.
    """

    config: dict[str, Any]
    output: Path
    images: int = 4
    draws: int = 4
    tile: int = 320
    line: int = 1


@dataclass(frozen=True)
class Preview:
    """What was written: the file, how many rows and columns it has, and what was done to them."""

    file: str
    rows: int
    columns: int
    names: tuple[str, ...]


def preview(options: PreviewOptions, report: Report, cancelled: Cancelled) -> Preview:
    """Write the picture. Raises ConfigError, ProjectError and Cancelled."""
    # Where it will be trained and on how many GPUs changes nothing about a picture.
    config = parse_config(options.config).with_changes(
        device="cpu", num_gpus=1, num_nodes=1, batch_size=1, workers=0
    )
    config = config.resolved()
    if config.project is None:
        raise ConfigError("No project was chosen to look at.", "Name one with --project.")
    report(Progress("reading", 0))
    with tempfile.TemporaryDirectory(prefix="batman-preview-") as name:
        folder = Path(name)
        with Project.open(config.project) as project:
            info, chosen = write_sample(project, config, options.images, folder)
        config = config.with_changes(dataset=info)
        model = build.model_config(config, info.class_names, None)
        train = build.train_config(config, folder, info.class_names, Batching(1, 1))
        data = build.build_data(model, train)
        data.setup("fit")
        pictures = data.pictures()
        colours = list(class_colours(info.class_names, info.class_ids).items())
        rows = []
        for row, image in enumerate(chosen):
            if cancelled():
                raise BatmanError("The preview was stopped.")
            report(Progress("drawing", row, len(chosen)))
            with Image.open(folder / "train" / pictures_file(pictures, row)) as original:
                plain = original.convert("RGB")
            boxes = [(info.class_names.index(name), corners) for name, corners in
                     _labels(image, info.class_names, info.class_ids or [])]  # fmt: skip
            tiles = [_tile(plain, boxes, colours, options)]
            for epoch in range(options.draws):
                tensor, target = pictures[Draw(row, epoch, row)]
                tiles.append(_shown(tensor, target, colours, options))
            rows.append(tiles)
        with file_beside(options.output) as temporary:
            _grid(rows, options.tile).save(temporary, format="PNG")
    names = tuple(image.name for image in chosen)
    return Preview(str(options.output), len(rows), options.draws + 1, names)


def pictures_file(pictures: Any, index: int) -> str:
    """Return the file name of an image of rfdetr's data set."""
    dataset = pictures.dataset
    return str(dataset.coco.loadImgs(dataset.ids[index])[0]["file_name"])


def _labels(
    image: Any, names: Sequence[str], ids: Sequence[int]
) -> list[tuple[str, tuple[float, float, float, float]]]:
    name_of = dict(zip(ids, names, strict=True))
    return [
        (name_of[box.class_id], (box.x, box.y, box.x + box.w, box.y + box.h)) for box in image.boxes
    ]


def _shown(
    tensor: Any,
    target: dict[str, Any],
    colours: Sequence[tuple[str, Colour]],
    options: PreviewOptions,
) -> Image.Image:
    """Return an image as the model gets it (3 × H × W, normalised; boxes cxcywh, 0 to 1)."""
    pixels = ((tensor * _STD + _MEAN).clamp(0, 1) * 255).round().to(torch.uint8)
    picture = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    width, height = picture.size
    boxes = [
        (label, ((x - w / 2) * width, (y - h / 2) * height,
                 (x + w / 2) * width, (y + h / 2) * height))
        for label, (x, y, w, h) in zip(
            target["labels"].tolist(), target["boxes"].tolist(), strict=True
        )
    ]  # fmt: skip
    return _tile(picture, boxes, colours, options)


def _tile(
    picture: Image.Image,
    boxes: Sequence[tuple[int, tuple[float, float, float, float]]],
    colours: Sequence[tuple[str, Colour]],
    options: PreviewOptions,
) -> Image.Image:
    scale = options.tile / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    tile = picture.resize(size)
    drawn = []
    for label, (x0, y0, x1, y1) in boxes:
        name, colour = colours[label]
        drawn.append(DrawnBox((x0 * scale, y0 * scale, x1 * scale, y1 * scale), colour, name))
    pen = ImageDraw.Draw(tile)
    for box in drawn if options.line > 1 else ():
        pen.rectangle(box.corners, outline=box.colour, width=options.line)
    draw_boxes(tile, drawn)
    return tile


def _grid(rows: Sequence[Sequence[Image.Image]], side: int) -> Image.Image:
    """Return the tiles as a picture: a row for each image, its own look first, set off a little."""
    heights = [max(tile.height for tile in row) for row in rows]
    columns = max(map(len, rows))
    width = columns * (side + _GAP) + _GAP
    grid = Image.new("RGB", (width, sum(heights) + _GAP * (len(rows) - 1)), _GROUND)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            left = column * (side + _GAP) + (2 * _GAP if column else 0)
            grid.paste(tile, (left - _GAP if column else 0, top))
        top += height + _GAP
    return grid


if __name__ == "__main__":
    sys.exit(serve_job(PreviewOptions, preview))
