"""Killed work leaves nothing that the next command does not remove, and a living one stays."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from import_data import put, put_coco

from core.common.files import write_json
from core.common.temporary import (
    file_beside,
    folder_beside,
    name_beside,
    put_in_place,
    remove_tree,
    sweep,
)
from core.data.exporters import export_coco
from core.data.importers import import_coco
from core.data.store import Project
from core.training.config.options import TrainingConfig
from core.training.launch.dataset import prepare

KILLS = 25
IMAGES = 80


def hidden(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".*"))


def steps_of(act: Callable[[], object], last: int | None = None) -> int:
    """Run `act` in a child that is killed before its step `last`; return how many it began.

    A step is whatever Python tells its audit hooks about files: opening, making, listing, renaming
    and removing them (PEP 578).
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        began = 0

        def step(event: str, args: object) -> None:
            nonlocal began
            if event == "open" or event.startswith("os."):
                began += 1
                if began == last:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(step)
            act()
            os.write(writer, b"%d" % began)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        began = int(told.read() or last or 0)
    os.waitpid(child, 0)
    return began


def dataset(folder: Path) -> Path:
    images = [{"id": n, "file_name": f"{n}.png", "width": 64, "height": 48} for n in range(IMAGES)]
    boxes = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [3, 3, 9, 9]} for n in range(IMAGES)
    ]
    for image in images:
        put(folder / str(image["file_name"]))
    put(
        folder / "a.json",
        json.dumps(
            {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "hook"}]}
        ),
    )
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset(tmp_path_factory.mktemp("source") / "set")


@pytest.fixture
def projects(tmp_path: Path, source: Path) -> Path:
    with Project.create(tmp_path / "projects" / "p") as project:
        import_coco(project, source)
    return tmp_path / "projects"


def swept_after_kills(
    folder: Path,
    act: Callable[[], object],
    reset: Callable[[], object],
    following: Callable[[], object],
) -> int:
    """Kill `act` before steps all over it, each time asking `following` to remove what is left.

    Returns after how many kills something was.
    """
    reset()
    act()  # so that everything is imported
    reset()
    steps = steps_of(act)
    assert steps > 5
    left = 0
    for last in random.Random(folder.name).sample(range(1, steps + 1), min(KILLS, steps)):
        reset()
        steps_of(act, last)
        left += bool(hidden(folder))
        following()
        assert hidden(folder) == []
    return left


def test_killed_deletions_are_finished_by_the_next_change(projects: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(projects / "p", kept)
    with Project.create(projects / "other"):
        pass

    def reset() -> None:
        if not (projects / "p").exists():
            shutil.copytree(kept, projects / "p")

    def following() -> None:
        assert not (projects / "p").exists() or (projects / "p" / "project.db").exists()
        with Project.open(projects / "other") as other, other.change("test", "a change") as change:
            change.insert("classes", {"name": f"{time.monotonic_ns()}"})

    left = swept_after_kills(projects, lambda: Project.delete(projects / "p"), reset, following)
    assert left > 5, "some kills fell while files were being removed"


def test_killed_exports_are_removed_by_the_next_one(projects: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def export(name: str) -> None:
        with Project.open(projects / "p") as project:
            export_coco(project, out / name, files="copy")

    def following() -> None:
        shutil.rmtree(out / "b", ignore_errors=True)
        export("b")

    left = swept_after_kills(
        out,
        lambda: export("a"),
        lambda: shutil.rmtree(out / "a", ignore_errors=True),
        following,
    )
    assert left > 5


def test_killed_preparing_is_removed_by_the_next_and_the_data_set_is_whole(
    projects: Path, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "r"
    config = TrainingConfig(project=projects / "p", model="tiny")

    def act() -> None:
        with Project.open(projects / "p") as project:
            prepare(project, config, run / "dataset")

    left = swept_after_kills(run, act, lambda: None, act)
    assert left > 5
    assert (run / "dataset" / "train" / "_annotations.coco.json").is_file()


def test_killed_imports_of_archives_are_removed_by_the_next(
    projects: Path, tmp_path: Path, source: Path
) -> None:
    packed = tmp_path / "set.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in source.iterdir():
            archive.write(file, file.name)

    def act() -> None:
        with Project.open(projects / "p") as project:
            import_coco(project, packed)

    def following() -> None:
        with Project.open(projects / "p") as project:
            import_coco(project, put_coco(tmp_path / "small"))

    left = swept_after_kills(projects, act, lambda: None, following)
    assert left > 5


@pytest.mark.parametrize("exchange", [True, False], ids=["exchanged at once", "aside first"])
def test_a_folder_that_is_replaced_is_the_old_one_or_the_new_one(
    exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What evaluations and exports of models do once their folder is complete."""
    target = tmp_path / "work" / "evaluation"
    if not exchange:
        monkeypatch.setattr("core.common.temporary._exchange", lambda one, other: False)

    def replace() -> None:
        for number in range(40):
            with folder_beside(target) as made:
                for name in range(5):
                    (made / str(name)).write_text(str(number))
                put_in_place(made, target)

    def reset() -> None:
        if not target.exists():
            target.mkdir(parents=True)
            for name in range(5):
                (target / str(name)).write_text("first")

    def following() -> None:
        if exchange and sys.platform.startswith("linux"):
            assert target.is_dir(), "no moment without it"
        sweep(target.parent)
        texts = [file.read_text() for file in target.iterdir()]
        assert len(texts) == 5
        assert len(set(texts)) == 1

    left = swept_after_kills(target.parent, replace, reset, following)
    assert left > 5


def test_what_was_aside_when_its_maker_died_comes_back(tmp_path: Path) -> None:
    target = tmp_path / "evaluation"
    child = os.fork()
    if child == 0:
        (tmp_path / "was").mkdir()
        (tmp_path / "was").rename(name_beside(target, was=True))
        os._exit(0)
    os.waitpid(child, 0)
    assert len(hidden(tmp_path)) == 1
    sweep(tmp_path)
    assert target.is_dir()
    assert hidden(tmp_path) == []


def test_killed_writing_of_a_file_is_removed_by_the_next(tmp_path: Path) -> None:
    file = tmp_path / "work" / "notes.json"

    def act() -> None:
        for number in range(20):
            write_json(file, {"note": "x" * 100_000, "number": number})

    def following() -> None:
        write_json(file.with_name("other.json"), 1)
        assert not file.exists() or json.loads(file.read_bytes())["note"]

    assert swept_after_kills(file.parent, act, lambda: None, following) > 5


def test_living_work_is_left_alone(tmp_path: Path) -> None:
    """Of this process, of another, and of one whose parent took its lock over."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with folder_beside(tmp_path / "theirs") as made:
            (made / "file").touch()
            os.write(writer, b".")
            signal.pause()
        os._exit(0)
    os.read(reader, 1)
    try:
        with folder_beside(tmp_path / "mine") as made, file_beside(tmp_path / "file"):
            sweep(tmp_path)
            assert made.is_dir()
            assert len(hidden(tmp_path)) == 3
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert len(hidden(tmp_path)) == 1
    sweep(tmp_path)
    assert hidden(tmp_path) == []


def test_a_number_that_another_process_has_by_now_keeps_nothing(tmp_path: Path) -> None:
    name = name_beside(tmp_path / "x").name
    head, start, rest = name.rsplit("-", 2)
    left = tmp_path / f"{head}-{int(start) - 5000}-{rest}"
    left.mkdir()
    sweep(tmp_path)
    assert not left.exists()


def test_the_lock_keeps_what_a_process_of_another_namespace_holds(tmp_path: Path) -> None:
    """Containers share a host's name and folders, and do not see each other's processes."""
    with folder_beside(tmp_path / "x") as made:
        head, _, start, rest = made.name.rsplit("-", 3)
        there = made.rename(made.with_name(f"{head}-999999999-{start}-{rest}"))
        sweep(tmp_path)
        assert there.is_dir()
    sweep(tmp_path)
    assert not there.exists()


def test_another_machines_work_goes_after_a_week_only(tmp_path: Path) -> None:
    left = tmp_path / ".out.batman-node7.cluster-12-1700000000-0a1b2c3d.tmp"
    left.mkdir()
    (left / "file").touch()
    week = time.time() - 7 * 86400
    os.utime(left, (week - 100, week - 100))
    sweep(tmp_path)
    assert left.is_dir(), "a file in it is young"
    os.utime(left / "file", (week - 100, week - 100))
    sweep(tmp_path)
    assert not left.exists()


def test_what_earlier_versions_left_goes_too(tmp_path: Path) -> None:
    gone = 999_999_999
    long_ago = time.time() - 3 * 86400
    for name, inside in {
        f".p.removed-{gone}": "project.db",
        ".making-abc_1234": "project.db",
        f".valid.{gone}.tmp": "evaluation.json",
        ".dataset.x0y1z2w3": "train",
        ".out.abcdefgh": "data.yaml",
        f".incoming-{socket.gethostname()}-{gone}-abcdefgh": "anything",
        ".roboflow-abcdefgh": "anything",
    }.items():
        (tmp_path / name).mkdir(mode=0o700)
        (tmp_path / name / inside).touch()
        for path in (tmp_path / name / inside, tmp_path / name):
            os.utime(path, (long_ago, long_ago))
    for name in (".notes.json.abcdefgh.tmp", f".best.pth.{gone}.tmp"):
        (tmp_path / name).touch(mode=0o600)
        os.utime(tmp_path / name, (long_ago, long_ago))
    sweep(tmp_path)
    assert hidden(tmp_path) == []


def test_a_persons_own_hidden_things_stay(tmp_path: Path) -> None:
    long_ago = time.time() - 90 * 86400
    for name in (
        ".git", ".vscode", ".config.settings", ".x.removed-yes", ".making-of", ".out.abcdefgh",
        f".mine.removed-{os.getpid()}", ".a.batman", ".batman", ".roboflow",
    ):  # fmt: skip
        (tmp_path / name).mkdir(mode=0o700)
        (tmp_path / name / "my diary").touch()
        os.utime(tmp_path / name / "my diary", (long_ago, long_ago))
        os.utime(tmp_path / name, (long_ago, long_ago))
    (tmp_path / ".profile.tmp").touch()
    # Young ones of the earlier version may be at work.
    (tmp_path / ".dataset.x0y1z2w3" / "train").mkdir(parents=True)
    before = hidden(tmp_path)
    sweep(tmp_path)
    assert hidden(tmp_path) == before


def test_removing_needs_no_permission_to_rename(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    remove_tree(tmp_path / "a")
    remove_tree(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_raises_leaves_target_and_folder_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    for beside in (file_beside, folder_beside):
        with pytest.raises(ZeroDivisionError), beside(tmp_path / "f") as made:
            assert made.exists() == (1 / 0)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "old"
