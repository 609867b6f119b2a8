"""CVAT for video 1.1: a folder for each video, with its tracks in `annotations.xml` and its frames.

`SPLIT/VIDEO/annotations.xml` is what CVAT 2 writes and reads for a task
(`cvat/apps/dataset_manager/formats/cvat.py`, `dump_as_cvat_interpolation` and `load_anno`), and
`images/frame_000000.jpg` are its frames, counted from 0, of which the task is made. CVAT takes key
frames alone and draws the boxes between them in a straight line, frame by frame; a track goes on
until a key frame says that it is `outside`. So a box that was drawn between two others is none only
where CVAT comes to the same. A track has one class: one of several is written as several. A box on
no track is one of one frame, as CVAT writes it. Coordinates have all their digits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from core.data.exporters.sequences import Sequence as Video
from core.data.exporters.sequences import Sequences
from core.data.exporters.snapshot import ExportReport, Made, Snapshot
from core.data.exporters.tools.cvat import plain
from core.data.exporters.writing import Labelled, export_labels
from core.data.labels.tracks.view import is_key
from core.data.store import Project

# CVAT keeps two digits: a box that is as near to the line between two others is on it.
_SAME = 0.005


class _Box(NamedTuple):
    frame: int
    edges: tuple[float, float, float, float]
    key: bool
    made: Made | None


def export_cvat_video(project: Project, out: Path, **options: Any) -> ExportReport:
    """Write the project as tasks of CVAT for video to the new folder `out`.

    `options` and errors are those of `core.data.exporters.writing.export_labels`.
    """
    videos = Sequences("images/frame_{:06d}", 0)
    write = partial(_write, videos)
    return export_labels(
        write, project, out, place=videos.place, keeps=("origin", "track"), **options
    )


def _write(videos: Sequences, snapshot: Snapshot, folder: Path, labelled: Labelled) -> None:
    made = labelled.made
    # By video, track (or the box's own number where it is on none) and class.
    tracks: dict[str, dict[tuple[bool, int, int], list[_Box]]] = defaultdict(dict)
    for image, rows in snapshot.by_image():
        frame = videos.frames[image.id]
        for row_id, _, number, x, y, w, h, _, _ in labelled.boxes(rows):
            of = made.get(row_id)
            alone = of is None or of.track is None
            key = of is None or is_key(of.source, of.edited)
            box = _Box(frame.number, (x, y, x + w, y + h), alone or key, of)
            named = (alone, row_id if alone or of is None else of.track or 0, number)
            tracks[frame.folder].setdefault(named, []).append(box)
    for name, video in videos.of.items():
        found = tracks.get(name, {})
        labelled.lost(
            "tracks of boxes that are on none (written as tracks of one frame)",
            sum(alone for alone, _, _ in found),
        )
        one = {track for alone, track, _ in found if not alone}
        several = sum(not alone for alone, _, _ in found) - len(one)
        labelled.lost("tracks of several classes (written as several)", several)
        with (folder / name / "annotations.xml").open("w", encoding="utf-8") as file:
            file.writelines(_head(snapshot, name, video))
            for number, ((_, _, place), boxes) in enumerate(found.items()):
                boxes.sort(key=lambda box: box.frame)
                lines = _shapes(boxes, len(video.images) - 1, labelled)
                file.write(
                    f'  <track id="{number}" label={quoteattr(plain(snapshot.classes[place]))}'
                    f' source="{_source(boxes)}">\n'
                )
                file.writelines(lines)
                file.write("  </track>\n")
            file.write("</annotations>\n")


def _head(snapshot: Snapshot, name: str, video: Video) -> Iterator[str]:
    size, first = len(video.images), video.images[0]
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    yield f"  <meta><task><name>{escape(plain(name))}</name><size>{size}</size>\n"
    yield "    <mode>interpolation</mode><overlap>0</overlap><start_frame>0</start_frame>"
    yield f"<stop_frame>{size - 1}</stop_frame><frame_filter></frame_filter>\n    <labels>\n"
    for label in snapshot.classes:
        yield (
            f"      <label><name>{escape(plain(label))}</name><type>any</type>"
            "<attributes></attributes></label>\n"
        )
    yield f"    </labels><original_size><width>{first.width}</width>"
    yield f"<height>{first.height}</height></original_size></task>\n"
    source = video.video or name.rpartition("/")[2]
    yield f"    <source>{escape(plain(source))}</source></meta>\n"


def _source(boxes: Sequence[_Box]) -> str:
    """Return CVAT's word for who made a track: what is drawn between its boxes does not count."""
    made = [box.made for box in boxes if box.made is not None]
    if not any(of.source == "model" for of in made):
        return "manual"
    return "semi-auto" if any(of.edited for of in made) else "auto"


def _shapes(boxes: Sequence[_Box], last: int, labelled: Labelled) -> Iterator[str]:
    """Yield the shapes of a track: its boxes, and where it goes out of sight."""
    for _, run in groupby(enumerate(boxes), key=lambda item: item[1].frame - item[0]):
        seen = [box for _, box in run]
        keys = _key_frames(seen)
        told = sum(not box.key for place, box in enumerate(seen) if place in keys)
        labelled.lost("boxes drawn between key frames (written as key frames)", told)
        for place, box in enumerate(seen):
            yield _shape(box.frame, box.edges, key=place in keys)
        if seen[-1].frame < last:
            yield _shape(seen[-1].frame + 1, seen[-1].edges, key=True, outside=True)


def _key_frames(boxes: Sequence[_Box]) -> set[int]:
    """Return the places of the boxes that CVAT has to be told, in frames without a gap."""
    keys = [place for place, box in enumerate(boxes) if box.key or place in (0, len(boxes) - 1)]
    found = set(keys)
    for one, other in pairwise(keys):
        for place in range(one + 1, other):
            part = (place - one) / (other - one)
            ends = zip(boxes[one].edges, boxes[other].edges, strict=True)
            line = [a + (b - a) * part for a, b in ends]
            off = (abs(a - b) for a, b in zip(line, boxes[place].edges, strict=True))
            if max(off) > _SAME:
                found.update(range(one + 1, other))
                break
    return found


def _shape(frame: int, edges: tuple[float, ...], *, key: bool, outside: bool = False) -> str:
    left, top, right, bottom = edges
    return (
        f'    <box frame="{frame}" keyframe="{int(key)}" outside="{int(outside)}" occluded="0"'
        f' xtl="{left!r}" ytl="{top!r}" xbr="{right!r}" ybr="{bottom!r}" z_order="0"></box>\n'
    )
