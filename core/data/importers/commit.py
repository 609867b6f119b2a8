"""Taking a data set into the store: one transaction, one entry in the history.

Images and annotations are written in bulk and not row by row into the history: what makes them
visible, and what undo takes back, is the import's own row.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from core.common.errors import ImportFailed
from core.common.files import FileMode
from core.common.progress import Progress
from core.common.text import clean, plural
from core.data.importers.dataset import DataSet, Picture
from core.data.importers.files.copy_images import Placement
from core.data.importers.files.store_pictures import storable_pictures
from core.data.importers.report import ImportReport, Watch
from core.data.labels.provenance import Made
from core.data.store import Change, Project
from core.late import late

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


_IMAGE = (
    *("id", "import_id", "path", "name", "width", "height", "split", "grp", "time", "extra"),
    *("review", "reviewed_at", "reviewed_by"),
)
_ANNOTATION = (
    *("image_id", "label_id", "x", "y", "w", "h", "iscrowd", "segmentation", "extra", "area"),
    *("source", "model", "score", "edited", "track"),
)
_MODES = ("link", "copy", "move", "reference")
# Rows a statement and rows a batch: a hundred rows in one INSERT take half the time of one each
# (measured, 1,000,000 rows: 0.49 s against 0.93 s).
_TOGETHER = 100
_BATCH = 200 * _TOGETHER
# A box that nothing is said of but what all have.
_UNSAID = Made()
# From this many rows on, building an index anew beats adding to it row by row.
_REBUILD = 20_000


def commit(
    project: Project,
    data: DataSet,
    *,
    files: FileMode = "link",
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ImportReport:
    """Take `data` into the project and return the report of it.

    Raises `ImportFailed` when there is no image in it or its files cannot be stored,
    `ProjectLocked`, and `Cancelled`; the project is then as it was.
    """
    return commit_all(project, [data], files=files, progress=progress, cancelled=cancelled)[0]


def commit_all(
    project: Project,
    sets: Sequence[DataSet],
    *,
    files: FileMode = "link",
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[ImportReport]:
    """Take several data sets into the project in one step, an import each; otherwise as `commit`.

    Sets without an image are passed over, unless none has any.
    """
    if files not in _MODES:
        raise ImportFailed(
            f"There is no way '{clean(files)}' to take image files.",
            f"There are: {', '.join(_MODES)}.",
        )
    if not any(data.images for data in sets):
        raise _nothing(sets)
    watch = Watch(progress, cancelled)
    with storable_pictures(project, sets, files, watch):
        if not any(data.images for data in sets):
            raise _nothing(sets)
        return _commit(project, sets, files, watch)


def _commit(
    project: Project, sets: Sequence[DataSet], files: FileMode, watch: Watch
) -> list[ImportReport]:
    placements: list[Placement] = []
    reports: list[ImportReport] = []
    try:
        with project.change("import", f"Import of {sets[0].origin}") as change:
            for data in sets:
                if data.images:
                    reports.append(_one(project, change, data, files, placements, watch))
            _describe(project, change, reports)
    except BaseException:
        # An interruption just after the commit must not take the files of a finished import.
        for placement in placements:
            if not _is_in(project, placement.import_id):
                placement.discard()
        raise
    for placement in placements:
        placement.keep()
    return reports


def _nothing(sets: Sequence[DataSet]) -> ImportFailed:
    wrong = [f"{kind}: {count}" for data in sets for kind, count in data.problems.counts.items()]
    origin = clean(sets[0].origin) if sets else ""
    return ImportFailed(
        f"There is no image to import in '{origin}'.",
        f"What was wrong: {', '.join(wrong)}; {_example(sets)}."
        if wrong
        else "Choose another folder or file.",
    )


def _example(sets: Sequence[DataSet]) -> str:
    first = next(problem for data in sets for problem in data.problems.listed)
    return f"such as {clean(first.where)}: {clean(first.detail)}"


def _one(
    project: Project,
    change: Change,
    data: DataSet,
    files: FileMode,
    placements: list[Placement],
    watch: Watch,
) -> ImportReport:
    """Write one data set; its placement joins `placements` before the first file is placed."""
    row = {
        "kind": data.kind,
        "origin": data.origin,
        "at": data.at or datetime.now(UTC).isoformat(timespec="seconds"),
        "active": 1,
    }
    import_id = change.insert("imports", row)
    placement = Placement(project.images_dir, import_id, files)
    placements.append(placement)
    data.part_targets()
    placed = [*data.images, *data.attachments]
    gone = placement.put(placed, watch)
    for number, why in gone.items():
        kind = "unreadable image" if number < len(data.images) else "unreadable file"
        data.problems.add(kind, placed[number].name, why)
    gone = {number: why for number, why in gone.items() if number < len(data.images)}
    if len(gone) == len(data.images):
        raise ImportFailed(
            f"None of the {plural(len(gone), 'image')} can be read.",
            "Check the permissions of the files.",
        )
    return _write(project, change, import_id, data, gone, files, watch)


def _describe(project: Project, change: Change, reports: list[ImportReport]) -> None:
    images = sum(report.images for report in reports)
    annotations = sum(report.annotations for report in reports)
    detail = {
        "import_ids": [report.import_id for report in reports],
        "images": images,
        "annotations": annotations,
    }
    summary = (
        f"Imported {plural(images, 'image')} and {plural(annotations, 'annotation')}"
        f" from {reports[0].origin}"
    )
    if len(reports) > 1:
        summary += f" and {len(reports) - 1} more"
    project.describe(change, summary, detail)


def _is_in(project: Project, import_id: int) -> bool:
    row = project.db.execute("SELECT 1 FROM imports WHERE id = ?", (import_id,)).fetchone()
    return row is not None


def _write(
    project: Project,
    change: Change,
    import_id: int,
    data: DataSet,
    gone: dict[int, str],
    files: FileMode,
    watch: Watch,
) -> ImportReport:
    image_ids = _images(project, import_id, data, gone, files)
    of_image, of_label, boxes = data.columns()
    # In the order of images: an image's boxes then lie together in the file, and its index is
    # built in one pass.
    order = _order(of_image)
    if gone:
        order = order[image_ids[of_image[order]] > 0]
    _correct(data, len(data.images) - len(gone), len(order))
    counts = np.bincount(of_label[order], minlength=len(data.labels))
    on_images = _images_of(of_image[order], of_label[order], len(data.images), len(data.labels))
    label_ids, classes = _labels(project, change, import_id, data, counts, on_images)
    tracks = _tracks(project, change, data, label_ids)
    with _rebuilt_indexes(project, len(order)):
        _annotations(
            project, data, order, image_ids[of_image], label_ids[of_label], boxes, tracks, watch
        )
    splits = {
        split or "none": count
        for split, count in Counter([p.split for p in _kept(data, gone)]).items()
    }
    report = ImportReport(
        import_id=import_id,
        kind=data.kind,
        origin=data.origin,
        images=len(data.images) - len(gone),
        annotations=len(order),
        classes=classes,
        problems=data.problems.listed,
        files=files,
        splits=splits,
        problem_counts=dict(data.problems.counts),
        balance=data.detail.get("balance", {}),
    )
    detail = {
        "images": report.images,
        "annotations": report.annotations,
        "classes": len(classes),
        "splits": splits,
        "files": files,
        "problems": report.problem_counts,
        **data.detail,
    }
    if tracks:
        # By the numbers that the data set had for them, for an export back to its format.
        detail["tracks"] = [[*named, number] for named, number in tracks.items()]
    change.update("imports", import_id, {"detail": json.dumps(detail)})
    return report


def _correct(data: DataSet, images: int, annotations: int) -> None:
    """Take out of the balance what was weighed and then could not be stored."""
    if data.weighed is None:
        return
    balance, *counts = data.weighed
    for part, count, now, why in (
        ("images", counts[0], images, "it cannot be read"),
        ("objects", counts[1], annotations, "image left out"),
    ):
        if lost := count - now:
            balance[part]["taken"] -= lost
            balance[part]["left"][why] = balance[part]["left"].get(why, 0) + lost


def _images(
    project: Project, import_id: int, data: DataSet, gone: dict[int, str], files: FileMode
) -> NDArray[np.int64]:
    """Write the images; return their ids (n,), 0 for the ones that are left out."""
    first = project.db.execute("SELECT coalesce(max(id), 0) + 1 FROM images").fetchone()[0]
    ids = np.arange(first, first + len(data.images))
    ids[list(gone)] = 0
    prefix = f"{import_id}/"
    kept = files != "reference"
    odd = any(p.grp is not None or p.time is not None or p.extra is not None for p in data.images)
    reviewed = any(p.reviewed is not None for p in data.images)
    pictures = _kept(data, gone)
    columns = [
        ids[ids > 0].tolist(),
        [import_id] * len(pictures),
        [prefix + p.target for p in pictures] if kept else [p.source for p in pictures],
        [p.name for p in pictures],
        [p.width for p in pictures],
        [p.height for p in pictures],
        [p.split for p in pictures],
    ]
    if odd or reviewed:
        columns += [
            [p.grp for p in pictures], [p.time for p in pictures], [p.extra for p in pictures],
        ]  # fmt: skip
    if reviewed:
        columns += [
            [p.reviewed and p.reviewed.state for p in pictures],
            [p.reviewed and p.reviewed.at for p in pictures],
            [p.reviewed and p.reviewed.by for p in pictures],
        ]
    _insert(project, "images", _IMAGE[: len(columns)], columns)
    return ids


def _kept(data: DataSet, gone: dict[int, str]) -> list[Picture]:
    if not gone:
        return data.images
    return [picture for number, picture in enumerate(data.images) if number not in gone]


def _order(of_image: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the places of annotations in the order of their images, (n,), as given within one."""
    # Sorting plain integers is several times as fast as a stable argsort: image and place in one.
    keys = of_image.astype(np.int64) << 32 | np.arange(len(of_image), dtype=np.int64)
    keys.sort()
    return keys & 0xFFFFFFFF


def _images_of(
    of_image: NDArray[np.int32], of_label: NDArray[np.int32], images: int, labels: int
) -> NDArray[np.int64]:
    """Return on how many images each label is, (labels,)."""
    pairs = of_label.astype(np.int64) * images + of_image
    if labels * images <= 200_000_000:
        seen = np.zeros(labels * images, bool)
        seen[pairs] = True
        counts: NDArray[np.int64] = seen.reshape(labels, images).sum(axis=1)
        return counts
    return np.bincount(np.unique(pairs) // images, minlength=labels)


def _labels(
    project: Project,
    change: Change,
    import_id: int,
    data: DataSet,
    counts: NDArray[np.int64],
    on_images: NDArray[np.int64],
) -> tuple[NDArray[np.int64], list[str]]:
    """Write the class names; return the labels' ids (n,) and the names of their classes."""
    classes = {row[1]: row[0] for row in project.db.execute("SELECT id, name FROM classes")}
    ids = np.zeros(len(data.labels), np.int64)
    names: set[str] = set()
    for number, label in enumerate(data.labels):
        if label.idle and not counts[number]:
            continue
        name = label.name.strip()
        names.add(name)
        if name not in classes:
            row = {"name": name, "supercategory": label.supercategory}
            classes[name] = change.insert("classes", row)
        cursor = project.db.execute(
            "INSERT INTO labels(import_id, name, class_id, annotations, images)"
            " VALUES (?, ?, ?, ?, ?)",
            (import_id, label.name, classes[name], int(counts[number]), int(on_images[number])),
        )
        ids[number] = cursor.lastrowid or 0
    return ids, sorted(names)


def _tracks(
    project: Project, change: Change, data: DataSet, label_ids: NDArray[np.int64]
) -> dict[tuple[str, str], int]:
    """Write the tracks; return their rows by video and the data set's own key."""
    class_of = dict(project.db.execute("SELECT id, class_id FROM labels").fetchall())
    return {
        (video, key): change.insert(
            "tracks",
            {
                "grp": video,
                "class_id": None if t.label is None else class_of.get(int(label_ids[t.label])),
                "approved": int(t.approved),
            },
        )
        for (video, key), t in data.tracks.items()
    }


class _rebuilt_indexes:  # noqa: N801 (reads as the context it is)
    """Drop the indexes of `annotations` in the block and build them again after it, if it pays."""

    def __init__(self, project: Project, coming: int) -> None:
        self.db = project.db
        have = self.db.execute("SELECT coalesce(max(id), 0) FROM annotations").fetchone()[0]
        self.indexes = (
            self.db.execute(
                "SELECT name, sql FROM sqlite_master"
                " WHERE type = 'index' AND tbl_name = 'annotations' AND sql IS NOT NULL"
            ).fetchall()
            if coming >= max(_REBUILD, have // 2)
            else []
        )

    def __enter__(self) -> None:
        for name, _ in self.indexes:
            self.db.execute(f'DROP INDEX "{name}"')

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is None:
            for _, sql in self.indexes:
                self.db.execute(sql)


def _annotations(
    project: Project,
    data: DataSet,
    order: NDArray[np.int64],
    image_ids: NDArray[np.int64],
    label_ids: NDArray[np.int64],
    boxes: NDArray[np.float64],
    tracks: Mapping[tuple[str, str], int],
    watch: Watch,
) -> None:
    extras = bool(data.iscrowd or data.segmentation or data.extra or data.area or data.made)
    for start in range(0, len(order), _BATCH):
        watch.tick("annotations", start, len(order))
        rows = order[start : start + _BATCH]
        columns = [image_ids[rows].tolist(), label_ids[rows].tolist(), *boxes[rows].T.tolist()]
        if extras:
            columns += [
                [data.iscrowd.get(row, 0) for row in rows.tolist()],
                [data.segmentation.get(row) for row in rows.tolist()],
                [data.extra.get(row) for row in rows.tolist()],
                [data.area.get(row) for row in rows.tolist()],
            ]
        if data.made:
            made = [data.made.get(row, _UNSAID) for row in rows.tolist()]
            columns += [
                [m.source for m in made],
                [m.model for m in made],
                [m.score for m in made],
                [int(m.edited) for m in made],
                [None if m.track is None else tracks.get(m.track) for m in made],
            ]
        _insert(project, "annotations", _ANNOTATION[: len(columns)], columns)
    watch.tick("annotations", len(order), len(order))


def _insert(
    project: Project, table: str, names: Sequence[str], columns: Sequence[Sequence[Any]]
) -> None:
    """Insert rows given as columns, many to a statement and what is left one by one."""
    width, count = len(names), len(columns[0])
    # Column by column into place: half the time of zipping rows and chaining them.
    values: list[Any] = [None] * (width * count)
    for place, column in enumerate(columns):
        values[place::width] = column
    row = f"({', '.join('?' * width)})"
    head = f"INSERT INTO {table}({', '.join(names)}) VALUES "
    whole = width * (count - count % _TOGETHER)
    for rows, start, stop in ((_TOGETHER, 0, whole), (1, whole, len(values))):
        step = rows * width
        project.db.executemany(
            head + ", ".join([row] * rows),
            (values[at : at + step] for at in range(start, stop, step)),
        )
