"""Where the label file of an image lies in a YOLO set, and whose the label files are.

Ultralytics puts `labels` where an image's path says `images` the last time (`img2label_paths` of
ultralytics at 00bfe34, `data/utils.py`); Darknet looks beside the image. Other sets put `labels`
where an earlier folder says `images`, or into the folder of the images, and call the file
`a.jpg.txt`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from core.data.importers.find_picture import MOST_FILES
from core.data.importers.formats.reading.text_files import decoded
from core.data.importers.image_files import Folders, Found, letters

_IMAGES = frozenset({"images", "image", "imgs", "img", "jpegimages", "pictures", "pics"})
_DEEPEST = 32
_HEAD = 4_096
# A number with a decimal comma, or a whole one.
_DECIMALS = re.compile(r"-?\d+(,\d+)?").fullmatch


class Labels:
    """The label files of one data set, found by their images' paths; letters do not matter."""

    def __init__(self, root: Path, folders: Folders) -> None:
        self.root = str(root)
        self.folders = folders
        self._places: dict[str, list[tuple[str, str]]] = {}

    def find(self, image: str) -> Found | None:
        """Return the label file of an image (an absolute path), None without one."""
        folder, _, name = image.rpartition("/")
        stem = os.path.splitext(name)[0]  # noqa: PTH122 (a million times)
        places = self.places(folder)
        for label in (f"{stem}.txt", f"{name}.txt"):
            for base, below in places:
                found = self.folders.find(base, f"{below}/{label}" if below else label)
                if found is not None:
                    return found
        return None

    def places(self, folder: str) -> list[tuple[str, str]]:
        """Return where the labels of the images in a folder may lie, the likeliest first.

        Each is an existing folder and a path below it, whose letters do not matter.
        """
        known = self._places.get(folder)
        if known is not None:
            return known
        swapped: list[tuple[str, str]] = []
        parts = folder.split("/")
        within = f"{folder}/".startswith(f"{self.root}/")
        first = self.root.count("/") + 1 if within else 1
        for number in range(len(parts) - 1, first - 1, -1):
            if letters(parts[number]) in _IMAGES:
                below = "/".join(["labels", *parts[number + 1 :]])
                swapped.append(("/".join(parts[:number]) or "/", below))
                if not within:
                    break
        above, found, after = f"{folder}/".rpartition("/images/")
        if found and not swapped:
            # Above the data set's folder: nothing there is looked through.
            swapped.append((f"{above}/labels/{after}".rstrip("/"), ""))
        places = [*swapped[:1], (folder, ""), *swapped[1:], (folder, "labels")]
        self._places[folder] = places
        return places


def texts_below(root: str, folders: Folders) -> Iterator[str]:
    """Yield the text files below a folder, at most 2,000,000 files being looked at.

    Links to folders are not followed, since they may lead in circles.
    """
    waiting, count = [(root, 0)], 0
    while waiting and count < MOST_FILES:
        folder, depth = waiting.pop()
        files = folders.files(folder)
        count += len(files)
        for name in sorted(files):
            if name.endswith((".txt", ".TXT")) and not name.startswith("."):
                yield f"{folder}/{name}"
        for name in folders.folders(folder) if depth < _DEEPEST else ():
            below = f"{folder}/{name}"
            if not name.startswith(".") and not os.path.islink(below):  # noqa: PTH114
                waiting.append((below, depth + 1))


def is_label(path: str) -> bool:
    """Whether a text file is empty or its first line holds a class number and four more numbers."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (a million times)
            head = file.read(_HEAD)
        first = next((line for line in decoded(head).splitlines() if line.strip()), "")
        values = [float(value) for value in words_of(first)]
    except (OSError, UnicodeDecodeError, ValueError):
        return False
    return not first or len(values) >= 5


def words_of(line: str) -> list[str]:
    """Return the values of a line, which a program may have set apart by commas or semicolons.

    `0,0.5,0.5,0.2,0.2` and, where a comma marks decimals, `0 0,5 0,5 0,2 0,2` and
    `0;0,5;0,5;0,2;0,2`.
    """
    words = line.replace(";", " ").split()
    if len(words) >= 5 and all(map(_DECIMALS, words[1:])):
        return [word.replace(",", ".") for word in words]
    return line.replace(",", " ").replace(";", " ").split()
