"""Data sets in ZIP archives are imported as they were downloaded."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from import_data import boxes, check, files_below, put_coco, put_voc, put_yolo, state

from core.common.errors import Cancelled, ImportFailed
from core.data.importers import (
    ImportReport,
    Progress,
    import_coco,
    import_voc,
    import_yolo,
    imported_before,
    list_imports,
)
from core.data.importers.detect_format import guess_kind
from core.data.store import Project

FORMATS: dict[str, tuple[Callable[[Path], Path], Callable[..., ImportReport]]] = {
    "coco": (put_coco, import_coco),
    "yolo": (put_yolo, import_yolo),
    "voc": (put_voc, import_voc),
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "cranes") as made:
        yield made


def pack(folder: Path, below: str = "", extra: dict[str, bytes] | None = None) -> Path:
    path = folder.parent / "site set.ZIP"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (files_below(folder) | (extra or {})).items():
            archive.writestr(f"{below}{name}", data)
    return path


@pytest.mark.parametrize("below", ["", "site/", "a/b/"])
@pytest.mark.parametrize("kind", FORMATS)
def test_an_archive_is_imported_like_its_folder(
    project: Project, tmp_path: Path, kind: str, below: str
) -> None:
    put, read = FORMATS[kind]
    archive = pack(put(tmp_path / "set"), below)
    assert guess_kind(archive) == {"coco": "coco-dir"}.get(kind, kind)
    report = read(project, archive)
    assert report.counts() == {}
    packed = boxes(project)
    assert report.images == 2
    check(project)
    assert sorted(path.name for path in project.images_dir.iterdir()) == ["1"]
    row = imported_before(project, archive)
    assert row is not None
    assert row.origin == str(archive)
    project.undo()
    read(project, tmp_path / "set")
    assert boxes(project) == packed
    assert list_imports(project)[0].origin == str(tmp_path / "set")


def test_what_macos_packs_beside_the_files_is_passed_over(project: Project, tmp_path: Path) -> None:
    extra = {"../__MACOSX/site/._a.png": b"\0\5\x16\7"}
    archive = pack(put_coco(tmp_path / "set"), "site/")
    with zipfile.ZipFile(archive, "a") as file:
        for name, data in extra.items():
            file.writestr(name.removeprefix("../"), data)
    report = import_coco(project, archive)
    assert (report.images, report.counts()) == (2, {})


def test_images_cannot_be_left_in_an_archive(project: Project, tmp_path: Path) -> None:
    archive = pack(put_coco(tmp_path / "set"))
    with pytest.raises(ImportFailed, match="cannot be left"):
        import_coco(project, archive, files="reference")
    # Of a move, the archive is not what is moved.
    assert import_coco(project, archive, files="move").images == 2
    assert archive.is_file()


@pytest.mark.parametrize("damage", ["cut", "text", "../"])
def test_a_bad_archive_changes_nothing(project: Project, tmp_path: Path, damage: str) -> None:
    extra = {"../evil": b"x"} if damage == "../" else None
    archive = pack(put_coco(tmp_path / "set"), extra=extra)
    if damage == "cut":
        archive.write_bytes(archive.read_bytes()[:-200])
    elif damage == "text":
        archive.write_bytes(b"not an archive")
        assert guess_kind(archive) is None
    before = state(project)
    with pytest.raises(ImportFailed):
        import_coco(project, archive)
    assert state(project) == before
    assert list(project.images_dir.iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_the_message_names_the_archive_and_not_where_it_was_unpacked(
    project: Project, tmp_path: Path
) -> None:
    archive = pack(put_coco(tmp_path / "set"), "site/")
    with pytest.raises(ImportFailed, match=r"'site set\.ZIP/site'") as caught:
        import_voc(project, archive)
    assert str(project.path) not in caught.value.message + caught.value.hint


def test_it_can_be_stopped_while_it_is_unpacked(project: Project, tmp_path: Path) -> None:
    archive = pack(put_coco(tmp_path / "set"))
    heard: list[Any] = []

    def tell(now: Progress) -> None:
        heard.append(now.stage)

    with pytest.raises(Cancelled):
        import_coco(project, archive, progress=tell, cancelled=lambda: "unpacking" in heard)
    assert list(project.images_dir.iterdir()) == []
    assert project.summary().images == 0
