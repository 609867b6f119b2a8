"""The check of a project: each rule on made pictures and boxes, its limits, its fix and undo."""

from __future__ import annotations

import io
import json
import random
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from cli.common import run_module
from core.common.errors import BatmanError, Cancelled
from core.common.progress import Progress
from core.data.classes.look_alikes import _CYRILLIC, _GREEK, look_alikes, odd_letters, skeleton
from core.data.health import Finding, HealthReport, check, fix
from core.data.health.boxes import TWIN_IOU
from core.data.health.scan import ScannedImage
from core.data.health.similar_images import DISTANCE, alike
from core.data.importers import import_coco
from core.data.store import Project


def scene(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Draw a picture that is like no other: blocks of random shades."""
    chance = random.Random(seed)
    picture = Image.new("RGB", size, tuple(chance.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y = chance.randrange(size[0]), chance.randrange(size[1])
        w, h = chance.randrange(10, 60), chance.randrange(10, 60)
        shade = tuple(chance.randrange(256) for _ in range(3))
        draw.rectangle((x, y, x + w, y + h), fill=shade)
    return picture


def encoded(picture: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


class Maker:
    """Writes images and boxes straight into a project, wrong ones included."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.count = 0
        with project.change("import", "made") as change:
            self.imported = change.insert(
                "imports", {"kind": "made", "origin": "here", "at": "now", "active": 1}
            )
        (project.images_dir / "1").mkdir()

    def image(
        self,
        content: bytes | None = None,
        *,
        size: tuple[int, int] = (160, 120),
        split: str | None = None,
        grp: str | None = None,
        boxes: int = 0,
        name: str = "",
    ) -> int:
        self.count += 1
        name = name or f"{self.count}.jpg"
        path = f"1/{name}"
        self.project.image_file(path).write_bytes(
            encoded(scene(self.count, size)) if content is None else content
        )
        with self.project.change("made", "image") as change:
            row = {
                "import_id": self.imported, "path": path, "name": name, "width": size[0],
                "height": size[1], "split": split, "grp": grp,
            }  # fmt: skip
            image = change.insert("images", row)
        for at in range(boxes):
            self.box(image, (5 + 30 * at, 10, 25, 40))
        return image

    def label(self, name: str) -> int:
        db = self.project.db
        row = db.execute("SELECT id FROM labels WHERE name = ?", (name,)).fetchone()
        if row is not None:
            return int(row[0])
        with self.project.change("made", "class") as change:
            of = change.insert("classes", {"name": name})
            return change.insert(
                "labels", {"import_id": self.imported, "name": name, "class_id": of}
            )

    def box(
        self,
        image: int,
        xywh: tuple[float, float, float, float],
        name: str = "cell",
        crowd: int = 0,
    ) -> int:
        label = self.label(name)
        x, y, w, h = xywh
        with self.project.change("made", "box") as change:
            return change.insert(
                "annotations",
                {"image_id": image, "label_id": label, "x": x, "y": y, "w": w, "h": h,
                 "iscrowd": crowd},
            )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "made") as made:
        # Rows are made one by one here, and nobody pulls the plug.
        made.db.execute("PRAGMA synchronous = OFF")
        yield made


@pytest.fixture
def maker(project: Project) -> Maker:
    return Maker(project)


def find(project: Project, kind: str, **options: Any) -> Finding:
    found = check(project, **options).find(kind)
    assert found is not None, f"no {kind}"
    return found


def kinds(report: HealthReport) -> set[str]:
    return {finding.kind for finding in report.findings}


def state(project: Project) -> list[list[Any]]:
    return [
        [tuple(row) for row in project.db.execute(f"SELECT * FROM {table} ORDER BY id")]
        for table in ("images", "annotations", "classes", "labels")
    ]


def fixed(project: Project, kind: str) -> str:
    """Fix the finding and see that it is gone, is one step, and that undo brings all of it back."""
    finding = find(project, kind)
    before, steps = state(project), len(project.history())
    entry = fix(project, finding)
    assert entry is not None
    assert len(project.history()) == steps + 1
    after = state(project)
    assert check(project).find(kind) is None
    project.undo()
    assert state(project) == before
    assert find(project, kind) == finding
    project.redo()
    assert state(project) == after
    assert fix(project, finding) is None
    return entry.summary


def test_a_sound_project_has_no_findings(project: Project, maker: Maker) -> None:
    for _ in range(12):
        maker.image(boxes=2)
    report = check(project)
    assert report.findings == ()
    assert (report.images, report.annotations, report.files) == (12, 24, "read")
    assert report.grave() == []


def test_an_empty_project_is_said(project: Project) -> None:
    assert find(project, "project-empty").severity == "error"


# Files


def test_missing_files(project: Project, maker: Maker) -> None:
    image = maker.image(boxes=2)
    maker.image(boxes=1)
    project.image_file("1/1.jpg").unlink()
    finding = find(project, "image-missing")
    assert (finding.severity, finding.ids, finding.images) == ("error", (image,), (image,))
    assert fixed(project, "image-missing").endswith("(1 image)")
    assert project.summary().images == 1
    assert project.summary().annotations == 1


GOOD = encoded(scene(0))


@pytest.mark.parametrize(
    "content",
    [b"", b"not an image", GOOD[: len(GOOD) // 2], GOOD[:300], encoded(scene(0), "PNG")[:900],
     GOOD[:200] + b"\0" * 300],
)  # fmt: skip
def test_unreadable_files(project: Project, maker: Maker, content: bytes) -> None:
    maker.image(boxes=1)
    bad = maker.image(content, boxes=1)
    finding = find(project, "image-unreadable")
    assert (finding.severity, finding.ids) == ("error", (bad,))
    assert "0x" not in finding.message
    assert project.image_file("1/2.jpg").exists()
    fixed(project, "image-unreadable")
    assert project.image_file("1/2.jpg").exists()


def test_a_decoder_that_warns_or_a_huge_picture_is_no_crash(
    project: Project, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker.image(boxes=1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert "pixels" in find(project, "image-unreadable").message


def test_another_size_than_recorded(project: Project, maker: Maker) -> None:
    image = maker.image(encoded(scene(1, (320, 240))), size=(160, 120), boxes=1)
    finding = find(project, "image-size")
    assert (finding.severity, finding.ids) == ("serious", (image,))
    assert "320×240 instead of 160×120" in finding.message
    fixed(project, "image-size")
    row = project.db.execute("SELECT width, height FROM images").fetchone()
    assert tuple(row) == (320, 240)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_pictures_that_exif_turns(project: Project, maker: Maker, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = scene(3, (160, 120))
    quarter = orientation >= 5
    maker.image(encoded(picture, exif=exif), size=(120, 160) if quarter else (160, 120), boxes=1)
    assert ("image-turned" in kinds(check(project))) == (orientation > 1)
    assert "image-size" not in kinds(check(project))
    if orientation > 1:
        fixed(project, "image-turned")
        path = project.db.execute("SELECT path FROM images").fetchone()[0]
        with Image.open(project.image_file(path)) as upright:
            assert upright.size == ((120, 160) if quarter else (160, 120))
            assert upright.getexif().get(0x0112, 1) == 1
        assert project.image_file("1/1.jpg").read_bytes() == encoded(picture, exif=exif)


def test_a_turned_picture_recorded_lying_is_as_training_reads_it(
    project: Project, maker: Maker
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    maker.image(encoded(scene(3), exif=exif), size=(160, 120), boxes=1)
    assert not kinds(check(project)) & {"image-turned", "image-size"}


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("1", "PNG"), ("CMYK", "JPEG")]
)
def test_unusual_modes(project: Project, maker: Maker, mode: str, kind: str) -> None:
    maker.image(encoded(scene(1).convert(mode), kind), boxes=1)
    finding = find(project, "image-mode")
    assert finding.severity == "notice"
    assert mode in finding.message
    fixed(project, "image-mode")
    path = project.db.execute("SELECT path FROM images").fetchone()[0]
    with Image.open(project.image_file(path)) as image:
        assert image.mode == "RGB"
        assert image.size == (160, 120)


def test_converting_leaves_pixels_where_the_boxes_are(project: Project, maker: Maker) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    maker.image(encoded(scene(1).convert("RGBA"), "PNG", exif=exif), size=(160, 120), boxes=1)
    maker.image(encoded(scene(2).convert("CMYK"), exif=exif), size=(120, 160), boxes=1)
    fixed(project, "image-mode")
    assert find(project, "image-turned").ids == (2,)
    fixed(project, "image-turned")
    paths = [row[0] for row in project.db.execute("SELECT path FROM images ORDER BY id")]
    sizes = [Image.open(project.image_file(path)).size for path in paths]
    assert sizes == [(160, 120), (120, 160)]
    assert not kinds(check(project)) & {"image-mode", "image-turned", "image-size"}


def test_deep_pictures_have_no_fix(project: Project, maker: Maker) -> None:
    deep = Image.fromarray(np.arange(160 * 120, dtype=np.uint16).reshape(120, 160))
    maker.image(encoded(deep, "PNG"), boxes=1)
    finding = find(project, "image-depth")
    assert (finding.severity, finding.fix) == ("serious", None)
    with pytest.raises(BatmanError, match="no fix"):
        fix(project, finding)


def test_grey_and_colour_are_usual(project: Project, maker: Maker) -> None:
    maker.image(encoded(scene(1).convert("L")), boxes=1)
    maker.image(encoded(scene(2), "PNG"), boxes=1)
    assert not kinds(check(project)) & {"image-mode", "image-depth"}


# Copies


def test_exact_copies_keep_the_one_with_most_boxes(project: Project, maker: Maker) -> None:
    content = encoded(scene(5))
    first, best, last = (maker.image(content, boxes=n) for n in (0, 2, 2))
    finding = find(project, "image-duplicate")
    assert (finding.severity, finding.ids) == ("notice", (first, last))
    fixed(project, "image-duplicate")
    assert [row[0] for row in project.db.execute("SELECT id FROM v_images")] == [best]
    assert project.summary().annotations == 2


def test_of_copies_one_always_stays(project: Project, maker: Maker) -> None:
    content = encoded(scene(5))
    kept, extra = maker.image(content, boxes=2), maker.image(content)
    finding = find(project, "image-duplicate")
    assert finding.ids == (extra,)
    with project.change("made", "delete") as change:
        change.update("images", kept, {"deleted": 1})
    assert fix(project, finding) is None
    assert project.summary().images == 1


def near(kind: str) -> Callable[[Image.Image], bytes]:
    def again(picture: Image.Image) -> bytes:
        w, h = picture.size
        if kind == "half the size":
            return encoded(picture.resize((w // 2, h // 2)))
        if kind == "brighter":
            return encoded(ImageEnhance.Brightness(picture).enhance(1.08))
        if kind == "png":
            return encoded(picture, "PNG")
        if kind == "grey":
            return encoded(picture.convert("L"))
        return encoded(picture, quality=35)

    return again


@pytest.mark.parametrize("kind", ["jpeg again", "half the size", "brighter", "png", "grey"])
def test_near_copies_are_found(project: Project, maker: Maker, kind: str) -> None:
    picture = scene(8, (320, 240))
    one = maker.image(encoded(picture), size=(320, 240), boxes=1)
    two = maker.image(near(kind)(picture), size=(320, 240), boxes=1)
    for _ in range(30):
        maker.image(boxes=1)
    assert find(project, "image-near-duplicate").ids == (one, two)
    assert "leakage" not in kinds(check(project))


@pytest.mark.parametrize("change", ["mirror", "turn", "negative"])
def test_other_pictures_are_no_copies(project: Project, maker: Maker, change: str) -> None:
    picture = scene(8)
    other = {
        "mirror": picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "turn": picture.transpose(Image.Transpose.ROTATE_180),
        "negative": Image.eval(picture, lambda value: 255 - value),
    }[change]
    maker.image(encoded(picture), boxes=1)
    maker.image(encoded(other), boxes=1)
    assert "image-near-duplicate" not in kinds(check(project))


def test_plain_pictures_of_other_shades_are_no_copies(project: Project, maker: Maker) -> None:
    for shade in range(20, 250, 40):
        maker.image(encoded(Image.new("RGB", (160, 120), (shade,) * 3)), boxes=1)
    assert not kinds(check(project)) & {"image-near-duplicate", "image-duplicate"}


def test_near_copies_are_grouped_and_groups_joined(project: Project, maker: Maker) -> None:
    picture = scene(8)
    one = maker.image(encoded(picture), boxes=1)
    two = maker.image(encoded(picture, quality=60), grp="film", boxes=1)
    three = maker.image(encoded(picture, quality=40), grp="reel", boxes=1)
    frame = maker.image(grp="reel", boxes=1)
    alone = maker.image(grp="other", boxes=1)
    fixed(project, "image-near-duplicate")
    groups = dict(tuple(row) for row in project.db.execute("SELECT id, grp FROM v_images"))
    assert groups == {one: "film", two: "film", three: "film", frame: "film", alone: "other"}


def test_frames_of_a_video_that_are_alike_are_as_they_should_be(
    project: Project, maker: Maker
) -> None:
    maker.image(encoded(scene(8)), grp="film", boxes=1)
    maker.image(encoded(scene(8), quality=60), grp="film", boxes=1)
    assert "image-near-duplicate" not in kinds(check(project))


@pytest.mark.parametrize("quality", [75, 50])
def test_copies_across_splits_leak(project: Project, maker: Maker, quality: int) -> None:
    ids = [
        maker.image(encoded(scene(8), quality=q), split=split, boxes=1)
        for q, split in ((75, "train"), (quality, "valid"), (75, "test"))
    ]
    kept = maker.image(split="valid", boxes=1)
    finding = find(project, "leakage")
    assert finding.severity == "serious"
    assert set(finding.ids) == set(ids)
    fixed(project, "leakage")
    splits = dict(tuple(row) for row in project.db.execute("SELECT id, split FROM v_images"))
    assert splits == {**dict.fromkeys(ids, "train"), kept: "valid"}


def test_a_leak_between_valid_and_test_goes_to_valid_with_its_video(
    project: Project, maker: Maker
) -> None:
    one = maker.image(encoded(scene(8)), split="valid", boxes=1)
    two = maker.image(encoded(scene(8)), split="test", grp="film", boxes=1)
    frame = maker.image(split="test", grp="film", boxes=1)
    rest = maker.image(split="test", boxes=1)
    fixed(project, "leakage")
    splits = dict(tuple(row) for row in project.db.execute("SELECT id, split FROM v_images"))
    assert splits == {one: "valid", two: "valid", frame: "valid", rest: "test"}


def made_scan(number: int, dhash: int, shade: int = 0) -> ScannedImage:
    thumb = bytes((shade + at * 7) % 256 for at in range(256))
    return ScannedImage(number, "good", "", 9, 9, "RGB", 1, number.to_bytes(4, "big"), dhash, thumb)


def test_every_pair_within_the_distance_is_found_and_none_beyond() -> None:
    chance = random.Random(3)
    for turn in range(300):
        base = chance.getrandbits(64)
        flips = chance.sample(range(64), DISTANCE + turn % 2)
        other = base
        for bit in flips:
            other ^= 1 << bit
        found = alike([made_scan(1, base), made_scan(2, other)])
        assert found == ([] if turn % 2 else [[1, 2]])


def test_equal_hashes_of_unlike_pictures_are_told_apart() -> None:
    assert alike([made_scan(1, 77), made_scan(2, 77, shade=90)]) == []
    assert alike([made_scan(n, 77) for n in range(1, 6)]) == [[1, 2, 3, 4, 5]]


# Boxes


@pytest.mark.parametrize(
    "box", [(5, 5, 0, 9), (5, 5, 9, 0), (5, 5, -3, 9), (5, 5, 9, float("inf"))]
)
def test_degenerate_boxes(
    project: Project, maker: Maker, box: tuple[float, float, float, float]
) -> None:
    image = maker.image(boxes=1)
    bad = maker.box(image, box)
    finding = find(project, "box-degenerate")
    assert (finding.severity, finding.ids, finding.images) == ("error", (bad,), (image,))
    fixed(project, "box-degenerate")
    assert project.summary().annotations == 1


@pytest.mark.parametrize("box", [(160, 5, 9, 9), (-9, 5, 9, 9), (5, -20, 9, 9), (5, 120, 9, 9)])
def test_boxes_outside(
    project: Project, maker: Maker, box: tuple[float, float, float, float]
) -> None:
    bad = maker.box(maker.image(boxes=1), box)
    finding = find(project, "box-outside")
    assert (finding.severity, finding.ids) == ("error", (bad,))
    assert find(project, "box-outside").count == 1
    assert "box-past-edge" not in kinds(check(project))
    fixed(project, "box-outside")


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((-5, 10, 30, 30), (0, 10, 25, 30)),
        ((10, -5, 30, 30), (10, 0, 30, 25)),
        ((140, 10, 30, 30), (140, 10, 20, 30)),
        ((10, 100, 30, 30), (10, 100, 30, 20)),
        ((-2, -2, 200, 200), (0, 0, 160, 120)),
    ],
)
def test_boxes_past_an_edge_are_clipped(
    project: Project, maker: Maker, box: Any, clipped: Any
) -> None:
    bad = maker.box(maker.image(boxes=1), box)
    assert find(project, "box-past-edge").ids == (bad,)
    assert find(project, "box-past-edge").severity == "serious"
    fixed(project, "box-past-edge")
    row = project.db.execute("SELECT x, y, w, h FROM annotations WHERE id = ?", (bad,)).fetchone()
    assert tuple(row) == clipped


def test_a_pixel_of_rounding_is_no_mistake(project: Project, maker: Maker) -> None:
    maker.box(maker.image(), (-1, -1, 162, 122))
    assert "box-past-edge" not in kinds(check(project))


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    across = max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    common = across * down
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def test_twins_are_those_of_every_pair_compared(project: Project, maker: Maker) -> None:
    chance = random.Random(4)
    boxes: list[tuple[int, int, tuple[float, ...], str]] = []
    for _ in range(4):
        image = maker.image()
        for _ in range(25):
            base = (chance.uniform(0, 40), chance.uniform(0, 40), 60.0, 50.0)
            for _ in range(chance.randrange(1, 4)):
                jitter = tuple(value + chance.uniform(-1.2, 1.2) for value in base)
                name = chance.choice(["cell", "cell", "platelet"])
                boxes.append((maker.box(image, jitter, name), image, jitter, name))  # type: ignore[arg-type]
    same: set[Any] = set()
    other: set[Any] = set()
    for at, (one, image, box, name) in enumerate(boxes):
        for two, image2, box2, name2 in boxes[at + 1 :]:
            if image == image2 and iou(box, box2) > TWIN_IOU:
                (same if name == name2 else other).add(max(one, two))
    assert same
    assert other - same
    assert set(find(project, "box-repeated").ids) == same
    assert find(project, "box-repeated").severity == "serious"
    assert set(find(project, "box-two-classes").ids) == other - same
    assert find(project, "box-two-classes").fix is None
    fixed(project, "box-repeated")


@pytest.mark.parametrize(("shift", "twins"), [(2.5, 1), (2.6, 0), (-2.5, 1), (-2.6, 0)])
def test_twins_may_be_apart_by_a_fortieth(
    project: Project, maker: Maker, shift: float, twins: int
) -> None:
    # Shifted by 2.5 of 100 the IoU is 97.5 / 102.5 = 0.951, by 2.6 it is 0.949.
    image = maker.image(size=(320, 240))
    maker.box(image, (50, 20, 100, 60))
    maker.box(image, (50 + shift, 20, 100, 60))
    found = check(project).find("box-repeated")
    assert (found.count if found else 0) == twins


def test_a_twin_may_begin_later_by_a_twentieth(project: Project, maker: Maker) -> None:
    # The widest gap there is: one box ends where the other does, and lies within it.
    image = maker.image(size=(320, 240))
    maker.box(image, (50, 20, 100, 60))
    inner = maker.box(image, (54.9, 20, 95.1, 60))
    assert find(project, "box-repeated").ids == (inner,)


def test_the_first_of_twins_stays(project: Project, maker: Maker) -> None:
    image = maker.image()
    first = maker.box(image, (20, 20, 50, 50))
    maker.box(image, (19.9, 20, 50, 50))
    maker.box(image, (20, 20, 50, 50), "other")
    maker.box(image, (20, 20, 50, 50), crowd=1)
    maker.box(maker.image(), (20, 20, 50, 50))
    fixed(project, "box-repeated")
    left = [row[0] for row in project.db.execute("SELECT id FROM v_annotations ORDER BY id")]
    assert left == [first, first + 2, first + 3, first + 4]


def test_boxes_that_vanish_depend_on_the_training_size(project: Project, maker: Maker) -> None:
    images = [maker.image(size=(1600, 1200), boxes=1) for _ in range(3)]
    small = [maker.box(images[0], (100 + 50 * n, 100, 24, 20)) for n in range(2)]
    # 24×20 in 1600×1200 stretched to 640×640 is 9.6×10.7; to 480×480 it is 7.2×8.
    assert "box-vanishes" not in kinds(check(project, 640))
    finding = find(project, "box-vanishes", image_size=480)
    assert set(finding.ids) == set(small)
    assert finding.severity == "serious"
    assert "480" in finding.message
    assert finding.fix is None
    size = int(finding.hint.split("--image-size ")[1].split(",")[0])
    assert size % 32 == 0
    assert 480 < size <= 544
    assert "box-vanishes" not in kinds(check(project, size))


def test_a_few_vanishing_boxes_are_a_notice(project: Project, maker: Maker) -> None:
    image = maker.image(size=(1600, 1200))
    for at in range(30):
        maker.box(image, (40 * at, 300, 30, 200))
    maker.box(image, (5, 5, 4, 4))
    assert find(project, "box-vanishes").severity == "notice"


# Classes


def test_classes_without_annotations(project: Project, maker: Maker) -> None:
    maker.image(boxes=1)
    maker.label("ghost")
    finding = find(project, "class-empty")
    assert (finding.severity, finding.count) == ("notice", 1)
    assert "ghost" in finding.message
    fixed(project, "class-empty")
    names = [row[0] for row in project.db.execute("SELECT name FROM classes")]
    assert names == ["cell"]


def test_classes_that_look_the_same(project: Project, maker: Maker) -> None:
    """Cyrillic letters among Latin ones, and an accent that is written in two ways."""
    maker.image(boxes=1)
    for name in ("hook", "h\u043eok", "caf\u00e9", "cafe\u0301", "Hook", "he11o", "hello", "cup"):
        maker.label(name)
    finding = find(project, "class-look-alike")
    assert (finding.severity, finding.count) == ("serious", 4)
    assert "'hook' and 'h\u043eok' (with CYRILLIC SMALL LETTER O)" in finding.message
    assert "Hook" not in finding.message
    assert "cup" not in finding.message


def test_letters_that_look_like_latin_ones() -> None:
    """Each is of its script, has one meaning, and stands for the Latin letter of its name."""
    for (letters, latin), script in ((_CYRILLIC, "CYRILLIC"), (_GREEK, "GREEK")):
        assert len(letters) == len(set(letters)) == len(latin)
        assert all(unicodedata.name(letter).startswith(script) for letter in letters)
        assert latin.isascii()
    assert skeleton("\u0420\u043e\u0441\u0430") == "Poca"
    assert look_alikes(["a", "\u0430", "\u03b1", "b"]) == [["a", "\u0430", "\u03b1"]]
    assert odd_letters("plain") == ""


def test_a_class_that_was_used_since_is_not_deleted(project: Project, maker: Maker) -> None:
    image = maker.image(boxes=1)
    maker.label("ghost")
    finding = find(project, "class-empty")
    maker.box(image, (50, 50, 20, 20), "ghost")
    assert fix(project, finding) is None
    assert project.summary().classes == 2


@pytest.mark.parametrize(
    ("images", "each", "scarce"), [(3, 4, False), (2, 5, True), (3, 3, True), (10, 1, False)]
)
def test_scarce_classes(
    project: Project, maker: Maker, images: int, each: int, scarce: bool
) -> None:
    for _ in range(images):
        maker.image(boxes=each)
    assert ("class-scarce" in kinds(check(project))) == scarce


def test_classes_that_a_split_lacks(project: Project, maker: Maker) -> None:
    for split, names in (("train", "ab"), ("valid", "ac"), ("test", "abc")):
        image = maker.image(split=split)
        for at, name in enumerate(names):
            maker.box(image, (10 + 30 * at, 10, 25, 25), name)
    train, valid = find(project, "class-not-in-train"), find(project, "class-not-in-valid")
    assert (train.severity, valid.severity) == ("serious", "notice")
    assert train.message.endswith(": c.")
    assert valid.message.endswith(": b.")


def test_splits_that_were_not_imported_lack_nothing(project: Project, maker: Maker) -> None:
    maker.box(maker.image(split="valid"), (10, 10, 25, 25), "a")
    maker.box(maker.image(split=None), (10, 10, 25, 25), "b")
    assert not kinds(check(project)) & {"class-not-in-train", "class-not-in-valid"}


@pytest.mark.parametrize(("many", "found"), [(49, False), (50, True)])
def test_imbalance(project: Project, maker: Maker, many: int, found: bool) -> None:
    image = maker.image(size=(1600, 1200))
    for at in range(many):
        maker.box(image, (10 + at * 25, 30, 20, 200), "often")
    maker.box(image, (10, 500, 200, 200), "rare")
    assert ("class-imbalance" in kinds(check(project))) == found


def test_images_without_a_box(project: Project, maker: Maker) -> None:
    bare = maker.image()
    for _ in range(2):
        maker.image(boxes=5)
    finding = find(project, "image-unlabelled")
    assert (finding.severity, finding.ids) == ("notice", (bare,))
    assert "33%" in finding.message
    maker.image()
    assert find(project, "image-unlabelled").severity == "serious"


# The check as a whole


def test_what_is_not_visible_is_not_checked(project: Project, maker: Maker) -> None:
    maker.image(b"broken", boxes=1)
    with project.change("made", "undo") as change:
        change.update("imports", maker.imported, {"active": 0})
    assert kinds(check(project)) == {"project-empty", "class-empty"}


def test_files_are_read_only_when_asked(project: Project, maker: Maker) -> None:
    maker.image(b"broken", boxes=1)
    maker.image(boxes=1)
    project.image_file("1/2.jpg").unlink()
    assert {"image-missing", "image-unreadable"} <= kinds(check(project))
    look = kinds(check(project, files="look"))
    assert "image-missing" in look
    assert "image-unreadable" not in look
    assert not kinds(check(project, files="skip")) & {"image-missing", "image-unreadable"}


def test_the_gravest_come_first_and_json_has_all(project: Project, maker: Maker) -> None:
    image = maker.image(boxes=1)
    maker.image()
    maker.box(image, (5, 5, 0, 0))
    report = check(project)
    order = [finding.severity for finding in report.findings]
    assert order == sorted(order, key=["error", "serious", "notice"].index)
    assert [f.kind for f in report.grave()] == [
        f.kind for f in report.findings if f.severity != "notice"
    ]
    facts = json.loads(json.dumps(report.to_dict()))
    assert {item["kind"] for item in facts["findings"]} == kinds(report)


def test_examples_are_few_and_all_rows_are_counted(project: Project, maker: Maker) -> None:
    for _ in range(30):
        maker.image(b"broken")
    finding = find(project, "image-unreadable")
    assert (finding.count, len(finding.images)) == (30, 20)


def test_progress_and_stopping(project: Project, maker: Maker) -> None:
    for _ in range(40):
        maker.image(boxes=1)
    seen: list[Progress] = []
    check(project, progress=seen.append)
    last = [at for at in seen if at.stage == "images"][-1]
    assert (last.done, last.total) == (40, 40)
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 20

    with pytest.raises(Cancelled):
        check(project, cancelled=cancelled)


def test_the_blood_cells(project: Project, bccd: Path) -> None:
    """The real set is sound but for two shots of one field of view in train and valid."""
    import_coco(project, bccd)
    report = check(project)
    assert kinds(report) == {"leakage", "image-near-duplicate"}
    names = [
        project.db.execute("SELECT name FROM images WHERE id = ?", (image,)).fetchone()[0]
        for image in find(project, "leakage").images
    ]
    assert {name[:16] for name in names} == {"BloodImage_00037", "BloodImage_00038"}
    assert fix(project, find(project, "leakage")) is not None
    assert fix(project, find(project, "image-near-duplicate")) is not None
    assert check(project).findings == ()


# The command


def run(*words: str) -> int:
    return run_module("data.check", list(words))


def test_the_command(project: Project, maker: Maker, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(5):
        image = maker.image(boxes=2)
    path = str(project.path)
    assert run("--project", path) == 0
    assert "Nothing is wrong: 5 images and 10 annotations" in capsys.readouterr().out
    maker.box(image, (5, 5, 0, 0))
    maker.box(image, (-20, 5, 40, 40))
    assert run("--project", path) == 1
    out = capsys.readouterr().out
    assert "ERROR  box-degenerate" in out
    assert "--fix box-degenerate: remove the boxes" in out
    assert "In 5.jpg" in out
    assert run("--project", path, "--json") == 1
    facts = json.loads(capsys.readouterr().out)
    assert {item["kind"] for item in facts["findings"]} == {"box-degenerate", "box-past-edge"}
    assert run("--project", path, "--fix", "box-degenrate") == 2
    assert "did you mean 'box-degenerate'?" in capsys.readouterr().err
    assert run("--project", path, "--fix", "box-degenerate", "box-past-edge") == 0
    assert "Check: clip the boxes to the image (1 box)" in capsys.readouterr().out
    assert project.summary().annotations == 11


def test_the_command_fixes_all_and_says_what_has_no_fix(
    project: Project, maker: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        image = maker.image(boxes=2)
    maker.image()
    maker.box(image, (5, 5, 0, 0))
    path = str(project.path)
    assert run("--project", path, "--fix", "image-unlabelled") == 2
    assert "There is no fix" in capsys.readouterr().err
    assert project.summary().annotations == 11
    assert run("--project", path, "--fix", "all", "--quick", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["fixed"] == ["Check: remove the boxes (1 box)"]
    assert [item["kind"] for item in facts["findings"]] == ["image-unlabelled"]
    assert run("--project", path, "--image-size", "0") == 2


def test_groups_in_several_splits(project: Project, maker: Maker) -> None:
    film = [maker.image(split=split, grp="[film]", boxes=1) for split in ("train", "valid", None)]
    other = [maker.image(split=split, grp="other", boxes=1) for split in ("valid", "test")]
    whole = [maker.image(split=split, grp="whole", boxes=1) for split in ("train", "train", None)]
    alone = [maker.image(split=split, boxes=1) for split in ("train", "valid", "test")]
    report = check(project, files="skip")
    finding = report.find("group-torn")
    assert finding is not None
    assert finding.severity == "serious"
    assert finding.ids == (*film[:2], *other)
    assert "2 groups of images in several splits (such as '[film]')" in finding.message
    assert fix(project, finding) is not None
    splits = dict(tuple(row) for row in project.db.execute("SELECT id, split FROM v_images"))
    assert [splits[image] for image in film] == ["train", "train", None]
    assert [splits[image] for image in other] == ["valid", "valid"]
    assert [splits[image] for image in whole] == ["train", "train", None]
    assert [splits[image] for image in alone] == ["train", "valid", "test"]
    assert check(project, files="skip").find("group-torn") is None
    project.undo()
    assert check(project, files="skip").find("group-torn") is not None
