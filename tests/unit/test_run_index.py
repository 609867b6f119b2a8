"""The list of runs: what has not changed is not read again, and whatever has is seen."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.common.errors import BatmanError
from core.common.workspace import Workspace
from core.training.config.options import TrainingConfig
from core.training.run import run as run_module
from core.training.run.events import EventWriter, Finished, Started
from core.training.run.notes import write_note
from core.training.run.run import Run
from core.training.run.worker_process import write_worker
from core.training.run_list import index as run_index
from core.training.run_list.cache import RunCache
from core.training.run_list.index import RunIndex

DAY = 86400.0


def settle(folder: Path, age: float = 30 * DAY) -> None:
    """Date a run and its files back, as if nobody had written to it since."""
    when = time.time() - age
    for path in [*folder.iterdir(), folder]:
        os.utime(path, (when, when))


def start(run: Run, epoch: int = 0) -> None:
    events = EventWriter(run.events_file)
    events.write(Started(
        run=run.name, pid=1, host="h", model="tiny", epochs=5, epoch=epoch, step=0,
        steps_per_epoch=10, batch_size=8, grad_accum=1, effective_batch=8, image_size=128,
        classes=["a"], device="cpu",
    ))  # fmt: skip
    events.close()


def finish(run: Run) -> None:
    events = EventWriter(run.events_file)
    events.write(
        Finished(epoch=5, step=50, best_epoch=5, best_map50_95=0.5, best_map50=0.6, seconds=1.0)
    )
    events.close()


def made(workspace: Workspace, name: str, **settings: Any) -> Run:
    run = Run(workspace.runs_dir / name)
    run.path.mkdir(parents=True)
    run.save_config(TrainingConfig(**settings))
    start(run)
    finish(run)
    settle(run.path)
    return run


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    space = Workspace(tmp_path / "space")
    for number in range(5):
        made(space, f"r{number}", lr=1e-4 * (1 + number))
    return space


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs that are read, as they are."""
    names: list[str] = []
    read = Run.summary

    def counted(run: Run) -> Any:
        names.append(run.name)
        return read(run)

    monkeypatch.setattr(Run, "summary", counted)
    return names


def states(index: RunIndex) -> dict[str, str]:
    return {row.name: row.state for row in index.list()}


def test_the_second_look_opens_no_file(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = RunIndex(workspace)
    first = index.list()
    assert [row.state for row in first] == ["finished"] * 5
    opened: list[Any] = []
    monkeypatch.setattr(os, "open", lambda *args, **_: opened.append(args))
    monkeypatch.setattr("builtins.open", lambda *args, **_: opened.append(args))
    monkeypatch.setattr("io.open", lambda *args, **_: opened.append(args))
    looked: list[Any] = []
    monkeypatch.setattr(run_index, "_files", looked.append)
    second = index.list()
    assert opened == []
    assert looked == [], "a look at an old run at rest is one at its folder"
    assert second is first
    assert index.list(part=lambda rows: None) is first


def test_who_comes_while_somebody_looks_hears_what_is_read(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_index, "_FIRST", 2)
    index = RunIndex(workspace)
    looking, heard = threading.Event(), threading.Event()
    parts: list[list[str]] = []
    read = Run.summary

    def slow(run: Run) -> Any:
        looking.set()
        assert run.name != "r0" or heard.wait(30), "the look ends before anybody has heard of it"
        return read(run)

    def part(rows: Any) -> None:
        parts.append([row.name for row in rows])
        heard.set()

    for number in range(5):  # r0 is the oldest, and comes last
        os.utime(workspace.run_path(f"r{number}"), (1e9 + number, 1e9 + number))
    monkeypatch.setattr(Run, "summary", slow)
    first = threading.Thread(target=index.list)
    first.start()
    assert looking.wait(30)
    whole = index.list(part=part)
    first.join()
    assert parts[0] != [row.name for row in whole]
    assert len(whole) == 5
    parts.clear()
    index.list(fresh=True)
    assert parts == [], "it is told no more when it is through"


def test_another_process_reads_only_what_changed(workspace: Workspace, reads: list[str]) -> None:
    before = RunIndex(workspace).list()
    assert sorted(reads) == ["r0", "r1", "r2", "r3", "r4"]
    reads.clear()
    again = RunIndex(workspace).list()
    assert reads == []
    assert again == before
    assert [row.config for row in again] == [Run(row.path).config() for row in before]
    write_note(workspace.runs_dir / "r3", "the good one")
    assert {row.name: row.note for row in RunIndex(workspace).list()}["r3"] == "the good one"
    assert reads == ["r3"]


def change_note(runs: Path) -> None:
    write_note(runs / "r1", "changed")


def add(runs: Path) -> None:
    made(Workspace(runs.parent), "r9")


def delete(runs: Path) -> None:
    for path in (runs / "r1").iterdir():
        path.unlink()
    (runs / "r1").rmdir()


def again(runs: Path) -> None:
    write_worker(runs / "r1")


def in_two_steps(runs: Path) -> None:
    (runs / "r9").mkdir()


@pytest.mark.parametrize(
    ("act", "names", "read"),
    [
        (change_note, "r0 r1 r2 r3 r4", ["r1"]),
        (add, "r0 r1 r2 r3 r4 r9", ["r9"]),
        (delete, "r0 r2 r3 r4", []),
        (again, "r0 r1 r2 r3 r4", ["r1"]),
        (in_two_steps, "r0 r1 r2 r3 r4", []),
    ],
)
def test_what_happens_to_a_run_is_seen_at_the_next_look(
    workspace: Workspace,
    reads: list[str],
    act: Callable[[Path], None],
    names: str,
    read: list[str],
) -> None:
    index = RunIndex(workspace)
    index.list()
    reads.clear()
    act(workspace.runs_dir)
    rows = index.list()
    assert sorted(row.name for row in rows) == names.split()
    assert reads == read
    assert sorted(rows, key=lambda row: row.name) == [
        Run(workspace.runs_dir / name).summary() for name in names.split()
    ]


def test_a_folder_becomes_a_run_when_its_settings_are_written(workspace: Workspace) -> None:
    index = RunIndex(workspace)
    folder = workspace.runs_dir / "r9"
    folder.mkdir()
    assert "r9" not in states(index)
    Run(folder).save_config(TrainingConfig())
    assert states(index)["r9"] == "preparing"


def test_a_run_goes_through_its_states(workspace: Workspace) -> None:
    index = RunIndex(workspace)
    run = Run(workspace.runs_dir / "r2")
    assert states(index)["r2"] == "finished"
    write_worker(run.path)
    assert states(index)["r2"] == "preparing"
    start(run)
    assert states(index)["r2"] == "running"
    assert [row.state for row in index.read([run.path])] == ["running"]
    assert states(index)["r2"] == "running", "what `read` found is in the next list"
    finish(run)
    assert [row.state for row in index.read([run.path])] == ["finished"]
    assert states(index)["r2"] == "finished"
    assert index.list()[0].name == "r2", "the most recently active run is the first"


def test_a_process_that_dies_without_a_word_is_seen(
    workspace: Workspace, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(workspace.runs_dir / "r2")
    write_worker(run.path, since=time.time() - 40 * DAY)
    run.events_file.unlink()
    start(run)
    settle(run.path)
    index = RunIndex(workspace)
    assert states(index)["r2"] == "running"
    reads.clear()
    assert states(index)["r2"] == "running"
    assert reads == [], "one that writes nothing is not read again either"
    monkeypatch.setattr("core.training.run.worker_process.Worker.alive", lambda worker: False)
    assert states(index)["r2"] == "lost"


def test_a_file_written_in_place_is_seen_when_it_is_in_sight(workspace: Workspace) -> None:
    run = Run(workspace.runs_dir / "r2")
    write_note(run.path, "one note")
    settle(run.path)
    now = time.time()
    index = RunIndex(workspace, clock=lambda: now)
    index.list()
    notes = run.path / "notes.json"
    text = notes.read_text().replace("one note", "two note")
    notes.write_text(text)  # same length, same folder, another time
    assert [row.note for row in index.read([run.path])] == ["two note"]
    notes.write_text(text.replace("two", "six"))
    os.utime(notes, ns=(1, 1))
    now += 301
    assert {row.name: row.note for row in index.list()}["r2"] == "six note", "and in time anyway"


def test_what_was_written_within_a_tick_of_the_clock_is_read_again(
    workspace: Workspace, reads: list[str]
) -> None:
    run = Run(workspace.runs_dir / "r2")
    write_note(run.path, "one note")
    notes = run.path / "notes.json"
    stamp = notes.stat()
    index = RunIndex(workspace, clock=lambda: stamp.st_mtime + 0.5)
    index.list()
    notes.write_text(notes.read_text().replace("one note", "two note"))
    os.utime(notes, ns=(stamp.st_mtime_ns, stamp.st_mtime_ns))  # a coarse clock
    assert {row.name: row.note for row in index.list()}["r2"] == "two note"


@pytest.mark.parametrize("damage", ["cut", "bit", "other", "gone"])
def test_a_damaged_cache_is_made_again(workspace: Workspace, reads: list[str], damage: str) -> None:
    before = RunIndex(workspace).list()
    file = RunCache(workspace.runs_dir).file
    data = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "bit":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif damage == "other":
        file.write_bytes(b"something else")
    else:
        file.unlink()
    reads.clear()
    assert RunIndex(workspace).list() == before
    assert len(reads) == 5
    reads.clear()
    assert RunIndex(workspace).list() == before
    assert reads == []


def test_a_cache_folder_that_cannot_be_made_costs_nothing_but_time(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "file"))
    assert len(RunIndex(workspace).list()) == 5


def test_a_name_that_is_not_utf8_does_not_keep_the_others_out(
    workspace: Workspace, reads: list[str]
) -> None:
    run = made(workspace, "r9")
    run.path.rename(workspace.runs_dir / os.fsdecode(b"r\xff"))
    assert len(RunIndex(workspace).list()) == 6
    reads.clear()
    assert len(RunIndex(workspace).list()) == 6
    assert reads == [os.fsdecode(b"r\xff")]


def test_one_run_that_cannot_be_read_is_a_row(
    workspace: Workspace, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again at every look: a permission given back changes no time of a file."""
    read = run_module.read_notes

    def broken(path: Path) -> Any:
        if path.name == "r1":
            raise PermissionError(13, "Permission denied")
        return read(path)

    index = RunIndex(workspace)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "read_notes", broken)
        rows = {row.name: row for row in index.list()}
    assert rows["r1"].state == "unreadable"
    assert rows.pop("r1").error == "Permission denied"
    assert {row.error for row in rows.values()} == {""}
    reads.clear()
    assert states(RunIndex(workspace))["r1"] == "finished", "it is kept in no cache"
    assert states(index)["r1"] == "finished"
    assert reads == ["r1", "r1"]


def test_a_folder_of_runs_that_cannot_be_read_is_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(BatmanError, match="runs' cannot be read: Permission denied"):
        RunIndex(workspace).list()


def test_an_app_that_opens_again_looks_at_the_files_of_old_runs_later(
    workspace: Workspace, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their folders say what was replaced; what was written in place is seen within minutes."""
    write_note(workspace.runs_dir / "r1", "one note")
    settle(workspace.runs_dir / "r1")
    before = RunIndex(workspace).list()
    notes = workspace.runs_dir / "r1" / "notes.json"
    notes.write_text(notes.read_text().replace("one", "six"))
    os.utime(notes, ns=(1, 1))
    reads.clear()
    now = time.time()
    looked: list[str] = []
    files = run_index._files
    monkeypatch.setattr(run_index, "_files", lambda path: looked.append(path) or files(path))
    index = RunIndex(workspace, trust=True, clock=lambda: now)
    assert index.list() == before
    assert (reads, looked) == ([], [])
    assert [row.note for row in index.read([notes.parent])] == ["six note"], "when it is in sight"
    other = RunIndex(workspace, trust=True, clock=lambda: now)
    assert other.list() == before
    write_note(workspace.runs_dir / "r2", "another")
    now += 301
    assert {row.name: row.note for row in other.list() if row.note} == {
        "r1": "six note", "r2": "another",
    }  # fmt: skip
    plain = RunIndex(workspace, clock=lambda: now)
    assert {row.note for row in plain.list()} == {"six note", "another", ""}


def test_a_first_list_comes_in_parts_and_can_be_broken_off(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_index, "_FIRST", 2)
    parts: list[int] = []
    index = RunIndex(workspace)
    assert index.list(cancelled=lambda: True) == []
    assert len(index.list(part=lambda rows: parts.append(len(rows)))) == 5
    assert parts == [2]


def test_looks_take_no_more_than_their_share(workspace: Workspace) -> None:
    index = RunIndex(workspace, share=1e-9)
    assert len(index.list()) == 5
    made(workspace, "r9")
    assert len(index.list()) == 5
    assert len(index.list(fresh=True)) == 6
