"""Many run folders on a cluster, listed by one command; what is copied by a size that is old."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.common.workspace import Workspace
from core.training.run.run import Run
from slurm.hosts import Completed, HostError, LocalHost, NotConnected
from slurm.job.record import JobRecord, write_record
from slurm.job.states import parse_state
from slurm.queue.jobs import Job
from slurm.queue.poll import QueueView
from slurm.queue.queue import QueueSnapshot
from slurm.site.profiles import Profile
from slurm.sync.listing import list_folder, list_folders
from slurm.sync.tail_copy import Grown, grow
from slurm.watch.cluster_jobs import Watched
from slurm.watch.keep_mirrors import RunKeeper

NASTY = "a 'b' $(touch hacked) = . \\ é\n="


class Counted(LocalHost):
    """This machine as a host that counts what is asked of it."""

    name = "far"

    def __init__(self) -> None:
        self.commands: list[tuple[str, ...]] = []
        self.sizes = 0
        self.error: HostError | None = None

    def run(self, argv, **options) -> Completed:
        self.commands.append(tuple(argv))
        if self.error is not None:
            raise self.error
        return super().run(argv, **options)

    def size(self, path: str) -> int | None:
        self.sizes += 1
        return super().size(path)


def test_many_folders_are_one_command_and_each_is_as_by_itself(tmp_path: Path) -> None:
    host = Counted()
    for name in ("one", NASTY):
        folder = tmp_path / name
        (folder / "val_images").mkdir(parents=True)
        (folder / "events.jsonl").write_text("x" * 7)
        (folder / "val_images" / NASTY.replace("/", "")).write_text("12")
        (folder / ".hidden").write_text("")
    log = tmp_path / f"{NASTY}.log"
    log.write_text("12345")
    (tmp_path / "link").symlink_to(log)
    places = [
        (str(tmp_path / "one"), ""), (str(tmp_path / "gone"), str(log)),
        (str(tmp_path / NASTY), str(log)), (str(tmp_path / "one"), str(tmp_path / "link")),
        (str(tmp_path / NASTY), str(tmp_path / "no.log")),
    ]  # fmt: skip
    found = list_folders(host, places)
    assert len(host.commands) == 1
    assert found[1] is None
    assert [one.log for one in found if one is not None] == [None, 5, 5, None]
    for (place, _), one in zip(places, found, strict=True):
        if one is not None:
            assert one.files == list_folder(host, place).files
            assert one.files["events.jsonl"][0] == 7
    assert len(found[2].files) == 2  # type: ignore[union-attr]
    assert list_folders(host, []) == []
    with pytest.raises(HostError, match="cannot be"):
        list_folder(host, str(tmp_path / "gone"))
    assert not (tmp_path / "hacked").exists()


def test_an_old_size_copies_so_much_and_takes_nothing_away(tmp_path: Path) -> None:
    host, there, here = Counted(), tmp_path / "there", tmp_path / "here"
    there.write_bytes(b"one\ntwo\nthree\n")
    grown = Grown()
    grow(host, str(there), here, grown, lambda: None, size=8)
    # One read may bring more than was there at the listing; it is counted.
    assert host.sizes == 0
    assert here.read_bytes() == there.read_bytes()[: grown.there]
    grow(host, str(there), here, grown, lambda: None, size=grown.there)
    assert host.sizes == 0
    # Shorter than what we have: an old listing, or another file. The host is asked.
    before = grown.there
    grow(host, str(there), here, grown, lambda: None, size=4)
    assert host.sizes == 1
    assert (here.read_bytes(), grown.there) == (there.read_bytes()[:before], before)
    there.write_bytes(b"new\n")
    grow(host, str(there), here, grown, lambda: None, size=4)
    assert here.read_bytes() == b"new\n"


def job(number: str) -> Job:
    return Job(
        number, "", "", parse_state("RUNNING"), "", "gpu", "ada", "", 1, 2, None, 3, None, 1, 1,
        (), "n1", "", "", "train",
    )  # fmt: skip


@pytest.fixture
def far(tmp_path: Path) -> tuple[Counted, RunKeeper, Watched]:
    host, workspace = Counted(), Workspace(tmp_path / "here")
    runs, jobs = {}, []
    for number in "1234":
        there = tmp_path / "there" / number
        there.mkdir(parents=True)
        (there / "events.jsonl").write_text("")
        log = tmp_path / f"job_{number}.log"
        log.write_text(f"log of {number}\n")
        path = workspace.runs_dir / number
        path.mkdir(parents=True)
        (path / "training_config.json").write_text("{}")
        write_record(
            path,
            JobRecord(
                cluster="far", host="far", token=number, run_dir=str(there), log=str(log),
                marker="", submitted_at=1.0, job_id=number,
            ),
        )  # fmt: skip
        runs[number] = path
        jobs.append(job(number))
    profile = Profile(name="far", host="far", workspace=str(tmp_path))
    snapshot = QueueSnapshot(jobs=tuple(jobs), taken_at=1000.0)
    watched = Watched(QueueView(snapshot), snapshot, runs, {})
    return host, RunKeeper(host, profile, workspace), watched


def test_ten_runs_cost_the_cluster_one_command_a_look(far) -> None:
    host, keeper, watched = far
    keeper.keep(watched)
    for path in watched.runs.values():
        assert Run(path).log_file.read_text() == f"log of {path.name}\n"
    host.commands.clear()
    host.sizes = 0
    later = replace(watched, jobs=replace(watched.jobs, taken_at=1020.0))
    assert keeper.keep(later) == 4
    assert (len(host.commands), host.sizes) == (1, 0)
    host.error = NotConnected("away")
    last = replace(watched, jobs=replace(watched.jobs, taken_at=1040.0))
    assert keeper.keep(last) == 4
    assert len(host.commands) == 2, "one that is away is not asked for each run"
