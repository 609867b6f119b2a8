"""What a model found by `infer` comes back into a project as suggestions: one pass, undoable.

`detections.coco.json` or, where there is no JSON, `detections.csv` is read. A picture of it is the
project's by the file that was looked at, else by its name, and of several of one name by what is in
the file; a frame of a video by its time. What cannot be told for certain is left out, and said.
"""

from __future__ import annotations

import csv
import filecmp
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.autolabel.class_map import match_classes
from core.autolabel.pass_folder import TaskClass
from core.common.errors import BatmanError
from core.common.text import clean, plural
from core.data.labels.passes import KEPT, Found, PassInfo, PassReport, record_pass
from core.data.store import Project
from core.inference.found import NO_TRACK, Look, read_found
from core.inference.records import COCO, COLUMNS, CSV

_SHOWN = 5
# The JSON has times to four digits; frames of 240 a second are 4 ms apart.
_SAME_TIME_S = 1e-3

Row = tuple[str, tuple[float, float, float, float], float, int | None]


@dataclass(frozen=True)
class Looked:
    """A picture that a model looked at, and what it found: class, box (pixels), score and track.

    `source`, `size` and `time` (seconds, of a frame) are None where the file does not tell.
    `hidden` is how many boxes of it a look leaves out.
    """

    name: str
    rows: tuple[Row, ...]
    source: Path | None = None
    size: tuple[int, int] | None = None
    frame: int | None = None
    time: float | None = None
    hidden: int = 0

    @property
    def called(self) -> str:
        """What to call it."""
        return self.name if self.frame is None else f"{self.name}#{self.frame:06d}"


@dataclass(frozen=True)
class Taken:
    """What became of predictions: the report of the pass, and in words what was left out."""

    report: PassReport
    model: str
    left_out: tuple[str, ...]


def import_predictions(
    project: Project,
    place: Path,
    model: str = "",
    *,
    least: float = KEPT,
    mapping: Mapping[str, str] | None = None,
    look: Look | None = None,
) -> Taken:
    """Take the predictions in `place` into the project as suggestions of `model`, as one step.

    `place` is a folder that `infer` wrote, or its JSON or CSV; the model is called after the folder
    where no name is given. What has a score below `least` is left out. `mapping` says which of the
    project's classes a class of the model is, else it is the one of the same name. With `look`, for
    which `place` has the JSON, only what it shows is taken, and only its classes were looked for.
    Raises BatmanError when nothing of it is in the project, and ClassError: nothing changes then.
    """
    classes, looked = read_predictions(place, look)
    model = model or (place if place.is_dir() else place.parent).resolve().name
    rows = project.db.execute("SELECT id, name FROM classes ORDER BY id").fetchall()
    known = [TaskClass(row["id"], row["name"]) for row in rows]
    found = match_classes(classes, known, mapping or {})
    pictures = _Pictures(project)
    matched: dict[int, Looked] = {}
    unmet: dict[str, list[str]] = {}
    for one in looked:
        image, why = pictures.find(one)
        if image is None:
            unmet.setdefault(why, []).append(one.called)
        elif (other := matched.setdefault(image, one)) is not one:
            why = f"the same picture as '{clean(other.called)}'"
            unmet.setdefault(why, []).append(one.called)
    if not matched:
        why, names = next(iter(unmet.items()), ("there are none", []))
        raise BatmanError(
            f"None of the {plural(len(looked), 'picture')} in '{clean(str(place))}' is one of the "
            f"project '{clean(project.name)}' ({', '.join(map(clean, names[:2]))}: {why}).",
            f"Look with the model at pictures of the project, which lie in "
            f"'{clean(str(project.images_dir))}', or import these pictures first.",
        )
    rows_of = [row for one in matched.values() for row in one.rows]
    weak = sum(row[2] < least for row in rows_of)
    unknown = Counter(row[0] for row in rows_of if row[2] >= least and row[0] not in found.found)
    left = [_said(why, names) for why, names in unmet.items()]
    hidden = sum(one.hidden for one in matched.values())
    if hidden:
        were = "was" if hidden == 1 else "were"
        left.append(f"{plural(hidden, 'box', 'boxes')} that {were} not shown.")
    if weak:
        left.append(f"{plural(weak, 'box', 'boxes')} below a score of {least:g}.")
    for name, count in unknown.most_common():
        left.append(f"{plural(count, 'box', 'boxes')} of '{clean(name)}', no class of the project.")

    def suggestions() -> Iterator[tuple[int, list[Found]]]:
        for image, one in matched.items():
            yield (
                image,
                [
                    Found(found.found[name], box, score, track)
                    for name, box, score, track in one.rows
                    if score >= least and name in found.found
                ],
            )

    detail = {
        "name": model,
        "least": least if look is None else max(least, look.least),
        "predictions": str(place.absolute()),
        "notes": left,
        "prompts": {},
    }
    info = PassInfo("run", model, tuple(found.class_ids), detail)
    return Taken(record_pass(project, info, suggestions()), model, tuple(left))


def read_predictions(place: Path, look: Look | None = None) -> tuple[list[str], list[Looked]]:
    """Return the classes and pictures of what `infer` wrote: a folder, its JSON or its CSV.

    A CSV has only pictures on which something was found. Raises BatmanError for anything else. With
    `look`, which goes by the JSON, it is what that shows; of one track, the pictures it is on.
    """
    file = place
    if place.is_dir():
        file = place / COCO if (place / COCO).exists() else place / CSV
    if not file.is_file():
        raise BatmanError(
            f"There are no predictions at '{clean(str(place))}'.",
            f"Give a folder that batman infer wrote, its {COCO} or its {CSV}.",
        )
    return _from_csv(file) if file.suffix.lower() == ".csv" else _from_coco(file, look or Look(0.0))


def _from_coco(file: Path, look: Look) -> tuple[list[str], list[Looked]]:
    found = read_found(file)
    shown = look.mask(found)
    looked = []
    for seen in found.seen:
        reach = found.rows(seen.place)
        at = np.flatnonzero(shown[reach]) + reach.start
        if look.track is not None and not len(at):
            continue
        hidden = reach.stop - reach.start - len(at)
        rows = tuple(
            (
                found.classes[label],
                (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                float(score),
                None if track == NO_TRACK else int(track),
            )
            for label, box, score, track in zip(
                found.labels[at].tolist(),
                found.boxes[at].tolist(),
                found.scores[at].tolist(),
                found.tracks[at].tolist(),
                strict=True,
            )
        )
        name = seen.name if seen.frame is None else seen.name.rpartition("#")[0] or seen.name
        source = seen.source if str(seen.source) not in ("", ".") else None
        size = (seen.width, seen.height)
        looked.append(Looked(name, rows, source, size, seen.frame, seen.time, hidden))
    return [name for at, name in enumerate(found.classes) if at not in look.off], looked


def _from_csv(file: Path) -> tuple[list[str], list[Looked]]:
    pictures: dict[tuple[str, int | None], tuple[float | None, list[Row]]] = {}
    classes: dict[str, None] = {}
    line = 1  # of the file, for what is wrong in it
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            table = csv.DictReader(opened)
            missing = set(COLUMNS) - set(table.fieldnames or ()) - {"track_id"}
            if missing:
                raise BatmanError(
                    f"'{clean(str(file))}' is not what batman infer writes: it has no column "
                    f"{', '.join(sorted(missing))}."
                )
            for row in table:
                line = table.line_num
                frame = int(row["frame"]) if row["frame"] else None
                time = float(row["time_s"]) if row["time_s"] else None
                box = (
                    float(row["x"]),
                    float(row["y"]),
                    float(row["width"]),
                    float(row["height"]),
                )
                score = float(row["confidence"])
                if not (0 <= score <= 1 and all(map(math.isfinite, box))):
                    raise ValueError("a score or a box is out of range")
                track = int(row["track_id"]) if row.get("track_id") else None
                classes.setdefault(row["class"])
                rows = pictures.setdefault((row["image"], frame), (time, []))[1]
                rows.append((row["class"], box, score, track))
    except OSError as error:
        raise BatmanError(f"'{clean(str(file))}' cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, csv.Error) as error:
        raise BatmanError(
            f"'{clean(str(file))}' is not what batman infer writes, in line {line}: "
            f"{clean(str(error))}."
        ) from None
    looked = [
        Looked(name, tuple(rows), frame=frame, time=time)
        for (name, frame), (time, rows) in pictures.items()
    ]
    return list(classes), looked


def _same(a: Path, b: Path) -> bool:
    """Whether two files hold the same bytes; a link to a file does."""
    try:
        return a.samefile(b) or filecmp.cmp(a, b, shallow=False)
    except OSError:
        return False


class _Pictures:
    """The project's pictures, by what a prediction can say of them."""

    def __init__(self, project: Project) -> None:
        self._folders: dict[Path, Path] = {}
        self._sizes: dict[int, tuple[int, int]] = {}
        self._paths: dict[int, Path] = {}
        self._files: dict[str, int] = {}
        self._names: dict[str, list[int]] = {}
        self._ends: dict[str, list[int]] = {}
        self._frames: dict[str, list[tuple[float, int]]] = {}
        top = project.images_dir.resolve()
        rows = project.db.execute("SELECT id, path, name, grp, time, width, height FROM v_images")
        for row in rows:
            image = int(row["id"])
            self._sizes[image] = (row["width"], row["height"])
            self._paths[image] = top / row["path"]
            self._files[str(top / row["path"])] = image
            for name in {row["name"], row["path"]}:
                self._names.setdefault(name, []).append(image)
            self._ends.setdefault(_end(row["name"]), []).append(image)
            if row["grp"] is not None and row["time"] is not None:
                self._frames.setdefault(row["grp"], []).append((float(row["time"]), image))

    def find(self, one: Looked) -> tuple[int | None, str]:
        """Return the picture that `one` is; None, and why, where that cannot be said."""
        if one.frame is not None or one.time is not None:
            return self._frame(one)
        by_file = None
        if one.source is not None:
            # Of the picture itself the link counts: its file may lie elsewhere.
            folder = one.source.parent
            if folder not in self._folders:
                self._folders[folder] = folder.resolve()
            by_file = self._files.get(str(self._folders[folder] / one.source.name))
        if by_file is not None:
            return self._of_size([by_file], one)
        named = self._names.get(one.name) or self._ends.get(_end(one.name), [])
        return self._of_size(named, one)

    def _of_size(self, images: list[int], one: Looked) -> tuple[int | None, str]:
        if not images:
            return None, "not in the project"
        fits = [image for image in images if one.size in (None, self._sizes[image])]
        if len(fits) > 1 and one.source is not None:
            # A data set that was imported has the same name in each of its splits.
            fits = [image for image in fits if _same(one.source, self._paths[image])] or fits
        if len(fits) == 1:
            return fits[0], ""
        return None, "several have that name" if fits else "of another size in the project"

    def _frame(self, one: Looked) -> tuple[int | None, str]:
        frames = self._frames.get(Path(one.name).stem, [])
        if not frames or one.time is None:
            return None, "frames of no video of the project"
        away, image = min((abs(time - one.time), image) for time, image in frames)
        if away > _SAME_TIME_S:
            return None, "frames that were not taken into the project"
        return self._of_size([image], one)


def _end(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2].casefold()


def _said(why: str, names: list[str]) -> str:
    shown = ", ".join(map(clean, names[:_SHOWN])) + (" …" if len(names) > _SHOWN else "")
    return f"{plural(len(names), 'picture')} {why}: {shown}."
