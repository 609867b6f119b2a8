"""A data set in a ZIP archive, as most of them are downloaded.

It is unpacked into a folder of the project's own, from which images are linked to their place
without a copy, and which is gone when the import ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from core.common.errors import ImportFailed
from core.common.files import FileMode
from core.common.progress import Progress
from core.common.temporary import folder_beside
from core.common.text import clean
from core.common.zip_archive import extract_zip
from core.data.importers.image_files import place_of
from core.data.importers.split_names import split_named
from core.data.store import Project

_DEEPEST = 6
_PARTS = frozenset({"images", "labels", "annotations", "jpegimages", "data"})


@contextmanager
def unpacked(
    project: Project,
    source: Path,
    files: FileMode,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[tuple[Path, FileMode]]:
    """Yield where the data set at `source` lies, and how its images are to be taken.

    That is `source` itself, or the folder into which it was unpacked when it is a ZIP archive; of
    folders that hold nothing but one folder, the innermost. Raises `ImportFailed` for an archive
    that is damaged or unsafe (see `core.common.zip_archive`) or whose images were to be left in it,
    and `Cancelled`.
    """
    source = place_of(source)
    if source.suffix.lower() != ".zip" or not source.is_file():
        yield source, files
        return
    if files == "reference":
        raise ImportFailed(
            "Images in an archive cannot be left where they are.",
            "Have them linked or copied, or unpack the archive yourself.",
        )
    with scratch(project) as folder:
        target = folder / "data"
        extract_zip(
            source,
            target,
            progress=lambda done, total: progress and progress(Progress("unpacking", done, total)),
            cancelled=cancelled,
        )
        try:
            yield _innermost(target), "link"
        except ImportFailed as error:
            # Where it was unpacked is of no use to anyone.
            place = str(target)
            raise ImportFailed(
                error.message.replace(place, clean(source.name)),
                error.hint.replace(place, clean(source.name)),
            ) from None


@contextmanager
def scratch(project: Project) -> Iterator[Path]:
    """A folder in the project, from which files are linked to their place without a copy.

    It is gone afterwards; what a crash leaves of it, the next change of the project
    removes.
    """
    stack = ExitStack()
    try:
        folder = stack.enter_context(folder_beside(project.images_dir / "incoming"))
    except OSError as error:
        raise ImportFailed(
            f"The project's folder cannot be written: {error.strerror}.",
            f"Check the space and permissions of '{clean(str(project.path))}'.",
        ) from error
    with stack:
        yield folder


def _innermost(folder: Path) -> Path:
    """Return the innermost of folders that hold one folder and, at most, papers about it."""
    for _ in range(_DEEPEST):
        # macOS packs what it knows of the files beside them.
        entries = [
            path
            for path in folder.iterdir()
            if not path.name.startswith(".") and path.name != "__MACOSX"
        ]
        inner = [path for path in entries if path.is_dir()]
        if len(inner) != 1 or not all(map(_is_paper, (e for e in entries if e not in inner))):
            break
        # `images` beside a readme is the data set's own.
        if len(entries) > 1 and (inner[0].name.lower() in _PARTS or split_named(inner[0].name)):
            break
        folder = inner[0]
    return folder


def _is_paper(path: Path) -> bool:
    """Whether a file tells people about a data set and holds none of it."""
    name = path.name.lower()
    return name.endswith((".md", ".pdf", ".html", ".url", ".rst", ".bib")) or name.startswith(
        ("readme", "license", "licence", "notice", "citation", "copyright")
    )
