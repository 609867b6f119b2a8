"""Where everything went that lay at the path of an import: taken, left out and why, met nothing.

A reader notes what it does with each file that is no image (labels, descriptions, lists), with each
line of a list and with each name of a split; images and boxes are counted by the `DataSet` itself.
"""

from __future__ import annotations

from collections import Counter


class Balance:
    """What a reader did with the files, list lines and split names that it met."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.left: dict[str, str] = {}
        self.unmet: dict[str, str] = {}
        self.splits: dict[str, str | None] = {}
        self.lines: Counter[str] = Counter()
        self.objects = 0

    def use(self, path: str) -> None:
        """Note a file that was read and whose content came in (absolute path).

        A label file that says "nothing is here" for its image counts too.
        """
        self.used.add(path)

    def leave(self, path: str, why: str) -> None:
        """Note a file that was met and is left out, with the reason in a few words."""
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
