"""The columns of a list of runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime

from core.common.lists.columns import Column, by_key
from core.common.text import ago, duration, minute, score
from core.training.run.notes import said_of
from core.training.run.summary import RunSummary

# Told from each other without colours too.
STATE_SIGNS: Mapping[str, str] = {
    "waiting": "◔", "prepared": "○", "queued": "◷", "preparing": "◌", "running": "●",
    "stopping": "◍", "stopped": "■", "finished": "✔", "failed": "✖", "lost": "?", "unreadable": "!",
}  # fmt: skip

# Columns that a list has only where some run has anything in them.
_OCCASIONAL: dict[str, Callable[[RunSummary], object]] = {
    "said": lambda row: row.note or row.tags,
    "sweep": lambda row: row.sweep,
}


def occasional(rows: Iterable[RunSummary]) -> frozenset[str]:
    """Return the keys of those columns for which some of `rows` has something."""
    left, found = dict(_OCCASIONAL), set[str]()
    for row in rows:
        for key in [key for key, has in left.items() if has(row)]:
            found.add(key)
            del left[key]
        if not left:
            break
    return frozenset(found)


def is_shown(key: str, there: Collection[str]) -> bool:
    """Return whether a list has the column by itself, where `occasional` columns are `there`."""
    return key not in _OCCASIONAL or key in there


def _state(row: RunSummary, now: datetime) -> str:
    return f"{'!' if row.problem else STATE_SIGNS[row.state]} {row.state}"


def _ago(row: RunSummary, now: datetime) -> str | None:
    return None if row.started_at is None else ago(datetime.fromtimestamp(row.started_at, UTC), now)


RUN_COLUMNS = by_key(
    [
        Column[RunSummary]("name", "Run", lambda row: row.name, least=14),
        Column(
            "state", "State", lambda row: f"{row.state} !" if row.problem else row.state, width=11,
            sort=lambda row: row.state, seen=_state,
        ),
        Column(
            "said", "Tags and note", lambda row: said_of(row.tags, row.note) or None,
            least=14, from_width=86, muted=True,
        ),
        Column("project", "Project", lambda row: row.project, width=16, from_width=125),
        Column(
            "sweep", "Sweep", lambda row: row.sweep or None, width=16, from_width=86, muted=True
        ),
        Column("model", "Model", lambda row: row.model, width=8),
        Column(
            "epoch", "Epoch", lambda row: f"{row.epoch}/{row.epochs}" if row.epochs else None,
            width=8, right=True, sort=lambda row: row.epoch,
        ),
        Column(
            "done", "", lambda row: row.epoch / row.epochs if row.epochs else 0.0, kind="bar",
            width=8, from_width=140,
        ),
        Column(
            "map", "mAP50-95", lambda row: score(row.best_map50_95), width=8, word="mAP50-95",
            right=True, sort=lambda row: row.best_map50_95,
        ),
        Column(
            "map50", "mAP50", lambda row: score(row.best_map50), width=6, from_width=76,
            word="mAP50", right=True, sort=lambda row: row.best_map50,
        ),
        Column(
            "loss", "Loss", lambda row: None if row.loss is None else f"{row.loss:.4g}", width=7,
            from_width=108, right=True, sort=lambda row: row.loss,
            seen=lambda row, now: score(row.loss),
        ),
        Column(
            "started", "Started", lambda row: minute(row.started_at), width=11, from_width=88,
            muted=True, sort=lambda row: row.started_at, seen=_ago,
        ),
        Column(
            "took", "Took", lambda row: duration(row.seconds) if row.seconds else None, width=8,
            from_width=100, word="time", right=True, sort=lambda row: row.seconds, muted=True,
        ),
    ]
)  # fmt: skip
