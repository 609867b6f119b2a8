"""Answers of the commands about labels: boxes, suggestions, passes, tracks, the loop."""

from __future__ import annotations

from typing import TypedDict

from core.data.labels.tracks.view import Track, Video

Label = TypedDict(
    "Label",
    {
        "id": int, "class": int, "name": str | None, "box": list[float], "source": str,
        "model": str | None, "score": float | None, "edited": bool, "track": int | None,
    },
)  # fmt: skip
Label.__doc__ = """A label: its class by number and name, left, top, width and height in pixels,
who made it, and whether a person changed it since."""
Suggestion = TypedDict(
    "Suggestion",
    {
        "id": int, "class": int, "name": str | None, "box": list[float], "score": float,
        "pass": int, "model": str,
    },
)  # fmt: skip
Suggestion.__doc__ = """An open suggestion of a model's pass; the box is in pixels."""


class Picture(TypedDict):
    """A picture's labels and open suggestions; `newest` is the newest step that changed it."""

    id: int
    name: str
    width: int
    height: int
    review: str | None
    newest: int | None
    labels: list[Label]
    suggestions: list[Suggestion]


class Edited(TypedDict):
    """What edits did: the step (null: nothing), the labels they made or changed, the picture."""

    history: int | None
    ids: list[int | None]
    picture: Picture


SnappedBox = TypedDict(
    "SnappedBox",
    {
        "id": int, "kind": str, "before": list[float], "box": list[float] | None,
        "score": float | None, "class": str | None,
    },
)  # fmt: skip
SnappedBox.__doc__ = """A box, a `label` or a `suggestion`, before and after a model put it right;
null where the model sees no object."""


class Snapped(TypedDict):
    """What a model made of a picture's boxes, and the step of it (null: nothing changed)."""

    model: str
    image: int
    history: int | None
    boxes: list[SnappedBox]


class PredictionsTaken(TypedDict):
    """The pass that predictions became; the counts are of suggestions, `gone` what has no place."""

    pass_id: int
    history_id: int
    images: int
    open: int
    agrees: int
    repeated: int
    superseded: int
    gone_images: int
    gone_objects: int
    model: str
    left_out: list[str]


class UnsureRow(TypedDict):
    """A picture without labels: how unsure a model is (`value`, 0 to 1), and why it is shown.

    `open` counts its open suggestions, `unsure` those from 0.25 to 0.75; `rare_images` the pictures
    on which its `rare_class` is labelled.
    """

    image_id: int
    name: str
    value: float
    open: int
    unsure: int
    rare_class: str | None
    rare_images: int
    why: str


class Queue(TypedDict):
    """Pictures worth a look first, and how many there are in all."""

    by: str
    total: int
    images: list[UnsureRow]


class DifferenceRow(TypedDict):
    """Where a model and the labels differ: the kind, in words (`said`), and what is concerned.

    Classes are told by number and by name; `iou` is how much the two boxes overlap.
    """

    kind: str
    said: str
    suggestion_id: int | None
    annotation_id: int | None
    found_class: int | None
    label_class: int | None
    score: float | None
    iou: float | None
    found: str | None
    labelled: str | None


ComparedRow = TypedDict(
    "ComparedRow",
    {
        "image_id": int, "name": str, "pass": int, "value": float, "why": str,
        "counts": dict[str, int], "differences": list[DifferenceRow],
    },
)  # fmt: skip
ComparedRow.__doc__ = """A picture where a model and the labels differ: by how much, and in what."""


class Compared(TypedDict):
    """The pictures, those that differ most first, of `total`; passes looked at `looked_at`."""

    total: int
    looked_at: int
    counts: dict[str, int]
    images: list[ComparedRow]


class Decided(TypedDict):
    """Decisions about suggestions: accepted as they were, accepted and mended, rejected.

    `right` counts the accepted ones, `n` all.
    """

    unchanged: int
    mended: int
    rejected: int
    right: int
    n: int


class PassRow(TypedDict):
    """A labeller's pass: when (ISO 8601), its suggestions by state, and what was decided."""

    id: int
    at: str
    who: str
    labeller: str
    model: str
    images: int
    states: dict[str, int]
    decided: Decided


class ScoreBand(Decided):
    """Decisions about scores from `low` on and below `high`."""

    low: float
    high: float


ClassScores = TypedDict(
    "ClassScores",
    {
        "class": str, "class_id": int, "unchanged": int, "mended": int, "rejected": int,
        "right": int, "n": int, "threshold": float | None, "above": Decided,
        "bands": list[ScoreBand],
    },
)  # fmt: skip
ClassScores.__doc__ = """How right suggestions of a class were, by score; above `threshold` nearly
all of them (null: none yet)."""


class Tracks(TypedDict):
    """Videos and their tracks."""

    videos: list[Video]
    tracks: list[Track]


class Unreadable(TypedDict):
    """A picture that could not be read."""

    file: str
    reason: str


class Autolabelled(TypedDict):
    """What a labeller's pass found. `recorded` is false for one that was recorded before.

    `open` suggestions are to be reviewed; others agree with a label, repeat what was rejected, or
    replaced earlier ones. `looked_at` of the `wanted` pictures were done.
    """

    model: str
    device: str
    recorded: bool
    pass_id: int | None
    images: int | None
    open: int | None
    agrees: int | None
    repeated: int | None
    superseded: int | None
    gone_images: int | None
    gone_objects: int | None
    looked_at: int
    wanted: int
    unreadable: list[Unreadable]
    notes: list[str]


class PassDiscarded(TypedDict):
    """An unfinished pass that was thrown away (`--discard`); null where it could not be read."""

    discarded: str
    done: int | None
    total: int | None


class LastPass(TypedDict):
    """The newest pass of a labeller."""

    id: int
    at: str
    labeller: str
    model: str
    images: int
    states: dict[str, int]


class Round(TypedDict):
    """A run on the project: its figures (0 to 1) and what it was trained on, in pictures.

    `started_at` is a Unix time in seconds; `valid_as_before` says whether it was measured on the
    same pictures as the round before.
    """

    run: str
    path: str
    state: str
    model: str
    started_at: float | None
    map50_95: float | None
    map50: float | None
    reviewed: int
    only_reviewed: bool
    train: int
    valid: int
    valid_as_before: bool


class NextStep(TypedDict):
    """What to do next, and by which command."""

    what: str
    command: str


class Loop(TypedDict):
    """Where one stands with a project, in pictures and suggestions, and what comes next."""

    project: str
    images: int
    labelled: int
    reviewed: int
    later: int
    unreviewed: int
    without_split: int
    open_suggestions: int
    open_images: int
    last_pass: LastPass | None
    rounds: list[Round]
    best: str | None
    next: list[NextStep]
