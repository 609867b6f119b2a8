"""What can be put right without a person's eye, each as one step that can be undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PIL import Image

from core.common.errors import BatmanError, ProjectError
from core.common.temporary import file_beside
from core.common.text import clean, plural
from core.data.health.images import USUAL_MODES
from core.data.health.report import Finding
from core.data.images.exif_orientation import ORIENTATION, orientation_of, turned
from core.data.store import Change, HistoryEntry, Project

COPIES = "put-right"
"""The folder in `images/` of pictures that were turned or converted."""
_QUALITY = 95


def fix(project: Project, finding: Finding) -> HistoryEntry | None:
    """Do what `finding.fix` says, as one step in the history, and return it.

    Rows that were changed or deleted since the check are left alone; None when nothing was left to
    do. Image files are never changed or deleted: a copy that is put right takes the place of the
    file, and undo brings the file back. Raises `BatmanError` for a finding that has no fix, and
    `ProjectLocked`.
    """
    action = _FIXES.get(finding.kind)
    if action is None or finding.fix is None:
        raise BatmanError(f"There is no fix for '{clean(finding.kind)}'.", finding.hint)
    with project.change("health.fix", f"Fix: {finding.fix}") as change:
        count, noun = action(project, change, finding)
        if change.empty:
            return None
        project.describe(
            change,
            f"Check: {finding.fix} ({plural(count, noun)})",
            {"finding": finding.kind, "count": count},
        )
    return project.entry(change.history_id)


Action = Callable[[Project, Change, Finding], tuple[int, str]]


def _remove_images(project: Project, change: Change, finding: Finding) -> tuple[int, str]:
    ids = _visible(project, finding.ids)
    _delete_images(project, change, ids)
    return len(ids), "image"


def _remove_copies(project: Project, change: Change, finding: Finding) -> tuple[int, str]:
    """Remove copies, of each group only while another of it is still there."""
    there = set(_visible(project, finding.ids)) | set(
        _visible(project, [image for group in finding.data["groups"] for image in group])
    )
    gone: list[int] = []
    for group in finding.data["groups"]:
        left = [image for image in group if image in there]
        extra = [image for image in left if image in set(finding.ids)]
        gone += extra if len(extra) < len(left) else extra[1:]
    _delete_images(project, change, gone)
    return len(gone), "image"


def _delete_images(project: Project, change: Change, ids: Sequence[int]) -> None:
    change.update_many("images", ["deleted"], [(image, 1) for image in ids])
    boxes = project.db.execute(
        "SELECT id FROM annotations WHERE deleted = 0"
        " AND image_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    ).fetchall()
    change.update_many("annotations", ["deleted"], [(row[0], 1) for row in boxes])


def _remove_boxes(project: Project, change: Change, finding: Finding) -> tuple[int, str]:
    ids = [row[0] for row in _boxes(project, finding.ids)]
    change.update_many("annotations", ["deleted"], [(box, 1) for box in ids])
    return len(ids), "box"


def _clip_boxes(project: Project, change: Change, finding: Finding) -> tuple[int, str]:
    """Clip to the image; the mask, if any, is left as it is.

    An area that the data set gave was that of the whole object.
    """
    clipped: list[tuple[int, float, float, float, float, None]] = []
    gone: list[int] = []
    for box, x, y, w, h, width, height in _boxes(project, finding.ids):
        left, top = min(max(x, 0.0), width), min(max(y, 0.0), height)
        right, bottom = min(max(x + w, 0.0), width), min(max(y + h, 0.0), height)
        if right - left > 0 and bottom - top > 0:
            clipped.append((box, left, top, right - left, bottom - top, None))
        else:
            gone.append(box)
    change.update_many("annotations", ["x", "y", "w", "h", "area"], clipped)
    change.update_many("annotations", ["deleted"], [(box, 1) for box in gone])
    return len(clipped) + len(gone), "box"


def _set_sizes(project: Project, change: Change, finding: Finding) -> tuple[int, str]:
    there = _visible(project, finding.ids)
    rows = [(image, *finding.data["sizes"][image]) for image in there]
    return change.update_many("images", ["width", "height"], rows), "image"


def _set_splits(project: Project, change: Change, finding: Finding) -> tuple[int, str]:
    splits = finding.data["splits"]
    rows = [(image, splits[image]) for image in _visible(project, list(splits))]
    return change.update_many("images", ["split"], rows), "image"


def _group(project: Project, change: Change, finding: Finding) -> tuple[int, str]:
    """Give each group of images one group name, and take in the groups that some had already."""
    named: dict[int, str] = {}
    moved: dict[str, str] = {}
    for group in finding.data["groups"]:
        there = _visible(project, group)
        if len(there) < 2:
            continue
        had = [
            row[0]
            for row in project.db.execute(
                "SELECT DISTINCT grp FROM images WHERE grp IS NOT NULL"
                " AND id IN (SELECT value FROM json_each(?)) ORDER BY grp",
                (json.dumps(there),),
            )
        ]
        had = list(dict.fromkeys(_end(moved, name) for name in had))
        name = had[0] if had else f"alike-{there[0]}"
        moved.update((other, name) for other in had[1:])
        named.update((image, name) for image in there)
    for row in project.db.execute(
        "SELECT id, grp FROM v_images WHERE grp IN (SELECT value FROM json_each(?))",
        (json.dumps(list(moved)),),
    ).fetchall():
        named.setdefault(row["id"], row["grp"])
    rows = [(image, _end(moved, name)) for image, name in named.items()]
    return change.update_many("images", ["grp"], rows), "image"


def _end(moved: dict[str, str], name: str) -> str:
    while name in moved:
        name = moved[name]
    return name


def _use_copies(project: Project, change: Change, finding: Finding) -> tuple[int, str]:
    """Write copies that are put right beside the originals, and have the project use those."""
    rows = project.db.execute(
        "SELECT id, path FROM v_images WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(finding.ids),),
    ).fetchall()
    done = []
    for image_id, path in rows:
        source = project.image_file(path)
        folder = project.images_dir / COPIES
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stem = folder / f"{image_id}-{source.stem[:100]}"
            target = _copy(source, stem, turn=finding.kind == "image-turned")
        except (OSError, ValueError, SyntaxError) as error:
            raise ProjectError(
                f"'{clean(source.name)}' could not be converted: {clean(str(error))}.",
                "Nothing was changed. Check the file and the space on the disk.",
            ) from None
        if target is not None:
            done.append((image_id, str(target.relative_to(project.images_dir))))
    return change.update_many("images", ["path"], done), "image"


def _copy(source: Path, stem: Path, *, turn: bool) -> Path | None:
    """Write the picture as RGB or grey, upright if `turn`; None when it is as it should be.

    Without `turn` pixels stay where they are, for the boxes may have been drawn on them so.
    """
    with Image.open(source) as image:
        orientation = orientation_of(image)
        if not (orientation != 1 if turn else image.mode not in USUAL_MODES):
            return None
        jpeg = image.format in ("JPEG", "MPO")
        # A TIFF is turned by loading it, and has no tag any more.
        image.load()
        exif = image.getexif()
        if turn:
            exif.pop(ORIENTATION, None)
        picture = turned(image, orientation) if turn else image
        if picture.mode not in USUAL_MODES:
            picture = picture.convert("RGB")
        target = stem.with_name(stem.name + (".jpg" if jpeg else ".png"))
        with file_beside(target) as making:
            if jpeg:
                picture.save(making, "JPEG", quality=_QUALITY, subsampling=0, exif=exif)
            else:
                picture.save(making, "PNG", exif=exif)
    return target


def _delete_classes(project: Project, change: Change, finding: Finding) -> tuple[int, str]:
    count = 0
    for class_id in finding.ids:
        used = project.db.execute(
            "SELECT 1 FROM v_annotations WHERE class_id = ? LIMIT 1", (class_id,)
        ).fetchone()
        there = project.db.execute("SELECT 1 FROM classes WHERE id = ?", (class_id,)).fetchone()
        if used or not there:
            continue
        labels = project.db.execute("SELECT id FROM labels WHERE class_id = ?", (class_id,))
        change.update_many("labels", ["class_id"], [(row[0], None) for row in labels.fetchall()])
        change.delete("classes", class_id)
        count += 1
    return count, "class"


def _visible(project: Project, ids: Iterable[int]) -> list[int]:
    rows = project.db.execute(
        "SELECT id FROM v_images WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (json.dumps(list(ids)),),
    )
    return [row[0] for row in rows]


def _boxes(
    project: Project, ids: Sequence[int]
) -> list[tuple[int, float, float, float, float, int, int]]:
    rows = project.db.execute(
        "SELECT a.id, a.x, a.y, a.w, a.h, i.width, i.height FROM v_annotations a"
        " JOIN v_images i ON i.id = a.image_id WHERE a.id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    )
    return [tuple(row) for row in rows]


_FIXES: dict[str, Action] = {
    "image-missing": _remove_images,
    "image-unreadable": _remove_images,
    "image-duplicate": _remove_copies,
    "image-near-duplicate": _group,
    "leakage": _set_splits,
    "group-torn": _set_splits,
    "image-size": _set_sizes,
    "image-turned": _use_copies,
    "image-mode": _use_copies,
    "box-degenerate": _remove_boxes,
    "box-outside": _remove_boxes,
    "box-repeated": _remove_boxes,
    "box-past-edge": _clip_boxes,
    "class-empty": _delete_classes,
}
