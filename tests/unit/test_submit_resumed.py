"""A run that goes on on a cluster: what it has reached goes with it, or it does not go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_no_room import stopped_run

from core.common.errors import RunError
from core.training.run.events import Epoch, EventWriter
from core.training.run.overwrite_guard import Setback
from core.training.run.run import Run
from slurm.hosts import LocalHost
from slurm.site.profiles import Profile
from slurm.site.site import Site
from slurm.submit import submit
from slurm.sync.mirror_state import MirrorState
from slurm.sync.tail_copy import Grown


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(LocalHost(), Profile(name="big"), str(tmp_path / "cluster"), "python", shared=False)


@pytest.fixture
def there(site: Site) -> Path:
    folder = Path(site.root) / "runs" / "r"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = stopped_run(tmp_path / "runs" / "r")
    (run.path / "results.json").write_text('{"epochs_trained": 1}')
    return run


def send(site: Site, run: Run, folder: Path) -> None:
    nothing: Any = lambda *_: None  # noqa: E731
    submit._refuse_setback(site, run, str(folder), lambda: False, 1.0)
    submit._send_run(site, run, str(folder), nothing, lambda: False, 1.0)


def test_the_best_model_goes_along(site: Site, run: Run, there: Path) -> None:
    """Else the first epoch there would be the best, and come back over the better one here."""
    run.save_config(run.config().with_changes(resume=run.path / "checkpoint_last.pth"))
    send(site, run, there)
    for name in ("best.pth", "results.json", "events.jsonl"):
        assert (there / name).read_bytes() == (run.path / name).read_bytes()
    assert not list(there.glob("*.part"))


def test_a_run_does_not_begin_again_there(site: Site, run: Run, there: Path) -> None:
    with pytest.raises(Setback, match="no checkpoint left"):
        send(site, run, there)
    assert list(there.iterdir()) == []
    (there / "checkpoint_last.pth").touch()
    send(site, run, there)  # it goes on from what lies there


def test_what_lies_there_is_older_than_what_was_trained_here(
    site: Site, run: Run, there: Path
) -> None:
    run.save_config(run.config().with_changes(resume=run.path / "checkpoint_last.pth"))
    (there / "checkpoint_last.pth").touch()
    size = run.events_file.stat().st_size
    state = MirrorState(events=Grown(size, size))
    state.save(run.path)
    send(site, run, there)
    writer = EventWriter(run.events_file)
    writer.write(Epoch(epoch=2, step=10, train_loss=1.0, seconds=1.0))
    writer.close()
    with pytest.raises(RunError, match="trained on here since it was on big") as caught:
        send(site, run, there)
    assert "--output-dir" in caught.value.hint
    # Copied from there, and not noted before the copying process was killed.
    (there / "events.jsonl").write_bytes(run.events_file.read_bytes())
    send(site, run, there)
