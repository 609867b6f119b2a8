"""A sweep of two on a real model, worked off to its table."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from engine_runs import Runs

from core.common.workspace import Workspace
from core.data.importers import import_coco
from core.data.store import Project
from core.demo.shapes import make_shapes
from core.training.run.run import Run
from core.training.run.worker_process import write_worker
from core.training.sweep.prepare import make_sweep
from core.training.sweep.runner import DONE, Runner
from core.training.sweep.table import sweep_rows, sweep_sentence


def test_a_sweep_of_two_is_trained_one_after_the_other(runs: Runs, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    make_shapes(tmp_path / "set", train=8, valid=4, test=0, size=64, messy=False)
    with Project.create(workspace.project_path("shapes")) as project:
        import_coco(project, tmp_path / "set", files="link")
    values: dict[str, Any] = {
        "project": workspace.project_path("shapes"), "model": "tiny", "from_scratch": True,
        "epochs": 1, "batch_size": 4, "val_images": 0, "tensorboard": False,
    }  # fmt: skip
    sweep = make_sweep(workspace, values, ["lr=1e-3,1e-5"])
    one, two = sweep.runs()
    waiting: list[str] = []

    def start(run: Run) -> None:
        waiting.append(two.state())
        since = time.time()
        write_worker(run.path, runs.start(run.path).pid, since)

    assert Runner(sweep, lambda: False, start).run() == DONE
    assert waiting == ["waiting", "waiting"]
    rows = sweep_rows(sweep)
    assert [(row.state, row.best is not None) for row in rows] == [("finished", True)] * 2
    assert sweep_sentence(rows).startswith("2 of 2 runs trained, in")
    first, second = (run.results() for run in (one, two))
    assert first is not None
    assert second is not None
    # The same data and the same beginning; each learnt with a rate of its own.
    assert one.config().dataset == two.config().dataset
    assert (first["best"]["epoch"], second["best"]["epoch"]) == (1, 1)
    assert first["best"]["loss"] != second["best"]["loss"]
    assert one.summary().loss != two.summary().loss
