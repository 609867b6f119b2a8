"""What the screen of predictions shows: its rows, its columns, its lines, its pictures."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from textual.content import Content

from batman_tui.pictures.scene import Scene, SceneBox
from batman_tui.widgets.table.cells import bar
from batman_tui.widgets.table.table import Column
from core.common.text import clean, plural
from core.data.images.class_colours import UNKNOWN, Colour, hex_colour
from core.inference.found import NO_TRACK, Found, Look, OnImages, Seen, Track

if TYPE_CHECKING:
    from core.data.images.video_frames import VideoFrames

_SLIDER = 20


@dataclass(frozen=True)
class ClassRow:
    """A class in the list: its place, name, how many there are from the score on, and whether
    it is on.
    """

    place: int
    name: str
    count: int
    on: bool


def image_columns(shown: Callable[[], OnImages | None]) -> list[Column[Seen]]:
    """The columns of the list of images and frames; `shown` gives what is on each now.

    The rows stay the same while the confidence moves: there may be a hundred thousand of them.
    """

    def count(row: Seen) -> int:
        now = shown()
        return 0 if now is None else int(now.counts[row.place])

    def best(row: Seen) -> float:
        now = shown()
        return 0.0 if now is None else float(now.best[row.place])

    return [
        Column("name", "Picture", lambda row: row.name, least=12),
        Column("count", "Found", count, "number", width=6),
        Column(
            "best", "Best", lambda row: f"{best(row):.2f}" if count(row) else "",
            width=5, sort=best, muted=True,
        ),
    ]  # fmt: skip


def class_columns() -> list[Column[ClassRow]]:
    """The columns of the list of classes."""
    return [
        Column("on", "", lambda row: "■" if row.on else "□", width=1),
        Column("name", "Class", lambda row: row.name, least=10),
        Column("count", "Found", lambda row: row.count, "number", width=8),
    ]


def track_columns(found: Found | None) -> list[Column[Track]]:
    """The columns of the list of objects that were followed."""

    def frame(place: int) -> str:
        number = found.seen[place].frame if found is not None else None
        return "" if number is None else f"{number:,}"

    return [
        Column("number", "Track", lambda row: f"#{row.number}", width=6,
               sort=lambda row: row.number),
        Column("name", "Class", lambda row: row.name, least=8),
        Column("video", "Video", lambda row: row.source.name, from_width=70, muted=True),
        Column("first", "From", lambda row: frame(row.first), width=7,
               sort=lambda row: row.first),
        Column("last", "To", lambda row: frame(row.last), width=7, sort=lambda row: row.last),
        Column("frames", "Frames", lambda row: row.frames, "number", width=7),
        Column("best", "Best", lambda row: f"{row.best:.2f}", width=5,
               sort=lambda row: row.best, from_width=52),
    ]  # fmt: skip


def slider(found: Found, look: Look) -> Content:
    """Return the confidence as a bar, how much of what was found it shows, and the lowest score."""
    muted = "$foreground-muted"
    filled = bar(look.least, _SLIDER).rstrip()
    shown = int(look.mask(found).sum())
    parts = [
        ("confidence ", muted), (filled, "$secondary"),
        ("░" * (_SLIDER - len(filled)), "$foreground 25%"), (f" {look.least:.2f}", "bold"),
        (f"   {shown:,} of {len(found.scores):,} shown", ""),
    ]  # fmt: skip
    if look.track is not None:
        parts.append((f"   only #{look.track}", "bold $accent"))
    if look.off:
        parts.append((f"   {plural(len(look.off), 'class', 'classes')} off", "bold $warning"))
    if len(found.scores):
        parts.append((f"   lowest score {found.lowest:.2f}", muted))
    return Content.assemble(*parts)


def looked_at(found: Found, look: Look) -> str:
    """Return in words what is shown: from which score on, without how many classes, which track."""
    said = [f"from {look.least:.2f} on"]
    if look.off:
        said.append(f"without the {plural(len(look.off), 'class', 'classes')} switched off")
    if look.track is not None:
        said.append(f"of #{look.track} alone")
    return ", ".join(said)


def where(found: Found, workspace: Path) -> Content:
    """Return what was looked at, and where what was found is written, from the workspace on."""
    frames = sum(seen.frame is not None for seen in found.seen)
    pictures = len(found.seen) - frames
    looked = [plural(pictures, "picture")] if pictures else []
    looked += [plural(frames, "frame")] if frames else []
    inside = found.folder.is_relative_to(workspace)
    folder = found.folder.relative_to(workspace) if inside else found.folder
    return Content.assemble(
        (" and ".join(looked) or "nothing", "bold"),
        ("   written: ", "$foreground-muted"),
        clean(str(folder)),
    )


def caption(found: Found, place: int, look: Look, colours: Sequence[Colour]) -> Content:
    """Return what is shown on an image, by class, with the tracks' numbers."""
    rows = _rows(found, place, look)
    if not len(rows):
        below = found.rows(place).stop - found.rows(place).start
        said = "Nothing from this score on"
        return Content.styled(
            f"{said}: {below:,} below or switched off." if below else f"{said}.",
            "$foreground-muted",
        )
    labels = found.labels[rows]
    parts = []
    for label in np.unique(labels):
        members = rows[labels == label]
        numbers = [f"#{n}" for n in sorted(found.tracks[members].tolist()) if n != NO_TRACK]
        count = f" {len(members)}" if len(members) > 1 else ""
        said = f" {found.scores[members[0]]:.2f}" if len(members) == 1 else ""
        text = f" {clean(found.classes[label])}{count}{said}"
        more = f" {' '.join(numbers)}" if numbers else ""
        # The colours of classes are for pictures: as letters on paper some could not be read.
        parts.append(Content.assemble(("■", hex_colour(colours[label])), text, more))
    return Content("   ").join(parts)


def _rows(found: Found, place: int, look: Look) -> np.ndarray:
    """Return the rows that are shown of an image, the best first."""
    reach = found.rows(place)
    rows = np.flatnonzero(look.mask(found)[reach]) + reach.start
    return np.asarray(rows[np.argsort(-found.scores[rows], kind="stable")])


class PredictionsGallery:
    """Images and frames with what of it is looked at, for the picture viewer."""

    def __init__(
        self,
        found: Found,
        frames: VideoFrames,
        places: Sequence[int],
        look: Look,
        colours: Sequence[Colour],
    ) -> None:
        self.title = f"{found.folder.name} › predictions"
        self.keys: Sequence[Hashable] = places
        self._found, self._frames = found, frames
        self._look, self._colours = look, colours

    def scenes(self, keys: Sequence[Hashable]) -> dict[Hashable, Scene]:
        """Return those at these places of what was looked at."""
        return {key: self._scene(key) for key in keys if isinstance(key, int)}

    def _scene(self, place: int) -> Scene:
        found, seen, boxes = self._found, self._found.seen[place], []
        for row in reversed(_rows(found, place, self._look).tolist()):
            x, y, w, h = found.boxes[row].tolist()
            label, track = int(found.labels[row]), int(found.tracks[row])
            colour = self._colours[label] if label < len(self._colours) else UNKNOWN
            number = "" if track == NO_TRACK else f"#{track}"
            score = float(found.scores[row])
            boxes.append(
                SceneBox((x, y, w, h), found.classes[label], colour, "label", score, number)
            )
        size, facts = (seen.width, seen.height), f"{seen.width}×{seen.height}"
        if seen.frame is None:
            return Scene(seen.source, size, tuple(boxes), seen.name, facts)
        time, frames = seen.time or 0.0, self._frames
        file = seen.source / f"#{seen.frame}"
        facts = f"{facts} · {time:.2f} s"
        return Scene(
            file, size, tuple(boxes), seen.name, facts, lambda: frames.get(seen.source, time)
        )
