"""Pictures without labels, such as those that are to be labelled here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.common.errors import ImportFailed
from core.common.files import FileMode
from core.common.progress import Progress
from core.common.text import clean, plural
from core.data.importers.commit import commit
from core.data.importers.dataset import DataSet, Picture
from core.data.importers.image_files import no_size, read_size, walk_images
from core.data.importers.import_folder import import_folder
from core.data.importers.report import ImportReport, Watch
from core.data.importers.split_names import split_named
from core.data.store import Project


def import_pictures(
    project: Project,
    files: Sequence[Path],
    *,
    mode: FileMode = "link",
    detail: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImportReport:
    """Import picture files as they are, without labels, in one step.

    `detail` is kept with the import. Of files that are no pictures the report says why. Raises
    `ImportFailed` when none is one, `ProjectLocked` and `Cancelled`; the project is then as it was.
    """
    data = DataSet("pictures", plural(len(files), "picture"))
    data.detail.update(detail or {})
    for file in files:
        size = read_size(str(file))
        if size is None:
            data.problems.add("unreadable image", file.name, no_size(str(file)))
            continue
        data.images.append(Picture(str(file.absolute()), file.name, file.name, *size))
    if not data.images and len(files) == 1:
        raise ImportFailed(
            f"'{clean(files[0].name)}' is no picture: {no_size(str(files[0]))}.",
            "JPEG, PNG, WebP, BMP, TIFF and, with the extra 'heic', HEIC are read.",
        )
    return commit(project, data, files=mode, progress=progress, cancelled=cancelled)


def read_pictures(source: Path, watch: Watch) -> DataSet:
    """Return the pictures below a folder, or the one that `source` is, without labels.

    A folder that is called like a split, such as `train`, puts its pictures there. Raises
    `ImportFailed` when there is none.
    """
    data = DataSet("images", str(source))
    folder = source if source.is_dir() else source.parent
    names = walk_images(source) if source.is_dir() else [source.name]
    for number, name in enumerate(names):
        watch.tick("pictures", number, len(names))
        path = folder / name
        size = read_size(str(path))
        if size is None:
            data.problems.add("unreadable image", name, no_size(str(path)))
            continue
        split = next(
            (found for part in Path(name).parts[:-1] if (found := split_named(part))), None
        )
        data.images.append(Picture(str(path), name, Path(name).name, *size, split=split))
    if not names:
        raise ImportFailed(
            f"There is no picture in '{clean(str(source))}'.",
            "JPEG, PNG, WebP, BMP, TIFF and, with the extra 'heic', HEIC are read.",
        )
    return data


def import_images(project: Project, source: Path, **how: Any) -> ImportReport:
    """Import the pictures at `source`, a folder, a file or a ZIP, without labels, in one step.

    `how` is what `import_folder` takes. Raises as it does.
    """
    return import_folder(read_pictures, project, source, **how)
