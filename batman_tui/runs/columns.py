"""The columns of the list of runs: the usual ones, and one for every setting on request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from batman_tui.widgets.table.table import Column
from core.training.config.form import label, to_text
from core.training.run.summary import RunSummary
from core.training.run_list.columns import RUN_COLUMNS, is_shown
from core.training.run_list.filter import setting_names

Now = Callable[[], datetime]
# Places on disk say nothing that a column of a list would show.
_NO_COLUMN = ("output_dir", "resume", "project")


def columns(
    now: Now, wanted: Sequence[str] = (), there: Collection[str] = ()
) -> list[Column[RunSummary]]:
    """Return the columns of the list of runs: those in `wanted`, in its order, else the usual ones.

    Of the usual ones, those that do not fit are left out, and `occasional` ones that are not
    `there`; chosen ones are shown all. Names that are not known are left out.
    """
    usual = _usual(now, there)
    every = {column.key: column for column in [*usual, *_settings()]}
    chosen = [every[name] for name in wanted if name in every]
    if chosen:
        return [replace(column, from_width=0) for column in chosen]
    return [column for column in usual if is_shown(column.key, there)]


def column_names(now: Now) -> dict[str, str]:
    """Return the titles of all columns there are, by key."""
    found = {column.key: column.title for column in [*_usual(now), *_settings()]}
    return found | {"done": "Progress"}


def _usual(now: Now, there: Collection[str] = ()) -> list[Column[RunSummary]]:
    columns = [column.on_screen(now) for column in RUN_COLUMNS.values()]
    # With tags, notes and sweeps there is less room for the rest.
    return [replace(c, from_width=150) if there and c.key == "project" else c for c in columns]


def _settings() -> list[Column[RunSummary]]:
    def value(name: str) -> Callable[[RunSummary], str | None]:
        def read(row: RunSummary) -> str | None:
            if row.config is None:
                return None
            return to_text(name, getattr(row.config, name)) or None

        return read

    def order(name: str) -> Callable[[RunSummary], tuple[bool, float, str] | None]:
        def read(row: RunSummary) -> tuple[bool, float, str] | None:
            found = None if row.config is None else getattr(row.config, name)
            if found is None:
                return None
            # Auto among numbers comes after them.
            number = isinstance(found, (int, float)) and not isinstance(found, bool)
            return not number, float(found) if number else 0.0, to_text(name, found)

        return read

    return [
        Column(name, label(name), value(name), width=max(8, len(label(name))), sort=order(name))
        for name in setting_names()
        if name not in _NO_COLUMN
    ]
