"""The history with its many small edits: those of one picture in a row are one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.common.text import clean
from core.data.store import HistoryEntry


@dataclass(frozen=True)
class HistoryLine:
    """A line of the history: the newest of the changes that it stands for, their number, words."""

    newest: HistoryEntry
    count: int
    summary: str


def folded(entries: Iterable[HistoryEntry]) -> Iterator[HistoryLine]:
    """Yield the lines of `entries`, which come newest first.

    Edits of one picture by one person that follow each other, all standing or all undone, are one
    line that adds up what they did.
    """
    run: list[HistoryEntry] = []
    for entry in entries:
        if run and not _same(run[-1], entry):
            yield _line(run)
            run = []
        run.append(entry)
    if run:
        yield _line(run)


def _same(one: HistoryEntry, other: HistoryEntry) -> bool:
    return all(
        (
            one.kind == other.kind == "labels.edit",
            one.who == other.who,
            one.undone == other.undone,
            one.detail.get("image") == other.detail.get("image"),
        )
    )


def _line(run: list[HistoryEntry]) -> HistoryLine:
    if len(run) == 1:
        return HistoryLine(run[0], 1, run[0].summary)
    counts: Counter[str] = Counter()
    for entry in reversed(run):
        counts.update(entry.detail.get("ops", {}))
    said = ", ".join(f"{count} {what}" for what, count in counts.items())
    return HistoryLine(run[0], len(run), f"{clean(str(run[0].detail.get('name', '')))}: {said}")
