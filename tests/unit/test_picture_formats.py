"""Pictures of all formats: stored so that everyone reads them, or named with the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from import_data import boxes, check, files_below, put, state, voc_xml
from PIL import Image

from core.common.errors import ConfigError, ImportFailed
from core.data.health import check as check_health
from core.data.images import picture_files
from core.data.images.picture_files import open_picture, why_broken, why_unread
from core.data.images.thumbnails import picture
from core.data.importers import import_coco, import_voc, import_yolo
from core.data.importers.dataset import DataSet, Picture
from core.data.store import Project
from core.inference.inputs import find_sources
from core.processes.installation import how_to_install
from core.training.config.options import TrainingConfig
from core.training.launch.dataset import prepare
from core.training.launch.image_check import check_image

SIZE = (64, 48)
heif = pytest.importorskip("pillow_heif", reason="needs the heic extra")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p") as made:
        yield made


@pytest.fixture
def without_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed."""
    monkeypatch.setattr(picture_files, "_reads_heif", lambda: False)


def scene(seed: int = 1) -> Image.Image:
    cells = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(cells.repeat(8, axis=0).repeat(8, axis=1))


def heic(path: Path, seed: int = 1, **save: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    heif.from_pillow(scene(seed)).save(path, quality=95, **save)
    return path


def yolo(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        file = root / "images" / name
        if name.lower().endswith("heic"):
            heic(file, seed)
        elif name.lower().endswith((".dng", ".jxl")):
            put(file, b"\0" * 64)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            scene(seed).save(file)
        put(root / "labels" / (name.rpartition(".")[0] + ".txt"), "0 .5 .5 .25 .5\n")
    put(root / "data.yaml", "train: images\nnames: [car]\n")
    return root


def coco_of(root: Path, *names: str, sizes: bool = True) -> Path:
    sides = {"width": SIZE[0], "height": SIZE[1]} if sizes else {}
    content = {
        "images": [{"id": n, "file_name": name, **sides} for n, name in enumerate(names)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [n, 2, 10, 12], "iscrowd": n % 2}
            for n in range(len(names))
        ],
        "categories": [{"id": 1, "name": "car"}],
    }
    put(root / "_annotations.coco.json", json.dumps(content))
    return root


def stored(project: Project) -> list[Path]:
    return [project.image_file(row[0]) for row in project.db.execute("SELECT path FROM v_images")]


def alike(file: Path, seed: int) -> bool:
    with Image.open(file) as image:
        shown = np.asarray(image.convert("RGB")).astype(int)
    # The middle of each cell: what compression leaves alone.
    return np.abs(shown - np.asarray(scene(seed)))[4::8, 4::8].mean() < 8


@pytest.mark.parametrize("files", ["link", "copy", "move"])
def test_heic_is_stored_as_jpeg(project: Project, tmp_path: Path, files: Any) -> None:
    source = yolo(tmp_path / "set", "a.HEIC", "b.jpg")
    report = import_yolo(project, source, files=files)
    assert (report.images, report.annotations) == (2, 2)
    assert report.counts() == {"HEIC picture": 1}
    assert (report.problems[0].where, report.problems[0].action) == ("a.HEIC", "kept")
    first, second = sorted(stored(project))
    assert first.name == "a.jpg"
    assert Image.open(first).format == "JPEG"
    assert alike(first, 0)
    assert alike(second, 1)
    # It stays where it was, a move or not: what is stored is not the same file.
    assert (source / "images" / "a.HEIC").is_file()
    check(project)
    assert [entry.name for entry in project.images_dir.iterdir()] == ["1"]


def test_heic_of_all_formats_comes_in(project: Project, tmp_path: Path) -> None:
    for number, sizes in enumerate((True, False)):
        root = tmp_path / f"coco{number}"
        heic(root / "a.heic")
        import_coco(project, coco_of(root, "a.heic", sizes=sizes))
    root = tmp_path / "voc"
    heic(root / "a.heic")
    put(root / "a.xml", voc_xml("a.heic", ("car", 3, 3, 12, 14)))
    import_voc(project, root)
    # A file that names a JPEG which somebody left as it came from the phone.
    root = tmp_path / "voc2"
    heic(root / "a.heic")
    put(root / "a.xml", voc_xml("a.jpg", ("car", 3, 3, 12, 14)))
    import_voc(project, root)
    files = stored(project)
    assert [file.name for file in files] == ["a.jpg"] * 4
    assert all(alike(file, 1) for file in files)
    info = prepare(project, TrainingConfig(model="tiny"), tmp_path / "run")
    assert sum(info.images.values()) == 4


@pytest.mark.parametrize("tag", [1, 3, 6])
def test_heic_is_turned_once(project: Project, tmp_path: Path, tag: int) -> None:
    # HEIF turns by properties of its own, which libheif obeys; EXIF's tag is a second word of it.
    exif = Image.Exif()
    exif[0x0112] = tag
    heic(tmp_path / "set" / "images" / "a.heic", 1, exif=exif.tobytes())
    yolo(tmp_path / "set", "b.jpg")
    put(tmp_path / "set" / "labels" / "a.txt", "0 .5 .5 .25 .5\n")
    import_yolo(project, tmp_path / "set")
    with (
        Image.open(min(stored(project))) as image,
        heif.open_heif(tmp_path / "set" / "images" / "a.heic").to_pillow() as shown,
    ):
        assert image.getexif().get(0x0112, 1) == 1
        assert image.size == shown.size
        assert np.abs(np.asarray(image).astype(int) - np.asarray(shown)).mean() < 4
        row = project.db.execute("SELECT width, height FROM v_images ORDER BY path").fetchone()
        assert tuple(row) == shown.size


def test_without_the_package_heic_is_named(
    project: Project, tmp_path: Path, without_heif: None
) -> None:
    report = import_yolo(project, yolo(tmp_path / "set", "a.HEIC", "b.jpg"))
    assert report.images == 1
    assert report.counts() == {"unreadable image": 1}
    assert report.problems[0].where == "a.HEIC"
    assert how_to_install("batman-tui[heic]") in report.problems[0].detail
    root = tmp_path / "coco"
    put(root / "a.heic")
    put(root / "b.png")
    report = import_coco(project, coco_of(root, "a.heic", "b.png"))
    assert (report.images, report.annotations) == (1, 1)
    assert how_to_install("batman-tui[heic]") in report.problems[0].detail
    before = state(project), files_below(project.images_dir)
    with pytest.raises(ImportFailed, match="no image to import") as error:
        import_coco(project, coco_of(root, "a.heic"))
    assert how_to_install("batman-tui[heic]") in (error.value.hint or "")
    assert (state(project), files_below(project.images_dir)) == before


def test_what_nothing_reads_is_named(project: Project, tmp_path: Path) -> None:
    report = import_yolo(project, yolo(tmp_path / "set", "a.DNG", "b.jpg", "c.jxl"))
    assert report.images == 1
    assert [(p.where, p.action) for p in report.problems] == [
        ("a.DNG", "left out"), ("c.jxl", "left out"),
    ]  # fmt: skip
    assert "raw format" in report.problems[0].detail
    assert "JPEG XL" in report.problems[1].detail


def test_heic_cannot_stay_in_place(project: Project, tmp_path: Path) -> None:
    report = import_yolo(project, yolo(tmp_path / "set", "a.heic", "b.jpg"), files="reference")
    assert report.images == 1
    assert "leaves pictures in place" in report.problems[0].detail


def test_a_damaged_heic_is_left_out_with_its_boxes(project: Project, tmp_path: Path) -> None:
    root = tmp_path / "set"
    raw = heic(root / "b.heic").read_bytes()
    put(root / "b.heic", raw[: len(raw) // 2])
    for name in ("a.png", "c.png"):
        put(root / name)
    report = import_coco(project, coco_of(root, "a.png", "b.heic", "c.png"))
    assert (report.images, report.annotations) == (2, 2)
    assert report.counts() == {"unreadable image": 1}
    assert {row[1]: row[3:] for row in boxes(project)} == {
        "a.png": (0, 2, 10, 12), "c.png": (2, 2, 10, 12),
    }  # fmt: skip
    check(project)


def test_images_are_dropped_with_all_that_is_theirs() -> None:
    data = DataSet("coco", "here")
    label = data.label("car")
    for number in range(4):
        data.image(Picture(f"/{number}", str(number), str(number), 64, 48))
        for crowd in (0, 1):
            data.box(
                number, label, (number, crowd, 5, 5), "x",
                iscrowd=crowd, segmentation=f"[{number}]" if crowd else None,
                extra=None if crowd else f"{number}",
            )  # fmt: skip
    data.drop({0, 2})
    of_image, of_label, found = data.columns()
    assert [picture.name for picture in data.images] == ["1", "3"]
    assert of_image.tolist() == [0, 0, 1, 1]
    assert of_label.tolist() == [label] * 4
    assert found[:, 0].tolist() == [1, 1, 3, 3]
    assert data.iscrowd == {1: 1, 3: 1}
    assert data.segmentation == {1: "[1]", 3: "[3]"}
    assert data.extra == {0: "1", 2: "3"}
    # And more can be added.
    del of_image, of_label, found
    data.image(Picture("/4", "4", "4", 64, 48))
    assert data.box(2, label, (0, 0, 5, 5), "x", iscrowd=1)
    assert data.iscrowd == {1: 1, 3: 1, 4: 1}


@pytest.mark.parametrize("ending", ["tif", "gif", "webp", "png"])
def test_several_pages_are_said(project: Project, tmp_path: Path, ending: str) -> None:
    root = yolo(tmp_path / "set", "b.jpg")
    pages = [scene(seed) for seed in (5, 6, 7)]
    file = root / "images" / f"a.{ending}"
    more: dict[str, Any] = {"lossless": True} if ending == "webp" else {}
    pages[0].save(file, save_all=True, append_images=pages[1:], **more)
    put(root / "labels" / "a.txt", "0 .5 .5 .25 .5\n")
    report = import_yolo(project, root)
    assert report.images == 2
    assert report.counts() == {"several pages": 1}
    assert "the first is taken" in report.problems[0].detail
    (finding,) = [f for f in check_health(project, 64).findings if f.kind == "image-several"]
    assert [project.image_file(row[0]).name for row in project.db.execute(
        "SELECT path FROM images WHERE id = ?", finding.ids
    )] == [file.name]  # fmt: skip
    # Kept with what is known of the file.
    again = check_health(project, 64).findings
    assert [f.ids for f in again if f.kind == "image-several"] == [finding.ids]
    assert alike(min(stored(project)), 5)


def test_single_pages_are_not(project: Project, tmp_path: Path) -> None:
    root = yolo(tmp_path / "set", "a.tif", "b.gif", "c.webp", "d.png", "e.heic", "f.avif", "g.bmp")
    report = import_yolo(project, root)
    assert report.images == 7
    assert report.counts() == {"HEIC picture": 1}
    assert "image-several" not in {f.kind for f in check_health(project, 64).findings}


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_pictures_are_left_out_of_training_and_seen(
    project: Project, tmp_path: Path, mode: str
) -> None:
    root = yolo(tmp_path / "set", *(f"{n}.png" for n in range(6)))
    deep = np.zeros((48, 64), np.float32)
    deep[:, 32:] = 900
    pixels = deep.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode])
    file = root / "images" / "deep.tif"
    Image.fromarray(pixels).save(file)
    with Image.open(file) as image:
        assert image.mode == mode
    put(root / "labels" / "deep.txt", "0 .5 .5 .25 .5\n")
    import_yolo(project, root)
    info = prepare(project, TrainingConfig(model="tiny"), tmp_path / "run")
    assert (
        f"1 image left out, more than 8 bits a channel ({mode}): '1/train/deep.tif'." in info.notes
    )
    assert sum(info.images.values()) == 6
    shown = picture(next(f for f in stored(project) if f.name == "deep.tif"), SIZE, SIZE)
    assert shown.getpixel((3, 3)) == (0, 0, 0)
    assert shown.getpixel((60, 40)) == (255, 255, 255)


def test_a_set_of_deep_pictures_does_not_train(project: Project, tmp_path: Path) -> None:
    root = yolo(tmp_path / "set", "x.png")
    Image.new("I;16", SIZE, 900).save(root / "images" / "x.png")
    import_yolo(project, root)
    with pytest.raises(ConfigError, match="more than 8 bits"):
        prepare(project, TrainingConfig(model="tiny"), tmp_path / "run")


def test_heic_under_another_name_is_told(project: Project, tmp_path: Path) -> None:
    root = tmp_path / "set"
    put(root / "a.jpg", heic(tmp_path / "x.heic").read_bytes())
    put(root / "b.png")
    # The records have sizes, so that nothing is opened on the way in.
    import_coco(project, coco_of(root, "a.jpg", "b.png"))
    # As where nothing has asked for the reader.
    told = "it is HEIC, whatever its ending says: rename it, or convert it to JPEG"
    assert why_broken(root / "a.jpg") == told


def test_heic_under_another_name_is_refused_though_its_reader_is_there(
    project: Project, tmp_path: Path
) -> None:
    """Once a HEIC was read, Pillow would open it whatever its ending."""
    root = yolo(tmp_path / "set", "b.jpg", "c.heic")
    put(root / "images" / "a.jpg", heic(tmp_path / "x.heic").read_bytes())
    put(root / "labels" / "a.txt", "0 .5 .5 .25 .5\n")
    open_picture(tmp_path / "x.heic").close()
    report = import_yolo(project, root)
    assert report.images == 2
    told = [p.detail for p in report.problems if p.kind == "unreadable image"]
    assert told == ["it is HEIC, whatever its ending says: rename it, or convert it to JPEG"]
    assert check_image(root / "images" / "a.jpg").problem == told[0]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.jpg", ""),
        ("a.PNG", ""),
        ("a", ""),
        ("a.jxl", "JPEG XL"),
        ("a.NEF", "raw format"),
    ],
)
def test_reasons_by_ending(name: str, reason: str) -> None:
    assert reason in why_unread(name)
    assert bool(why_unread(name)) == bool(reason)


def test_reasons_by_content(tmp_path: Path) -> None:
    assert why_broken(put(tmp_path / "a.jpg", b"")) == "it is empty"
    assert "JPEG XL" in why_broken(put(tmp_path / "b.jpg", b"\xff\x0a" + bytes(30)))
    assert why_broken(put(tmp_path / "c.jpg", b"junk")) == ""
    assert check_image(put(tmp_path / "d.png", b"\xff\x0a" + bytes(30))).problem.startswith("it is")


def test_inference_names_what_it_cannot_read(tmp_path: Path) -> None:
    for name in ("a.heic", "b.avif", "c.jxl", "d.txt"):
        put(tmp_path / name, b"x")
    sources, skipped = find_sources([tmp_path])
    assert [source.name for source in sources] == ["a.heic", "b.avif", "c.jxl"]
    assert skipped == []
