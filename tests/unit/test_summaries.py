"""What is kept of projects: true to their files, and read again only where they changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from labelled_rows import labelled

from core.data.store import Project
from core.data.summaries import Summaries

LONG_AGO = 10**9


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "projects" / "site"
    with labelled(path, count=10) as made:
        made.project.db.execute("UPDATE images SET split = 'train'")
        made.project.db.execute("UPDATE images SET review = 'done' WHERE id <= 3")
    _age(path)
    return path


def _age(path: Path) -> None:
    os.utime(path / "project.db", (LONG_AGO, LONG_AGO))


def test_a_summary_counts_splits_and_what_is_reviewed(project: Path) -> None:
    with Project.open(project) as opened:
        found = opened.summary()
    assert found.splits == {"train": 10}
    assert (found.images, found.reviewed) == (10, 3)


def test_a_project_that_has_not_changed_is_not_opened_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Summaries(project.parent)
    assert first.kept(project) is None
    read = first.read(project)
    first.save([project])
    monkeypatch.setattr(Project, "open", lambda _path: pytest.fail("it was opened"))
    assert Summaries(project.parent).kept(project) == read


def test_a_change_of_a_project_shows_at_once(project: Path) -> None:
    kept = Summaries(project.parent)
    kept.read(project)
    kept.save([project])
    with Project.open(project) as opened:
        opened.db.execute("UPDATE images SET split = NULL")
    assert kept.kept(project) is None
    assert Summaries(project.parent).read(project).splits == {None: 10}
    # One that was written this moment may be written again without its time telling.
    again = Summaries(project.parent)
    again.read(project)
    again.save([project])
    assert Summaries(project.parent).kept(project) is None


def test_what_is_gone_or_damaged_is_not_kept(project: Path) -> None:
    kept = Summaries(project.parent)
    kept.read(project)
    kept.save([project])
    (file,) = (project.parent.parent / "cache" / "projects").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"?")
    assert Summaries(project.parent).kept(project) is None
    file.write_bytes(whole)
    assert Summaries(project.parent).kept(project) is not None
    Summaries(project.parent).save([])
    assert Summaries(project.parent).kept(project) is None
