"""Putting an import's image files into the project, so that a crash at any moment does no harm.

The files go to `images/<import id>/`. A marker beside that folder stands from before the first
file until after the commit; a folder with a marker whose import is not in the store is what a
crash left, and the next change of the project removes it (`core.data.store.leftovers`). The sources
of a move go only after the commit.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from core.common.errors import ImportFailed
from core.common.files import FileMode
from core.common.temporary import remove_tree
from core.common.text import clean
from core.data.importers.dataset import Picture
from core.data.importers.report import Watch
from core.data.store.leftovers import MARK

_TICK = 256
# Another file system, no permission to link (protected_hardlinks), no support, too many links.
_NO_LINK = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}
)
_NEVER_AGAIN = frozenset({errno.EXDEV, errno.ENOTSUP, errno.ENOSYS})


class Placement:
    """The files of one import, from their folder's making until the import is in the store."""

    def __init__(self, images_dir: Path, import_id: int, mode: FileMode) -> None:
        self.import_id = import_id
        self.folder = images_dir / str(import_id)
        self.mode = mode
        self._mark = images_dir / f"{import_id}{MARK}"
        self._moved: list[str] = []

    def put(self, pictures: Sequence[Picture], watch: Watch) -> dict[int, str]:
        """Place the files; return the numbers of those whose source cannot be read, with why.

        Raises `ImportFailed` when the project's folder cannot be written.
        """
        if self.mode == "reference":
            return {}
        try:
            self._mark.touch()
            if self.folder.exists():
                # A finished import's files whose record is gone: not ours to delete.
                self.folder.rename(_free(self.folder))
            self.folder.mkdir()
            return self._put(pictures, watch)
        except OSError as error:
            raise ImportFailed(
                f"The images cannot be stored in '{clean(str(self.folder))}': {error.strerror}.",
                "Check that the disk is not full and the folder can be written."
                " The project is as it was.",
            ) from error

    def _put(self, pictures: Sequence[Picture], watch: Watch) -> dict[int, str]:
        made: set[str] = {""}
        unreadable: dict[int, str] = {}
        link = self.mode in ("link", "move")
        base = f"{self.folder}/"
        for number, picture in enumerate(pictures):
            if not number % _TICK:
                watch.tick("images", number, len(pictures))
            head = picture.target.rpartition("/")[0]
            if head not in made:
                (self.folder / head).mkdir(parents=True, exist_ok=True)
                made.add(head)
            source = picture.source
            if picture.link:
                source = os.path.realpath(source)
            target = base + picture.target
            if link:
                try:
                    os.link(source, target)
                    continue
                except OSError as error:
                    if error.errno == errno.ENOENT:
                        unreadable[number] = "it is gone"
                        continue
                    if error.errno not in _NO_LINK:
                        raise
                    link = error.errno not in _NEVER_AGAIN
            problem = self._copy(source, target)
            if problem:
                unreadable[number] = problem
        self._moved = [
            picture.source for n, picture in enumerate(pictures) if n not in unreadable
        ] if self.mode == "move" else []  # fmt: skip
        watch.tick("images", len(pictures), len(pictures))
        return unreadable

    def _copy(self, source: str, target: str) -> str:
        try:
            reading = open(source, "rb")  # noqa: PTH123, SIM115
        except OSError as error:
            return error.strerror or "it cannot be read"
        with reading, open(target, "xb") as writing:  # noqa: PTH123
            shutil.copyfileobj(reading, writing, 1 << 20)
            if self.mode == "move":
                # The source is about to go: the copy must be on the disk, not in the cache.
                writing.flush()
                os.fsync(writing.fileno())
        return ""

    def keep(self) -> None:
        """Settle the files after the commit; a move's sources go now."""
        for source in self._moved:
            try:
                os.unlink(source)  # noqa: PTH108
            except OSError:
                continue  # A source that cannot go is a copy too many, no loss.
        self._mark.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the files of an import that did not come to be."""
        if self._mark.exists():
            remove_tree(self.folder)
            self._mark.unlink(missing_ok=True)


def _free(folder: Path) -> Path:
    number = 1
    while (aside := folder.with_name(f"{folder.name}.unknown-{number}")).exists():
        number += 1
    return aside
