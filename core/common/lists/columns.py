"""A column of a list: one definition for the command line's tables and the app's.

What belongs to one kind of thing stands beside it (`core.data.classes.columns`,
`core.training.run_list.columns` …), what a screen writes in another way included, such as how long
ago something was; each front end picks the columns it shows by their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

Row = TypeVar("Row")
Outer = TypeVar("Outer")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column: a heading, how to get the value of a row, and how it is laid out.

    `value` returns text, a number, or, for the kinds `bar` and `percent`, a share from 0 to 1.
    Numbers are right aligned with thousands separators; None is shown as `–`.

    For the app: `width` is in cells; None shares what is left, but has at least `least`. A column
    is left out while the table is narrower than `from_width` cells. `sort` gives what to sort by
    when it is not the value; `muted` paints it in the quiet colour; `keep` says which end of a
    text too long for it stays, the end for paths; `shade` gives how strongly a cell is filled with
    the theme's second colour, from 0 to 1.

    `seen` gives what a screen shows instead of `value`, for a row and the time it is now: signs,
    few words, how long ago.

    For the command line: `word` is its title where it is not the title in small letters; `right`
    aligns texts that are figures to the right.
    """

    key: str
    title: str
    value: Callable[[Row], Any]
    kind: Literal["text", "number", "percent", "bar"] = "text"
    width: int | None = None
    least: int = 8
    from_width: int = 0
    sort: Callable[[Row], Any] | None = None
    muted: bool = False
    keep: Literal["start", "end"] = "start"
    shade: Callable[[Row], float] | None = None
    word: str = ""
    right: bool = False
    seen: Callable[[Row, datetime], Any] | None = None

    def on_screen(self, now: Callable[[], datetime]) -> Column[Row]:
        """Return the column as a screen shows it; `now` tells the time, with its zone."""
        seen = self.seen
        if seen is None:
            return self
        return replace(self, value=lambda row: seen(row, now()), seen=None)

    @property
    def typed(self) -> str:
        """The title on the command line."""
        return self.word or self.title.lower()

    @property
    def to_right(self) -> bool:
        """Whether the command line aligns it to the right."""
        return self.right or self.kind in ("number", "percent")

    def written(self, row: Row) -> str | None:
        """Return the value of a row as the command line writes it; None for none."""
        value = self.value(row)
        if value is None:
            return None
        if self.kind == "number":
            return f"{value:,}"
        return f"{value:.1%}" if self.kind == "percent" else str(value)

    def of(self, inner: Callable[[Outer], Row | None]) -> Column[Outer]:
        """Return the column for rows that hold what it is about, as `inner` finds it, or None."""
        value, sort, seen = self.value, self.sort, self.seen

        def within(get: Callable[[Row], Any]) -> Callable[[Outer], Any]:
            return lambda row: None if (held := inner(row)) is None else get(held)

        def shown(row: Outer, now: datetime) -> Any:
            held = inner(row)
            return None if held is None or seen is None else seen(held, now)

        return Column(
            self.key,
            self.title,
            within(value),
            self.kind,
            self.width,
            self.least,
            self.from_width,
            None if sort is None else within(sort),
            self.muted,
            self.keep,
            word=self.word,
            right=self.right,
            seen=None if seen is None else shown,
        )


def by_key(columns: Iterable[Column[Row]]) -> dict[str, Column[Row]]:
    """Return columns by their keys, to pick from."""
    return {column.key: column for column in columns}
