"""Rules on image files: missing, damaged, of another size or mode, and there more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.common.text import clean, plural
from core.data.health.report import EXAMPLES, Finding, Severity
from core.data.health.scan import ScannedImage, good
from core.data.health.similar_images import alike, same
from core.data.images.exif_orientation import shown_size, turn_for_boxes

USUAL_MODES = frozenset({"RGB", "L"})
# More than 8 bits a channel: what reads them as 8 cuts off all but the darkest part.
_DEEP = ("I", "F")


@dataclass(frozen=True)
class ImageRow:
    """An image as the project has it."""

    id: int
    width: int
    height: int
    split: str | None
    grp: str | None
    boxes: int


def check_files(rows: Mapping[int, ImageRow], scanned: Sequence[ScannedImage]) -> list[Finding]:
    """Return the findings on single files."""
    found: list[Finding] = []
    missing = [item.id for item in scanned if item.state == "missing"]
    if missing:
        found.append(
            _finding(
                "image-missing", "error", missing,
                f"{plural(len(missing), 'image file')} missing.",
                "Bring them back, or take the images out of the project.",
                "take the images out of the project",
            )
        )  # fmt: skip
    bad = [item for item in scanned if item.state == "bad"]
    if bad:
        found.append(
            _finding(
                "image-unreadable", "error", [item.id for item in bad],
                f"{plural(len(bad), 'image file')} cannot be read ({bad[0].reason}).",
                "Bring them back whole, or take the images out of the project.",
                "take the images out of the project",
                {"reasons": {item.id: item.reason for item in bad}},
            )
        )  # fmt: skip
    return found + _sizes(rows, scanned) + _modes(scanned)


def check_groups(rows: Mapping[int, ImageRow]) -> list[Finding]:
    """Return the finding on groups, such as the frames of a video, that are in several splits."""
    members: dict[str, list[int]] = {}
    for row in rows.values():
        if row.grp is not None and row.split is not None:
            members.setdefault(row.grp, []).append(row.id)
    torn = {grp: group for grp, group in members.items() if _splits(rows, group) > 1}
    if not torn:
        return []
    return [
        _finding(
            "group-torn", "serious", [image for group in torn.values() for image in group],
            f"{plural(len(torn), 'group')} of images in several splits"
            f" (such as '{clean(next(iter(torn)))}').",
            "Frames of one video, or copies of one picture, are nearly the same: the model is"
            " tested on what it has learned.",
            "move each group into one split, train where one is there",
            {"splits": _moves(rows, torn.values())},
        )
    ]  # fmt: skip


def check_copies(
    rows: Mapping[int, ImageRow],
    scanned: Sequence[ScannedImage],
    cancelled: Callable[[], bool] | None = None,
) -> list[Finding]:
    """Return the findings on images that are there more than once. Raises `Cancelled`."""
    whole = list(good(scanned))
    equal, similar = same(whole), alike(whole, cancelled)
    found: list[Finding] = []
    leaks = [group for group in _linked(equal, similar) if _splits(rows, group) > 1]
    moved = _moves(rows, leaks)
    if leaks:
        found.append(
            Finding(
                kind="leakage",
                severity="serious",
                message=(
                    f"{plural(len(leaks), 'picture')} in more than one split, as the same or"
                    " nearly the same image."
                ),
                hint="The model is tested on what it has learned: its metrics are too good.",
                subject="image",
                ids=tuple(image for group in leaks for image in group),
                images=tuple([image for group in leaks for image in group][:EXAMPLES]),
                fix="move the copies into one split, train where one is there",
                data={"groups": leaks, "splits": moved},
            )
        )
    if equal:
        extra = [image for group in equal for image in _rest(rows, group)]
        found.append(
            _finding(
                "image-duplicate", "notice", extra,
                f"{plural(len(extra), 'exact copy', 'exact copies')} of other images.",
                "Copies weigh their content twice. Keep the one with the most boxes.",
                "take the copies out of the project",
                {"groups": equal},
            )
        )  # fmt: skip
    loose = [group for group in similar if not _together(rows, group)]
    if loose:
        found.append(
            _finding(
                "image-near-duplicate", "notice", [image for group in loose for image in group],
                f"{plural(len(loose), 'group')} of images that look nearly the same.",
                "Put each group into one split: images in a group are never divided.",
                "group them, so that a split never divides them",
                {"groups": loose},
            )
        )  # fmt: skip
    return found


def _sizes(rows: Mapping[int, ImageRow], scanned: Sequence[ScannedImage]) -> list[Finding]:
    sizes: dict[int, tuple[int, int]] = {}
    turned: list[int] = []
    for item in scanned:
        if item.state != "good" or not item.width:
            continue
        row = rows[item.id]
        recorded, stored = (row.width, row.height), (item.width, item.height)
        turn = turn_for_boxes(item.orientation, recorded, stored)
        if turn != 1:
            turned.append(item.id)
        if recorded != shown_size(stored, turn):
            sizes[item.id] = shown_size(stored, turn)
    found = []
    if sizes:
        first = next(iter(sizes))
        was, now = rows[first], sizes[first]
        found.append(
            _finding(
                "image-size", "serious", list(sizes),
                f"{plural(len(sizes), 'image')} of another size than recorded"
                f" (such as {now[0]}×{now[1]} instead of {was.width}×{was.height}).",
                "Boxes are in pixels: look whether they still fit, or import again.",
                "record the size that the files have",
                {"sizes": sizes},
            )
        )  # fmt: skip
    if turned:
        found.append(
            _finding(
                "image-turned", "serious", turned,
                f"{plural(len(turned), 'image')} upright only by the EXIF tag.",
                "Boxes are of the upright picture; training turns it, but other programs may not.",
                "use copies that are upright",
            )
        )  # fmt: skip
    return found


def _modes(scanned: Sequence[ScannedImage]) -> list[Finding]:
    whole = list(good(scanned))
    deep = [item for item in whole if item.mode.startswith(_DEEP)]
    odd = [item for item in whole if item.mode not in USUAL_MODES and item not in deep]
    found = []
    if deep:
        found.append(
            _finding(
                "image-depth", "serious", [item.id for item in deep],
                f"{plural(len(deep), 'image')} with more than 8 bits a channel"
                f" ({_modes_of(deep)}).",
                "Training reads 8 bits and sees them white. Convert them with the contrast that"
                " matters, and import them again.",
            )
        )  # fmt: skip
    if odd:
        found.append(
            _finding(
                "image-mode", "notice", [item.id for item in odd],
                f"{plural(len(odd), 'image')} neither colour nor grey ({_modes_of(odd)}).",
                "They are converted as they are read; transparency is lost and CMYK colours shift.",
                "use copies in RGB",
            )
        )  # fmt: skip
    return found


def _modes_of(items: Iterable[ScannedImage]) -> str:
    return ", ".join(sorted({item.mode for item in items}))


def _linked(equal: list[list[int]], similar: list[list[int]]) -> list[list[int]]:
    """Return groups of the same picture: those that look alike, with the equal files of each."""
    copies = {group[0]: group for group in equal}
    joined = [
        sorted({image for head in group for image in copies.pop(head, [head])}) for group in similar
    ]
    return joined + list(copies.values())


def _splits(rows: Mapping[int, ImageRow], group: Sequence[int]) -> int:
    return len({rows[image].split for image in group} - {None})


def _moves(rows: Mapping[int, ImageRow], leaks: Iterable[Sequence[int]]) -> dict[int, str]:
    """Return the split that each image is to go to; groups such as a video's frames go whole."""
    moves: dict[int, str] = {}
    groups: dict[str, str] = {}
    for leak in leaks:
        splits = {rows[image].split for image in leak}
        to = "train" if "train" in splits else "valid"
        for image in leak:
            if rows[image].split not in (to, None):
                moves[image] = to
                grp = rows[image].grp
                if grp is not None:
                    groups[grp] = to
    for row in rows.values():
        if row.grp in groups and row.split not in (groups[row.grp], None):
            moves.setdefault(row.id, groups[row.grp])
    return moves


def _rest(rows: Mapping[int, ImageRow], group: Sequence[int]) -> list[int]:
    """Return all but the one to keep: the one with the most boxes, of equals the first."""
    keep = max(group, key=lambda image: (rows[image].boxes, -image))
    return [image for image in group if image != keep]


def _together(rows: Mapping[int, ImageRow], group: Sequence[int]) -> bool:
    groups = {rows[image].grp for image in group}
    return len(groups) == 1 and None not in groups


def _finding(
    kind: str,
    severity: Severity,
    ids: Sequence[int],
    message: str,
    hint: str,
    fix: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        message=message,
        hint=hint,
        subject="image",
        ids=tuple(ids),
        images=tuple(ids[:EXAMPLES]),
        fix=fix,
        data=data or {},
    )
