"""One project or run that cannot be read hides no other, and says what is wrong with it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from import_data import put_coco

from cli.main import main
from core.common.errors import ProjectError
from core.common.workspace import Workspace
from core.data.importers import import_coco
from core.data.overview import overview
from core.data.store import Project
from core.training.config.options import TrainingConfig
from core.training.live.follow import RunFollower
from core.training.run.events import Finished, encode_event
from core.training.run.run import Run
from core.training.run_list.index import list_runs

Capture = pytest.CaptureFixture[str]
DEEP = b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
END = Finished(t=1.0, epoch=1, step=1, best_epoch=1, best_map50_95=0.5, best_map50=0.6, seconds=1.0)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    work = Workspace(tmp_path / "work")
    monkeypatch.setenv("BATMAN_WORKSPACE", str(work.root))
    monkeypatch.chdir(tmp_path)
    for name in ("bad", "good"):
        with Project.create(work.project_path(name)) as project:
            import_coco(project, put_coco(tmp_path / name))
        run = Run(work.run_path(name))
        run.path.mkdir(parents=True)
        run.save_config(TrainingConfig(model="tiny"))
        run.events_file.write_bytes(encode_event(END))
        (run.path / "results.json").write_text('{"best": null}')
        (run.path / "notes.json").write_text('{"note": "seen", "tags": ["t"]}')
    return work


LISTS = (
    ["project", "list"], ["project", "list", "--json"], ["runs", "list"],
    ["runs", "list", "--json"], ["runs", "list", "--csv"], ["runs", "list", "--filter", "epoch>0"],
    ["runs", "list", "--sort", "map50"], ["runs", "list", "--sort", "lr", "--reverse"],
    ["runs", "compare", "bad", "good", "--json"], ["runs", "compare", "bad", "good"],
)  # fmt: skip


@pytest.mark.parametrize(
    "file", ["results.json", "events.jsonl", "notes.json", "training_config.json", "worker.json"]
)
@pytest.mark.parametrize(
    "content",
    [DEEP, b"[1, 2]", b'"text"', b"\xff\xfe", b'{"best": 1, "pid": 1' + b"0" * 5000 + b"}", b""],
    ids=["deep", "list", "text", "bytes", "huge number", "empty"],
)
def test_a_damaged_file_of_a_run(
    workspace: Workspace, capsys: Capture, file: str, content: bytes
) -> None:
    (workspace.run_path("bad") / file).write_bytes(content + b"\n")
    for words in LISTS:
        assert main(list(words)) == 0
        assert "good" in capsys.readouterr().out
    assert main(["runs", "show", "bad", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    if file == "training_config.json":
        assert told["state"] == "unreadable"
        assert told["error"]
    if file == "results.json" and content != b"":
        assert told["results"] is None or isinstance(told["results"], dict)
    assert main(["runs", "show", "bad"]) in (0, 2)
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err + captured.out


def test_a_damaged_page_of_a_project(workspace: Workspace, capsys: Capture) -> None:
    file = workspace.project_path("bad") / "project.db"
    data = bytearray(file.read_bytes())
    page = int.from_bytes(data[16:18], "big")
    data[page:] = b"\xa5" * (len(data) - page)
    file.write_bytes(data)
    assert main(["project", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["good"]["images"] == 2
    assert rows["bad"]["state"] == "unreadable"
    assert "damaged" in rows["bad"]["error"]
    assert main(["project", "list"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "unreadable" in said
    assert "bad: '" in said
    for words in (["project", "show", "bad"], ["classes", "list", "--project", "bad"]):
        assert main(words) == 2
        assert "damaged" in capsys.readouterr().err
    with pytest.raises(ProjectError, match="damaged"), Project.open(file.parent) as project:
        overview(project)
    assert main(["project", "delete", "bad", "--yes"]) == 0
    assert not file.parent.exists()


def test_wrong_values_in_a_whole_database(workspace: Workspace, capsys: Capture) -> None:
    with Project.open(workspace.project_path("bad")) as project:
        project.db.execute("UPDATE history SET at = 'yesterday'")
    assert main(["project", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert "damaged" in rows["bad"]["error"]
    assert rows["good"]["images"] == 2


NOBODY = 65534
Done = tuple[int, str, str]


def as_nobody(folder: Path, words: list[str], first: list[str]) -> Done:
    """Run a command as another user in a child; return its exit code, output and errors.

    The interpreter may lie where that user may not look, so that the command runs once as this
    one, as `first`, which loads all modules.
    """
    child = os.fork()
    if child == 0:
        code = 99
        try:
            with (
                (folder / "first").open("w") as sink,
                contextlib.redirect_stdout(sink),
                contextlib.redirect_stderr(sink),
            ):
                main(first)
            with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    code = main(words)
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, (folder / "out").read_text(), (folder / "err").read_text()


def shared(workspace: Workspace) -> None:
    """Let everybody read the workspace, up to the root of the file system."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be another user")
    for folder in [workspace.root, *workspace.root.parents]:
        if folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o755)
    subprocess.run(["chmod", "-R", "a+rX", str(workspace.root)], check=True)


@pytest.mark.parametrize("part", ["folder", "file"])
def test_a_neighbour_that_may_not_be_read(workspace: Workspace, tmp_path: Path, part: str) -> None:
    shared(workspace)
    for path, file in (
        (workspace.project_path("bad"), "project.db"),
        (workspace.run_path("bad"), "training_config.json"),
    ):
        (path if part == "folder" else path / file).chmod(0)
    for words in LISTS:
        code, out, err = as_nobody(tmp_path, list(words), list(words))
        assert code == 0, (words, err)
        assert "good" in out
        assert "Traceback" not in err
        assert "bad" in out or "--filter" in words
        if words[-1] == "--json" and words[1] == "list":
            rows = {row["name"]: row for row in json.loads(out)}
            assert rows["bad"]["state"] == "unreadable"
            assert "cannot be read: Permission denied" in rows["bad"]["error"].replace(
                "You may not read", "cannot be read: Permission denied"
            )
        elif words in (["project", "list"], ["runs", "list"]):
            assert "unreadable" in out
    for words in (
        ["project", "show", "bad"], ["runs", "show", "bad"], ["runs", "delete", "bad", "--yes"],
        ["watch", "bad"],
    ):  # fmt: skip
        code, _, err = as_nobody(tmp_path, words, [*words[:2], "good"] if "show" in words else [
            *words[:-1], "none"
        ])  # fmt: skip
        assert code == 2, (words, err)
        assert "Traceback" not in err


def test_the_follower_says_so_and_recovers(workspace: Workspace) -> None:
    """A screen looks again: when the permission is back, so is the run."""
    run = workspace.run_path("bad")
    follower = RunFollower(run)
    (run / "events.jsonl").unlink()
    (run / "events.jsonl").mkdir()  # for root too this cannot be read as a file
    assert follower.poll().state == "unreadable"
    assert [row.state for row in list_runs(workspace) if row.name == "bad"] == ["unreadable"]
    (run / "events.jsonl").rmdir()
    (run / "events.jsonl").write_bytes(encode_event(END))
    assert follower.poll().state == "finished"


def test_a_change_that_broke_off_and_may_not_be_taken_back(
    workspace: Workspace, tmp_path: Path
) -> None:
    """A hot journal needs writing; who may only read is not told that the file is lost."""
    shared(workspace)
    path = workspace.project_path("bad")
    # No fork: another thread of this process may hold a lock that nobody would open in it.
    breaks_off = (
        "import signal, sys\nfrom pathlib import Path\nfrom core.data.store import Project\n"
        "with Project.open(Path(sys.argv[1])) as project:\n"
        "    project.db.execute('PRAGMA cache_spill = ON')\n"
        "    project.db.execute('PRAGMA cache_size = 5')\n"
        "    project.db.execute('BEGIN IMMEDIATE')\n"
        "    for number in range(20_000):\n"
        "        project.db.execute('INSERT INTO classes(name) VALUES (?)', (f'{number}' * 9,))\n"
        "    print('.', flush=True)\n"
        "    signal.pause()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", breaks_off, str(path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as child:
        assert child.stdout is not None
        assert child.stdout.read(1) == b"."
        child.kill()
    assert (path / "project.db-journal").stat().st_size > 0
    (path / "project.db-journal").chmod(0o644)
    show = ["project", "show"]
    code, _, err = as_nobody(tmp_path, [*show, "bad"], [*show, "good"])
    assert code == 2, err
    said = " ".join(err.split())
    assert "broke off" in said, said
    assert "backup" not in said
    with Project.open(path) as project:
        assert project.summary().images == 2


def test_a_folder_of_projects_that_is_missing_is_empty(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "x", ignore_errors=True)
    assert Workspace(tmp_path / "x").list_projects() == []
