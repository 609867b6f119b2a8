"""Several processes of one run: who started whom, and whose reason is told."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.training.config.effective_batch import Batching
from core.training.run.events import Failed, Oom, read_events
from core.training.worker import main as worker
from core.training.worker.peers import Peers
from core.training.worker.stop import StopRequest


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)


def test_the_first_process_hears_why_another_failed(tmp_path: Path) -> None:
    first, second = Peers(tmp_path, first=True), Peers(tmp_path, first=False)
    assert first.heard() is None
    second.tell(Failed(kind="data", message="a.jpg has gone"))
    heard = first.heard(wait_s=1.0)
    assert heard is not None
    assert (heard.kind, heard.message) == ("data", "a.jpg has gone")
    # What an attempt before said is no news.
    assert Peers(tmp_path, first=True).heard() is None


def test_only_processes_that_it_started_can_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Peers(tmp_path, first=True).ours
    for name in ("LOCAL_RANK", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    assert not Peers(tmp_path, first=True).ours
    assert Peers(tmp_path, first=False).ours
    Peers(tmp_path, first=True).forget()
    assert "LOCAL_RANK" not in os.environ
    assert "MASTER_PORT" not in os.environ
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    assert not Peers(tmp_path, first=False).ours


def test_a_process_whose_parent_has_gone_is_orphaned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Peers(tmp_path, first=True), Peers(tmp_path, first=False)
    assert not second.orphaned()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert second.orphaned()
    assert not first.orphaned()  # a detached run outlives whoever started it


class _Told(worker._Worker):
    """A worker that notes what its services are told of its end."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        super().__init__(folder, args, StopRequest())
        self.left: list[str] = []


def a_worker(folder: Path, world: int = 2) -> _Told:
    made = _Told(folder, argparse.Namespace(attempt=1, batching=None))
    made.session = SimpleNamespace(  # type: ignore[assignment]
        batching=Batching(4, 1, world), epoch=1, step=8, seconds=0.0, leave=made.left.append
    )
    return made


def written(folder: Path) -> list[object]:
    return list(read_events((folder / "events.jsonl").read_bytes())[0])


def test_a_lost_connection_gives_way_to_the_reason_for_it(tmp_path: Path) -> None:
    one = a_worker(tmp_path)
    Peers(tmp_path, first=False).tell(Failed(kind="data", message="a.jpg has gone", hint="h"))
    assert one._ended_by(RuntimeError("Connection closed by peer")) == worker.FAILED
    (failed,) = written(tmp_path)
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.message) == ("data", "a.jpg has gone")


def test_memory_that_ran_out_elsewhere_begins_all_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[Oom] = []
    one = a_worker(tmp_path)

    class Replaced(Exception):
        pass

    def replace(event: Oom, *_others: object) -> None:
        again.append(event)
        raise Replaced

    monkeypatch.setattr(worker, "restart", replace)
    Peers(tmp_path, first=False).tell(Failed(kind="oom", message="CUDA out of memory"))
    with pytest.raises(Replaced):
        one._ended_by(RuntimeError("Connection closed by peer"))
    (oom,) = again
    assert (oom.new_batch_size, oom.new_grad_accum) == (2, 2)
    assert written(tmp_path) == [oom]


def test_what_torchrun_started_ends_when_memory_runs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("RANK", "0")
    one = a_worker(tmp_path)
    assert one._ended_by(MemoryError("no more")) == worker.FAILED
    assert one.left == ["failed"]
    (failed,) = written(tmp_path)
    assert isinstance(failed, Failed)
    assert failed.kind == "oom"


def test_another_process_tells_and_writes_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert a_worker(tmp_path)._ended_by(FileNotFoundError("a.jpg")) == worker.FAILED
    assert written(tmp_path) == []
    monkeypatch.delenv("LOCAL_RANK")
    # The first looks after it has started; what lies there is from this attempt.
    assert Peers(tmp_path, first=False).heard() is not None
