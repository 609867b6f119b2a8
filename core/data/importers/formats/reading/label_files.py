"""A text file for each picture, in a folder of its own, as KITTI, DOTA and VisDrone have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from core.data.importers.formats.look import Look
from core.data.importers.formats.reading.pictures import Pictures
from core.data.importers.formats.reading.text_files import lines_of

# Number of a picture, a line of its file, and where that stands.
TakeLine = Callable[[Pictures, int, str, str], None]


def read_folder(
    pictures: Pictures,
    labels: Path,
    images: Sequence[Path],
    split: str | None,
    take_line: TakeLine,
    *,
    header: Callable[[str], object] = lambda line: None,
) -> None:
    """Read the text files in `labels`: `take_line` gets each line that says something.

    The picture of a file is the one of its name in one of `images`; those in the first of them
    that no file describes show nothing. Lines that are a `header` are passed over.
    """
    data = pictures.data
    for file in pictures.folders.with_ending(labels, ".txt"):
        lines = lines_of(file)
        if lines is None:
            data.balance.leave(str(file), "it is no text")
            data.problems.add("unreadable label file", file.name, "it is no text")
            # Nor is its picture one that shows nothing.
            if (found := pictures.with_stem(file.stem, images)) is not None:
                pictures.taken.setdefault(found.path, None)
            continue
        rows = [
            (place, line)
            for place, line in enumerate(lines, 1)
            if line.strip() and not header(line)
        ]
        found = pictures.with_stem(file.stem, images)
        if found is None:
            data.balance.miss(str(file), "its image is not there")
            pictures.missing(file.name, f"{file.stem}.jpg")
            continue
        image = pictures.take(found, split, file.name)
        if image is None:
            data.balance.leave(str(file), "its image cannot be read")
            continue
        data.balance.use(str(file), empty=not rows)
        data.balance.found(len(rows))
        for place, line in rows:
            take_line(pictures, image, line, f"{file.name}: line {place}")
    for folder in images[:1]:
        pictures.rest(folder, split)


def looks_like(
    look: Look,
    folders: Sequence[str],
    is_line: Callable[[str], bool],
    *,
    header: Callable[[str], object] = lambda line: None,
) -> bool:
    """Whether the first text file that says something, in a folder so named, has only such lines.

    `folders` are names in lower case; what a path names itself counts too, a folder or a file.
    """
    names = [
        name
        for name in look.ending(".txt")
        if "/" not in name or any(part.lower() in folders for part in name.split("/")[:-1])
    ]
    for name in names[:50]:
        # The last line of the beginning may be cut.
        lines = look.head(name).splitlines()
        lines = [line for line in (lines[:-1] or lines)[:20] if line.strip()]
        rows = [line for line in lines if not header(line)]
        if rows:
            return all(is_line(line) for line in rows[:5])
        if lines:
            return True
    return False
