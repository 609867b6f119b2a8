"""Answers of the commands about data: projects, versions, imports, classes, images, splits."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class ProjectRow(TypedDict):
    """A project: its name, its folder, what is in it, and when it was changed (ISO 8601).

    One that cannot be read has `state` "unreadable" and the `error`, and no counts.
    """

    name: str
    path: str
    description: NotRequired[str]
    images: NotRequired[int]
    annotations: NotRequired[int]
    classes: NotRequired[int]
    imports: NotRequired[int]
    updated_at: NotRequired[str]
    state: NotRequired[str]
    error: NotRequired[str]


class ImportLine(TypedDict):
    """An import as a project shows it: its number, format, where from, when (ISO 8601)."""

    id: int
    kind: str
    origin: str
    at: str
    images: int


class ProjectShown(ProjectRow):
    """A project with its pictures by split, its boxes by class, and its imports."""

    splits: dict[str, int]
    class_annotations: dict[str, int]
    import_list: list[ImportLine]


class ProjectDeleted(TypedDict):
    """Whether the project was deleted, or somebody said no."""

    name: str
    path: str
    deleted: bool


class VersionNamed(TypedDict):
    """A named state: the number of the change after which it is, when and by whom it was named."""

    name: str
    state: int
    at: str
    who: str
    note: str


Moved = TypedDict("Moved", {"from": str, "to": str, "pictures": int})
Moved.__doc__ = """Pictures that went from one split to another."""


class VersionDiff(TypedDict):
    """What differs between the states `before` and `after`, numbers of changes.

    `redrawn` boxes have another place or size, `reclassed` ones another class; `renamed` are pairs
    of old and new name; `per_class` has the boxes before and after where they differ.
    """

    before: int
    after: int
    pictures_added: int
    pictures_removed: int
    moved: list[Moved]
    boxes_added: int
    boxes_removed: int
    redrawn: int
    reclassed: int
    classes_added: list[str]
    classes_removed: list[str]
    renamed: list[tuple[str, str]]
    per_class: dict[str, tuple[int, int]]


class VersionRow(VersionNamed):
    """A version in the list; `now` says in words whether the project has moved on since.

    The newest one has the `difference` from then to now.
    """

    now: str
    difference: NotRequired[VersionDiff]


class VersionDeleted(VersionNamed):
    """The version whose name was taken away, and how many others there are."""

    versions_left: int


class HistoryStep(TypedDict):
    """A step of the history: its number, its kind, and what it did in words."""

    id: int
    kind: str
    summary: str


class Change(TypedDict):
    """What a change did. All is null when there was nothing to change.

    `detail` has what the step keeps for programs, by its kind.
    """

    history: HistoryStep | None
    summary: str | None
    detail: dict[str, Any] | None


class SplitsDrawn(Change):
    """What drawing splits did, and what could not be kept to."""

    notes: list[str]


class MappingApplied(Change):
    """What a mapping did, and which of its names no class here has."""

    unknown: list[str]


class HistoryRow(HistoryStep):
    """A step in the list: when (ISO 8601), by whom, and whether it is undone at present."""

    at: str
    who: str
    detail: dict[str, Any]
    undone: bool


class ClassRow(TypedDict):
    """A class: its boxes, the pictures they are on, and the names it had in imports."""

    name: str
    annotations: int
    images: int
    labels: list[str]


class ClassGroup(TypedDict):
    """Classes that look alike: into which to merge which, why, and how many boxes move."""

    target: str
    sources: list[str]
    reason: str
    annotations: int


ClassChange = TypedDict(
    "ClassChange",
    {"class": str, "becomes": str | None, "by": Literal["rename", "merge", "delete"]},
)
ClassChange.__doc__ = """What becomes of a class: another name, or null when it is deleted."""


class ClassPlan(TypedDict):
    """What a mapping or a convention would do (`--dry-run`); nothing was changed."""

    changes: list[ClassChange]
    annotations: int


class MappingWritten(TypedDict):
    """The file, and what each name of an import has become (null: nothing, it was deleted)."""

    file: str
    mapping: dict[str, str | None]


ImageRow = TypedDict(
    "ImageRow",
    {
        "id": int, "name": str, "file": str, "width": int, "height": int, "split": str | None,
        "import": int | None, "group": str | None, "time": float | None, "boxes": int,
        "classes": dict[str, int], "review": str | None, "open_suggestions": int,
    },
)  # fmt: skip
ImageRow.__doc__ = """A picture: its file, its size in pixels, its boxes by class; `time` is its
second in a video, `review` "done", "later" or null."""


class SplitClass(TypedDict):
    """A class's boxes, and the pictures they are on, by split."""

    name: str
    annotations: dict[str, int]
    images: dict[str, int]


class Splits(TypedDict):
    """Pictures by split; `torn_groups` counts groups (videos) that lie in several splits."""

    images: dict[str, int]
    classes: list[SplitClass]
    torn_groups: int


class ImportProblem(TypedDict):
    """A record that needed attention: what, where, and what was done about it."""

    kind: str
    where: str
    detail: str
    action: str


class Imported(TypedDict):
    """What an import brought in, where everything went that lay at the path (`balance`).

    `files` says how the pictures got here: link, copy, move, reference.
    """

    import_id: int
    kind: str
    origin: str
    images: int
    annotations: int
    classes: list[str]
    splits: dict[str, int]
    files: str
    balance: dict[str, Any]
    problem_counts: dict[str, int]
    problems: list[ImportProblem]


class ImportRow(ImportLine):
    """An import of the list: what the project has of it now."""

    annotations: int
    classes: list[str]


class ImportShown(ImportRow):
    """One import with its balance and its problems by kind."""

    balance: dict[str, Any]
    problem_counts: dict[str, int]


class Exported(TypedDict):
    """What was written to `path`; `missing` are pictures whose file is gone.

    `left_out` says what the format cannot hold and how many; `turned` counts pictures written
    upright, `unreviewed` those that were left out because nobody reviewed them.
    """

    path: str
    images: int
    annotations: int
    classes: list[str]
    splits: dict[str, int]
    missing: list[str]
    left_out: dict[str, int]
    turned: int
    unreviewed: int


class Finding(TypedDict):
    """A finding of the check; `images` are numbers of pictures as examples, `fix` its mending."""

    kind: str
    severity: Literal["error", "serious", "notice"]
    message: str
    hint: str
    subject: str
    count: int
    images: list[int]
    fix: str | None


class Checked(TypedDict):
    """What the check found, the gravest first, and what was `fixed` by `--fix`, in words."""

    project: str
    image_size: int
    files: str
    images: int
    annotations: int
    seconds: float
    findings: list[Finding]
    fixed: list[str]
