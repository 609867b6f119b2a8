"""Links that a second process makes: the same project as without it, whatever happens to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from import_data import check, coco, files_below, png, put, state

from core.common.errors import Cancelled
from core.data.importers import ImportReport, Progress, import_coco
from core.data.importers.coco.reader import read_coco
from core.data.importers.commit import commit
from core.data.importers.files import copy_images, hard_links
from core.data.importers.report import Watch
from core.data.store import Project

IMAGES = 50


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fifty images be many."""
    monkeypatch.setattr(hard_links, "LEAST", 10)
    monkeypatch.setattr(hard_links, "_BLOCK", 7)
    monkeypatch.setattr(copy_images, "_TICK", 8)
    monkeypatch.setattr(copy_images, "usable_cores", lambda: 2)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[hard_links.Links]:
    """The links that were begun by another process."""
    begun: list[hard_links.Links] = []

    class Watched(hard_links.Links):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            begun.append(self)

    monkeypatch.setattr(copy_images, "Links", Watched)
    return begun


def dataset(folder: Path) -> Path:
    """Fifty images in two folders, with names that are hard to pass on, and one by a link."""
    names = [f"{'sub dir/' if n % 2 else ''}{n}ä 😀.png" for n in range(IMAGES)]
    for name in names[1:]:
        put(folder / name)
    put(folder.parent / "elsewhere.png", png(60, 40))
    (folder / names[0]).symlink_to(folder.parent / "elsewhere.png")
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    annotations = [
        {"id": n, "image_id": n % IMAGES, "category_id": 1 + n % 2, "bbox": [n % 40, 3, 9, 9]}
        for n in range(600)
    ]
    put(folder / "a.json", json.dumps(coco(images=images, annotations=annotations)))
    return folder


def plain(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The files of the import without a second process."""
    with monkeypatch.context() as alone, Project.create(tmp_path / "plain") as project:
        alone.setattr(copy_images, "usable_cores", lambda: 1)
        import_coco(project, source)
        return files_below(project.images_dir)


def test_the_links_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[hard_links.Links]
) -> None:
    source = dataset(tmp_path / "set")
    expected = plain(tmp_path, source, monkeypatch)
    assert not started
    ticks: list[Progress] = []
    with Project.create(tmp_path / "p") as project:
        import_coco(project, source, progress=ticks.append)
        assert len(started) == 1
        assert files_below(project.images_dir) == expected
        assert len(expected) == IMAGES
        check(project)
        first = project.db.execute("SELECT path FROM images WHERE width = 60").fetchone()[0]
        placed = project.image_file(first)
        assert not placed.is_symlink()
        assert placed.samefile(tmp_path / "elsewhere.png")
    assert [(t.done, t.total) for t in ticks if t.stage == "images"][-1] == (IMAGES, IMAGES)


def lost(source: Path, _: pytest.MonkeyPatch) -> None:
    (source / "40ä 😀.png").unlink()


def broken(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = _.parent / "broken.py"
    script.write_text("import sys; sys.stdin.buffer.read(9); sys.exit(1)")
    monkeypatch.setattr(hard_links, "_CHILD", script)


def killed(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = _.parent / "killed.py"
    script.write_text("import os; os.kill(os.getpid(), 9)")
    monkeypatch.setattr(hard_links, "_CHILD", script)


def no_program(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nothing/python")


@pytest.mark.parametrize("trouble", [lost, broken, killed, no_program])
def test_trouble_is_met_the_plain_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., None]
) -> None:
    source = dataset(tmp_path / "set")
    data = read_coco(source, Watch())
    data.problems.add("clipped", "somewhere", "before")
    # One that is gone among the first, which are not left to the other process.
    (source / "2ä 😀.png").unlink()
    trouble(source, monkeypatch)
    gone = 1 + (trouble is lost)
    with Project.create(tmp_path / "p") as project:
        report: ImportReport = commit(project, data)
        assert report.images == IMAGES - gone
        assert report.counts() == {"clipped": 1, "unreadable image": gone}
        assert len(report.problems) == 1 + gone
        assert len(files_below(project.images_dir)) == IMAGES - gone
        assert [entry.kind for entry in project.history()] == ["import"]
        assert not list(project.images_dir.glob("*.importing"))
        check(project)


@pytest.mark.parametrize("stage", ["images", "annotations"])
def test_stopping_ends_the_other_process_and_leaves_nothing(
    tmp_path: Path, started: list[hard_links.Links], stage: str
) -> None:
    source = dataset(tmp_path / "set")
    with Project.create(tmp_path / "p") as project:
        before = state(project)

        def stop(at: Progress) -> None:
            if started and at.stage == stage:
                raise Cancelled("Stopped.", "")

        with pytest.raises(Cancelled):
            import_coco(project, source, progress=stop)
        (begun,) = started
        assert begun._child.returncode is not None
        assert not begun._thread.is_alive()
        assert state(project) == before
        assert not files_below(project.images_dir)


def test_a_move_takes_its_sources_only_after_all_are_linked(
    tmp_path: Path, started: list[hard_links.Links]
) -> None:
    source = dataset(tmp_path / "set")
    with Project.create(tmp_path / "p") as project:
        import_coco(project, source, files="move")
        assert len(started) == 1
        check(project)
        assert len(files_below(project.images_dir)) == IMAGES
    assert set(files_below(source)) == {"a.json"}


def test_few_images_need_no_other_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[hard_links.Links]
) -> None:
    monkeypatch.setattr(hard_links, "LEAST", IMAGES)
    with Project.create(tmp_path / "p") as project:
        import_coco(project, dataset(tmp_path / "set"))
        check(project)
    assert not started
