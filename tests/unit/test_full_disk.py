"""At zero bytes free, deleting works and every other change says what is full; nothing is lost."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_data import put_coco

from cli.common import guard
from cli.main import main
from core.common.errors import BatmanError, DiskFull, ExportFailed, ProjectError, ProjectLocked
from core.common.full_disk import disk_full, full_at, mount_of
from core.data.importers import import_coco
from core.data.store import Project
from core.data.store.sqlite_errors import store_error
from core.training.config.options import TrainingConfig
from core.training.run.events import Finished, encode_event
from core.training.run.run import Run

END = Finished(t=1.0, epoch=1, step=1, best_epoch=1, best_map50_95=0.5, best_map50=0.6, seconds=1.0)


BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@contextlib.contextmanager
def file_system(place: Path, megabytes: int) -> Iterator[Path]:
    """Mount a small file system at `place` for the block; where that cannot be, skip the test."""
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace on a file system of 4 MB of its own."""
    monkeypatch.setenv("BATMAN_WORKSPACE", str(tmp_path / "small" / "work"))
    monkeypatch.chdir(tmp_path)
    with file_system(tmp_path / "small", 4) as place:
        yield place


def fill(place: Path) -> None:
    """Leave not one byte."""
    with contextlib.suppress(OSError), (place / "filler").open("ab", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    stat = os.statvfs(place)
    assert stat.f_bavail * stat.f_frsize == 0


def seen(place: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.name not in ("filler", "project.lock")
    }


def workspace_with_all(place: Path, source: Path) -> Path:
    work = place / "work"
    with Project.create(work / "data" / "projects" / "p") as project:
        import_coco(project, put_coco(source), files="copy")
    run = Run(work / "runs" / "r")
    run.path.mkdir(parents=True)
    run.save_config(TrainingConfig(model="tiny"))
    run.events_file.write_bytes(encode_event(END))
    (run.path / "checkpoint_last.pth").write_bytes(b"0" * 100_000)
    return work


@pytest.mark.parametrize(
    "words",
    [
        "project create other",
        "classes merge --source hook boom --target both --project p",
        "import coco-dir SOURCE --project p --copy --again",
        "export coco --project p work/exports/e",
        "runs note r something",
        "runs tag r +new",
    ],
)
def test_a_change_says_what_is_full_and_changes_nothing(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    workspace_with_all(small, tmp_path / "set")
    fill(small)
    before = seen(small)
    capsys.readouterr()
    argv = [
        w.replace("SOURCE", str(tmp_path / "set")).replace("work/", f"{small}/work/")
        for w in words.split()
    ]
    code = main(argv)
    said = capsys.readouterr().err
    assert "defect" not in said
    assert f"The disk is full: 0 B free on '{small}'" in " ".join(said.split()), said
    assert "runs delete" in said
    assert code == 1
    assert seen(small) == before


def test_deleting_needs_no_room(small: Path, tmp_path: Path) -> None:
    work = workspace_with_all(small, tmp_path / "set")
    fill(small)
    assert main(["runs", "delete", "r", "--checkpoints", "--yes"]) == 0
    assert not (work / "runs" / "r" / "checkpoint_last.pth").exists()
    fill(small)
    assert main(["runs", "delete", "r", "--yes"]) == 0
    fill(small)
    assert main(["project", "delete", "p", "--yes"]) == 0
    assert list((work / "data" / "projects").iterdir()) == []
    assert list((work / "runs").iterdir()) == []
    (small / "filler").unlink()
    assert main(["project", "create", "p"]) == 0


def test_commands_with_less_room_than_they_need_do_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of `benchmarks/full_disk.py`: those that once ended in a traceback."""
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    for name in ("BATMAN_CONFIG_DIR", "BATMAN_CACHE_DIR", "BATMAN_WORKSPACE"):
        monkeypatch.setenv(name, str(tmp_path / "unused"))
    import full_disk
    import writing

    begins = (
        ("import", "yolo", "{src}/yolo.zip"), ("check", "--fix"), ("project", "create"),
        ("project", "delete"), ("export", "coco"), ("train", "--prepare-only"),
    )  # fmt: skip
    chosen = [
        command
        for command in writing.COMMANDS
        if any(command.words[: len(begin)] == begin for begin in begins)
    ]
    assert len(chosen) == len(begins)
    made = writing.template(tmp_path / "made")
    writing.warm(made, tmp_path, chosen)
    whole = 0
    with file_system(tmp_path / "disk", 16) as disk:
        for command in chosen:
            done, wrong = full_disk.sweep(made, disk, command, 3)
            assert not wrong, f"{command.name}: {wrong}"
            whole += done
    # A deletion is always whole; the others never without a byte, and with more than they need.
    assert len(chosen) + 2 <= whole <= 2 * len(chosen) + 1


def test_a_quota_is_a_full_disk_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def act() -> int:
        raise OSError(errno.EDQUOT, "Disk quota exceeded", str(tmp_path / "x"))

    assert guard(act) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"The quota on '{mount_of(tmp_path)}' is used up" in said


def test_what_a_module_makes_of_it_keeps_the_cause(tmp_path: Path) -> None:
    def failing() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "x"))
        except OSError as error:
            raise ExportFailed("It cannot be written.") from error

    with pytest.raises(ExportFailed) as told:
        failing()
    assert isinstance(disk_full(told.value), DiskFull)
    assert disk_full(ExportFailed("It cannot be written.")) is None
    assert disk_full(PermissionError(errno.EACCES, "Permission denied")) is None
    assert str(tmp_path) in full_at(tmp_path / "x").message


def failure(code: int, name: str, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    return error


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (sqlite3.SQLITE_FULL, DiskFull, "is full"),
        (sqlite3.SQLITE_BUSY, ProjectLocked, "in use"),
        (sqlite3.SQLITE_CORRUPT, ProjectError, "damaged"),
        (sqlite3.SQLITE_IOERR_READ, ProjectError, "disk of"),
        (sqlite3.SQLITE_READONLY, ProjectError, "may not"),
    ],
)
def test_each_of_sqlites_errors_has_its_own_words(
    tmp_path: Path, code: int, kind: type[BatmanError], words: str
) -> None:
    told = store_error(failure(code, "SQLITE_X", "what it said"), tmp_path)
    assert isinstance(told, kind)
    assert words in told.message
    if code != sqlite3.SQLITE_FULL:
        assert "full" not in told.message + told.hint


def test_a_defect_of_ours_is_none_of_the_project(tmp_path: Path) -> None:
    assert store_error(failure(sqlite3.SQLITE_ERROR, "SQLITE_ERROR", "near x"), tmp_path) is None


def test_a_reader_that_does_not_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process in the middle of reading holds up the commit of everybody else."""
    from core.data.store import project as module

    monkeypatch.setattr(module, "BUSY_S", 0.1)
    with Project.create(tmp_path / "p"), Project.open(tmp_path / "p") as reading:
        reading.db.execute("BEGIN")
        reading.db.execute("SELECT count(*) FROM classes").fetchone()
        with Project.open(tmp_path / "p") as writing:
            with (
                pytest.raises(ProjectLocked, match="in use: another process") as told,
                writing.change("test", "a change") as change,
            ):
                change.insert("classes", {"name": "new"})
            assert "full" not in told.value.message + told.value.hint
            reading.db.execute("COMMIT")
            assert writing.summary().classes == 0
