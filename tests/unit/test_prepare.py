"""The prepared data set: what rfdetr reads, without anything it would stumble over."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.common.errors import Cancelled, ConfigError
from core.data.images.reviewed import images_by_boxes
from core.data.importers.clip_box import MIN_SIDE, clip
from core.data.store import Project
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.launch.dataset import Progress, file_name, prepare, prepare_run
from core.training.launch.dataset_rows import meant_classes
from core.training.launch.image_check import check_image, check_images

Box = tuple[str, float, float, float, float]
CONFIG = TrainingConfig(model="tiny")


class Maker:
    """Fills a project row by row, as an importer would."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.count = 0
        with project.change("import", "made by a test") as change:
            self.import_id = change.insert(
                "imports", {"kind": "coco", "origin": "test", "at": "2026-01-01", "active": 1}
            )
        self.labels: dict[str, int] = {}

    def label(self, name: str) -> int:
        """Return the label of a class, made when it is new."""
        if name not in self.labels:
            with self.project.change("class", name) as change:
                class_id = change.insert("classes", {"name": name})
                self.labels[name] = change.insert(
                    "labels", {"import_id": self.import_id, "name": name, "class_id": class_id}
                )
        return self.labels[name]

    def image(
        self,
        *boxes: Box,
        path: str | None = None,
        size: tuple[int, int] = (40, 30),
        crowd: int = 0,
        content: bytes | None = None,
        **row: Any,
    ) -> Path:
        """Add an image with boxes (class, x, y, w, h) and return its file."""
        self.count += 1
        path = path or f"1/{self.count:03d}.png"
        file = self.project.images_dir / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            Image.new("RGB", size, (self.count * 7 % 256, 90, 30)).save(file)
        else:
            file.write_bytes(content)
        labels = [self.label(box[0]) for box in boxes]
        with self.project.change("image", path) as change:
            values = {"import_id": self.import_id, "path": path, "name": Path(path).name,
                      "width": size[0], "height": size[1], **row}  # fmt: skip
            image_id = change.insert("images", values)
            for label, (_, x, y, w, h) in zip(labels, boxes, strict=True):
                box = {"x": x, "y": y, "w": w, "h": h, "iscrowd": crowd}
                change.insert("annotations", {"image_id": image_id, "label_id": label, **box})
        return file


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "cells") as made:
        made.db.execute("PRAGMA synchronous = OFF")  # many small changes; nothing crashes here
        yield made


@pytest.fixture
def maker(project: Project) -> Maker:
    return Maker(project)


def simple(maker: Maker, count: int = 20) -> None:
    for number in range(count):
        maker.image(("b" if number % 2 else "a", 1, 2, 10, 12))


def coco(folder: Path, split: str) -> dict[str, Any]:
    return json.loads((folder / split / "_annotations.coco.json").read_bytes())


def test_it_writes_what_training_reads(maker: Maker, project: Project, tmp_path: Path) -> None:
    simple(maker)
    heard: list[Progress] = []
    info = prepare(project, CONFIG, tmp_path / "out" / "dataset", heard.append)
    assert info.dir == tmp_path / "out" / "dataset"
    assert info.class_names == ["a", "b"]
    assert info.images == {"train": 14, "valid": 3, "test": 3}
    assert info.annotations == info.images
    assert sum(info.per_class[split]["a"] for split in info.images) == 10
    names: set[str] = set()
    for split, count in info.images.items():
        content = coco(info.dir, split)
        assert len(content["images"]) == count
        # From 0 without gaps, and no supercategory that is another category: rfdetr numbers its
        # labels by position in this list and would drop a parent.
        assert [(c["id"], c["name"]) for c in content["categories"]] == [(0, "a"), (1, "b")]
        assert {c["supercategory"] for c in content["categories"]} == {"none"}
        for image in content["images"]:
            file = info.dir / split / image["file_name"]
            assert file.stat().st_nlink == 2
            assert (image["width"], image["height"]) == (40, 30)
            names.add(image["file_name"])
        for box in content["annotations"]:
            assert box["area"] == 120
            assert box["bbox"] == [1, 2, 10, 12]
            assert box["iscrowd"] == 0
    assert len(names) == 20
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dataset"]
    assert heard[-1] == Progress("writing", 20, 20)
    assert {step.stage for step in heard} == {"reading", "checking", "writing"}


def test_pycocotools_reads_it(maker: Maker, project: Project, tmp_path: Path) -> None:
    coco_module = pytest.importorskip("pycocotools.coco")
    simple(maker)
    info = prepare(project, CONFIG, tmp_path / "out")
    read = coco_module.COCO(str(info.dir / "train" / "_annotations.coco.json"))
    assert len(read.getImgIds()) == 14
    assert {cat["name"] for cat in read.loadCats(read.getCatIds())} == {"a", "b"}


def test_the_classes_are_numbered_by_name(maker: Maker, project: Project, tmp_path: Path) -> None:
    # Labels come in another order than names; every split has the whole list.
    for number in range(12):
        maker.image(
            ("zebra", 1, 1, 9, 9), ("ant", 5, 5, 9, 9), split="train" if number < 8 else None
        )
    maker.image(("mole", 1, 1, 9, 9), split="valid")
    info = prepare(project, CONFIG, tmp_path / "out")
    assert info.class_names == ["ant", "mole", "zebra"]
    for split in ("train", "valid"):
        content = coco(info.dir, split)
        named = {c["id"]: c["name"] for c in content["categories"]}
        assert [named[at] for at in range(3)] == ["ant", "mole", "zebra"]
        boxes = {(named[b["category_id"]], tuple(b["bbox"][:2])) for b in content["annotations"]}
        assert boxes <= {("zebra", (1, 1)), ("ant", (5, 5)), ("mole", (1, 1))}
    # It is in valid only, which is told: training cannot learn it.
    assert any("'mole'" in note and "train" in note for note in info.notes)


def test_merged_and_dropped_labels(maker: Maker, project: Project, tmp_path: Path) -> None:
    simple(maker)
    maker.image(("junk", 1, 1, 5, 5))
    with project.change("merge", "b into a") as change:
        change.update("labels", maker.labels["b"], {"class_id": 1})
        change.update("labels", maker.labels["junk"], {"class_id": None})
    info = prepare(project, CONFIG, tmp_path / "out")
    assert info.class_names == ["a"]
    assert sum(info.annotations.values()) == 20
    assert sum(info.images.values()) == 21
    assert any("'b'" in note for note in info.notes)


def test_an_undone_import_is_not_trained_on(maker: Maker, project: Project, tmp_path: Path) -> None:
    simple(maker)
    other = Maker(project)
    other.labels = maker.labels
    other.count = 100
    other.image(("a", 1, 1, 5, 5))
    with project.change("undo", "the second import") as change:
        change.update("imports", other.import_id, {"active": 0})
    assert sum(prepare(project, CONFIG, tmp_path / "out").images.values()) == 20


def test_damaged_files_are_left_out_and_told(
    maker: Maker, project: Project, tmp_path: Path
) -> None:
    simple(maker)
    good = maker.image(("a", 1, 1, 5, 5), path="1/good.jpg", size=(200, 200)).read_bytes()
    maker.image(("a", 1, 1, 5, 5), path="1/gone.png").unlink()
    maker.image(("a", 1, 1, 5, 5), path="1/text.png", content=b"not an image at all")
    maker.image(("a", 1, 1, 5, 5), path="1/empty.jpg", content=b"")
    maker.image(("a", 1, 1, 5, 5), path="1/half.jpg", content=good[: len(good) // 2])
    info = prepare(project, CONFIG, tmp_path / "out")
    assert sum(info.images.values()) == 21
    told = " ".join(info.notes)
    assert "missing: '1/gone.png'" in told
    assert "not an image: '1/text.png'" in told
    assert "empty file: '1/empty.jpg'" in told
    assert "damaged: '1/half.jpg'" in told


def test_no_readable_file_at_all(maker: Maker, project: Project, tmp_path: Path) -> None:
    for _ in range(3):
        maker.image(("a", 1, 1, 5, 5)).unlink()
    with pytest.raises(ConfigError, match="None of the 3 image files"):
        prepare(project, CONFIG, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_boxes_are_clipped_or_left_out(maker: Maker, project: Project, tmp_path: Path) -> None:
    simple(maker)
    maker.image(("a", -5, -5, 20, 20), ("a", 35, 25, 50, 50), ("a", 100, 100, 5, 5),
                ("a", 3, 3, 0, 5), ("a", 3, 3, math.inf, 5), split=None)  # fmt: skip
    info = prepare(project, CONFIG, tmp_path / "out")
    boxes = [b["bbox"] for split in info.images for b in coco(info.dir, split)["annotations"]]
    assert [0, 0, 15, 15] in boxes
    assert [35, 25, 5, 5] in boxes
    assert len(boxes) == 22
    assert all(b["area"] > 0 for s in info.images for b in coco(info.dir, s)["annotations"])
    assert "2 boxes clipped to the image." in info.notes
    assert "3 boxes without area in the image left out." in info.notes


def test_more_objects_than_the_model_finds_are_told(
    maker: Maker, project: Project, tmp_path: Path
) -> None:
    simple(maker)
    maker.image(*[("a", at, 2, 10, 12) for at in range(22)])
    told = "finds 20 objects on an image at most: 1 image has more, up to 22"
    tiny = prepare(project, CONFIG.with_changes(model="tiny"), tmp_path / "tiny")
    assert any(told in note for note in tiny.notes)
    assert images_by_boxes(project, False) == {1: 20, 22: 1}
    base = prepare(project, CONFIG.with_changes(model="base"), tmp_path / "base")
    assert not any("objects on an image" in note for note in base.notes)


def test_a_box_in_the_image_is_kept_to_the_last_bit() -> None:
    assert clip(0.1, 0.2, 0.3 + 0.4, 0.7, 10, 10) == (0.1, 0.2, 0.3 + 0.4, 0.7)
    assert clip(9.0, 0.0, 1.5, 1.0, 10, 10) == (9.0, 0.0, 1.0, 1.0)
    assert clip(10.0 - MIN_SIDE / 2, 0, 5, 5, 10, 10) is None
    for bad in (math.nan, math.inf, -math.inf):
        assert clip(1, 1, bad, 1, 10, 10) is None
        assert clip(bad, 1, 1, 1, 10, 10) is None


def test_crowds_stay_crowds(maker: Maker, project: Project, tmp_path: Path) -> None:
    simple(maker)
    maker.image(("a", 1, 1, 5, 5), crowd=1)
    info = prepare(project, CONFIG, tmp_path / "out")
    flags = [b["iscrowd"] for s in info.images for b in coco(info.dir, s)["annotations"]]
    assert sorted(flags) == [0] * 20 + [1]


def test_the_sizes_are_the_files_own(maker: Maker, project: Project, tmp_path: Path) -> None:
    simple(maker)
    maker.image(("a", 5, 5, 90, 90), path="1/big.png", size=(100, 100))
    with project.change("wrong", "size") as change:
        change.update("images", maker.count, {"width": 10, "height": 10})
    info = prepare(project, CONFIG, tmp_path / "out")
    images = [i for split in info.images for i in coco(info.dir, split)["images"]]
    assert [(i["width"], i["height"]) for i in images if "big" in i["file_name"]] == [(100, 100)]


def test_chosen_classes_only(maker: Maker, project: Project, tmp_path: Path) -> None:
    simple(maker)
    maker.image()
    config = TrainingConfig(model="tiny", filter_classes=["a"])
    info = prepare(project, config, tmp_path / "out")
    assert info.class_names == ["a"]
    # An image without any box shows what is nothing; one of the other class shows something.
    assert sum(info.images.values()) == 11
    assert "10 images without the chosen classes left out." in info.notes
    with pytest.raises(ConfigError, match="no class 'A'") as caught:
        prepare(project, TrainingConfig(filter_classes=["A"]), tmp_path / "other")
    assert "'a'" in caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        (["a,b"], ["a", "b"]),
        (["a, b"], ["a", "b"]),
        (["a|c,d"], ["a", "c,d"]),
        (["c,d", "a"], ["c,d", "a"]),
        (["a,x"], ["a,x"]),
        (["a,a", "a"], ["a"]),
    ],
)
def test_names_between_commas_are_classes_unless_one_is_called_so(
    wanted: list[str], meant: list[str]
) -> None:
    assert meant_classes(wanted, ["a", "b", "c,d"]) == meant


def test_nothing_to_learn_from(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no images"):
        prepare(project, CONFIG, tmp_path / "out")
    maker = Maker(project)
    maker.image()
    maker.image()
    with pytest.raises(ConfigError, match="No image has a box"):
        prepare(project, CONFIG, tmp_path / "out")
    maker.image(("a", 1, 1, 5, 5))
    with pytest.raises(ConfigError, match="valid split has not a box"):
        prepare(project, CONFIG, tmp_path / "out")
    maker.image(("a", 1, 1, 5, 5))
    assert prepare(project, CONFIG, tmp_path / "out").annotations["valid"] == 1


def test_an_imported_split_without_boxes(maker: Maker, project: Project, tmp_path: Path) -> None:
    for _ in range(6):
        maker.image(("a", 1, 1, 5, 5), split="train")
    maker.image(split="valid")
    with pytest.raises(ConfigError, match="valid split has not a box") as caught:
        prepare(project, CONFIG, tmp_path / "out")
    assert "--split-policy random" in caught.value.hint
    drawn = TrainingConfig(model="tiny", split_policy="random")
    assert prepare(project, drawn, tmp_path / "out").annotations["valid"] > 0


def test_equal_names_do_not_collide(maker: Maker, project: Project, tmp_path: Path) -> None:
    for number in range(8):
        maker.image(("a", 1, 1, 5, 5), path=f"1/{number}/Bild ä;$(x).PNG", split="train")
        maker.image(("a", 1, 1, 5, 5), path=f"1/v{number}/Bild ä;$(x).PNG", split="valid")
    info = prepare(project, CONFIG, tmp_path / "out")
    files = {path.name for path in (info.dir / "train").glob("*.png")}
    assert len(files) == 8
    assert all(name.startswith("Bild_ä_x-") for name in files)
    assert file_name(3, "../../x", "1/../../x.jpeg; rm") == "x-3.jpg"
    assert file_name(4, "…", "1/…") == "image-4.jpg"


def test_the_fingerprint_tells_content_apart(
    maker: Maker, project: Project, tmp_path: Path
) -> None:
    simple(maker)

    def print_of(config: TrainingConfig = CONFIG) -> str:
        return prepare(project, config, tmp_path / "out").fingerprint

    first = print_of()
    assert print_of() == first
    assert len(first) == 64
    assert print_of(TrainingConfig(model="base", epochs=3, lr=1e-5)) == first
    seen = {first, print_of(TrainingConfig(seed=7)), print_of(TrainingConfig(filter_classes=["a"]))}
    with project.change("move", "a box") as change:
        change.update("annotations", 1, {"x": 1.5})
    seen.add(print_of())
    project.undo()
    assert print_of() == first
    with project.change("rename", "a class") as change:
        change.update("classes", 1, {"name": "c"})
    seen.add(print_of())
    project.undo()
    with (project.images_dir / "1" / "001.png").open("ab") as file:
        file.write(b"\0")
    seen.add(print_of())
    assert len(seen) == 6


def test_it_replaces_the_set_that_was_there(maker: Maker, project: Project, tmp_path: Path) -> None:
    simple(maker)
    (tmp_path / "out" / "train").mkdir(parents=True)
    (tmp_path / "out" / "train" / "old.jpg").touch()
    info = prepare(project, CONFIG, tmp_path / "out")
    assert not (info.dir / "train" / "old.jpg").exists()


def test_a_cancelled_set_leaves_nothing(maker: Maker, project: Project, tmp_path: Path) -> None:
    simple(maker)
    for stage in ("reading", "checking", "writing"):
        now: list[str] = []
        with pytest.raises(Cancelled):
            prepare(
                project,
                CONFIG,
                tmp_path / "out" / "dataset",
                lambda step, now=now: now.append(step.stage),
                lambda now=now, stage=stage: stage in now or (stage == "reading"),
            )
        assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_folder_that_cannot_be_written(maker: Maker, project: Project, tmp_path: Path) -> None:
    simple(maker)
    blocked = tmp_path / "out"
    blocked.mkdir()
    (blocked / "dataset").mkdir()

    def full(source: Path, target: Path, **_: Any) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "link", full)
        with pytest.raises(ConfigError, match="No space left"):
            prepare(project, CONFIG, blocked / "dataset")
    assert [path.name for path in blocked.iterdir()] == ["dataset"]


def test_a_runs_data_set_moves_with_it(maker: Maker, project: Project, tmp_path: Path) -> None:
    simple(maker)
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    config = prepare_run(project, CONFIG, run)
    assert isinstance(config.dataset, DatasetInfo)
    assert config.dataset.dir == Path("dataset")
    moved = run.rename(tmp_path / "runs" / "two")
    assert (config.dataset_dir(moved) / "train" / "_annotations.coco.json").is_file()


def test_the_blood_cells(bccd: Path, project: Project, tmp_path: Path) -> None:
    maker = Maker(project)
    for split in ("train", "valid", "test"):
        content = json.loads((bccd / split / "_annotations.coco.json").read_bytes())
        names = {c["id"]: c["name"] for c in content["categories"]}
        for image in content["images"][:20]:
            boxes = [
                (names[b["category_id"]], *b["bbox"])
                for b in content["annotations"]
                if b["image_id"] == image["id"]
            ]
            maker.image(
                *boxes,
                path=f"1/{split}/{image['file_name']}",
                size=(image["width"], image["height"]),
                content=(bccd / split / image["file_name"]).read_bytes(),
                split=split,
            )
    info = prepare(project, CONFIG, tmp_path / "out")
    assert info.images == {"train": 20, "valid": 20, "test": 20}
    assert info.class_names == ["Platelets", "RBC", "WBC"]
    assert sum(info.annotations.values()) > 600


# Files


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGB", "jpg"), ("L", "jpg"), ("CMYK", "jpg"), ("RGBA", "png"), ("P", "png"), ("LA", "png"),
     ("RGB", "webp"), ("RGB", "bmp"), ("RGB", "tiff"), ("1", "png")],
)  # fmt: skip
def test_every_kind_of_image_passes_whole_and_fails_cut(
    mode: str, suffix: str, tmp_path: Path
) -> None:
    file = tmp_path / f"x.{suffix}"
    noise = os.urandom(64 * 48 * 4)
    picture = Image.frombytes("RGBA", (64, 48), noise).convert("RGB")
    picture.convert(mode).save(file)
    found = check_image(file)
    assert (found.problem, found.width, found.height) == ("", 64, 48)
    assert found.bytes == file.stat().st_size
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 6 // 10])
    assert check_image(file).problem


def test_a_jpeg_with_padding_after_its_end_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "x.jpg"
    Image.effect_noise((64, 64), 80).save(file)
    file.write_bytes(file.read_bytes() + b"\0" * 10_000)
    assert check_image(file).problem == ""


def test_checks_come_back_in_order(tmp_path: Path) -> None:
    paths = []
    for number in range(1200):
        paths.append(tmp_path / f"{number}.png")
        if number % 3:
            Image.new("L", (number + 1, 2)).save(paths[-1])
    heard: list[int] = []
    found = check_images(paths, heard.append)
    assert [check.width for check in found] == [n + 1 if n % 3 else 0 for n in range(1200)]
    assert {check.problem for check in found[::3]} == {"missing"}
    assert heard == [512, 1024, 1200]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pictures_on_their_side_are_written_upright(
    maker: Maker, project: Project, tmp_path: Path, orientation: int
) -> None:
    simple(maker)
    file = maker.image(("a", 2, 4, 10, 30), path="1/phone.jpg", size=(40, 60), split=None)
    exif = Image.Exif()
    exif[0x0112] = orientation
    # The data set says 40 x 60; the file lies on its side where its tag turns it by a quarter.
    stored = (60, 40) if orientation > 4 else (40, 60)
    Image.new("RGB", stored, (200, 40, 90)).save(file, exif=exif)
    info = prepare(project, CONFIG, tmp_path / "out")
    (written,) = tmp_path.joinpath("out").rglob("phone-*.jpg")
    with Image.open(written) as image:
        assert image.size == (40, 60)
        assert image.getexif().get(0x0112, 1) == 1
    records = [
        record
        for split, count in info.images.items()
        if count
        for record in coco(info.dir, split)["images"]
    ]
    assert [(r["width"], r["height"]) for r in records if "phone" in r["file_name"]] == [(40, 60)]
    boxes = [
        b["bbox"] for s, n in info.images.items() if n for b in coco(info.dir, s)["annotations"]
    ]
    assert [2, 4, 10, 30] in boxes
    assert ("1 image turned upright, as the boxes are." in info.notes) == (orientation > 1)
    assert (written.stat().st_nlink == 1) == (orientation > 1)
