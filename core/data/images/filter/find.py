"""Which images of a project are meant: the filter that a person types, and what it finds.

Made for projects of a hundred thousand images: `find_images` returns ids only.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from core.common.tokenizer import Tokenizer
from core.data.images.filter.boxes import (
    SOURCES,
    BoxFilter,
    Comparison,
    clauses,
    like,
    parse_scores,
)
from core.data.images.images_per_class import boxes_by_image
from core.data.store import Project

Order = Literal["id", "name", "split", "boxes", "import"]
# The words after `is:`. Of those that begin as what is typed the first is meant. Both spellings:
# a word that is not known would leave the filter without a picture.
STATES = {
    "unlabelled": "unlabelled",
    "unlabeled": "unlabelled",
    "reviewed": "reviewed",
    "unreviewed": "unreviewed",
    "later": "later",
    "open": "open",
    "edited": "edited",
    "rejected": "rejected",
}
_REVIEW = {
    "reviewed": "i.review = 'done'",
    "unreviewed": "i.review IS NOT 'done'",
    "later": "i.review = 'later'",
}
SPLIT_NAMES = ("train", "valid", "test", "none")
KEYS = ("name", "class", "split", "import", "is", "finding", "source", "model", "score", "video")
TOKENS = Tokenizer(KEYS, (":",), rich=False)


@dataclass(frozen=True)
class ImageFilter:
    """Which images are meant; everything that is given must hold.

    `words` are parts of the name, whatever the case; `classes`, `splits` ("none" for images
    without one) and `imports` each match when one of them does. `among` are image ids, such as
    those of a finding. `review` are states of review (`reviewed`, `unreviewed`, `later`), which all
    hold; `boxes` is what one box must be, of one of the classes if there are some.
    `videos` are names of videos (groups of frames), one of which an image is of.
    """

    words: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    imports: tuple[int, ...] = ()
    unlabelled: bool = False
    among: tuple[frozenset[int], ...] = ()
    review: tuple[str, ...] = ()
    boxes: BoxFilter = field(default_factory=BoxFilter)
    videos: tuple[str, ...] = ()


def parse_filter(text: str, findings: Mapping[str, frozenset[int]] | None = None) -> ImageFilter:
    """Return the filter that a person typed.

    Words are parts of the name (`name:cam:3` for one that looks like a term); `class:NAME`
    (`class:"safety vest"`, `class:"12"" wheel"`), `split:train` (or `none`), `import:2`,
    `is:unlabelled` and `finding:KIND` narrow it, and so do `is:reviewed`, `is:unreviewed` and
    `is:later`; see `boxes` for what is said of boxes (`is:open`, `is:rejected`, `is:edited`,
    `source:model`, `model:RUN`, `score:<0.6`). `findings`
    gives the image ids of each kind of finding; an unknown kind, import, split, state, source or
    score matches nothing. A key without a value, which is still being typed, is passed over;
    `unfinished` finds those.
    """
    words: list[str] = []
    classes: list[str] = []
    splits: list[str] = []
    imports: list[int] = []
    among: list[frozenset[int]] = []
    states: list[str] = []
    sources: list[str] = []
    models: list[str] = []
    scores: list[tuple[Comparison, float]] = []
    videos: list[str] = []
    for token in TOKENS.tokens(text):
        key, value = token.key, token.value
        if key is None:
            words.append(value)
        elif not value:
            continue  # Still being typed.
        elif key == "name":
            words.append(value)
        elif key == "class":
            classes.append(value)
        elif key == "split":
            splits += [name for name in SPLIT_NAMES if name.startswith(value.lower())] or [value]
        elif key == "import":
            imports.append(int(value) if value.isascii() and value.isdigit() else -1)
        elif key == "is":
            state = next((s for word, s in STATES.items() if word.startswith(value.lower())), "")
            states.append(state)
        elif key == "source":
            known = [name for name in SOURCES if name.startswith(value.lower())]
            sources += known[:1] or [value]
        elif key == "model":
            models.append(value)
        elif key == "video":
            videos.append(value)
        elif key == "score":
            found = parse_scores(value)
            scores += found or ()
            if found is None:
                among.append(frozenset())
        else:
            among.append((findings or {}).get(value, frozenset()))
    if "" in states:
        among.append(frozenset())
    return ImageFilter(
        tuple(words),
        tuple(classes),
        tuple(splits),
        tuple(imports),
        "unlabelled" in states,
        tuple(among),
        tuple(state for state in states if state in _REVIEW),
        BoxFilter(
            tuple(sources),
            tuple(models),
            tuple(scores),
            edited="edited" in states,
            open="open" in states,
            rejected="rejected" in states,
        ),
        tuple(videos),
    )


def unfinished(text: str) -> str | None:
    """Return the first key in a filter that has no value, such as `class:` or `score:<`.

    None when there is no such key.
    """
    for token in TOKENS.tokens(text):
        if token.key and (not token.value or (token.key == "score" and _begun(token.value))):
            return token.text
    return None


def _begun(score: str) -> bool:
    return parse_scores(score) == ()


def find_images(
    project: Project,
    wanted: ImageFilter | None = None,
    *,
    order: Order = "id",
    reverse: bool = False,
) -> list[int]:
    """Return the ids of the visible images that `wanted` means (all when None), in order.

    A class is meant by its very name; where no class has it, by the whole name whatever the case;
    or else by a part.
    """
    wanted = wanted or ImageFilter()
    where: list[str] = []
    values: list[object] = []
    for word in wanted.words:
        # SQLite tells capitals of English only, and knows no two ways to write an accent.
        if word.isascii():
            where.append("i.name LIKE ? ESCAPE '\\'")
            values.append(f"%{like(word)}%")
    foreign = [_fold(word) for word in wanted.words if not word.isascii()]
    if wanted.splits:
        where.append("coalesce(i.split, 'none') IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(wanted.splits))
    if wanted.imports:
        where.append("i.import_id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(wanted.imports))
    if wanted.videos:
        where.append("i.grp IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(wanted.videos))
    classes = find_classes(project, wanted.classes) if wanted.classes else None
    labels = None if classes is None else _labels(project, classes)
    if not wanted.boxes.empty:
        more, their = clauses(wanted.boxes, labels, classes)
        where += more
        values += their
    elif labels is not None:
        where.append(
            "i.id IN (SELECT image_id FROM annotations WHERE deleted = 0"
            " AND label_id IN (SELECT value FROM json_each(?)))"
        )
        values.append(json.dumps(labels))
    where += [_REVIEW[state] for state in wanted.review]
    if wanted.unlabelled:
        where.append(
            "NOT EXISTS (SELECT 1 FROM annotations a JOIN labels l ON l.id = a.label_id"
            " WHERE a.image_id = i.id AND a.deleted = 0 AND l.class_id IS NOT NULL)"
        )
    for ids in wanted.among:
        where.append("i.id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(sorted(ids)))
    down = " DESC" if reverse else ""
    by = {
        "id": f"i.id{down}",
        "name": f"i.name COLLATE NOCASE{down}, i.id",
        # Training's order, images without a split last.
        "split": "CASE i.split WHEN 'train' THEN 1 WHEN 'valid' THEN 2 WHEN 'test' THEN 3 ELSE 4"
        f" END{down}, i.id",
        "import": f"i.import_id{down}, i.id",
        "boxes": "i.id",
    }[order]
    query = "SELECT i.id, i.name FROM v_images i" if foreign else "SELECT i.id FROM v_images i"
    if where:
        query += " WHERE " + " AND ".join(where)
    rows = project.db.execute(f"{query} ORDER BY {by}", values)
    if foreign:
        found = [row[0] for row in rows if all(word in _fold(row[1]) for word in foreign)]
    else:
        found = [row[0] for row in rows]
    if order == "boxes":
        boxes = boxes_by_image(project)
        found.sort(key=lambda image: boxes.get(image, 0), reverse=reverse)
    return found


def find_classes(project: Project, names: Sequence[str]) -> list[int]:
    """Return the ids of the classes that `names` mean, as `find_images` reads them."""
    classes = {row[1]: row[0] for row in project.db.execute("SELECT id, name FROM classes")}
    folded = [(_fold(name), number) for name, number in classes.items()]
    found: list[int] = []
    for given in names:
        wanted = _fold(given)
        found += (
            ([classes[given]] if given in classes else [])
            or [number for name, number in folded if name == wanted]
            or [number for name, number in folded if wanted in name]
        )
    return found


def _labels(project: Project, classes: Sequence[int]) -> list[int]:
    """Return the labels of classes."""
    return [
        row[0]
        for row in project.db.execute(
            "SELECT labels.id FROM labels JOIN imports ON imports.id = import_id"
            " WHERE active = 1 AND class_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(classes)),),
        )
    ]


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
