"""A run whose figures go to Weights & Biases (offline) and MLflow (a file), for real."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from engine_runs import STEPS, Runs, events_of

from core.training.run import events as ev

pytestmark = pytest.mark.engine

KEY = "0123456789abcdef0123456789abcdef01234567"


def test_a_run_is_told_to_both_and_no_key_is_left_behind(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("wandb", "mlflow"):
        pytest.importorskip(name, reason=f"the package {name} is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = runs.make("services", epochs=1, wandb=True, mlflow=True)
    assert runs.train(run) == 0, (run / "train.log").read_text()[-3000:]
    events = events_of(run)
    assert isinstance(events[-1], ev.Finished)
    assert not [event for event in events if isinstance(event, ev.Warning_)]
    ids = json.loads((run / "services.json").read_text())
    assert list((run / "wandb").glob(f"offline-run-*-{ids['wandb']}/run-*.wandb"))
    client = importlib.import_module("mlflow.tracking").MlflowClient(
        f"sqlite:///{run / 'mlflow.db'}"
    )
    kept = client.get_run(ids["mlflow"])
    assert (kept.info.status, kept.data.params["model"]) == ("FINISHED", "tiny")
    losses = [m.step for m in client.get_metric_history(ids["mlflow"], "train/loss")]
    assert losses == list(range(1, STEPS + 1))
    assert "val/mAP50-95" in kept.data.metrics
    files = [path for path in run.rglob("*") if path.is_file() and path.suffix != ".pth"]
    assert not [path for path in files if KEY.encode() in Path(path).read_bytes()]
