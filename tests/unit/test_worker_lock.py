"""One worker a run: the lock, the wait for one that has gone, and file systems without locks."""

from __future__ import annotations

import errno
import fcntl
import threading
from pathlib import Path

import pytest

from core.common.errors import RunError
from core.training.worker import main as worker
from core.training.worker.main import LOCK_WAIT, _locked


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "training_config.json").write_text("{}")
    return tmp_path


def test_a_second_worker_is_turned_away_at_once(run: Path) -> None:
    with (
        _locked(run),
        pytest.raises(RunError, match="is being trained already"),
        _locked(run),
    ):
        pass


def test_where_it_was_started_again_the_last_one_is_waited_for(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOCK_WAIT, "60")
    tried, got = threading.Event(), threading.Event()
    take = worker._take

    def taking(lock) -> bool:
        tried.set()
        return take(lock)

    def second() -> None:
        with _locked(run):
            got.set()

    thread = threading.Thread(target=second)
    with _locked(run):
        monkeypatch.setattr(worker, "_take", taking)
        thread.start()
        assert tried.wait(30)
        assert not got.is_set()
    thread.join(30)
    assert got.is_set()


def test_a_file_system_without_locks_is_trained_on(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refused)
    with _locked(run):
        pass
    assert "has no locks" in capsys.readouterr().out
