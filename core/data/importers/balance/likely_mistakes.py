"""What looks like a mistake in a data set that was read, before any of it is written.

The thresholds. Pictures without an object are what every set has some of, and what a mistaken path
or name makes of all: a picture that *loses* its labels is one without a label file while a label
file without a picture lies there. From a third on that is no accident of a few names. Objects may
be left out one by one for good reasons; a third of all, or most of them for one reason, has one
cause. A set of at most three pictures is somebody's try: all that is wrong with it is told, and
seen at once, so it stops only where two boxes or more are all of them another format's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.common.errors import ImportFailed
from core.common.text import clean, plural
from core.data.images.picture_files import why_unread
from core.data.importers.balance.copies import say_copies, say_one_class, say_twice
from core.data.importers.balance.sheet import (
    IGNORED,
    NAMED_BY_NOTHING,
    NO_PICTURE,
    NOT_TAKEN,
    Part,
    Sheet,
    left_out_of,
    lost_with_picture,
    sheet_of,
)
from core.data.importers.balance.sizes import say_sizes
from core.data.importers.dataset import DataSet
from core.data.importers.report import Problem, Watch
from core.late import late

if TYPE_CHECKING:
    import numpy as np
else:
    np = late("numpy")


SMALL = 3
# Fewer objects than this, and a third of them, are single slips; most of them are not.
_SLIPS = 10
# So begin the reasons that are no fault of what is in a label file: its picture is not there or not
# taken, or it is no label file at all.
_NO_FAULT = (
    NO_PICTURE,
    NOT_TAKEN,
    "its picture",
    "its image",
    "it is no label",
    "no ",
    "what ",
)
# Formats whose label files hold many pictures each, so that two of them can hold the same ones.
_FOR_MANY = frozenset(
    ("via", "label-studio", "createml", "cvat", "vott", "azure", "bdd100k", "crowdhuman")
)
# Formats that say a box by its corners, or by its centre.
_WITH_CORNERS = frozenset(("voc", "yolo", "kitti", "cvat", "csv", "labelme", "supervisely"))
# Formats that say a box in parts of the picture.
_OF_ANY_SIZE = frozenset(("label-studio",))
GO_ON = "If it is meant so, --anyway imports it as it is."

# type, truncated (0 to 1), occluded (0 to 3, -1), alpha, then 11 or 12 numbers: the readme of
# KITTI's object development kit, as readers of it quote it.
_KITTI = re.compile(r"[A-Za-z]\w* -?[\d.]+ -?\d(\.0+)? -?[\d.]+( -?[\d.e+-]+){4,12}")
# Eight numbers, the class and how difficult it is, which may be missing (`parse_dota_poly` of
# CAPTAIN-WHU/DOTA_devkit at 097c901, `dota_utils.py`).
_DOTA = re.compile(r"(-?[\d.]+ ){8}[A-Za-z][\w-]*( \d)?|imagesource:.*|gsd:.*")


class LooksWrong(ImportFailed):
    """A data set that looks like a mistake; it can be imported as it is when that is wished.

    `advice` is the way out without the command line's option to go on, which the hint has too.
    """

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message, f"{advice} {GO_ON}".strip())
        self.advice = advice


def weigh(data: DataSet, place: Path | None, watch: Watch, *, anyway: bool) -> None:
    """Note the balance of what was read at `place` in the record of the import.

    `place` is None for what lies at no path of its own. Raises `LooksWrong` when it looks like a
    mistake, unless `anyway`, and `ImportFailed` when its pictures are missing or of no kind that is
    read.
    """
    weigh_all([data], place, watch, anyway=anyway)


def weigh_all(sets: Sequence[DataSet], place: Path | None, watch: Watch, *, anyway: bool) -> None:
    """Do as `weigh` for sets that are imported together; the first with images gets the balance."""
    if place is not None:
        for data in sets:
            say_sizes(data, watch)
    sheet = sheet_of(sets, place, watch)
    first = next((data for data in sets if data.images), sets[0])
    first.detail["balance"] = balance = sheet.to_dict()
    for data in sets:
        data.weighed = balance, len(data.images), len(data)
    if not sheet.images.taken:
        _no_pictures(sheet, sets, place)
    elif not anyway and (doubt := _doubt(sheet, sets)):
        message, hint = doubt
        raise LooksWrong(message, hint)
    say_copies(sets, watch)
    for data in sets:
        say_twice(data)
        say_one_class(data)


def _no_pictures(sheet: Sheet, sets: Sequence[DataSet], place: Path | None) -> None:
    """Raise `ImportFailed` where it is clear why no picture came in."""
    images = sheet.images
    unread = {why: n for why, n in images.left.items() if why.endswith(" is not read")}
    looked = [path for data in sets for path in data.balance.looked]
    looked = looked or ([str(place)] if place is not None else [])
    where = ", ".join(f"'{clean(path)}'" for path in looked[:4])
    if unread and sum(unread.values()) == images.found:
        told = ", ".join(f"{n:,} {why.split()[0]}" for why, n in unread.items())
        first = images.examples[next(iter(unread))][0]
        raise ImportFailed(
            f"The pictures in {where} are of no kind that is read: {told}.",
            f"Such as '{clean(first)}': {why_unread(first) or 'save it as JPEG or PNG'}.",
        )
    if not images.found and (alone := _unmet(sheet)):
        raise ImportFailed(
            f"The pictures are missing: there {_are(alone)}"
            f" {plural(alone, 'label file')}, such as {_such(sheet)}, and not one picture.",
            f"Looked in {where}. They were exported without their images: export both together, or"
            " put the images where the labels expect them.",
        )
    if any(data.balance.looked for data in sets):
        raise ImportFailed(
            f"There is no image in {where}.",
            f"There {_are(images.found)} {plural(images.found, 'image')} elsewhere, such as"
            f" {_examples(images, *images.left)}: check how the data set names its splits."
            if images.found
            else "Name the folder that holds the images and their label files.",
        )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _unmet(sheet: Sheet) -> int:
    return sheet.labels.left.get(NO_PICTURE, 0)


def _doubt(sheet: Sheet, sets: Sequence[DataSet]) -> tuple[str, str] | None:
    """Return what looks like a mistake and the way out, None when nothing does."""
    unmet = _unmet(sheet)
    for data in sets:
        if data.balance.doubt is not None:
            message, hint = data.balance.doubt
            return message, f"{_told_unmet(sheet, unmet)} {hint}" if unmet else hint
    if twice := _labelled_twice(sets):
        return twice
    if sheet.images.taken <= SMALL:
        return _other_text(sheet, sets) or _wrong_numbers(sheet, sets)
    return (
        _refused_files(sheet)
        or _lost_labels(sheet, unmet)
        or _lost_pictures(sheet, left_out_of(sets)["missing image"])
        or _other_sizes(sheet, sets)
        or _other_text(sheet, sets)
        or _wrong_numbers(sheet, sets)
        or _lost_objects(sheet, sets)
        or _all_empty(sheet)
    )


def _labelled_twice(sets: Sequence[DataSet]) -> tuple[str, str] | None:
    """A folder with the same labels in two files, such as a tool's project and its export."""
    for data in sets:
        files = sorted(data.balance.used)
        if data.kind not in _FOR_MANY or len(files) < 2:
            continue
        images, labels, boxes = data.columns()
        rows = np.column_stack((images, labels, boxes))
        copies = len(rows) - len(np.unique(rows, axis=0)) if len(rows) else 0
        if _third(copies, len(rows)):
            names = ", ".join(f"'{clean(Path(file).name)}'" for file in files[:3])
            return (
                f"{copies:,} of {plural(len(rows), 'object')} lie exactly on another of their"
                f" class: the same pictures are labelled in several files, such as {names}.",
                "Import the one that is meant: name the file instead of the folder.",
            )
    return None


def _most(count: int, of: int) -> bool:
    """Whether `count` is at least half of many, or all of a few that are no single slip."""
    return 2 * count >= of if count > SMALL else 2 <= count == of


def _third(count: int, of: int) -> bool:
    return count >= 2 and 3 * count >= of


def _told_unmet(sheet: Sheet, count: int) -> str:
    verb = "meets" if count == 1 else "meet"
    return f"{plural(count, 'label file')} {verb} no picture: {_such(sheet)}."


def _such(sheet: Sheet) -> str:
    return _examples(sheet.labels, NO_PICTURE)


def _refused_files(sheet: Sheet) -> tuple[str, str] | None:
    labels = sheet.labels
    refused = {why: n for why, n in labels.left.items() if n and not why.startswith(_NO_FAULT)}
    count = sum(refused.values())
    # A file or two for many pictures may lie among others of their kind that are something else.
    if not _third(count, labels.found) or 3 * count < sheet.images.taken:
        return None
    why = max(refused, key=lambda why: refused[why])
    return (
        f"{count:,} of {plural(labels.found, 'label file')} cannot be taken: {clean(why)}.",
        f"Such as {_examples(labels, why)}.",
    )


def _lost_labels(sheet: Sheet, unmet: int) -> tuple[str, str] | None:
    without = sheet.images.taken - sheet.labels.taken
    lost = min(without, unmet)
    if not _third(lost, sheet.images.taken):
        return None
    return (
        f"{lost:,} of {plural(sheet.images.taken, 'picture')} would lose their labels:"
        f" {without:,} have no label file, and {plural(unmet, 'label file')}"
        f" {'meets' if unmet == 1 else 'meet'} no picture.",
        f"Compare their names with those of the pictures: such as {_such(sheet)}.",
    )


def _lost_pictures(sheet: Sheet, missing: int) -> tuple[str, str] | None:
    """Pictures that the set names and that are not there, beside as many that it does not name."""
    unnamed = sheet.images.left.get(NAMED_BY_NOTHING, 0)
    if not _third(min(missing, unnamed), sheet.images.taken + missing):
        return None
    return (
        f"{missing:,} of {plural(sheet.images.taken + missing, 'picture')} are not there by the"
        f" names that the data set has, and {unnamed:,} that lie there are named by nothing.",
        f"Compare the names: {_examples(sheet.images, NAMED_BY_NOTHING)} are named by nothing.",
    )


def _other_sizes(sheet: Sheet, sets: Sequence[DataSet]) -> tuple[str, str] | None:
    """Boxes that were drawn on pictures of another size than those that lie there."""
    sets = [data for data in sets if data.kind not in _OF_ANY_SIZE]
    count = sum(data.problems.counts["image of another size"] for data in sets)
    if not _third(count, sheet.images.taken):
        return None
    first = _problems(sets, "image of another size")[0]
    return (
        f"{count:,} of {plural(sheet.images.taken, 'picture')} are of another size than the data"
        f" set says, such as {clean(first.where)}: {clean(first.detail)}.",
        "Were they made smaller or turned since? Their boxes are in pixels: take the pictures that"
        " were labelled, or correct the sizes if only those are wrong.",
    )


def _other_text(sheet: Sheet, sets: Sequence[DataSet]) -> tuple[str, str] | None:
    """Text of another format that was read as YOLO."""
    bad = sheet.objects.left.get("bad line", 0)
    if not _most(bad, sheet.objects.found):
        return None
    lines = [p.detail.partition(": ")[2] or p.detail for p in _problems(sets, "bad line")]
    message = f"{bad:,} of {plural(sheet.objects.found, 'line')} in the label files are no boxes"
    for name, pattern in (("KITTI", _KITTI), ("DOTA", _DOTA)):
        if 2 * sum(bool(pattern.match(line)) for line in lines) >= len(lines):
            return (
                f"{message} of YOLO: they are {name}'s, such as '{clean(lines[0])}'.",
                f"Import it as {name}, or have it exported as YOLO.",
            )
    if bad <= SMALL:
        return None
    return f"{message} of YOLO, such as '{clean(lines[0])}'.", "Is it another format?"


def _problems(sets: Sequence[DataSet], kind: str) -> list[Problem]:
    return [p for data in sets for p in data.problems.listed if p.kind == kind]


def _wrong_numbers(sheet: Sheet, sets: Sequence[DataSet]) -> tuple[str, str] | None:
    found, taken = sheet.objects.found, sheet.objects.taken
    pixels = sum(data.balance.suspects["pixels"] for data in sets)
    if _most(pixels, found):
        return (
            f"The numbers of {pixels:,} of {plural(found, 'box')} are pixels; YOLO's are fractions"
            " of the picture, from 0 to 1.",
            "Divide them by the picture's width and height, or have it exported again.",
        )
    outside = sheet.objects.left.get("box outside the image", 0)
    outside += sum(data.balance.suspects["cut"] for data in sets)
    if outside > SMALL and 3 * outside >= found:
        kinds = ("box outside the image", "box past the edge")
        first = next(problem for kind in kinds for problem in _problems(sets, kind))
        return (
            f"{outside:,} of {plural(found, 'box')} lie outside their pictures, wholly or by more"
            f" than half, such as {clean(first.where)}: {clean(first.detail)}.",
            "Were the pictures made smaller, do the boxes belong to others, or are they given by"
            " two corners?",
        )
    past = _past_the_edge(sets)
    if taken > SMALL and 10 * past >= taken and all(map(_like_corners, sets)):
        return (
            f"All of {plural(taken, 'box')} would be wider and higher than they lie from the upper"
            f" left corner, and {past:,} {'reaches' if past == 1 else 'reach'} past the"
            " edge: they look like two corners.",
            "Is a box given by x1, y1, x2, y2 there? This format has x, y, width, height.",
        )
    tiny = sum(map(_in_first_pixel, sets))
    if _most(tiny, taken):
        return (
            f"{tiny:,} of {plural(taken, 'box')} lie within the first pixel: their numbers are"
            " fractions from 0 to 1, and this format's are pixels.",
            "Multiply them by the picture's width and height, or have it exported again.",
        )
    return None


def _past_the_edge(sets: Sequence[DataSet]) -> int:
    """Return how many boxes were clipped at an edge."""
    return sum(data.problems.counts["box past the edge"] for data in sets)


def _like_corners(data: DataSet) -> bool:
    """Whether each box would be one, too, if its width and height were its other corner.

    Of a box that ends at the edge, and may have been clipped there, this is not known here: the
    numbers of one that was clipped were looked at when it was taken.
    """
    images, _, boxes = data.columns()
    if data.balance.suspects["no corners"]:
        return False
    if data.kind in _WITH_CORNERS or not len(boxes):
        return not len(boxes)
    sizes = np.array([(image.width, image.height) for image in data.images], np.float64)[images]
    inside = boxes[:, :2] + boxes[:, 2:] < sizes
    return bool(((boxes[:, 2:] > boxes[:, :2]) | ~inside).all() and inside.any())


def _in_first_pixel(data: DataSet) -> int:
    """Return how many boxes end within the first pixel of a picture that has more."""
    images, _, boxes = data.columns()
    inside = (boxes[:, :2] + boxes[:, 2:] <= 1).all(axis=1)
    return sum(
        min(data.images[number].width, data.images[number].height) > 2
        for number in images[inside].tolist()
    )


def _lost_objects(sheet: Sheet, sets: Sequence[DataSet]) -> tuple[str, str] | None:
    objects = sheet.objects
    nothing = not objects.taken and objects.found > SMALL
    # What went with a picture that is not there costs no other picture its labels.
    found = objects.found - lost_with_picture(sheet)
    # Nor is it lost what the set itself says is not to be counted.
    found -= sum(objects.left.get(kind, 0) for kind in IGNORED)
    lost = found - objects.taken
    most = lost > SMALL and 2 * lost > found
    if not nothing and not most and (lost < _SLIPS or 3 * lost < found):
        return None
    reasons = sorted(objects.left.items(), key=lambda item: -item[1])
    told = ", ".join(f"{n:,} {clean(why)}" for why, n in reasons[:3])
    which = "None" if nothing else f"Only {objects.taken:,}"
    message = f"{which} of {plural(objects.found, 'object')} could be taken, left out are: {told}."
    first = next((p for why, _ in reasons for p in _problems(sets, why)), None)
    if first is None:
        return message, ""
    hint = f"Such as {clean(first.where)}: {clean(first.detail)}."
    if first.kind == "unknown category":
        hint += " Is the list of classes another set's, or do the label files count from 1?"
    return message, hint


def _all_empty(sheet: Sheet) -> tuple[str, str] | None:
    labels = sheet.labels
    if labels.taken <= SMALL or sheet.empty < labels.taken or sheet.objects.taken:
        return None
    return (
        f"All {plural(labels.taken, 'label file')} are empty: nothing would be labelled in"
        f" {plural(sheet.images.taken, 'picture')}.",
        "Some programs write nothing for polygons, tracks or masks: export another format.",
    )


def _examples(part: Part, *reasons: str) -> str:
    names = [name for why in reasons for name in part.examples.get(why, [])][:3]
    return ", ".join(f"'{clean(name)}'" for name in names)
