"""MOTChallenge: `gt/gt.txt`, `seqinfo.ini` and the frames in `img1`, a folder for each sequence.

A line is frame, track, left, top, width, height, and then whether it counts (0 is ignored in the
evaluation), class and visibility; of ten values (MOT15) the last three are a place in the world and
all are pedestrians. Frames and boxes are counted from 1 (motchallenge.net/instructions). Datumaro
and CVAT, which uses it, write boxes from 0 (datumaro at 4a218b8, `mot.py`; cvat at 0040384,
`formats/mot.py`), and the names of the classes into `gt/labels.txt`, by which such sets are told.
Classes of MOT16 to MOT20 are those of arXiv 1603.00831, table 2. `det.txt` is what a detector
found, and no truth. The frames of a sequence are one group, which splits keep together, and its
tracks are those of the project.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.pictures import Pictures, as_json
from core.data.importers.formats.reading.text_files import lines_of, number
from core.data.importers.image_files import Folders, Found, is_image
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named
from core.data.labels.provenance import Made, Track

_CLASSES = (
    "pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non motorized vehicle",
    "static person", "distractor", "occluder", "occluder on the ground", "occluder full",
    "reflection", "crowd",
)  # fmt: skip
_DEEPEST = 4


def is_mot(look: Look) -> bool:
    """Whether there is a `gt/gt.txt` of numbers with commas between."""
    return any(
        name.lower().endswith("gt/gt.txt") and _row(look.head(name).split("\n")[0]) is not None
        for name in look.ending("gt.txt")
    )


def read_mot(source: Path, watch: Watch) -> DataSet:
    """Read the sequences in the folder `source`, or the one that it is.

    Raises `ImportFailed` when there is none.
    """
    pictures = Pictures("mot", source, watch, folder=True)
    source, data = pictures.source, pictures.data
    sequences = _sequences(source, pictures.folders)
    if not sequences:
        raise ImportFailed(
            f"There is no sequence in '{clean(str(source))}'.",
            "A MOT sequence is a folder with gt/gt.txt and img1. det/det.txt is what a detector"
            " found, and no ground truth.",
        )
    splits = {_split(folder) for folder, _ in sequences}
    for name, split in sorted(splits, key=str):
        data.balance.split(name, split)
    for folder, truth in sequences:
        prefix = "" if len(sequences) == 1 else f"{folder.name}/"
        _Sequence(pictures, folder, truth, prefix).read()
    return data


def _split(folder: Path) -> tuple[str, str | None]:
    return folder.parent.name, split_named(folder.parent.name)


def _sequences(source: Path, listed: Folders) -> list[tuple[Path, Path | None]]:
    """Return the folders of sequences, each with its ground truth: test sequences have none."""
    found: list[tuple[Path, Path | None]] = []
    level = [source]
    for _ in range(_DEEPEST):
        below: list[Path] = []
        for folder in level:
            inner = {sub.name.lower(): sub for sub in listed.subfolders(folder)}
            truth = [
                file
                for file in listed.with_ending(inner["gt"], ".txt")
                if file.name.lower() == "gt.txt"
            ] if "gt" in inner else []  # fmt: skip
            if truth or ("img1" in inner and "det" in inner):
                found.append((folder, truth[0] if truth else None))
            else:
                below += listed.subfolders(folder)
        level = below
    return found if any(truth for _, truth in found) else []


class _Sequence:
    def __init__(self, pictures: Pictures, folder: Path, truth: Path | None, prefix: str) -> None:
        self.pictures = pictures
        self.data = pictures.data
        self.folder = folder
        self.truth = truth
        self.prefix = prefix
        self.tracked: set[tuple[int, int]] = set()
        self.split = _split(folder)[1]
        self.info = self._info()
        self.images = folder / self.info.get("imdir", "img1")
        self.names: tuple[str, ...] = _CLASSES
        self.first = 1.0
        listed = folder / "gt" / "labels.txt"
        if listed.is_file() and (lines := lines_of(listed)) is not None:
            self.names = tuple(line.strip() for line in lines if line.strip())
            self.first = 0.0
            self.data.balance.describe(listed)

    def _info(self) -> dict[str, str]:
        lines = lines_of(self.folder / "seqinfo.ini") or []
        if lines:
            self.data.balance.describe(self.folder / "seqinfo.ini")
        pairs = (line.partition("=") for line in lines if "=" in line)
        info = {key.strip().lower(): value.strip() for key, _, value in pairs}
        # A folder named by a file may not lead out of the sequence.
        if not re.fullmatch(r"[\w-]{1,40}", info.get("imdir", "img1")):
            del info["imdir"]
        return info

    def read(self) -> None:
        """Take the frames that the ground truth names, their boxes, and the other frames."""
        detections = self.folder / "det" / "det.txt"
        if detections.is_file():
            self.data.balance.leave(str(detections), "what a detector found is no truth")
        frames: dict[int, list[tuple[int, list[float]]]] = {}
        lines = lines_of(self.truth) if self.truth is not None else []
        if lines is None or self.truth is None:
            if self.truth is not None:
                self.data.balance.leave(str(self.truth), "it is no text")
                self.data.problems.add("unreadable label file", self._at(0), "it is no text")
            lines = []
        else:
            self.data.balance.use(str(self.truth))
        for place, line in enumerate(lines, 1):
            if line.strip():
                row = _row(line)
                if row is None:
                    self.data.balance.found()
                    self.data.problems.add("bad line", self._at(place), line[:80])
                else:
                    frames.setdefault(int(row[0]), []).append((place, row))
        files = self._files()
        for frame, rows in sorted(frames.items()):
            if frame not in files:
                self.pictures.missing(self._at(rows[0][0]), f"frame {frame} in {self.images.name}")
                continue
            image = self._take(files[frame], self._at(rows[0][0]))
            if image is not None:
                self.data.balance.found(len(rows))
                for place, row in rows:
                    self._box(image, row, self._at(place))
        # Frames in which nobody is to be seen are part of the sequence, and have no line.
        for frame in sorted(files.keys() - frames.keys()):
            self._take(files[frame], files[frame].path.rpartition("/")[2])

    def _at(self, place: int) -> str:
        return f"{self.folder.name}/gt.txt: line {place}"

    def _files(self) -> dict[int, Found]:
        found: dict[int, Found] = {}
        for name in sorted(self.pictures.folders.files(str(self.images))):
            digits = re.search(r"(\d{1,9})\.\w+$", name)
            file = self.pictures.folders.find(str(self.images), name)
            if digits and is_image(name) and file is not None:
                found.setdefault(int(digits[1]), file)
        return found

    def _take(self, found: Found, where: str) -> int | None:
        name = self.prefix + found.path.rpartition("/")[2]
        return self.pictures.take(found, self.split, where, name=name, grp=self.folder.name)

    def _box(self, image: int, row: list[float], where: str) -> None:
        problems = self.data.problems
        _, track, left, top, width, height = row[:6]
        counts = row[6] if len(row) > 6 else 1.0
        if counts == 0:
            problems.add("ignored object", where, "marked as not to be considered")
            return
        number_of_class = int(row[7]) if len(row) in (8, 9) and row[7] != -1 else 1
        if not 1 <= number_of_class <= len(self.names):
            problems.add("unknown category", where, f"there is no class {number_of_class}")
            return
        label = self.pictures.label(self.names[number_of_class - 1], where)
        if label is None:
            return
        extra: dict[str, object] = {"track": int(track)} if track > 0 else {}
        if len(row) == 9 and row[8] >= 0:
            extra["visibility"] = row[8]
        made = Made(track=self._track(image, label, int(track))) if track > 0 else None
        box = (left - self.first, top - self.first, width, height)
        self.data.box(image, label, box, where, extra=as_json(extra), made=made)

    def _track(self, image: int, label: int, number: int) -> tuple[str, str] | None:
        """Return the track of a box, which is added when it is new: one box a picture has it."""
        if (image, number) in self.tracked:
            return None
        self.tracked.add((image, number))
        named = self.folder.name, f"{self.folder.parent.name}/{self.folder.name}: {number}"
        self.data.tracks.setdefault(named, Track(label))
        return named


def _row(line: str) -> list[float] | None:
    """Return the six to ten numbers of a line, None for any other."""
    values = [number(part) for part in re.split(r"[,;]", line.strip().rstrip(","))]
    whole = 6 <= len(values) <= 10 and all(map(math.isfinite, values))
    return values if whole and values[0].is_integer() and values[1].is_integer() else None
