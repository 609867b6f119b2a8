"""Finding image files: each folder is listed once, and only ordinary files count.

A symbolic link is followed when it ends at a readable image, wherever that lies: people keep
pictures on another disk. What it points to is copied or hard-linked, never removed; a link to
anything that is not an image is not followed, so an unpacked archive cannot bring other files in.
Pipes and devices are never opened.
"""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from core.common.errors import ImportFailed
from core.common.files import expand_user
from core.common.text import clean
from core.data.images.exif_orientation import orientation_of, shown_size
from core.data.images.picture_files import is_picture, open_picture, why_broken

LARGEST_SIDE = 1_000_000


class Found(NamedTuple):
    """A file that is there, and whether it is a symbolic link."""

    path: str
    link: bool


class Folders:
    """Listings of folders, read once each; hidden entries are left out of `listing` only."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, bool]] = {}
        self._subfolders: dict[str, list[str]] = {}
        self._errors: dict[str, str] = {}
        self._folded: dict[str, dict[str, str]] = {}
        self._alike: dict[tuple[str, str], list[str]] = {}

    def files(self, folder: str) -> dict[str, bool]:
        """Return the ordinary files in a folder, each with whether it is a symbolic link.

        Empty for a folder that is not there or cannot be read.
        """
        found = self._files.get(folder)
        if found is None:
            found, subfolders = {}, []
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        link = entry.is_symlink()
                        if _is(entry.is_file) if link else entry.is_file():
                            found[entry.name] = link
                        elif _is(entry.is_dir):
                            subfolders.append(entry.name)
            except (OSError, ValueError) as error:
                self._errors[folder] = getattr(error, "strerror", None) or str(error)
            self._files[folder] = found
            self._subfolders[folder] = sorted(subfolders)
        return found

    def listing(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Return the folders and the files in a folder, sorted by name.

        Raises `ImportFailed` when it cannot be read.
        """
        key = str(folder)
        files = self.files(key)
        if key in self._errors:
            raise ImportFailed(
                f"The folder '{clean(key)}' cannot be read: {self._errors[key]}.",
                "Check its permissions.",
            )
        return (
            [folder / name for name in self._subfolders[key] if not name.startswith(".")],
            [folder / name for name in sorted(files) if not name.startswith(".")],
        )

    def with_ending(self, folder: Path, *endings: str) -> list[Path]:
        """Return the files in a folder whose names end so, in any case, sorted.

        Raises `ImportFailed` when it cannot be read.
        """
        files = self.files(str(folder))
        if not files:
            self.listing(folder)
        return [
            folder / name
            for name in sorted(name for name in files if name.lower().endswith(endings))
            if not name.startswith(".")
        ]

    def subfolders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder, sorted. Raises `ImportFailed` when it is unreadable."""
        return (
            self.listing(folder)[0]
            if not self.files(str(folder))
            else [
                folder / name for name in self._subfolders[str(folder)] if not name.startswith(".")
            ]
        )

    def find(self, folder: str, relative: str) -> Found | None:
        """Return the file at a relative path with slashes, by its spelling or else its letters.

        Names that differ in case only, or in how an accent is encoded, come from copying between
        systems; such a file or folder is taken when it is the only one.
        """
        head, _, name = relative.rpartition("/")
        if not head:
            return self._in(folder, name)
        found = self._in(os.path.join(folder, head), name)  # noqa: PTH118 (a million times)
        if found is None:
            others = (self._in(other, name) for other in self.alike(folder, head))
            there = [other for other in others if other is not None]
            return there[0] if len(there) == 1 else None
        return found

    def alike(self, folder: str, relative: str) -> list[str]:
        """Return the folders below `folder` whose relative path has these letters, in any case.

        That which is spelled so is not among them.
        """
        found = self._alike.get((folder, relative))
        if found is None:
            exact = os.path.join(folder, relative)  # noqa: PTH118
            found = [folder]
            for part in relative.split("/"):
                if part not in ("", "."):
                    wanted = letters(part)
                    found = [
                        f"{above}/{name}"
                        for above in found
                        for name in self.folders(above)
                        if letters(name) == wanted
                    ]
            found = [place for place in found if place != exact]
            self._alike[folder, relative] = found
        return found

    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders in a folder, sorted; none when it cannot be read."""
        self.files(folder)
        return self._subfolders[folder]

    def _in(self, folder: str, name: str) -> Found | None:
        files = self.files(folder)
        link = files.get(name)
        if link is None:
            if not files:
                return None
            same = self._same(folder).get(letters(name), "")
            if not same:
                return None
            name, link = same, files[same]
        return Found(f"{folder}/{name}", link)

    def _same(self, folder: str) -> dict[str, str]:
        folded = self._folded.get(folder)
        if folded is None:
            folded = {}
            for name in self.files(folder):
                key = letters(name)
                folded[key] = "" if key in folded else name
            self._folded[folder] = folded
        return folded


def letters(name: str) -> str:
    """Return what a name is told by when case and the encoding of its accents do not matter."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def _is(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:
        return False


def place_of(source: Path | str) -> Path:
    """Return the absolute path of what a person named, without `..` where it leads to the same.

    It is kept as the origin of an import and shown; and where images are left in place, a path by
    way of another folder would end with that folder.
    """
    path = expand_user(source).absolute()
    flat = os.path.normpath(path)
    return Path(flat) if os.path.realpath(flat) == os.path.realpath(path) else path


def is_image(name: str) -> bool:
    """Whether a file name has the ending of an image, in any case, readable here or not."""
    return is_picture(name)


def walk_images(folder: Path) -> list[str]:
    """Return the images below a folder, see `walk`."""
    return walk(folder, is_image)


def walk(folder: Path, wanted: Callable[[str], bool]) -> list[str]:
    """Return the files below a folder whose names are `wanted`, as relative paths with slashes,
    sorted; links to folders are not followed, since they may lead in circles.
    """
    found: list[str] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(parent).relative_to(folder).as_posix()
        prefix = "" if below == "." else below + "/"
        found += [prefix + name for name in files if wanted(name) and not name.startswith(".")]
    return sorted(found)


def read_size(path: str) -> tuple[int, int] | None:
    """Return width and height in pixels from a picture's header, None when it is unreadable.

    They are those of the picture as its EXIF tag turns it, which is how boxes are meant where the
    data set does not say the size (see `core.data.images.exif_orientation`).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_picture(path) as image:
                width, height = shown_size(image.size, orientation_of(image))
    # Pillow's readers let whatever a damaged header causes through: struct.error, SyntaxError, …
    except Exception:
        return None
    return (width, height) if plausible(width, height) else None


def no_size(path: str) -> str:
    """Return why `read_size` found none, for the report of an import."""
    return why_broken(path) or "its size cannot be read"


def plausible(width: float, height: float) -> bool:
    """Whether these can be the sides of an image, in pixels."""
    return 1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE
