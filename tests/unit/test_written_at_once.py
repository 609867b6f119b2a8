"""What a project's store promises about power cuts, which the tests themselves do without."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from core.data.store import project_file


def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    """FULL (2) waits for the disk at each commit (https://www.sqlite.org/pragma.html)."""
    db = sqlite3.connect(tmp_path / "project.db")
    # As the product has it, not as the tests do.
    project_file.prepare.__wrapped__(db)  # type: ignore[attr-defined]
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    db.close()
