"""The folder of an unfinished pass: what a kill leaves of it, and how it comes into a project."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

from core.autolabel import pass_folder
from core.autolabel import record as recording
from core.autolabel.pass_folder import (
    Begun,
    FoundLine,
    FoundWriter,
    PassFolder,
    PassTask,
    TaskClass,
    TaskImage,
)
from core.autolabel.prepare import PASSES, begin_pass, discard, find_unfinished, unfinished
from core.autolabel.record import record_folder
from core.common.errors import BatmanError
from core.data.classes import delete as delete_classes
from core.data.classes import merge
from core.data.images.rows import delete_images
from core.data.labels.passes import list_passes
from core.data.store import Project

CAR, BUS = 1, 2
IMAGES = [TaskImage(number, f"1/{number}.jpg", 100, 80) for number in (1, 2, 3)]
LINES = [
    FoundLine(begun=Begun("cpu", (CAR,), ("a note",))),
    FoundLine(image=1, boxes=((CAR, 10.0, 10.0, 20.0, 20.0, 0.9), (CAR, 50.0, 0.0, 9.0, 9.0, 0.2))),
    FoundLine(image=2, boxes=()),
    FoundLine(image=3, error="cannot be read as an image: it is empty"),
]


@pytest.fixture
def project(tmp_path: Path):
    with Project.create(tmp_path / "street") as made:
        with made.change("import", "Import") as change:
            change.insert("imports", {"kind": "coco", "origin": "o", "at": "2026", "active": 1})
            change.insert("classes", {"name": "car"})
            for image in IMAGES:
                row = {"import_id": 1, "path": image.path, "name": image.path}
                change.insert("images", {**row, "width": 100, "height": 80})
        yield made


def begun(project: Project, name: str = "shapes-1", key: str = "k1") -> PassFolder:
    task = PassTask(
        key=key, name=name, at=key, kind="run", model="shapes", weights="/w", images="/i",
        classes=(TaskClass(CAR, "car", ("car",)),),
    )  # fmt: skip
    folder = PassFolder(project.path / PASSES / name)
    folder.create(task, IMAGES)
    return folder


def write(folder: PassFolder, *lines: FoundLine) -> None:
    with FoundWriter(folder) as writer:
        writer.write(lines)


def test_what_was_written_is_read_back(project: Project) -> None:
    folder = begun(project)
    assert folder.images() == IMAGES
    assert folder.state() == (0, 3)
    write(folder, *LINES[:2])
    write(folder, LINES[0], LINES[2])
    assert folder.state() == (2, 3)
    assert list(folder.found()) == [LINES[0], LINES[1], LINES[0], LINES[2]]
    assert folder.begun() == LINES[0].begun
    assert folder.task().classes == (TaskClass(CAR, "car", ("car",)),)


def two_classes(project: Project) -> PassFolder:
    """A pass that looked for cars and buses, at the moment before it is recorded."""
    with project.change("t", "t") as change:
        change.insert("classes", {"name": "bus"})
    folder = begun(project)
    write(
        folder,
        FoundLine(begun=Begun("cpu", (CAR, BUS))),
        FoundLine(image=1, boxes=((CAR, 10, 10, 20, 20, 0.9), (BUS, 11, 10, 20, 20, 0.8))),
        FoundLine(image=2, boxes=((BUS, 50, 0, 20, 20, 0.7),)),
        FoundLine(image=3, boxes=((CAR, 50, 0, 20, 20, 0.6),)),
    )
    return folder


def test_classes_that_are_merged_and_renamed_meanwhile(project: Project) -> None:
    folder = two_classes(project)
    merge(project, ["bus"], "lorry")  # another name for it, with its number
    merge(project, ["car"], "lorry")
    done = record_folder(project, folder)
    assert done.report is not None
    assert (done.report.open, done.report.gone_objects, done.passed_over()) == (3, 0, ())
    rows = project.db.execute("SELECT image_id, class_name, score FROM v_suggestions").fetchall()
    assert [tuple(row) for row in rows] == [(1, "lorry", 0.9), (2, "lorry", 0.7), (3, "lorry", 0.6)]
    assert list_passes(project)[0].detail["classes"] == [BUS]


def test_a_merge_that_was_undone_is_none(project: Project) -> None:
    folder = two_classes(project)
    merge(project, ["bus"], "car")
    project.undo()
    assert record_folder(project, folder).report.open == 4


def test_what_is_gone_meanwhile_is_said(project: Project) -> None:
    folder = two_classes(project)
    delete_classes(project, ["bus"])
    delete_images(project, [3])
    done = record_folder(project, folder)
    assert (done.report.images, done.report.open) == (2, 1)
    assert done.passed_over() == (
        "1 picture is no longer in the project: passed over.",
        "2 boxes of classes that are no longer there: left out.",
    )


def test_two_of_one_name_begun_at_once(project: Project) -> None:
    def task(key: str, model: str) -> PassTask:
        return PassTask(
            key=key, name="best-1", at=key, kind="run", model=model, weights="/w", images="/i",
            classes=(TaskClass(CAR, "car", ("car",)),),
        )  # fmt: skip

    one = begin_pass(project, task("a", "site/best"), IMAGES)
    # Planned when the name was free; of another labeller it gets the next one.
    two = begin_pass(project, task("b", "yard/best"), IMAGES)
    assert (one.path.name, two.path.name, two.task().name) == ("best-1", "best-2", "best-2")
    with pytest.raises(BatmanError, match="An unfinished pass of yard/best is there"):
        begin_pass(project, task("c", "yard/best"), IMAGES)


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_last_line_is_no_line_and_goes_when_it_is_gone_on_with(
    project: Project, cut: int
) -> None:
    folder = begun(project)
    write(folder, *LINES[:3])
    file = folder.path / "found.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"image":3,"boxes":[[1,5.0,5.0,5.0,5.0,0.5]]}'[:cut])
    assert folder.done() == {1, 2}
    write(folder, LINES[3])
    assert list(folder.found()) == LINES
    assert file.read_bytes().startswith(whole + b'{"image":3,"error"')


def test_lines_that_make_no_sense_are_looked_at_again(project: Project) -> None:
    folder = begun(project)
    file = folder.path / "found.jsonl"
    # What a power cut may leave of pages that were not written, between lines of two days.
    file.write_bytes(b"\0" * 30 + b"\n" + b'{"image": "2"}\n{"image":1,"boxes":[]}\nnone\n')
    assert folder.done() == {1}
    file.write_bytes(b"torn, and nothing before it")
    write(folder, LINES[1], LINES[1])
    assert list(folder.found()) == [LINES[1]]


def test_a_pass_comes_into_the_project_whole_and_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(project)
    write(folder, *LINES[:3])
    with pytest.raises(BatmanError, match="at 2 of 3 pictures") as caught:
        record_folder(project, folder)
    assert "--continue shapes-1" in caught.value.hint
    assert list_passes(project) == []
    write(folder, LINES[3])

    def killed(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(recording, "remove_tree", killed)
        with pytest.raises(KeyboardInterrupt):
            record_folder(project, folder)
    assert [line.images for line in list_passes(project)] == [2]
    # It is there already: the next one only tidies up.
    assert record_folder(project, folder).report is None
    assert not folder.path.exists()
    (line,) = list_passes(project)
    assert (line.labeller, line.model, line.states) == ("run", "shapes", {"open": 2})
    assert line.detail["prompts"] == {"1": ["car"]}
    assert line.detail["notes"] == ["a note"]
    assert project.undo() is not None
    assert list_passes(project) == []


def test_what_a_kill_leaves_of_a_pass_goes_with_the_next_change(project: Project) -> None:
    folder = begun(project)
    with subprocess.Popen(["true"]) as gone:
        pass
    started = int(folder.path.stat().st_mtime)
    host = re.sub(r"[^\w.]+", "-", socket.gethostname())[:64]
    name = f".shapes-1.batman-{host}-{gone.pid}-{started - 500}-0123abcd.tmp"
    folder.path.rename(folder.path.with_name(name))
    with project.change("classes.add", "Add") as change:
        change.insert("classes", {"name": "dog"})
    assert list((project.path / PASSES).iterdir()) == []


def test_what_is_there_can_be_taken(project: Project) -> None:
    folder = begun(project)
    with pytest.raises(BatmanError, match="looked at no picture"):
        record_folder(project, folder, partly=True)
    write(folder, LINES[0], LINES[1], LINES[3])
    recorded = record_folder(project, folder, partly=True)
    assert recorded.report is not None
    assert (recorded.report.images, recorded.report.open) == (1, 2)
    assert (recorded.done, recorded.total, recorded.device) == (2, 3, "cpu")
    assert recorded.unreadable == (("1/3.jpg", "cannot be read as an image: it is empty"),)
    assert unfinished(project.path) == []


def test_a_pass_that_read_no_picture_is_refused_and_stays(project: Project) -> None:
    folder = begun(project)
    write(folder, *(FoundLine(image=image.id, error="is empty") for image in IMAGES))
    with pytest.raises(BatmanError, match=r"None of the 3 pictures could be read: '1/1\.jpg'"):
        record_folder(project, folder)
    assert folder.state() == (3, 3)
    assert list_passes(project) == []


def test_unfinished_passes_are_found_by_name(project: Project) -> None:
    with pytest.raises(BatmanError, match="There is no unfinished pass"):
        find_unfinished(project.path, None)
    first = begun(project)
    write(first, *LINES[:2])
    found = find_unfinished(project.path, None)
    assert (found.task.name, found.done, found.total, found.running) == ("shapes-1", 1, 3, False)
    begun(project, "shapes-2", "k2")
    (project.path / PASSES / "half-made").mkdir()
    (project.path / PASSES / "damaged").mkdir()
    (project.path / PASSES / "damaged" / "pass.json").write_text("{")
    assert [item.task.name for item in unfinished(project.path)] == ["shapes-1", "shapes-2"]
    with pytest.raises(BatmanError, match="2 unfinished passes") as caught:
        find_unfinished(project.path, None)
    assert "shapes-1, shapes-2" in caught.value.hint
    with pytest.raises(BatmanError, match="no unfinished pass 'shapes-3'") as caught:
        find_unfinished(project.path, "shapes-3")
    assert "shapes-" in caught.value.hint
    discard(first)
    assert find_unfinished(project.path, None).task.name == "shapes-2"


def test_a_pass_is_made_whole_or_not_at_all(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _data: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pass_folder, "write_atomic", full)
        with pytest.raises(OSError, match="No space left"):
            begun(project)
    assert list((project.path / PASSES).iterdir()) == []
    folder = begun(project)
    with pytest.raises(OSError, match="not empty"):
        folder.create(folder.task(), IMAGES[:1])
    assert folder.images() == IMAGES
    assert [path.name for path in (project.path / PASSES).iterdir()] == ["shapes-1"]


def test_somebody_else_s_pass_is_shown_though_it_cannot_be_locked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(project)
    (folder.path / "lock").mkdir()  # what no user may open for writing, root neither
    assert [item.running for item in unfinished(project.path)] == [False]


def test_one_process_at_a_time(project: Project) -> None:
    folder = begun(project)
    with folder.locked():
        assert find_unfinished(project.path, None).running
        for refused in (
            lambda: discard(PassFolder(folder.path)),
            lambda: record_folder(project, PassFolder(folder.path), partly=True),
        ):
            with pytest.raises(BatmanError, match="by another process"):
                refused()
    assert not find_unfinished(project.path, None).running


def test_folders_that_are_no_pass(tmp_path: Path, project: Project) -> None:
    with pytest.raises(BatmanError, match=r"no folder of a pass: it has no pass\.json"):
        PassFolder(tmp_path).task()
    folder = begun(project)
    (folder.path / "images.jsonl").write_text('{"id": 1')
    with pytest.raises(BatmanError, match=r"images\.jsonl' cannot be read"):
        folder.images()
    task = json.loads((folder.path / "pass.json").read_text())
    (folder.path / "pass.json").write_text(json.dumps({**task, "version": 2}))
    with pytest.raises(BatmanError, match="newer Batman"):
        folder.task()
