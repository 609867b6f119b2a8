"""What an export writes: the project as it is at one moment, its images under names of their own.

Names are unique without their ending and without regard to case, since the formats pair files by
name and not every file system knows case.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from core.common.errors import ExportFailed
from core.common.files import FileMode, expand_user, link_or_copy
from core.common.temporary import folder_beside
from core.common.text import clean
from core.data.images.exif_orientation import turn_of_file, write_upright
from core.data.images.reviewed import count_unreviewed, none_reviewed, where
from core.data.importers.image_files import Folders
from core.data.importers.report import Watch
from core.data.store import Project

SPLITS = ("train", "valid", "test")
# Rows of annotations handled at a time.
BATCH = 20_000


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote. `missing` are images whose file is gone, left out with their boxes;
    `left_out` says what else the format cannot hold, and how many of it; `turned` counts the
    pictures that were written anew, as their boxes are and without an EXIF orientation;
    `unreviewed` counts the images that were left out because nobody has reviewed them.
    """

    path: Path
    images: int
    annotations: int
    classes: list[str]
    splits: dict[str, int]
    missing: list[str]
    left_out: dict[str, int] = field(default_factory=dict)
    turned: int = 0
    unreviewed: int = 0


class Image(msgspec.Struct, gc=False):
    """One image: its number in the store, its file, its name in the export, split and size."""

    id: int
    file: str
    name: str
    split: str
    width: int
    height: int
    grp: str | None
    time: float | None
    import_id: int
    original: str
    link: bool

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return self.name.rpartition(".")[0] or self.name


class Made(NamedTuple):
    """Where an annotation is from (see `schema.py`), and whether its track is approved."""

    source: str | None
    model: str | None
    score: float | None
    edited: bool
    track: int | None
    approved: bool


Row = tuple[int, int, int, float, float, float, float, int, str | None]


class Snapshot:
    """The visible images and classes of a project, and a way to go through the annotations.

    Images without a split go to `train`, as trainers expect. With `only_reviewed` the images that
    nobody has reviewed are left out, and counted in `unreviewed`.
    """

    def __init__(self, project: Project, watch: Watch, *, only_reviewed: bool = False) -> None:
        self.project = project
        self.watch = watch
        self.only_reviewed = only_reviewed
        self.unreviewed = count_unreviewed(project) if only_reviewed else 0
        self.missing: list[str] = []
        self.turned = 0
        # Images that have no split, which most formats cannot say.
        self.unsplit: set[int] = set()
        self.classes: list[str] = []
        # From a label's id to the place of its class in `classes`.
        self.labels: dict[int, int] = {}
        numbers: dict[int, int] = {}
        for class_id, name in project.db.execute("SELECT id, name FROM classes ORDER BY name"):
            numbers[class_id] = len(self.classes)
            self.classes.append(name)
        for label_id, class_id in project.db.execute(
            "SELECT labels.id, labels.class_id FROM labels JOIN imports"
            " ON imports.id = labels.import_id WHERE imports.active = 1"
        ):
            if class_id in numbers:
                self.labels[label_id] = numbers[class_id]
        self.images = self._images()
        if not self.images and not self.missing and self.unreviewed:
            raise none_reviewed(project, ExportFailed)
        if not self.images:
            gone = f" ({len(self.missing)} files are missing)" if self.missing else ""
            raise ExportFailed(
                f"The project '{clean(project.name)}' has no image to export{gone}.",
                "Import a data set first.",
            )

    def _images(self) -> list[Image]:
        folders = Folders()
        base = f"{self.project.images_dir}/"
        taken: dict[str, int] = {}
        images = []
        for row in self.project.db.execute(
            "SELECT id, path, name, split, width, height, grp, time, import_id FROM v_images"
            f"{where(self.only_reviewed)} ORDER BY id"
        ):
            image_id, path, name, split, width, height, grp, time, import_id = row
            file = path if path.startswith("/") else base + path
            folder, _, last = file.rpartition("/")
            link = folders.files(folder).get(last)
            if link is None:
                self.missing.append(file)
                continue
            if split is None:
                self.unsplit.add(image_id)
            images.append(
                Image(
                    image_id,
                    file,
                    unique(last, taken),
                    split or "train",
                    width,
                    height,
                    grp,
                    time,
                    import_id,
                    name,
                    link,
                )
            )
        return images

    def rows(self, *, by_image: bool = False) -> Iterator[list[Row]]:
        """Yield all annotations some thousands at a time, hidden ones and deleted images' too.

        They come in the order of their ids, or by image. A row is id, image id, label id, x, y, w,
        h, iscrowd, segmentation (JSON or None); `labels` has the labels that are visible.
        """
        # The plus keeps SQLite from hopping through the table by the index of labels.
        cursor = self.project.db.execute(
            "SELECT id, image_id, label_id, x, y, w, h, iscrowd, segmentation FROM annotations"
            f" WHERE +deleted = 0 ORDER BY {'image_id, id' if by_image else 'id'}"
        )
        cursor.row_factory = None
        done = 0
        total = sum(row[0] for row in self.project.db.execute("SELECT annotations FROM labels"))
        while batch := cursor.fetchmany(BATCH):
            self.watch.tick("annotations", min(done, total), total)
            done += len(batch)
            yield batch

    def areas(self) -> dict[int, float]:
        """Return the areas in pixels that data sets gave, by annotation id (see `schema.py`)."""
        return dict(
            self.project.db.execute(
                "SELECT id, area FROM annotations WHERE area IS NOT NULL AND deleted = 0"
            ).fetchall()
        )

    def made(self) -> dict[int, Made]:
        """Return where annotations are from, by their ids: those that an import had as they are
        left out.
        """
        rows = self.project.db.execute(
            "SELECT a.id, a.source, a.model, a.score, a.edited, a.track, t.approved"
            " FROM annotations a LEFT JOIN tracks t ON t.id = a.track WHERE a.deleted = 0"
            " AND (a.source IS NOT NULL OR a.edited OR a.track IS NOT NULL)"
        )
        return {
            row[0]: Made(row[1], row[2], row[3], bool(row[4]), row[5], bool(row[6])) for row in rows
        }

    def reviews(self) -> int:
        """Return how many of the images are reviewed or put off."""
        rows = self.project.db.execute("SELECT id FROM v_images WHERE review IS NOT NULL")
        return len({row[0] for row in rows} & {image.id for image in self.images})

    def annotations(self, *, by_image: bool = False) -> Iterator[Row]:
        """Yield the annotations whose class is visible, with its number in place of the label."""
        labels = self.labels
        for batch in self.rows(by_image=by_image):
            for row in batch:
                if row[2] in labels:
                    yield (*row[:2], labels[row[2]], *row[3:])

    def by_image(self) -> Iterator[tuple[Image, list[Row]]]:
        """Yield each image with its annotations."""
        images = iter(self.images)
        image = next(images, None)
        rows: list[Row] = []
        for row in self.annotations(by_image=True):
            while image is not None and image.id < row[1]:
                yield image, rows
                rows = []
                image = next(images, None)
            if image is not None and image.id == row[1]:
                rows.append(row)
        while image is not None:
            yield image, rows
            rows = []
            image = next(images, None)

    def splits(self) -> dict[str, int]:
        """Return how many images each split has, those without any left out."""
        counts = dict.fromkeys(SPLITS, 0)
        for image in self.images:
            counts[image.split] += 1
        return {split: count for split, count in counts.items() if count}

    def place(self, folders: dict[str, Path], files: FileMode) -> None:
        """Put the image files into the folder of their split."""
        heads = {split: f"{folder}/" for split, folder in folders.items()}
        self.place_at({i.id: heads[i.split] + i.name for i in self.images}, files)

    def place_at(self, targets: dict[int, str], files: FileMode) -> None:
        """Put the image files where `targets` says, by the images' ids.

        A picture that an EXIF tag turns is read in two ways by other programs (OpenCV turns it,
        Pillow and rfdetr do not): it is written anew, as its boxes are, without the tag.
        """
        for number, image in enumerate(self.images):
            if not number % 256:
                self.watch.tick("images", number, len(self.images))
            orientation, turn = turn_of_file(image.file, (image.width, image.height))
            if orientation != 1:
                write_upright(Path(image.file), Path(targets[image.id]), turn)
                self.turned += 1
                continue
            if files == "link" and not image.link:
                try:
                    os.link(image.file, targets[image.id])
                    continue
                except OSError:
                    pass  # The long way says what is wrong, or makes a copy.
            # A link to a link would end where the original is moved or removed.
            source = Path(os.path.realpath(image.file))
            link_or_copy(source, Path(targets[image.id]), files)
        self.watch.tick("images", len(self.images), len(self.images))


@contextlib.contextmanager
def at_one_moment(project: Project) -> Iterator[None]:
    """Read the store as it is now in the whole block, whatever others write meanwhile."""
    project.db.execute("BEGIN")
    try:
        yield
    finally:
        project.db.execute("COMMIT")


@contextlib.contextmanager
def staged(out: Path) -> Iterator[Path]:
    """Write to a folder beside `out` and rename it when the block ends: all of it or nothing.

    Raises `ExportFailed` when there is something at `out`, or it cannot be written.
    """
    out = expand_user(out).resolve()
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ExportFailed(
                f"There is something at '{clean(str(out))}' already.",
                "Choose a new folder, or empty this one.",
            )
        with folder_beside(out) as making:
            yield making
            making.replace(out)
    except OSError as error:
        raise _unwritable(out, error) from error


def _unwritable(out: Path, error: OSError) -> ExportFailed:
    return ExportFailed(
        f"'{clean(str(out))}' cannot be written: {error.strerror}.",
        "Check the permissions and that the disk is not full.",
    )


def unique(name: str, taken: dict[str, int]) -> str:
    """Return a file name like `name` whose stem none of `taken` has, in any case; it joins them."""
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    key = stem.casefold()
    number = taken.get(key)
    taken[key] = 1 if number is None else number + 1
    return name if number is None else unique(f"{stem}~{number}{dot}{suffix}", taken)
