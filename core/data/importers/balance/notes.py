"""What a reader notes of the files, list lines and split names that it meets.

A reader notes what it does with each file that is no image (labels, descriptions, lists), with each
image that it leaves out, with each line of a list and with each name of a split; images and boxes
that are taken are counted by the `DataSet` itself.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path


class Balance:
    """What a reader did with the files, list lines and split names that it met."""

    def __init__(self) -> None:
        self.roots: list[str] = []
        self.used: set[str] = set()
        self.empty: set[str] = set()
        self.described: set[str] = set()
        self.left: dict[str, str] = {}
        self.unmet: dict[str, str] = {}
        self.splits: dict[str, str | None] = {}
        self.lines: Counter[str] = Counter()
        self.suspects: Counter[str] = Counter()
        self.doubt: tuple[str, str] | None = None
        self.objects = 0
        # Where pictures were looked for, when there is none.
        self.looked: list[str] = []

    def root(self, path: Path | str) -> None:
        """Note a folder whose files belong to the data set, beside what the person named."""
        self.roots.append(str(path))

    def use(self, path: str, *, empty: bool = False) -> None:
        """Note a label file that was read and whose content came in (absolute path).

        A label file that says "nothing is here" for its image counts too: with `empty`.
        """
        self.used.add(path)
        if empty:
            self.empty.add(path)

    def describe(self, path: Path | str) -> None:
        """Note a file that speaks of the whole set: `data.yaml`, a list of images or names."""
        self.described.add(str(path))

    def leave(self, path: str, why: str) -> None:
        """Note a file that was met and is left out, with the reason in a few words.

        The reason is the same for all files of one fault: files are counted by it.
        """
        self.left[path] = why

    def miss(self, path: str, why: str) -> None:
        """Note a file that belongs to something which is not there: a label without its image."""
        self.unmet[path] = why

    def line(self, met: bool) -> None:
        """Note a line of a list of images, and whether it led to a picture."""
        self.lines["met" if met else "met nothing"] += 1

    def split(self, name: str, split: str | None) -> None:
        """Note a split as the data set calls it and what it became, None for no split."""
        self.splits[name] = split

    def found(self, objects: int = 1) -> None:
        """Note objects (boxes, polygons, masks) that a label file holds, whatever becomes of them.

        `DataSet` knows how many were taken; what is missing between the two is told.
        """
        self.objects += objects

    def suspect(self, what: str) -> None:
        """Note an object that looks like a mistake of the whole set, such as `pixels` in YOLO."""
        self.suspects[what] += 1

    def stop(self, message: str, hint: str) -> None:
        """Note that the whole set looks like a mistake: the import stops unless it is to go on."""
        if self.doubt is None:
            self.doubt = message, hint
