"""CVAT's own XML: for images (1.1) and for videos (1.1), of a task, a job or a project.

As CVAT 2 writes it (`cvat/apps/dataset_manager/formats/cvat.py`): coordinates are pixels from the
upper left corner, to two digits; `rotation` is in degrees, clockwise, about the middle of a box or
an ellipse; a mask has the box of its pixels beside its run lengths. With "Save images" pictures
lie in `images/`, those of a project in `images/SUBSET/`; an image names its subset then.

A video has tracks, whose frames are counted from the beginning of the video (`abs_frame_id`), its
pictures are `images/frame_000012.PNG`. CVAT writes a shape for each frame, those between key frames
too; where a file has key frames only, boxes are drawn in a straight line from one to the next, as
CVAT does (`cvat/apps/dataset_manager/annotation.py`, `TrackManager.interpolate`). A track that is
`outside` is not seen from there on. What comes after its last shape is left as it is written: CVAT
leaves the closing shape out near the end of a video (`shape.frame + frame_step < stop_frame`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.boxes import Box, around
from core.data.importers.dataset import DataSet
from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.json_records import number
from core.data.importers.formats.reading.labelled_pictures import LabelledPictures, ellipse_box
from core.data.importers.formats.reading.xml_files import xml_root
from core.data.importers.image_files import walk_images
from core.data.importers.report import Watch
from core.data.importers.split_names import split_named
from core.data.labels.provenance import Made, Track

NAME = "cvat"
_CORNERS = ("xtl", "ytl", "xbr", "ybr")
_CUBOID = tuple(f"{corner}{side}" for side in "12" for corner in (
    "xtl", "ytl", "xbl", "ybl", "xtr", "ytr", "xbr", "ybr"
))  # fmt: skip
_CALLED = {"points": "several points", "ellipse": "an ellipse"}
_SHAPES = ("box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton")
_FRAME = re.compile(r"(?:^|/)frame_(\d{1,9})\.\w+$", re.IGNORECASE)
# Frames between two key frames, at most: an hour at 30 a second.
_LONGEST = 108_000
_VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg")


def is_cvat(look: Look) -> bool:
    """Whether one of the first XML files has CVAT's root, `<annotations>`, and its parts."""
    return any(
        re.search(r"<annotations\b", head) and re.search(r"<(version|meta|image|track)\b", head)
        for head in look.heads(".xml")
    )


def read_cvat(source: Path, watch: Watch) -> DataSet:
    """Read CVAT's XML at `source`, a folder or one file. Raises `ImportFailed`."""
    into = LabelledPictures(NAME, source, watch)
    files = into.files(".xml")
    for place, file in enumerate(files):
        watch.tick("reading", place, len(files))
        root = _root(into, file)
        if root is not None:
            _Document(into, file, root).read()
    if not into.data.images and into.data.balance.unmet:
        _say_how(into)
    into.leave_rest("CVAT's XML does not name it")
    return into.finish("XML files of CVAT")


def _root(into: LabelledPictures, file: Path) -> Element | None:
    try:
        root = xml_root(into.read(file))
    except DefusedXmlException:
        why = "it declares entities"
    except ImportFailed as error:
        why = error.message
    # Whatever a damaged file makes of the parser: a broken encoding raises LookupError.
    except Exception as error:
        why = f"not XML: {error}"
    else:
        if root.tag == "annotations":
            return root
        why = f"its root is <{str(root.tag)[:40]}>, not <annotations>"
    into.refuse(file, why)
    return None


def _say_how(into: LabelledPictures) -> None:
    """Raise how to get the frames of a video that were not exported."""
    videos = [p.name for p in into.root.iterdir() if p.suffix.lower() in _VIDEOS]
    way = f"ffmpeg -i {videos[0] if videos else 'VIDEO'} -fps_mode passthrough -start_number 0"
    raise ImportFailed(
        f"The frames of '{clean(str(into.source))}' are not there as pictures.",
        "Export again with Save images, or take them out of the video into images/ beside the XML:"
        f" {clean(way)} images/frame_%06d.png",
    )


class _Document:
    """One XML file: its classes, and its images or tracks."""

    def __init__(self, into: LabelledPictures, file: Path, root: Element) -> None:
        self.into = into
        self.file = file
        self.root = root
        self.name = into.name_of(file)

    def read(self) -> None:
        for label in self.root.iter("label"):
            # The points of a skeleton are labels with a parent, and no classes.
            if label.find("parent") is None and (name := label.findtext("name")):
                self.into.label(name, f"{self.name}: labels")
        images = self.root.findall("image")
        tracks = self.root.findall("track")
        for place, element in enumerate(images):
            if not place % 64:
                self.into.watch.tick("reading", place, len(images))
            self._image(element)
        if tracks or (not images and self._meta("mode") == "interpolation"):
            self._video(tracks)
        else:
            self.into.data.balance.use(str(self.file))

    def _image(self, element: Element) -> None:
        name, subset = element.get("name") or "", element.get("subset")
        where = f"{self.name}: image {element.get('id')} '{name}'"
        split = split_named(subset) if subset else None
        if subset:
            self.into.data.balance.split(subset, split)
        size = number(element.get("width")), number(element.get("height"))
        image = self.into.picture(
            [*([f"{subset}/{name}"] if subset else []), name],
            where,
            beside=self.file.parent,
            size=(size[0], size[1]) if size[0] and size[1] else None,
            split=split,
        )
        shapes = [shape for shape in element if shape.tag in _SHAPES]
        self.into.data.balance.found(len(shapes))
        for tag in element.findall("tag"):
            detail = f"a tag of the whole picture: {tag.get('label')}"
            self.into.data.problems.add("no box", where, detail)
        if image is None:
            return
        for place, shape in enumerate(shapes, 1):
            at = f"{where}: {shape.tag} {place}"
            label = self.into.label(shape.get("label"), at)
            if label is not None:
                self._shape(image, label, shape, at)

    def _shape(self, image: int, label: int, shape: Element, where: str) -> None:
        into, kind = self.into, shape.tag
        angle = number(shape.get("rotation", "0")) or 0.0
        box = _box(shape)
        if box is None:
            return into.data.problems.add("no box", where, "its numbers are none, or too few")
        if kind == "box":
            x, y, w, h = box
            return into.turned(image, label, box, angle, (x + w / 2, y + h / 2), where)
        if kind == "polygon":
            return into.outline(image, label, _points(shape) or [], where)
        if kind == "points" and (box[2] <= 0 or box[3] <= 0):
            return into.data.problems.add("no box", where, "it is a point")
        return into.box(image, label, box, where, _CALLED.get(kind, f"a {kind}"))

    # Videos

    def _video(self, tracks: list[Element]) -> None:
        into = self.into
        pictures = self._frames()
        if not pictures:
            into.data.balance.miss(str(self.file), "the frames of its video are not there")
            return
        into.data.balance.use(str(self.file))
        group = self.root.findtext("meta/source") or self._meta("name") or self.name
        below = self.file.parent.relative_to(into.root).parts
        split = next(filter(None, map(split_named, below)), None)
        numbers: dict[int, dict[str, int]] = {}
        for frame, paths in sorted(pictures.items()):
            for path in paths:
                image = into.picture([path], f"{self.name}: frame {frame}", split=split)
                if image is not None:
                    folder = path.rpartition("/")[0]
                    numbers.setdefault(frame, {})[folder.rpartition("/")[2].casefold()] = image
                    into.data.images[image].grp = group
        for place, track in enumerate(tracks):
            named = group, f"{self.name}: {track.get('id') or f'#{place}'}"
            self._track(track, named, numbers)

    def _track(
        self, track: Element, named: tuple[str, str], numbers: dict[int, dict[str, int]]
    ) -> None:
        """Take a track; `numbers` are the images of each frame by their folder's name."""
        into, at = self.into, f"{self.name}: track {track.get('id')}"
        subset = track.get("subset") or ""
        label = into.label(track.get("label"), at)
        seen: set[int] = set()
        for frame, shape in _seen(track, self._step()) if label is not None else ():
            where = f"{at}: frame {frame}"
            into.data.balance.found()
            if shape is None:
                into.data.problems.add("no box", where, "between two key frames of its shape")
                continue
            there = numbers.get(frame, {})
            image = there.get(subset.casefold(), next(iter(there.values()), None))
            if image is None:
                into.data.problems.add("missing image", where, "there is no picture of the frame")
                continue
            if subset:
                split = split_named(subset)
                into.data.balance.split(subset, split)
                into.data.images[image].split = split
            row = len(into.data)
            self._shape(image, label or 0, shape, where)
            if len(into.data) == row or image in seen:
                continue  # no box, or a frame that is given twice: a track has one box on each
            seen.add(image)
            into.data.tracks.setdefault(named, Track(label))
            # Drawn between two key frames, by CVAT or above.
            drawn = shape.get("keyframe") == "0"
            into.data.made[row] = Made("interpolation" if drawn else None, track=named)

    def _meta(self, key: str) -> str | None:
        """Return what is said of the task, or of the job of it that was exported."""
        return self.root.findtext(f"meta/task/{key}") or self.root.findtext(f"meta/job/{key}")

    def _step(self) -> int:
        found = re.search(r"step\s*=\s*(\d{1,6})", self._meta("frame_filter") or "")
        return max(1, int(found[1])) if found else 1

    def _frames(self) -> dict[int, list[str]]:
        """Return the pictures by the number of their frame.

        CVAT calls them `frame_000012`. Of a task made of pictures it gives their own names and only
        the order tells: they are taken when there are just as many as the task says.
        """
        below = self.file.parent
        prefix = "" if below == self.into.root else self.into.name_of(below) + "/"
        names = [prefix + name for name in walk_images(below)]
        numbered: dict[int, list[str]] = {}
        for name in names:
            if found := _FRAME.search(name):
                numbered.setdefault(int(found[1]), []).append(name)
        size = number(self._meta("size"))
        if numbered or size is None or not names or len(names) != int(size):
            return numbered
        first = int(number(self._meta("start_frame")) or 0)
        detail = "the pictures are taken as its frames in the order of their names"
        self.into.data.problems.add("frames without numbers", self.name, detail, "kept")
        return {first + place * self._step(): [name] for place, name in enumerate(names)}


def _seen(track: Element, step: int) -> Iterator[tuple[int, Element | None]]:
    """Yield the shapes of a track by frame, with those between two of its boxes.

    None stands for a frame between two key frames of another shape, which is drawn by CVAT alone.
    """
    shapes = [shape for shape in track if shape.tag in _SHAPES]
    numbered = [(int(f), s) for s in shapes if (f := number(s.get("frame"))) is not None and f >= 0]
    numbered.sort(key=lambda item: item[0])
    for place, (frame, shape) in enumerate(numbered):
        if shape.get("outside") == "1":
            continue
        yield frame, shape
        if place + 1 == len(numbered):
            continue
        following, other = numbered[place + 1]
        boxes = shape.tag == other.tag == "box"
        gone = other.get("outside") == "1"
        for between in range(frame + step, min(following, frame + _LONGEST), step):
            part = 0.0 if gone else (between - frame) / (following - frame)
            yield between, _between(shape, other, part) if boxes else shape if gone else None


def _between(one: Element, other: Element, part: float) -> Element:
    attributes = {**one.attrib, "keyframe": "0"}
    for key in _CORNERS:
        start, end = number(one.get(key)) or 0.0, number(other.get(key)) or 0.0
        attributes[key] = str(start + (end - start) * part)
    start, end = number(one.get("rotation", "0")) or 0.0, number(other.get("rotation", "0")) or 0.0
    # The shorter way round, as CVAT turns it.
    turn = (end - start + 180) % 360 - 180
    attributes["rotation"] = str((start + turn * part) % 360)
    return Element("box", attributes)


def _box(shape: Element) -> Box | None:
    """Return the box of a shape, or around it, None when its numbers are none."""
    if shape.tag == "box":
        corners = [number(shape.get(key)) for key in _CORNERS]
        if None in corners:
            return None
        left, top, right, bottom = (corner or 0.0 for corner in corners)
        return left, top, right - left, bottom - top
    if shape.tag == "mask":
        sides = [number(shape.get(key)) for key in ("left", "top", "width", "height")]
        if None in sides:
            return None
        left, top, width, height = (side or 0.0 for side in sides)
        return left, top, width, height
    if shape.tag == "ellipse":
        parts = [number(shape.get(key)) for key in ("cx", "cy", "rx", "ry")]
        if None in parts:
            return None
        x, y, rx, ry = (part or 0.0 for part in parts)
        return ellipse_box(x, y, rx, ry, number(shape.get("rotation", "0")) or 0.0)
    points = _points(shape)
    return around(points) if points else None


def _points(shape: Element) -> list[float] | None:
    """Return the points of a shape as x, y, x, y, …; of a skeleton those that are seen."""
    if shape.tag == "cuboid":
        found = [number(shape.get(key)) for key in _CUBOID]
        return None if None in found else [value or 0.0 for value in found]
    if shape.tag == "skeleton":
        parts = [_points(point) for point in shape if point.get("outside") != "1"]
        return [value for part in parts if part for value in part] or None
    flat: list[float] = []
    for pair in (shape.get("points") or "").split(";"):
        values = [number(text) for text in pair.split(",")]
        if len(values) != 2 or None in values:
            return None
        flat += [value or 0.0 for value in values]
    return flat
