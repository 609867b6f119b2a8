"""A picture that only its EXIF tag turns upright is read as its boxes are, wherever it is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from import_data import put, voc_xml
from PIL import Image

from core.data.exporters import export_coco, export_csv, export_kitti, export_voc, export_yolo
from core.data.health import check
from core.data.health.fixes import fix
from core.data.images.exif_orientation import (
    orientation_of,
    turn_for_boxes,
    turn_of_file,
    turned,
    write_upright,
)
from core.data.images.thumbnails import picture
from core.data.importers import import_coco, import_voc, import_yolo
from core.data.store import Project
from core.training.config.options import TrainingConfig
from core.training.launch.dataset import prepare

TAGS = range(1, 9)
# Which turn brings a picture back from each.
BACK = {5: 5, 6: 8, 7: 7, 8: 6}
SIZE = (60, 80)
BOX = (10, 20, 30, 20)
EXPORTS: tuple[Any, ...] = (export_coco, export_yolo, export_voc, export_csv, export_kitti)


def shown(size: tuple[int, int] = SIZE) -> Image.Image:
    """The picture as a person sees it: every quarter of another colour, and the object white."""
    image = Image.new("RGB", size, (200, 30, 30))
    half = (size[0] // 2, size[1] // 2)
    image.paste((30, 200, 30), (half[0], 0, size[0], half[1]))
    image.paste((30, 30, 200), (0, half[1], half[0], size[1]))
    x, y, w, h = BOX
    image.paste((255, 255, 255), (x, y, x + w, y + h))
    return image


def save(path: Path, tag: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Write the picture as a camera would that was held so; return its pixels as stored."""
    stored = turned(shown(size), BACK.get(tag, tag))
    exif = Image.Exif()
    exif[0x0112] = tag
    path.parent.mkdir(parents=True, exist_ok=True)
    stored.save(path, exif=exif)
    return stored


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "phone") as made:
        yield made


def yolo(root: Path, tag: int, ending: str, _recorded: tuple[int, int] | None) -> None:
    x, y, w, h = BOX
    values = ((x + w / 2) / SIZE[0], (y + h / 2) / SIZE[1], w / SIZE[0], h / SIZE[1])
    for split in ("train", "valid"):
        save(root / split / "images" / f"{split}{ending}", tag)
        put(root / split / "labels" / f"{split}.txt", "0 " + " ".join(map(str, values)))
    put(root / "data.yaml", "train: train/images\nval: valid/images\nnames: [white]\n")


def coco(root: Path, tag: int, ending: str, recorded: tuple[int, int] | None) -> None:
    sides: dict[str, Any] = (
        dict(zip(("width", "height"), recorded, strict=True)) if recorded else {}
    )
    for split in ("train", "valid"):
        save(root / split / f"{split}{ending}", tag)
        content = {
            "images": [{"id": 1, "file_name": f"{split}{ending}", **sides}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX}],
            "categories": [{"id": 1, "name": "white"}],
        }
        put(root / split / "_annotations.coco.json", json.dumps(content))


def voc(root: Path, tag: int, ending: str, recorded: tuple[int, int] | None) -> None:
    x, y, w, h = BOX
    for split in ("train", "valid"):
        save(root / split / f"{split}{ending}", tag)
        corners = ("white", x + 1, y + 1, x + w, y + h)
        text = voc_xml(f"{split}{ending}", corners, size=recorded or (0, 0))
        put(root / split / f"{split}.xml", text)


def pixels(image: Image.Image) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(image.convert("RGB"))


def as_rfdetr_reads(file: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pixels by Pillow, never by the tag: rfdetr 1.11.2 `datasets/io_utils.py`."""
    with Image.open(file) as image:
        return pixels(image)


def white(image: np.ndarray[Any, np.dtype[np.uint8]]) -> tuple[int, ...]:
    """Return the box around what is white."""
    rows, columns = np.where((image > 230).all(axis=2))
    left, top = int(columns.min()), int(rows.min())
    return left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1


MAKERS: dict[str, tuple[Any, Any, Any]] = {
    "yolo": (yolo, import_yolo, None),
    "coco": (coco, import_coco, SIZE),
    "coco without sizes": (coco, import_coco, None),
    "voc": (voc, import_voc, SIZE),
    "voc without sizes": (voc, import_voc, None),
}


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("format", MAKERS)
def test_what_is_trained_on_shown_and_exported_is_what_was_labelled(
    project: Project, tmp_path: Path, format: str, tag: int, ending: str
) -> None:
    make, take, recorded = MAKERS[format]
    make(tmp_path / "set", tag, ending, recorded)
    report = take(project, tmp_path / "set")
    assert (report.images, report.annotations) == (2, 2)
    rows = project.db.execute("SELECT path, width, height FROM v_images").fetchall()
    assert {tuple(row)[1:] for row in rows} == {SIZE}

    for path, *_ in rows:
        assert (pixels(picture(project.image_file(path), SIZE, SIZE)) == pixels(shown())).all()

    info = prepare(project, TrainingConfig(model="tiny"), tmp_path / "run")
    turn = tag != 1 and ending == ".png"
    assert ("2 images turned upright, as the boxes are." in info.notes) == turn
    for split in ("train", "valid"):
        content = json.loads((info.dir / split / "_annotations.coco.json").read_text())
        (image,) = content["images"]
        assert (image["width"], image["height"]) == SIZE
        learnt = as_rfdetr_reads(info.dir / split / image["file_name"])
        assert (learnt == pixels(shown())).all()
        assert white(learnt) == BOX
        assert content["annotations"][0]["bbox"] == pytest.approx(BOX)

    for number, export in enumerate(EXPORTS):
        out = tmp_path / f"out{number}"
        assert export(project, out).turned == 2 * turn
        files = [file for file in out.rglob("*") if file.suffix == ending]
        assert len(files) == 2
        for file in files:
            assert (as_rfdetr_reads(file) == pixels(shown())).all()
            with Image.open(file) as image:
                assert orientation_of(image) == 1

    finding = {finding.kind: finding for finding in check(project, 64).findings}
    assert ("image-turned" in finding) == turn
    assert "image-size" not in finding
    if turn:
        assert fix(project, finding["image-turned"]) is not None
        for (path,) in project.db.execute("SELECT path FROM v_images"):
            assert (as_rfdetr_reads(project.image_file(path)) == pixels(shown())).all()
        assert "image-turned" not in {finding.kind for finding in check(project, 64).findings}


@pytest.mark.parametrize("tag", range(5, 9))
@pytest.mark.parametrize("format", ["coco", "voc"])
def test_boxes_of_the_lying_picture_stay_on_it(
    project: Project, tmp_path: Path, format: str, tag: int
) -> None:
    make, take, _ = MAKERS[format]
    make(tmp_path / "set", tag, ".png", SIZE[::-1])
    take(project, tmp_path / "set")
    stored = pixels(turned(shown(), BACK[tag]))
    (path, *size) = project.db.execute("SELECT path, width, height FROM v_images").fetchone()
    assert tuple(size) == SIZE[::-1]
    assert (pixels(picture(project.image_file(path), SIZE[::-1], SIZE[::-1])) == stored).all()
    info = prepare(project, TrainingConfig(model="tiny"), tmp_path / "run")
    for file in info.dir.rglob("*.png"):
        assert (as_rfdetr_reads(file) == stored).all()
    # What OpenCV would turn goes out without the tag.
    assert export_coco(project, tmp_path / "out").turned == 2
    for file in (tmp_path / "out").rglob("*.png"):
        assert (as_rfdetr_reads(file) == stored).all()
        assert turn_of_file(file, None) == (1, 1)
    assert not {"image-turned", "image-size"} & {f.kind for f in check(project, 64).findings}


@pytest.mark.parametrize("tag", TAGS)
def test_a_square_picture_is_taken_as_shown(tag: int) -> None:
    assert turn_for_boxes(tag, (50, 50), (50, 50)) == tag
    assert turn_for_boxes(tag, None, (80, 60)) == tag
    assert turn_for_boxes(tag, (0, 0), (80, 60)) == tag


def test_a_picture_of_another_scale_is_turned_by_how_it_was_recorded() -> None:
    assert turn_for_boxes(6, (3000, 4000), (800, 600)) == 6
    assert turn_for_boxes(6, (4000, 3000), (800, 600)) == 1
    assert turn_for_boxes(3, (4000, 3000), (800, 600)) == 3


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".tif", ".bmp", ".gif", ".ppm"])
@pytest.mark.parametrize("tag", [None, *TAGS])
def test_the_first_bytes_tell_as_much_as_pillow(
    tmp_path: Path, ending: str, tag: int | None
) -> None:
    file = tmp_path / f"a{ending}"
    exif = Image.Exif()
    if tag is not None:
        exif[0x0112] = tag
    keeps = ending in (".jpg", ".png", ".webp")
    more: dict[str, Any] = {"exif": exif} if ending not in (".bmp", ".gif", ".ppm") else {}
    shown().save(file, **more)
    expected = tag or 1 if keeps else 1
    assert turn_of_file(file, None) == (expected, expected)


def test_a_tag_behind_a_long_profile_is_found(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = tmp_path / "plain.jpg"
    shown().save(plain, exif=exif)
    raw = plain.read_bytes()
    # A comment of 60 kB before the EXIF segment.
    comment = b"\xff\xfe" + (60_002).to_bytes(2, "big") + b"x" * 60_000
    file = put(tmp_path / "long.jpg", raw[:2] + comment + raw[2:])
    assert turn_of_file(file, None) == (6, 6)


def test_what_is_no_picture_is_not_turned(tmp_path: Path) -> None:
    assert turn_of_file(put(tmp_path / "a.jpg", b"\xff\xd8\xff"), None) == (1, 1)
    assert turn_of_file(put(tmp_path / "b.jpg", b""), None) == (1, 1)
    assert turn_of_file(tmp_path / "none.jpg", None) == (1, 1)


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp"])
def test_an_upright_copy_keeps_what_the_camera_wrote(tmp_path: Path, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = 7, "Model 7"
    source, target = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
    turned(shown(), 7).save(source, exif=exif, icc_profile=b"profile", quality=95)
    write_upright(source, target)
    with Image.open(target) as image:
        assert image.size == SIZE
        assert dict(image.getexif()) == {0x0110: "Model 7"}
        assert image.info["icc_profile"] == b"profile"
        assert np.abs(pixels(image).astype(int) - pixels(shown())).mean() < 6
