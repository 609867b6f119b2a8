"""The figures of a project's data as bars with names: what text, pictures and the app all draw."""

from __future__ import annotations

from dataclasses import dataclass

from core.common.text import clean
from core.data.stats.collect import ALL_SPLITS, NO_SPLIT, Bins, DataStats


@dataclass(frozen=True)
class Bars:
    """A chart of bars.

    Attributes:
        id: A word for programs and file names.
        title: What people read.
        names: What each bar is of.
        counts: For each bar the lengths of its parts, in the order of `parts`.
        parts: What the parts are; a single empty name where a bar has but one.
        note: A sentence below, may be empty.
    """

    id: str
    title: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    parts: tuple[str, ...] = ("",)
    note: str = ""

    @property
    def totals(self) -> tuple[int, ...]:
        """The whole length of each bar."""
        return tuple(map(sum, self.counts))


def charts(stats: DataStats) -> list[Bars]:
    """Return every chart of bars there is of `stats`, in the order in which they are shown."""
    splits = tuple(name for name in ALL_SPLITS if stats.images[name])
    parts = tuple("no split" if name == NO_SPLIT else name for name in splits)
    classes = stats.classes
    sizes = tuple(f"{width} × {height}" for width, height, _ in stats.picture_sizes)
    counts = tuple((count,) for _, _, count in stats.picture_sizes)
    if stats.other_sizes:
        sizes, counts = (*sizes, "other sizes"), (*counts, (stats.other_sizes,))
    boxes = max(1, stats.small + stats.medium + stats.large)
    small, medium, large = (
        # A few of many are not none.
        "<1%" if 0 < count < boxes / 100 else f"{count / boxes:.0%}"
        for count in (stats.small, stats.medium, stats.large)
    )
    return [
        Bars(
            "classes",
            "Objects by class",
            tuple(row.name for row in classes),
            tuple(tuple(row.annotations[split] for split in splits) for row in classes),
            parts or ("",),
        ),
        Bars(
            "splits",
            "Pictures by split",
            parts,
            tuple((stats.images[name] - stats.empty[name], stats.empty[name]) for name in splits),
            ("with boxes", "without"),
        ),
        Bars(
            "objects",
            "Objects a picture",
            *_filled(stats.objects),
        ),
        Bars(
            "sides",
            f"Box sizes at {stats.image_size} px",
            *_filled(stats.box_sides),
            note=f"small {small}, medium {medium}, large {large}",
        ),
        Bars(
            "aspects",
            "Width to height of boxes",
            *_filled(stats.aspects),
        ),
        Bars("pictures", "Sizes of pictures", sizes, counts),
        Bars(
            "growth",
            "Growth by import",
            tuple(f"{line.import_id} {clean(line.kind)} {line.at[:10]}" for line in stats.growth),
            tuple((line.images_so_far - line.images, line.images) for line in stats.growth),
            ("pictures before", "came in"),
        ),
    ]


def _filled(bins: Bins) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Return names and bars from the first bin that holds anything to the last one."""
    holding = [place for place, count in enumerate(bins.counts) if count]
    if not holding:
        return (), ()
    shown = slice(holding[0], holding[-1] + 1)
    return bins.names[shown], tuple((count,) for count in bins.counts[shown])
