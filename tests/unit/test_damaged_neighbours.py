"""Whatever lies where a file of a run, project or cluster belongs: it is said, and hides no other.

Pipes are there because opening one waits for ever, folders because even root cannot read them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import themes
from batman_tui import settings
from cli.main import main
from core.common.errors import BatmanError, RunError
from core.common.notify import NotifySettings, load_notify
from core.common.workspace import Workspace
from core.data.store import Project
from core.models.find import latest_run
from core.processes.child_process import python_command, python_environment
from core.training.config.options import TrainingConfig
from core.training.live.follow import RunFollower
from core.training.run.damage import FILES
from core.training.run.events import Finished, Started, encode_event
from core.training.run.run import Run
from core.training.run_list.index import RunIndex, list_runs
from slurm.job.record import list_records, read_record
from slurm.queue.queue import QueueSnapshot
from slurm.site.profiles import Profile, save_profile
from slurm.sync.mirror_state import MirrorState
from slurm.watch.cluster_jobs import clusters

Capture = pytest.CaptureFixture[str]
END = Finished(t=1.0, epoch=1, step=1, best_epoch=1, best_map50_95=0.5, best_map50=0.6, seconds=1.0)


def put_folder(path: Path) -> None:
    path.mkdir()


def put_loop(path: Path) -> None:
    path.symlink_to(path.name)


def put_broken_link(path: Path) -> None:
    path.symlink_to("/no/such/disk")


def put_text(path: Path) -> None:
    path.write_bytes(b'{"half": \xff')


Put = Callable[[Path], None]
ODD: list[Put] = [put_folder, os.mkfifo, put_loop, put_broken_link]
every_odd = pytest.mark.parametrize("put", ODD, ids=["folder", "pipe", "loop", "broken link"])
every_damage = pytest.mark.parametrize(
    "put", [*ODD, put_text], ids=["folder", "pipe", "loop", "broken link", "text"]
)


@pytest.fixture(autouse=True)
def never_waits() -> Iterator[None]:
    """End the test where something waits for a pipe to be written to."""

    def waited(*_: object) -> None:
        raise AssertionError("waited for a pipe")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    work = Workspace(tmp_path / "work")
    monkeypatch.setenv("BATMAN_WORKSPACE", str(work.root))
    monkeypatch.setenv("BATMAN_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("BATMAN_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("bad", "good"):
        Project.create(work.project_path(name)).close()
        run = Run(work.run_path(name))
        run.path.mkdir(parents=True)
        run.save_config(TrainingConfig(model="tiny"))
        run.events_file.write_bytes(encode_event(END))
    return work


def replace(path: Path, put: Put) -> None:
    path.unlink(missing_ok=True)
    put(path)


def said(capsys: Capture) -> str:
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    return " ".join((captured.out + captured.err).split())


@every_damage
def test_the_record_of_a_job(
    workspace: Workspace, capsys: Capture, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of jobs names it: its job stands there without its run."""
    watch, watched = (
        SimpleNamespace(cluster="vega"),
        SimpleNamespace(lines=lambda **_: []),
    )
    monkeypatch.setattr("cli.cluster.jobs.look", lambda _: (watch, watched, QueueSnapshot()))
    assert main(["jobs", "list"]) == 0
    assert "job.json" not in said(capsys)
    replace(workspace.run_path("bad") / "job.json", put)
    assert main(["jobs", "list"]) == 0
    words = said(capsys)
    assert "Which job trains the run 'bad' is not known: " in words
    assert words.count("/bad/job.json' cannot be read: ") == 1


@every_damage
@pytest.mark.parametrize("file", FILES)
def test_a_file_beside_a_run(workspace: Workspace, capsys: Capture, file: str, put: Put) -> None:
    """The run is shown as it is, with a mark and the reason; so says its screen."""
    follower = RunFollower(workspace.run_path("bad"))
    assert follower.poll().problem == ""
    index = RunIndex(workspace)
    assert [row.problem for row in index.list()] == ["", ""]
    replace(workspace.run_path("bad") / file, put)
    # Without the process that has the run, nobody can tell whether it goes on.
    state = "unreadable" if file == "worker.json" and put is not put_text else "finished"
    for rows in (index.list(), list_runs(workspace)):
        bad, good = sorted(rows, key=lambda row: row.name)
        assert (bad.state, good.state) == (state, "finished")
        assert f"/bad/{file}' cannot be read: " in (bad.problem or bad.error)
        assert good.problem == ""
    assert f"/{file}' cannot be read: " in follower.poll().problem or state == "unreadable"
    assert main(["runs", "list", "--json"]) == 0
    told = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (told["bad"]["problem"], told["good"]["problem"]) == (bad.problem, "")
    for words in (["runs", "list"], ["runs", "show", "bad"]):
        assert main(words) == 0
        assert f"{file}' cannot be read" in said(capsys)
    assert main(["runs", "list"]) == 0
    assert ("finished !" if state == "finished" else "unreadable") in said(capsys)
    assert main(["runs", "list", "--csv"]) == 0
    assert f"{file}' cannot be read" in said(capsys)
    # Mended, it is as before.
    path = workspace.run_path("bad") / file
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()
    assert [row.problem for row in index.list()] == ["", ""]
    assert follower.poll().problem == ""


@every_damage
def test_a_damaged_note_is_not_written_over(
    workspace: Workspace, capsys: Capture, put: Put
) -> None:
    file = workspace.run_path("bad") / "notes.json"
    put(file)
    before = file.lstat()
    for words in (
        ["note", "bad", "a new one"],
        ["tag", "bad", "+x"],
        ["note", "bad"],
        ["tag", "bad"],
    ):
        assert main(["runs", *words]) == 2
        assert "notes.json' cannot be read" in said(capsys)
    now = file.lstat()
    assert (now.st_ino, now.st_mode, now.st_mtime_ns) == (
        before.st_ino, before.st_mode, before.st_mtime_ns
    )  # fmt: skip


@every_odd
@pytest.mark.parametrize("file", ["training_config.json", "events.jsonl", ""])
def test_what_a_run_cannot_be_shown_without(
    workspace: Workspace, capsys: Capture, file: str, put: Put
) -> None:
    path = workspace.run_path("bad")
    if file:
        replace(path / file, put)
    elif put in (put_loop, put_broken_link):
        path.rename(path.with_name(".away"))
        put(path)
    else:
        pytest.skip("a file among the runs is none")
    bad, good = sorted(list_runs(workspace), key=lambda row: row.name)
    assert (bad.state, good.state) == ("unreadable", "finished")
    assert "/bad" in bad.error
    assert main(["runs", "list"]) == 0
    told = said(capsys)
    assert "good" in told
    assert bad.error in told
    assert RunFollower(path).poll().state in ("unreadable", "preparing", "finished")
    assert main(["runs", "show", "bad"]) in (0, 2)
    said(capsys)
    assert main(["watch", "good"]) == 0
    said(capsys)


@every_odd
@pytest.mark.parametrize("file", ["project.db", ""])
def test_a_project_that_is_no_file(
    workspace: Workspace, capsys: Capture, file: str, put: Put
) -> None:
    path = workspace.project_path("bad")
    if file:
        replace(path / file, put)
    elif put in (put_loop, put_broken_link):
        path.rename(path.with_name(".away"))
        put(path)
    else:
        pytest.skip("a file among the projects is none")
    assert main(["project", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["good"]["images"] == 0
    assert rows["bad"]["state"] == "unreadable"
    assert "/bad" in rows["bad"]["error"]
    assert "There is no project" not in rows["bad"]["error"]
    assert main(["project", "list"]) == 0
    assert "bad: " in said(capsys)
    # Nothing is made in its place.
    assert main(["project", "create", "bad"]) == 2
    said(capsys)
    assert main(["project", "show", "bad"]) == 2
    said(capsys)


def test_the_newest_model_is_not_looked_for_behind_a_closed_door(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.run_path("good") / "best.pth").write_bytes(b"x")
    os.utime(workspace.run_path("good") / "events.jsonl", (1, 1))
    real = os.stat

    def stat(path: Any, **how: Any) -> os.stat_result:
        if "/bad/best.pth" in os.fspath(path) if not isinstance(path, int) else False:
            raise PermissionError(13, "Permission denied", path)
        return real(path, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stat)
    assert latest_run(workspace) == workspace.run_path("good")


@every_damage
def test_a_cluster_that_cannot_be_read(
    workspace: Workspace, tmp_path: Path, capsys: Capture, put: Put
) -> None:
    save_profile(Profile(name="good", host="login"))
    folder = tmp_path / "config" / "clusters"
    put(folder / "bad.toml")
    # A name that no profile can have, of a file that somebody else put there.
    (folder / "-odd.toml").write_text("host = 'x'")
    assert main(["clusters", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["good"]["host"] == "login"
    assert set(rows) == {"good", "bad", "-odd"}
    assert rows["bad"]["error"]
    assert rows["-odd"]["error"]
    assert [profile.name for profile in clusters()] == ["good"]


def test_a_folder_of_clusters_that_may_not_be_read(
    workspace: Workspace, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_profile(Profile(name="good", host="login"))

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("os.scandir", refuse)
    assert main(["clusters", "list"]) == 2
    assert "cannot be read: Permission denied" in said(capsys)
    assert all(profile.name != "good" for profile in clusters())
    assert "cannot be read" in themes.load(Path("anywhere"))[1][0]


@every_damage
def test_a_theme_and_the_settings(tmp_path: Path, put: Put) -> None:
    folder = tmp_path / "themes"
    folder.mkdir()
    (folder / "good.toml").write_text('[colors]\nprimary = "#ffffff"\n')
    put(folder / "bad.toml")
    found, problems = themes.load(folder)
    assert [theme.name for theme in found] == ["good"]
    assert len(problems) == 1
    assert problems[0].startswith("bad.toml: ")
    put(tmp_path / "config.toml")
    told = settings.load(tmp_path).problems
    assert len(told) == 1
    assert load_notify(tmp_path) == NotifySettings()
    with pytest.raises(BatmanError, match="could not be saved"):
        settings.save_theme("nord", tmp_path)


@every_damage
def test_a_job_whose_record_is_damaged_is_not_submitted_again(
    workspace: Workspace, put: Put
) -> None:
    run = workspace.run_path("bad")
    put(run / "job.json")
    with pytest.raises(RunError, match="Which job trains the run 'bad' is not known"):
        read_record(run)
    assert list_records(workspace) == []


@every_damage
def test_a_damaged_record_of_a_copy_is_not_taken_for_none(workspace: Workspace, put: Put) -> None:
    """From the beginning, everything would be copied once more behind what is here."""
    run = workspace.run_path("bad")
    assert MirrorState.load(run) == MirrorState()
    put(run / ".mirror.json")
    with pytest.raises(RunError, match="was copied from its cluster is not known"):
        MirrorState.load(run)


@every_damage
def test_what_a_job_noted_is_damaged(workspace: Workspace, put: Put) -> None:
    """The job goes on and says so in its log."""
    run = workspace.run_path("bad")
    put(run / "attempts.jsonl")
    done = subprocess.run(
        python_command("slurm.attempts", "check", str(run)),
        env=python_environment({**os.environ, "BATMAN_TOKEN": "t"}), capture_output=True,
        text=True, timeout=50, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    if put not in (put_text, put_broken_link):
        assert "batman: 'attempts.jsonl' cannot be read: " in done.stdout


def test_a_started_run_with_a_damaged_worker_is_still_listed(workspace: Workspace) -> None:
    run = Run(workspace.run_path("bad"))
    start = Started(
        t=1.0, run="bad", pid=1, model="tiny", classes=["a"], epochs=1, epoch=0, step=0,
        steps_per_epoch=1, batch_size=1, grad_accum=1, effective_batch=1, image_size=64,
        device="cpu", host="h",
    )  # fmt: skip
    run.events_file.write_bytes(encode_event(start))
    (run.path / "worker.json").write_text("{}")
    row = run.summary()
    assert row.state == "lost"
    assert "worker.json' cannot be read" in row.problem


def test_what_a_job_says_is_neutral_and_without_secrets(tmp_path: Path) -> None:
    """What it prints lies in the job's log, which a terminal shows."""
    folder = tmp_path / "\x1b]52;c;aGk=\x07 s3cr3t-0123456789abcdef"
    done = subprocess.run(
        python_command("slurm.attempts", "begin", str(folder)),
        env=python_environment({**os.environ, "WANDB_API_KEY": "s3cr3t-0123456789abcdef"}),
        capture_output=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"There is no run folder" in done.stdout
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"s3cr3t" not in done.stdout + done.stderr
