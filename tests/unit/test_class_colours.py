"""One colour a class wherever it is drawn, told apart by everybody, and the painter of boxes."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data.classes import delete, list_classes, rename
from core.data.images.class_colours import (
    PALETTE,
    TRUTH,
    Colour,
    class_colour,
    class_colours,
    model_class_ids,
)
from core.data.images.draw_boxes import DrawnBox, draw_boxes, ink_on, luminance
from core.data.images.rows import image_boxes
from core.data.images.thumbnails import with_boxes
from core.data.store import Project
from core.evaluation import pictures
from core.evaluation.display import colours_of, draw
from core.evaluation.result import Box, Confusion, EvaluationResult, WorstImage
from core.inference.drawing import draw_predictions
from core.models.detector import Prediction
from core.training.config.options import TrainingConfig
from core.training.launch.dataset import prepare_run
from core.training.worker.val_images import ValImages

WIDTH, HEIGHT = 1000, 800
# Not by name: the ids in the project and the labels of a model go different ways.
NAMES = ("wheel", "crane", "never seen", "hook", "axle")
BOX = (300, 200, 400, 300)
EDGE = (301, 350)
"""A pixel in the left side of BOX, away from its labels."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Twelve grey pictures, each with one box; the classes by turns, one of them never."""
    made = Project.create(tmp_path / "p")
    with made.change("import", "made") as change:
        imported = change.insert(
            "imports", {"kind": "made", "origin": "here", "at": "now", "active": 1}
        )
        labels = []
        for name in NAMES:
            of = change.insert("classes", {"name": name})
            label = {"import_id": imported, "name": name, "class_id": of}
            labels.append(change.insert("labels", label))
        for number in range(12):
            name = f"{number}.png"
            Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(made.images_dir / name)
            row = {"path": name, "name": name, "width": WIDTH, "height": HEIGHT}
            image = change.insert("images", {"import_id": imported, **row})
            x, y, w, h = BOX
            drawn = labels[(0, 1, 3, 4)[number % 4]]
            change.insert(
                "annotations",
                {"image_id": image, "label_id": drawn, "x": x, "y": y, "w": w, "h": h},
            )
    return made


class Tensor(list):
    def tolist(self) -> list:
        return list(self)


def close(pixel: object, colour: Colour) -> bool:
    """Whether a pixel of a JPEG has this colour, and not one that is near it in the palette."""
    assert isinstance(pixel, tuple)
    return max(abs(have - want) for have, want in zip(pixel, colour, strict=True)) < 30


def test_a_class_has_one_colour_in_all_five_places(project: Project, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    config = prepare_run(project, TrainingConfig(model="tiny", project=project.path), run)
    config.save(run / "training_config.json")
    data, info = run / "dataset", config.dataset
    assert info is not None
    assert info.class_names == ["axle", "crane", "hook", "wheel"]
    ids = model_class_ids(run / "best.pth")
    assert ids == info.class_ids == [5, 2, 4, 1]
    colours = class_colours(info.class_names, ids)
    x, y, w, h = BOX
    corners = (x, y, x + w, y + h)
    for image, name in ((1, "wheel"), (2, "crane"), (3, "hook"), (4, "axle")):
        label = info.class_names.index(name)
        # The list of images.
        boxes = image_boxes(project, image)
        file = project.images_dir / f"{image - 1}.png"
        listed = with_boxes(file, (WIDTH, HEIGHT), boxes, (WIDTH, HEIGHT)).getpixel(EDGE)
        assert listed == colours[name] == class_colour(boxes[0].class_id)
        # Inference.
        found = Prediction(
            np.array([corners], np.float32), np.array([0.9], np.float32), np.array([label])
        )
        with Image.open(file) as opened:
            pixels = np.asarray(opened)
        drawn = draw_predictions(pixels, found, info.class_names, colours, [7])
        assert tuple(drawn[EDGE[1], EDGE[0]]) == listed
        # Validation.
        validation = ValImages(data, class_colours(info.class_names, info.class_ids), run / "v", 1)
        (shown,) = validation._files
        validation.collect(
            [{"scores": Tensor([0.9]), "labels": Tensor([label]), "boxes": Tensor([corners])}],
            [{"image_id": shown}],
        )
        (picture,) = validation.write(1)
        with Image.open(picture) as opened:
            assert close(opened.getpixel(EDGE), listed)
        # Evaluation, its pictures and its screen.
        predicted = Box(class_name=name, bbox=BOX, right=True, score=0.9)
        worst = WorstImage(
            image_id=1, file=file.name, width=WIDTH, height=HEIGHT, false_positives=0, missed=0,
            picture="worst.jpg", truth=[], predictions=[predicted],
        )  # fmt: skip
        with Image.open(pictures.draw_worst(file, worst, colours, tmp_path)) as opened:
            assert close(opened.getpixel(EDGE), listed)
        result = EvaluationResult(
            checkpoint="best.pth", model="tiny", resolution=64, dataset=str(tmp_path / "p"),
            split="images", images=1, annotations=0, predictions=1, classes=info.class_names,
            max_detections=500, map50_95=None, map50=None, map75=None, ar=None, coco100={},
            confidence=0.5, precision=0, recall=0, f1=0, per_class=[], sizes=[],
            confusion=Confusion(labels=[], matrix=[]), worst=[worst], device="cpu", seconds=1,
            images_per_s=1, finished_at=0, class_ids=ids,
        )  # fmt: skip
        result.save(tmp_path)
        read = EvaluationResult.load(tmp_path)
        assert colours_of(read) == colours
        assert draw(read, tmp_path, worst, (WIDTH, HEIGHT)).getpixel(EDGE) == listed


def test_a_colour_stays_when_classes_come_and_go(project: Project) -> None:
    def colours() -> dict[str, Colour]:
        return {row.name: class_colour(row.id) for row in list_classes(project)}

    before = colours()
    assert len(set(before.values())) == len(NAMES)
    delete(project, ["crane"])
    rename(project, "wheel", "a wheel")
    with project.change("add", "add") as change:
        change.insert("classes", {"name": "a new one"})
    after = colours()
    assert after["hook"] == before["hook"]
    assert after["a wheel"] == before["wheel"]
    assert after["a new one"] not in before.values(), "not even that of one that is gone"
    project.undo()
    project.undo()
    project.undo()
    assert colours() == before


def test_without_ids_the_labels_count(tmp_path: Path) -> None:
    assert model_class_ids(tmp_path / "model.pth") is None
    # A run of before they were kept.
    (tmp_path / "training_config.json").write_text('{"dataset": {"class_names": ["a"]}}')
    assert model_class_ids(tmp_path / "model.pth") is None
    (tmp_path / "batman.json").write_text(json.dumps({"class_ids": [3, "x"]}))
    assert model_class_ids(tmp_path / "model.pth") is None
    (tmp_path / "batman.json").write_text(json.dumps({"class_ids": [3, 9]}))
    assert model_class_ids(tmp_path / "model.pth") == [3, 9]
    assert class_colours(["a", "b"], [3, 9]) == {"a": class_colour(3), "b": class_colour(9)}
    assert class_colours(["a", "b", "c"], [3, 9])["c"] == class_colour(3), "ids of other classes"
    assert class_colours(["a"]) == {"a": class_colour(1)}


# What colour-blind people see, as matrices on linear RGB: Machado, Oliveira & Fernandes, "A
# Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), severity 1.0.
VISION = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
}  # fmt: skip
# sRGB to CIE XYZ, and the white of D65 (IEC 61966-2-1).
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
D65 = np.array([0.95047, 1.0, 1.08883])


def lab(colours: np.ndarray, vision: np.ndarray) -> np.ndarray:
    """Return CIE L*a*b* of sRGB colours (N, 3) of 0 to 255 as `vision` sees them."""
    part = colours / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ vision.T, 0, 1) @ XYZ.T / D65
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def ciede2000(one: np.ndarray, other: np.ndarray) -> float:
    """Return the difference of two L*a*b* colours (Sharma, Wu & Dalal 2005, eq. 2 to 22)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25**7))
    c1, c2 = np.hypot(g * a1, b1), np.hypot(g * a2, b2)
    h1, h2 = np.degrees(np.arctan2([b1, b2], [g * a1, g * a2])) % 360
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    mean = h1 + h2 if not c1 * c2 else (h1 + turn / 2) % 360
    t = sum(
        factor * np.cos(np.radians(times * mean + shift))
        for factor, times, shift in ((1, 0, 0), (-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6),
                                     (-0.2, 4, -63))
    )  # fmt: skip
    s_l = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    s_c, s_h = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    swing = 30 * np.exp(-(((mean - 275) / 25) ** 2))
    r_t = -2 * np.sqrt(chroma**7 / (chroma**7 + 25**7)) * np.sin(np.radians(2 * swing))
    x, y, z = (l2 - l1) / s_l, (c2 - c1) / s_c, hue / s_h
    return float(np.sqrt(x**2 + y**2 + z**2 + r_t * y * z))


def test_the_formula_agrees_with_its_authors() -> None:
    # Pairs 1, 7, 13, 19, 25 and 34 of the table of Sharma, Wu & Dalal.
    for one, other, difference in (
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, -0.001, 2.49), (50, 0.0011, -2.49), 4.7461),
        ((50, 2.5, 0), (61, -5, 29), 22.8977),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ):
        assert ciede2000(np.array(one), np.array(other)) == pytest.approx(difference, abs=1e-4)


@pytest.mark.parametrize("vision", list(VISION))
def test_colours_are_told_apart(vision: str) -> None:
    seen = lab(np.array(PALETTE, dtype=float), VISION[vision])
    white = lab(np.array([TRUTH], dtype=float), VISION[vision])[0]
    # A difference of 2.3 is just noticed (Mahy, Van Eycken & Oosterlinck 1994).
    for most, least in ((7, 11.6), (16, 11.0), (24, 8.5), (len(PALETTE), 4.8)):
        for one, other in itertools.combinations(range(most), 2):
            assert ciede2000(seen[one], seen[other]) >= least, (one, other)
    assert min(ciede2000(colour, white) for colour in seen) >= 6
    beside = [ciede2000(one, other) for one, other in itertools.pairwise(seen)]
    assert min(beside) >= 8, "classes that come after each other"


def test_labels_can_be_read_on_every_colour() -> None:
    def contrast(one: Colour, other: Colour) -> float:
        dark, light = sorted((luminance(one), luminance(other)))
        return (light + 0.05) / (dark + 0.05)

    greys = [(value, value, value) for value in range(256)]
    assert min(contrast(ink_on(colour), colour) for colour in [*PALETTE, TRUTH, *greys]) >= 4.5


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (300, 7), (40, 30), (640, 480)])
def test_boxes_anywhere_on_pictures_of_any_size(size: tuple[int, int]) -> None:
    across, down = size
    places = (-1e6, -1.0, 0.0, 0.4, across / 2, down, 1e6)
    colour = class_colour(4)
    for pen in ("solid", "thin", "dashed", "struck"):
        for below in (False, True):
            picture = Image.new("RGB", size)
            draw_boxes(
                picture,
                [
                    DrawnBox((left, top, right, bottom), colour, label, pen, below)
                    for left, top, right, bottom in itertools.product(places, repeat=4)
                    for label in ("", "a\x1b[31m long name 0.98")
                ],
            )
            assert picture.size == size
            assert picture.getbbox() is not None


def test_labels_stay_on_the_picture_and_lie_over_boxes() -> None:
    first, second = class_colour(1), class_colour(5)
    picture = Image.new("RGB", (400, 300))
    draw_boxes(
        picture,
        [
            DrawnBox((350, 0, 399, 100), first, "in the corner"),
            DrawnBox((320, 5, 390, 90), second),
        ],
    )
    # There is no room above: the label stands in the box, as far left as it needs to.
    row = [picture.getpixel((x, 1)) for x in range(400)]
    assert row.index(first) < 340
    assert second not in [picture.getpixel((x, 5)) for x in range(row.index(first), 400)]


def test_lines_grow_with_the_picture() -> None:
    def width(size: tuple[int, int]) -> int:
        picture = Image.new("RGB", size)
        draw_boxes(picture, [DrawnBox((20, 20, size[0] - 20, size[1] - 20), class_colour(1))])
        return sum(
            picture.getpixel((x, size[1] // 2)) == class_colour(1) for x in range(size[0] // 2)
        )

    assert [width(size) for size in ((120, 90), (640, 480), (1920, 1080))] == [1, 2, 5]
