"""What was found, written as it comes: `detections.csv` and `detections.coco.json`.

Both grow under temporary names and take their own when everything is done, so that a reader never
sees half a file and a video of any length fits in memory.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from core.common.temporary import name_beside
from core.models.detector import Prediction

_Tracks = Sequence[int | None]

CSV = "detections.csv"
COCO = "detections.coco.json"
COLUMNS = (
    "image", "frame", "time_s", "class", "class_id", "confidence",
    "x", "y", "width", "height", "track_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A video's frame: the video's name and file, the frame's size, number (from 0) and seconds."""

    name: str
    size: tuple[int, int]
    source: Path
    frame: int
    time: float | None


class RecordWriter:
    """Writes detections into `folder` on leaving a `with` block without an error.

    In the JSON an image's `file_name` is its name below the folder that was given, `#` and the
    frame's number after it for a frame of a video, whose `frame` (from 0) and `time` (seconds) are
    there too; categories count from 1 in the order of the model's classes, and so does `class_id`
    of the table; an annotation has `score`, and `track_id` if it was tracked. Boxes are left, top,
    width, height in pixels.

    Without `coco` there is no JSON, nor one that an earlier call left and that is right no more.
    """

    def __init__(self, folder: Path, classes: Sequence[str], *, coco: bool = True) -> None:
        self.csv_path, self.coco_path = folder / CSV, folder / COCO
        self._classes = list(classes)
        self._coco = coco
        self._images = 0
        self._annotations = 0
        self._temporary = [name_beside(folder / name) for name in (CSV, COCO, "images")]
        self._files: list[IO[str]] = []
        try:
            for path in self._temporary:
                self._files.append(path.open("w", encoding="utf-8", newline=""))
        except BaseException:
            self._discard()
            raise
        self._table = csv.writer(self._files[0])
        self._table.writerow(COLUMNS)
        categories = [
            {"id": index, "name": name, "supercategory": ""}
            for index, name in enumerate(classes, start=1)
        ]
        self._files[1].write('{"categories": ' + json.dumps(categories) + ',\n"annotations": [')
        self._files[2].write('"images": [')

    def add(
        self,
        name: str,
        size: tuple[int, int],
        found: Prediction,
        *,
        source: Path,
        frame: int | None = None,
        time: float | None = None,
        tracks: Sequence[int | None] | None = None,
    ) -> None:
        """Write what was found in an image or frame of `size` (width, height).

        `tracks` has the number of each detection's track, None for one that is on none.
        """
        self._images += 1
        image: dict[str, Any] = {
            "id": self._images,
            "file_name": name if frame is None else f"{name}#{frame:06d}",
            "width": size[0],
            "height": size[1],
            "source": str(source),
        }
        if frame is not None:
            image |= {"frame": frame, "time": None if time is None else round(time, 4)}
        self._item(self._files[2], self._images, image)
        for index in range(len(found)):
            x0, y0, x1, y1 = (float(value) for value in found.boxes[index])
            box = [round(value, 2) for value in (x0, y0, x1 - x0, y1 - y0)]
            score = round(float(found.scores[index]), 5)
            label = int(found.class_ids[index])
            track = None if tracks is None else tracks[index]
            self._annotations += 1
            record: dict[str, Any] = {
                "id": self._annotations,
                "image_id": self._images,
                "category_id": label + 1,
                "bbox": box,
                "area": round(box[2] * box[3], 2),
                "iscrowd": 0,
                "score": score,
            }
            if track is not None:
                record["track_id"] = track
            self._item(self._files[1], self._annotations, record)
            self._table.writerow(
                [
                    name,
                    frame,
                    image.get("time"),
                    self._classes[label],
                    label + 1,
                    score,
                    *box,
                    track,
                ]
            )

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            table, annotations, images = self._files
            images.write("]")
            images.close()
            annotations.write("],\n")
            with self._temporary[2].open(encoding="utf-8") as lines:
                for line in lines:
                    annotations.write(line)
            annotations.write("}\n")
            for file in (table, annotations):
                file.flush()
                os.fsync(file.fileno())
                file.close()
            self._temporary[0].replace(self.csv_path)
            if self._coco:
                self._temporary[1].replace(self.coco_path)
            else:
                self.coco_path.unlink(missing_ok=True)
        finally:
            self._discard()

    @staticmethod
    def _item(file: IO[str], number: int, record: dict[str, Any]) -> None:
        file.write(("\n" if number == 1 else ",\n") + json.dumps(record, ensure_ascii=False))

    def _discard(self) -> None:
        for file in self._files:
            with contextlib.suppress(OSError):  # what it still holds finds no room
                file.close()
        for path in self._temporary:
            path.unlink(missing_ok=True)


class HeldBack:
    """Hands a video's frames to `records`, a tracked one when the next has been looked at.

    Only then is it known which of its objects begin a track: see `tracking.Numbered`.
    """

    def __init__(self, records: RecordWriter) -> None:
        self._records = records
        self._held: tuple[Place, Prediction, npt.NDArray[np.bool_], _Tracks] | None = None

    def add(
        self, place: Place, found: Prediction, kept: npt.NDArray[np.bool_], tracks: _Tracks | None
    ) -> None:
        """Take what was found on the next frame, of which the rows `kept` (N,) are written.

        `tracks` has a number or None for each of `found`; without any nothing is held back.
        """
        self.release()
        if tracks is None:
            self._write(place, found, kept, None)
        else:
            self._held = place, found, kept, tracks

    def release(self, tracks: _Tracks | None = None) -> None:
        """Write the frame that is held, with these numbers if they are known better by now."""
        if self._held is not None:
            place, found, kept, numbers = self._held
            self._held = None
            self._write(place, found, kept, numbers if tracks is None else tracks)

    def _write(
        self, at: Place, found: Prediction, kept: npt.NDArray[np.bool_], tracks: _Tracks | None
    ) -> None:
        of = None if tracks is None else [tracks[row] for row in np.flatnonzero(kept).tolist()]
        self._records.add(
            at.name, at.size, found.keep(kept),
            source=at.source, frame=at.frame, time=at.time, tracks=of,
        )  # fmt: skip
