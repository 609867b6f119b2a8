"""The one way by which the picture is found that a label file, a line of a list or a record names.

`named` takes a name as it is spelled; case and the encoding of accents do not matter (`Folders`).
`meant` tries what else could be meant, for names pass through other machines and programs:

- the percent-encoding of web addresses, on either side (`a%20b.png` for `a b.png`), an address with
  a query (`https://host/a.jpg?sig=…`), and Label Studio's `/data/local-files/?d=folder%2Fa.png`
  (label-studio, `io_storages/localfiles` at 51d064d);
- folders that only one of the two sides has: paths of other machines, `data/` before CVAT's list
  lines (CVAT's datumaro, `plugins/data_formats/yolo`), `images/1/a.jpg` for `images/a.jpg`;
- eight hexadecimal digits before the name, which Label Studio gives to uploads (label-studio,
  `data_import/models.py` at 0012445);
- where the format warrants it, another ending.

Such a picture is taken only when it is the one that fits best, is not named by its own name
elsewhere and lies in no folder of another split; the reader says so (`tell`). It is always one of
the files that a listing of the data set gave, so no name leads out of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Container, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from core.data.importers.dataset import inside
from core.data.importers.image_files import Folders, Found, is_image, letters
from core.data.importers.report import Problems
from core.data.importers.split_names import split_named

# Beyond, whoever pointed here pointed at a whole disk.
MOST_FILES = 2_000_000
_DEEPEST = 32
_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)", re.IGNORECASE)
_LONGEST = 4_096


class Met(NamedTuple):
    """A picture that was found, its path below the place where it lies, and, when it is called
    otherwise, what the name was taken to be ("" when it is spelled so).
    """

    found: Found
    name: str
    guess: str = ""


class Unmet(NamedTuple):
    """No picture was found: why, in the words of a report."""

    detail: str


class Pictures:
    """The pictures of one data set, which lies in the folder `top`, found by their names."""

    def __init__(self, top: Path, folders: Folders) -> None:
        self.top = str(top)
        self.folders = folders
        self._stems: dict[str, dict[str, list[str]] | None] = {}

    def named(self, name: str, places: Sequence[str]) -> Met | None:
        """Return the picture of this name below the first of `places` that has it.

        `name` is a relative path, with slashes or backslashes, or an absolute one that leads below
        a place.
        """
        relative = inside(name)
        if relative is None:
            if not name.startswith("/"):
                return None
            path = os.path.normpath(name)
            for place in (*places, self.top):
                if path.startswith(f"{place}/") and (end := inside(path[len(place) + 1 :])):
                    found = self.folders.find(place, end)
                    if found is not None:
                        return Met(found, end)
            return None
        for place in places:
            found = self.folders.find(place, relative)
            if found is not None:
                return Met(found, relative)
        return None

    def meant(
        self,
        name: str,
        places: Sequence[str],
        *,
        taken: Container[str] = (),
        split: str | None = None,
        any_ending: bool = False,
    ) -> Met | Unmet:
        """Return the picture that a name which is not there (`named`) is the only one to mean.

        `places` are absolute paths of the folders where pictures are looked for, the likeliest
        first; what lies elsewhere below `top` is found too. `taken` are the paths of pictures that
        are called by their own names elsewhere, `split` is that in which the picture must be if its
        folders say one. With `any_ending`, `a.png` may be `a.jpg`.
        """
        ranked = self._ranked(name, places, any_ending)
        return self._chosen(name, ranked, places, taken, split)

    def all_meant(
        self,
        names: Iterable[str],
        places: Sequence[str],
        *,
        taken: Container[str] = (),
        split: str | None = None,
        any_ending: bool = False,
    ) -> dict[str, Met | Unmet]:
        """Return what several names mean, see `meant`: no picture is meant by two of them."""
        ranks: dict[str, list[tuple[_Rank, str]]] = {}
        met: dict[str, Met | Unmet] = {}
        claims: dict[str, list[str]] = {}
        for name in names:
            if name not in met:
                ranks[name] = ranked = self._ranked(name, places, any_ending)
                found = met[name] = self._chosen(name, ranked, places, taken, split)
                if isinstance(found, Met):
                    claims.setdefault(found.found.path, []).append(name)
        for path, claiming in claims.items():
            if len(claiming) > 1:
                best = max(ranks[name][0][0] for name in claiming)
                strongest = [name for name in claiming if ranks[name][0][0] == best]
                for name in claiming:
                    if len(strongest) > 1 or name != strongest[0]:
                        other = next(other for other in claiming if other != name)
                        detail = f"no file '{name}'; '{self._below(path)}' could be it or '{other}'"
                        met[name] = Unmet(detail)
        return met

    # Candidates

    def _ranked(
        self, name: str, places: Sequence[str], any_ending: bool
    ) -> list[tuple[_Rank, str]]:
        """Return the pictures that a name could mean, as (rank, absolute path), best first."""
        if len(name) > _LONGEST:
            return []
        readings = _readings(name)
        ranked = self._fitting(readings, places, any_ending)
        if not ranked:
            bare = [[*parts[:-1], _UPLOAD.sub("", parts[-1], count=1)] for parts in readings]
            ranked = self._fitting([p for p in bare if p not in readings], places, any_ending)
        return sorted(ranked, reverse=True)

    def _fitting(
        self, readings: list[list[str]], places: Sequence[str], any_ending: bool
    ) -> list[tuple[_Rank, str]]:
        ranks: dict[str, _Rank] = {}
        roots = [self.top, *(p for p in places if not f"{p}/".startswith(f"{self.top}/"))]
        for parts in readings:
            stem, ending = _split(parts[-1])
            for root in dict.fromkeys(roots):
                found = (self._pictures(root) or {}).get(_loose(stem), ())
                same = [path for path in found if ending in ("", _split(path)[1])]
                for path in same or (found if any_ending else ()):
                    rank = _rank(parts, path, root, places)
                    ranks[path] = max(rank, ranks.get(path, rank))
        return [(rank, path) for path, rank in ranks.items()]

    def _pictures(self, root: str) -> dict[str, list[str]] | None:
        """Return the pictures below a folder by what their names are told by, None for too many."""
        if root not in self._stems:
            stems: dict[str, list[str]] = {}
            count = 0
            waiting = [(root, 0)]
            while waiting and count <= MOST_FILES:
                folder, depth = waiting.pop()
                files = self.folders.files(folder)
                count += len(files)
                for name in files:
                    if is_image(name) and not name.startswith("."):
                        stem = _loose(os.path.splitext(name)[0])  # noqa: PTH122 (a million times)
                        stems.setdefault(stem, []).append(f"{folder}/{name}")
                for name in self.folders.folders(folder) if depth < _DEEPEST else ():
                    below = f"{folder}/{name}"
                    if not name.startswith(".") and not os.path.islink(below):  # noqa: PTH114
                        waiting.append((below, depth + 1))
            self._stems[root] = stems if count <= MOST_FILES else None
        return self._stems[root]

    def _chosen(
        self,
        name: str,
        ranked: list[tuple[_Rank, str]],
        places: Sequence[str],
        taken: Container[str],
        split: str | None,
    ) -> Met | Unmet:
        missing = f"no file '{name}'"
        if split is not None:
            said = {letters(part) for parts in _readings(name) for part in parts}
            ranked = [(r, p) for r, p in ranked if not self._of_another_split(p, split, said)]
        if not ranked:
            return Unmet(missing)
        best = [path for rank, path in ranked if rank == ranked[0][0]]
        if len(best) > 1:
            shown = ", ".join(f"'{self._below(path)}'" for path in sorted(best)[:3])
            return Unmet(f"{missing}; it could be {shown}{', …' if len(best) > 3 else ''}")
        path = best[0]
        below = self._below(path)
        if path in taken:
            return Unmet(f"{missing}; '{below}' is called by its own name elsewhere")
        folder, _, last = path.rpartition("/")
        homes = [place for place in (*places, self.top) if path.startswith(f"{place}/")]
        home = max(homes, key=len, default=folder)
        relative = inside(path[len(home) + 1 :])
        if relative is None:
            return Unmet(missing)
        return Met(Found(path, self.folders.files(folder)[last]), relative, below)

    def _of_another_split(self, path: str, split: str, said: Collection[str]) -> bool:
        """Whether a folder of the path speaks of another split, and the name does not say it."""
        folders = self._below(path).split("/")[:-1]
        spoken = {part: split_named(part) for part in folders}
        return any(
            other not in (None, split) and letters(part) not in said
            for part, other in spoken.items()
        )

    def _below(self, path: str) -> str:
        return path[len(self.top) + 1 :] if path.startswith(f"{self.top}/") else path


def tell(met: Met | Unmet, name: str, where: str, problems: Problems) -> Met | None:
    """Return the picture, None for none, and note that it was guessed or why there is none."""
    if isinstance(met, Met):
        if met.guess:
            kind = "guessed file name" if inside(name) else "unsafe file name"
            problems.add(kind, where, f"'{name}' is taken to be '{met.guess}'", "kept")
        return met
    safe = inside(name) is not None
    plain = met.detail == f"no file '{name}'"
    detail = met.detail if safe or not plain else f"'{name}'"
    problems.add("missing image" if safe else "unsafe file name", where, detail)
    return None


# How well a path fits a name, the more the better: how many of the folders before the file's name
# are the same, whether nothing else is on the way from a place to it, how many folders occur in
# both, and how early the place comes (negative).
_Rank = tuple[int, bool, int, int]


def _rank(parts: list[str], path: str, root: str, places: Sequence[str]) -> _Rank:
    there = [_loose(part) for part in path[len(root) + 1 :].split("/")[:-1]]
    said = [_loose(part) for part in parts[:-1]]
    trailing = 0
    while trailing < min(len(there), len(said)) and there[-1 - trailing] == said[-1 - trailing]:
        trailing += 1
    direct, early = False, -len(places)
    for number, place in enumerate(places):
        if path.startswith(f"{place}/"):
            early = max(early, -number)
            below = path[len(place) + 1 :].count("/")
            direct = direct or below <= trailing
    return trailing, direct, _common(said, there), early


def _common(one: list[str], other: list[str]) -> int:
    """Return the length of the longest list that both are when some parts of each are left out."""
    lengths = [0] * (len(other) + 1)
    for part in one[-_DEEPEST:]:
        before = 0
        for place, there in enumerate(other, 1):
            kept = lengths[place]
            lengths[place] = before + 1 if part == there else max(kept, lengths[place - 1])
            before = kept
    return lengths[-1]


def _readings(name: str) -> list[list[str]]:
    """Return the ways to read a name, each as the parts of a path, none for no name at all."""
    texts = [name]
    if address := re.search(r"[?&]d=([^&#]+)", name):
        texts.append(address[1])
    if "?" in name:
        texts.append(name.partition("?")[0])
    if "://" in name:
        texts += [text.partition("#")[0] for text in texts if "#" in text]
    for _ in range(2):
        texts += [unquote(text) for text in texts if "%" in text]
    readings = []
    for text in dict.fromkeys(texts):
        parts = [part for part in re.split(r"[\\/]+", text) if part.strip() not in ("", ".", "..")]
        if parts and inside(parts[-1]) is not None and parts not in readings:
            readings.append(parts)
    return readings


def _split(name: str) -> tuple[str, str]:
    """Return a file's name before and with its picture's ending (in lower case, "" for none)."""
    stem, ending = os.path.splitext(name)  # noqa: PTH122
    return (stem, ending.lower()) if is_image(name) else (name, "")


def _loose(name: str) -> str:
    return letters(unquote(name) if "%" in name else name)
