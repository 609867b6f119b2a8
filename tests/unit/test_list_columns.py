"""One table of columns for the command line and the app."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from import_data import put_coco

from batman_tui.classes import lines as class_lines
from batman_tui.images import screen as images_screen
from batman_tui.jobs import lines as job_lines
from batman_tui.runs import columns as run_columns
from cli.main import main
from core.common.lists.columns import Column, by_key
from core.common.text import minute
from core.data.classes.columns import CLASS_COLUMNS
from core.data.images.rows import IMAGE_COLUMNS
from core.data.project_columns import PROJECT_COLUMNS
from core.training.run.summary import RunSummary
from core.training.run_list.columns import RUN_COLUMNS
from slurm.queue.columns import JOB_COLUMNS


def _now() -> datetime:
    return datetime(2026, 3, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shared", "app"),
    [
        (CLASS_COLUMNS, lambda: class_lines.COLUMNS),
        (IMAGE_COLUMNS, lambda: images_screen.columns(_now)),
        (RUN_COLUMNS, lambda: run_columns._usual(_now)),
        (JOB_COLUMNS, lambda: job_lines._columns(_now)),
    ],
    ids=["classes", "images", "runs", "jobs"],
)
def test_the_app_has_the_shared_columns(
    shared: dict[str, Column[Any]], app: Callable[[], list[Column[Any]]]
) -> None:
    found = by_key(app())
    for key, column in shared.items():
        mine = found[key]
        assert (mine.title, mine.kind, mine.width, mine.least) == (
            *(column.title, column.kind, column.width, column.least),
        )


def test_what_a_screen_writes_in_another_way_stands_in_the_shared_column() -> None:
    """Neither front end has a way of its own to write an epoch, a loss, a time or a state."""
    row = RunSummary(
        "cells-1", Path("cells-1"), "running", epochs=10, epoch=3, loss=0.123456,
        started_at=_now().timestamp() - 300, seconds=125.0,
    )  # fmt: skip
    new = RunSummary("cells-2", Path("cells-2"), "lost", problem="results.json is damaged.")
    seen = by_key(run_columns._usual(_now))
    for key, typed, shown, typed_new, shown_new in (
        ("state", "running", "● running", "lost !", "! lost"),
        ("epoch", "3/10", "3/10", None, None),
        ("loss", "0.1235", "0.123", None, None),
        ("started", minute(row.started_at), "5 min ago", None, None),
        ("took", "2m 05s", "2m 05s", None, None),
    ):
        assert [RUN_COLUMNS[key].written(each) for each in (row, new)] == [typed, typed_new], key
        assert [seen[key].value(each) for each in (row, new)] == [shown, shown_new], key
    outer: Column[tuple[RunSummary]] = RUN_COLUMNS["started"].of(lambda held: held[0])
    assert outer.on_screen(_now).value((row,)) == "5 min ago"
    for columns in (RUN_COLUMNS, JOB_COLUMNS, IMAGE_COLUMNS, PROJECT_COLUMNS):
        assert any(column.seen for column in columns.values())


def test_the_command_line_has_their_titles_and_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path))
    put_coco(tmp_path / "there")
    main(["import", "coco-dir", str(tmp_path / "there"), "--project", "cells", "--create"])
    for words, heads, row in (
        ("classes list --project cells", "class annotations share images", "boom 1 33.3% 1"),
        ("images list --project cells", "name split import size boxes classes", "a.png – 1 64×48"),
        ("project list", "name images annotations classes imports changed description", "cells 2"),
    ):
        capsys.readouterr()
        assert main(words.split()) == 0
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert lines[0] == heads.split()
        assert lines[1][: len(row.split())] == row.split()


def test_a_column_can_be_of_what_a_row_holds() -> None:
    column = Column[int]("n", "Count", lambda n: n, "number", 7, sort=lambda n: -n, right=True)
    outer: Column[tuple[int]] = column.of(lambda row: row[0])
    assert outer.written((1234,)) == "1,234"
    assert outer.sort is not None
    assert outer.sort((3,)) == -3
    assert (outer.typed, outer.width, outer.to_right) == ("count", 7, True)
