"""What the evaluation screen writes: header, progress, columns of its tables, caption of boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content

from batman_tui.widgets.table.cells import bar
from batman_tui.widgets.table.table import Column
from core.common.progress import Progress
from core.common.text import clean, plural, score
from core.evaluation.display import NOTHING, Mixup, protocol_in_short
from core.evaluation.result import ClassResult, Confusion, EvaluationResult, WorstImage

Row = tuple[str, tuple[int, ...]]
_CELL = 7
_LABEL = 14
_PROGRESS = 24


def header(result: EvaluationResult, age: str, wide: bool) -> Content:
    """Return four lines: what was evaluated, how good it is, by which count, and by size.

    Where it is not `wide`, precision and recall are the letters P and R.
    """
    muted = "$foreground-muted"
    what = [
        plural(result.images, "image"),
        plural(result.annotations, "object"),
        f"{result.model} at {result.resolution} pixels",
        age,
        f"{result.images_per_s:.1f} images/s on {result.device}",
    ]
    scores: list[Content] = []
    for name, value in (
        ("mAP50-95", result.map50_95),
        ("50", result.map50),
        ("75", result.map75),
        ("precision" if wide else "P", result.precision),
        ("recall" if wide else "R", result.recall),
        ("F1", result.f1),
    ):
        scores.append(Content.assemble((f"{name} ", muted), (score(value) or "–", "bold"), "  "))
    at = "at confidence" if wide else "at"
    scores.append(Content.styled(f"{at} {result.confidence:.2f}", muted))
    sizes = [
        Content.assemble(
            (f"{row.name} ", muted),
            (score(row.ap) or "–", "bold"),
            (f" of {row.annotations:,}   ", muted),
        )
        for row in result.sizes
    ]
    return Content("\n").join(
        [
            Content.assemble((result.split, "bold $accent"), (f"  {clean(' · '.join(what))}", "")),
            Content("").join(scores),
            Content.styled(protocol_in_short(result), muted),
            Content("").join(sizes),
        ]
    )


def nothing_yet(split: str, others: str, running: bool) -> tuple[str, Content]:
    """Return what an empty panel and the header say while `split` has no evaluation.

    `others` are the splits that can be chosen instead; `running` tells that one is being made.
    """
    if running:
        said = f"The model is being evaluated on {split}: what comes of it is shown here."
        how = "  being evaluated"
    else:
        said = f"No evaluation on {split} yet: E makes one."
        how = f"  not evaluated yet · s chooses {others}"
    return said, Content.assemble((split, "bold $accent"), (how, "$foreground-muted"))


def progress_line(progress: Progress, split: str) -> Content:
    """Return how far the evaluation on `split` is, with a bar, in one line."""
    done, total = progress.done, progress.total
    counts = f" {done:,} of {total:,}" if total else f" {done:,}" if done else ""
    return Content.assemble(
        (bar(done / total if total else 0.0, _PROGRESS), "$secondary"),
        f"  {clean(progress.stage)} ({split})",
        (counts, "$foreground-muted"),
    )


def class_columns() -> list[Column[ClassResult]]:
    """The columns of the table of classes."""

    def accuracy(
        key: str, title: str, read: Callable[[ClassResult], float | None], from_width: int = 0
    ) -> Column[ClassResult]:
        return Column(
            key, title, lambda row: score(read(row)), width=max(6, len(title) + 2), sort=read,
            from_width=from_width,
        )  # fmt: skip

    return [
        Column("name", "Class", lambda row: row.name, least=10),
        Column("objects", "Objects", lambda row: row.annotations, "number", width=7, muted=True),
        accuracy("ap", "AP50-95", lambda row: row.ap),
        accuracy("ap50", "AP50", lambda row: row.ap50),
        accuracy("ap75", "AP75", lambda row: row.ap75, 64),
        accuracy("f1", "Best F1", lambda row: row.f1),
        accuracy("threshold", "At", lambda row: row.threshold),
    ]


def by_size(row: ClassResult) -> str:
    """Return the AP50-95 of a class by COCO's sizes of objects, in one line."""
    return "  ".join(f"{name} {score(value) or '–'}" for name, value in row.by_size.items())


def image_columns() -> list[Column[WorstImage]]:
    """The columns of the table of the worst images."""
    return [
        Column("file", "Image", lambda row: row.shown, least=12),
        Column("missed", "Missed", lambda row: row.missed, "number", width=6),
        Column("false", "Extra boxes", lambda row: row.false_positives, "number", width=11),
    ]


def matrix_columns(labels: Sequence[str]) -> list[Column[Row]]:
    """The columns of the confusion matrix: what objects of a row's class were taken for."""

    def value(place: int) -> Callable[[Row], str]:
        return lambda row: f"{row[1][place]:,}".rjust(_CELL) if row[1][place] else "·".rjust(_CELL)

    def order(place: int) -> Callable[[Row], int]:
        return lambda row: row[1][place]

    def share(place: int) -> Callable[[Row], float]:
        # Of all objects of the class: rare classes are seen as well as frequent ones.
        return lambda row: row[1][place] / max(1, sum(row[1]))

    return [
        Column("truth", "Truth", lambda row: row[0], least=_LABEL),
        *(
            Column(
                f"taken-{place}", "missed" if label == NOTHING else label, value(place),
                width=_CELL, sort=order(place), shade=share(place),
            )
            for place, label in enumerate(labels)
        ),
    ]  # fmt: skip


def matrix_rows(confusion: Confusion) -> list[Row]:
    """Return the matrix's rows; the last one is of predictions where there is nothing."""
    return [
        ("nothing there" if label == NOTHING else label, tuple(counts))
        for label, counts in zip(confusion.labels, confusion.matrix, strict=True)
    ]


def matrix_width(labels: Sequence[str]) -> int:
    """Return how many cells the whole matrix takes."""
    return _LABEL + len(labels) * (_CELL + 2)


def mixup_columns() -> list[Column[Mixup]]:
    """The columns of the table of mistakes."""
    return [
        Column("what", "Mistake", lambda row: row.said),
        Column("count", "Times", lambda row: row.count, "number", width=6),
        Column(
            "share", "Of the class", lambda row: None if row.share is None else row.share,
            "percent", width=12, muted=True,
        ),
    ]  # fmt: skip
