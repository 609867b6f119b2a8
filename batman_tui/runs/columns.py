"""The columns of the list of runs: the usual ones, and one for every setting on request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from batman_tui.run.header import BADGES
from batman_tui.widgets.table.table import Column
from core.common.text import ago, duration, score
from core.training.config.form import label, to_text
from core.training.run.notes import said_of
from core.training.run.summary import RunSummary
from core.training.run_list.filter import SETTINGS

Now = Callable[[], datetime]
# Places on disk say nothing that a column of a list would show.
_NO_COLUMN = ("output_dir", "resume", "project")


def columns(now: Now, wanted: Sequence[str] = (), said: bool = False) -> list[Column[RunSummary]]:
    """Return the columns of the list of runs: those in `wanted`, in its order, else the usual ones.

    Of the usual ones, those that do not fit are left out, and tags and notes come when some run
    has any (`said`); chosen ones are shown all. Names that are not known are left out.
    """
    usual = _usual(now, said)
    every = {column.key: column for column in [*usual, *_settings()]}
    chosen = [every[name] for name in wanted if name in every]
    if chosen:
        return [replace(column, from_width=0) for column in chosen]
    return [column for column in usual if said or column.key != "said"]


def column_names(now: Now) -> dict[str, str]:
    """Return the titles of all columns there are, by key."""
    found = {column.key: column.title for column in [*_usual(now, True), *_settings()]}
    return found | {"done": "Progress"}


def _usual(now: Now, said: bool) -> list[Column[RunSummary]]:
    def started(row: RunSummary) -> str | None:
        if row.started_at is None:
            return None
        return ago(datetime.fromtimestamp(row.started_at, UTC), now())

    return [
        Column("name", "Run", lambda row: row.name, least=14),
        Column("state", "State", _state, width=11, sort=lambda row: row.state),
        Column(
            "said", "Tags and note", lambda row: said_of(row.tags, row.note) or None,
            least=14, from_width=86, muted=True,
        ),
        Column(
            "project", "Project", lambda row: row.project, width=16,
            from_width=150 if said else 125,
        ),
        Column("model", "Model", lambda row: row.model, width=8),
        Column("epoch", "Epoch", _epoch, width=8, sort=lambda row: row.epoch),
        Column(
            "done", "", lambda row: row.epoch / row.epochs if row.epochs else 0.0, kind="bar",
            width=8, from_width=140,
        ),
        Column(
            "map", "mAP50-95", lambda row: score(row.best_map50_95), width=8,
            sort=lambda row: row.best_map50_95,
        ),
        Column(
            "map50", "mAP50", lambda row: score(row.best_map50), width=6, from_width=76,
            sort=lambda row: row.best_map50,
        ),
        Column(
            "loss", "Loss", lambda row: score(row.loss), width=7, from_width=108,
            sort=lambda row: row.loss,
        ),
        Column(
            "started", "Started", started, width=11, from_width=88, muted=True,
            sort=lambda row: row.started_at,
        ),
        Column(
            "took", "Took", lambda row: duration(row.seconds) if row.seconds else None,
            width=8, from_width=100, sort=lambda row: row.seconds, muted=True,
        ),
    ]  # fmt: skip


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
        for name in SETTINGS
        if name not in _NO_COLUMN
    ]


def _state(row: RunSummary) -> str:
    sign = "!" if row.problem else BADGES[row.state][0]
    return f"{sign} {row.state}"


def _epoch(row: RunSummary) -> str | None:
    return f"{row.epoch}/{row.epochs}" if row.epochs else None
