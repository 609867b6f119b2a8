"""The tracks of a project as the original Batman has them: their numbers, and `tracks.json`.

A track that came from there keeps its number, unless that of another project that came in is the
same; one that was made here gets the next that is free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.data.importers.past_imports import ImportRow
from core.data.store import Project

Records = Mapping[str, Mapping[str, Any]]
Kept = Sequence[tuple[int, dict[str, Any]]]


class Tracks:
    """The numbers of the tracks, and what is said of each.

    `kept` is what came of each project of the original, with the import that holds it; `part_of`
    the place in it by import.
    """

    def __init__(
        self, project: Project, imports: Sequence[ImportRow], kept: Kept, part_of: Mapping[int, int]
    ) -> None:
        self._kept = kept
        self._part_of = part_of
        self.rows: dict[int, tuple[int | None, bool]] = {
            row[0]: (row[1], bool(row[2]))
            for row in project.db.execute("SELECT id, class_id, approved FROM tracks")
        }
        # The rows that a track of the original became, by part and the number it had there: one
        # for each video it is in.
        self._rows_of: dict[tuple[int, str], list[int]] = {}
        self._own: dict[int, str] = {}
        self._read: set[tuple[int, str]] = set()
        for row in imports:
            for _, key, number in row.detail.get("tracks", ()) if "video_id" in row.detail else ():
                self._rows_of.setdefault((part_of.get(row.id, -1), key), []).append(number)
                self._own[number] = key
                self._read.add((row.id, key))
        self._number: dict[tuple[int, str], str] = {}
        self._of_row: dict[int, str] = {}
        taken: set[str] = set()
        for part, (_, had) in enumerate(kept):
            for key in had["tracks"]:
                number, free = key, 1
                while number in taken:
                    number, free = str(free), free + 1
                taken.add(number)
                self._number[part, key] = number
        for named, numbers in self._rows_of.items():
            if named in self._number:
                self._of_row.update(dict.fromkeys(numbers, self._number[named]))
        self._taken = taken
        self._free = 1

    def number_of(self, import_id: int, row: int | None, said: Any) -> Any:
        """Return the track's number for an annotation: by its `row`, else as its record `said`.

        None where it is of no track (any more).
        """
        part = self._part_of.get(import_id, -1)
        named = (part, str(said))
        if row is None or row not in self.rows:
            if (import_id, str(said)) in self._read:
                return None  # It was one of that track, and no longer is.
            return _like(said, self._number[named]) if named in self._number else said
        if row not in self._of_row:
            number = self._own.get(row, "")
            while not number.isdecimal() or number in self._taken:
                number, self._free = str(self._free), self._free + 1
            self._of_row[row] = number
            self._taken.add(number)
        return _like(said, self._of_row[row])

    def came(self, part: int) -> list[tuple[str, dict[str, Any] | Any]]:
        """Return the number and the record of each track of a project that came in.

        Those that a person merged into others meanwhile are left out.
        """
        found = []
        for key, track in self._kept[part][1]["tracks"].items():
            rows = self._rows_of.get((part, key), [])
            there = [row for row in rows if row in self.rows]
            if rows and not there:
                continue
            if there and isinstance(track, dict):
                approved = all(self.rows[row][1] for row in there)
                if bool(track.get("is_approved")) != approved:
                    track = {**track, "is_approved": approved}
            found.append((self._number[part, key], track))
        return found

    def made(
        self, boxes: Mapping[str, Mapping[str, Any]], frames: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """Return the records of tracks that did not come from the original, by their numbers.

        `boxes` and `frames` are the records that are written: a track reaches from the first frame
        with a box of it to the last, and is of the class of its first box.
        """
        came = set(self._number.values())
        row_of = {number: row for row, number in self._of_row.items() if number not in came}
        records: dict[str, dict[str, Any]] = {}
        for box in boxes.values():
            number = str(box.get("track_id"))
            if number not in row_of:
                continue
            frame = frames[str(box["frame_id"])]
            at = frame["frame_number"]
            record = records.setdefault(
                number,
                {
                    "track_id": int(number), "video_id": frame["video_id"],
                    "class_label_id": box["class_label_id"], "start_frame": at, "end_frame": at,
                    "is_approved": self.rows[row_of[number]][1], "needs_review": False,
                },
            )  # fmt: skip
            record["start_frame"] = min(record["start_frame"], at)
            record["end_frame"] = max(record["end_frame"], at)
        return records


def _like(had: Any, number: str) -> Any:
    """Return a number the way the record had it: a number, where it can be one."""
    if isinstance(had, str):
        return number
    return int(number) if number.lstrip("-").isdecimal() else number
