"""Weights & Biases and MLflow beside the run folder, against stand-ins that write down calls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from batman_tui.train.fact_lines import fact_lines
from core.common.errors import ConfigError
from core.processes.installation import how_to_install
from core.training.config.form import Form, description
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.loggers.wandb_mlflow import IDS_FILE, Services, require_services
from core.training.run.events import Epoch, Step, Validation, Warning_

_ROOT = Path(__file__).parents[2]
STEP = Step(
    t=1.5, epoch=1, step=7, loss=None, loss_cls=0.5, loss_box=0.25, loss_giou=0.125, lr=1e-4,
    images_per_s=9.0, step_s=1.0, data_s=0.1, gpu_mem_mb=0.0, rss_mb=1.0,
)  # fmt: skip
VALIDATION = Validation(
    t=2.0, epoch=1, step=8, map50_95=0.5, map50=0.7, map75=0.4, precision=1.0, recall=0.5, f1=0.6,
    loss=2.0, per_class={"hard hat [x]": 0.25}, best=True,
)  # fmt: skip
EPOCH = Epoch(t=3.0, epoch=1, step=8, train_loss=2.5, seconds=4.0)


class Wandb(ModuleType):
    """As much of wandb as is used; `broken` names a call that fails."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.made: list[dict[str, Any]] = []
        self.logged: list[dict[str, float]] = []
        self.codes: list[int] = []
        self.broken = ""

    def Settings(self, **values: Any) -> dict[str, Any]:  # noqa: N802
        return values

    def init(self, **values: Any) -> Wandb:
        self._break("init")
        self.made.append(values)
        return self

    def define_metric(self, *_: Any, **__: Any) -> None:
        pass

    def log(self, values: dict[str, float]) -> None:
        self._break("log")
        self.logged.append(values)

    def finish(self, exit_code: int) -> None:
        self.codes.append(exit_code)

    def _break(self, call: str) -> None:
        if call == self.broken:
            raise RuntimeError(f"no [connection] for {call}")


class Mlflow:
    """As much of MLflow as is used: one server, whose runs are numbered."""

    def __init__(self) -> None:
        self.places: list[str] = []
        self.runs: dict[str, dict[str, Any]] = {}

    def connect(self, place: str) -> Mlflow:
        self.places.append(place)
        return self

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str) -> str:
        return name

    def create_run(self, experiment: str, run_name: str) -> Any:
        key = f"run-{len(self.runs) + 1}"
        self.runs[key] = {"experiment": experiment, "name": run_name, "status": "RUNNING"}
        return SimpleNamespace(info=SimpleNamespace(run_id=key))

    def update_run(self, key: str, status: str) -> None:
        if key not in self.runs:
            raise LookupError(key)
        self.runs[key]["status"] = status

    def log_batch(self, key: str, metrics: Any = (), params: Any = ()) -> None:
        self.runs[key].setdefault("params", {}).update(dict(params))
        self.runs[key].setdefault("metrics", []).extend(metrics)

    def set_terminated(self, key: str, status: str) -> None:
        self.runs[key]["status"] = status


def no_warning(warning: Warning_) -> None:
    pytest.fail(str(warning))


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Wandb:
    module = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Mlflow:
    server = Mlflow()
    names: dict[str, Any] = {
        "mlflow.tracking": {"MlflowClient": server.connect},
        "mlflow.entities": {"Metric": lambda *v: v, "Param": lambda *v: v},
        "mlflow.exceptions": {"MlflowException": LookupError},
    }
    for name, content in names.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return server


def config(**changes: Any) -> TrainingConfig:
    info = DatasetInfo(
        dir=Path("/secret/place"),
        fingerprint="c0ffee",
        class_names=["a"],
        images={},
        annotations={},
    )
    return TrainingConfig(
        project=Path("/secret/site"), model="tiny", epochs=3, dataset=info, **changes
    )


def test_both_get_the_figures_under_the_same_names(
    tmp_path: Path, wandb: Wandb, mlflow: Mlflow
) -> None:
    told: list[Warning_] = []
    services = Services(config(wandb=True, mlflow=True), tmp_path, told.append)
    for event in (STEP, VALIDATION, EPOCH, Warning_(code="x", message="y")):
        services.write(event)
    services.close("finished")
    assert told == []
    first, second, third = wandb.logged
    assert first["step"] == 7
    # A loss that is not a number is no figure.
    assert "train/loss" not in first
    assert second["val/AP/hard hat [x]"] == 0.25
    assert third == {"step": 8, "train/loss_epoch": 2.5}
    assert wandb.codes == [0]
    (made,) = wandb.made
    assert (made["project"], made["name"], made["resume"]) == ("site", tmp_path.name, "allow")
    (run,) = mlflow.runs.values()
    assert (run["experiment"], run["name"], run["status"]) == ("site", tmp_path.name, "FINISHED")
    # MLflow refuses brackets in names.
    assert ("val/AP/hard hat _x_", 0.25, 2000, 8) in run["metrics"]
    assert run["params"]["epochs"] == "3"
    assert mlflow.places == [f"sqlite:///{tmp_path / 'mlflow.db'}"]
    assert "secret" not in json.dumps([made["config"], run["params"]], default=str)


def test_a_resumed_run_goes_on_in_the_same_curve(
    tmp_path: Path, wandb: Wandb, mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:word@flow.example")
    for outcome in ("failed", "stopped"):
        services = Services(config(wandb=True, mlflow=True), tmp_path, no_warning)
        services.write(STEP)
        services.close(outcome)  # type: ignore[arg-type]
    assert wandb.codes == [1, 0]
    assert wandb.made[0]["id"] == wandb.made[1]["id"]
    (run,) = mlflow.runs.values()
    assert run["status"] == "KILLED"
    # Nothing of how one gets there is written down.
    assert set(json.loads((tmp_path / IDS_FILE).read_text())) == {"wandb", "mlflow"}
    assert "word" not in (tmp_path / IDS_FILE).read_text()
    # A run that was deleted there is made anew.
    mlflow.runs.clear()
    Services(config(mlflow=True), tmp_path, no_warning)
    assert len(mlflow.runs) == 1


@pytest.mark.parametrize("call", ["init", "log"])
def test_a_service_that_fails_costs_a_warning_and_nothing_else(
    tmp_path: Path, wandb: Wandb, mlflow: Mlflow, call: str
) -> None:
    told: list[Warning_] = []
    wandb.broken = call
    services = Services(config(wandb=True, mlflow=True), tmp_path, told.append)
    services.write(STEP)
    services.write(EPOCH)
    services.close("finished")
    (warning,) = told
    assert warning.code == "no-wandb"
    assert f"no [connection] for {call}" in warning.message
    assert "WANDB_MODE=offline" in warning.hint
    assert wandb.codes == []
    (run,) = mlflow.runs.values()
    assert run["status"] == "FINISHED"


def test_a_missing_package_is_named_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    require_services(config())
    for name in ("wandb", "mlflow"):
        with pytest.raises(ConfigError, match=f"--{name} was given") as raised:
            require_services(config(**{name: True}))
        assert how_to_install(name) in raised.value.hint


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_the_form_says_how_a_missing_package_is_installed_here(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert "not installed" not in description(name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert description(name) == "not installed; yes tells how"
    form = Form(Path("cells"), typed={name: "yes"})
    note = fact_lines(form.read(), form.typed, None, "")["Note"]
    assert how_to_install(name) in note.text
    assert note.wrong
    form.type(name, "no")
    assert not fact_lines(form.read(), form.typed, None, "")["Note"].wrong


def test_no_text_names_one_installer() -> None:
    """Batman may have been installed by uv, pipx or pip: `how_to_install` knows."""
    for room in ("core", "cli", "batman_tui"):
        for path in (_ROOT / room).rglob("*.py"):
            if path.name != "installation.py":
                assert "pip install" not in path.read_text("utf-8"), path
