"""The run's events to Weights & Biases and MLflow, where `--wandb` and `--mlflow` ask for it.

The run folder stays the whole truth: a service that cannot be reached costs a warning, never a
run. Who one is there comes from the services' own places (`wandb login`, `$WANDB_API_KEY`,
`$MLFLOW_TRACKING_URI` …); nothing of it is written by us. What is written is under which identifier
the service knows the run, so that a resumed run goes on in the same curve.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from core.common.errors import BatmanError, ConfigError
from core.common.files import read_json, write_json
from core.common.text import clean
from core.privacy.secrets import redact
from core.processes.installation import how_to_install
from core.training.config.options import TrainingConfig
from core.training.loggers.metric_names import scalars
from core.training.run.events import Epoch, Event, Warning_

IDS_FILE = "services.json"
TITLES = {"wandb": "Weights & Biases", "mlflow": "MLflow"}
Outcome = Literal["finished", "stopped", "failed"]

# A service that does not answer holds up the start, or the end, this long, in seconds.
_PATIENCE_S = 60
# MLflow takes one request for many values: at most 1,000 of them (MLflow's REST API, log-batch).
_MANY, _SECONDS = 500, 10.0
# What MLflow lets names of metrics hold.
_NOT_MLFLOW = re.compile(r"[^\w/. \-]+", re.ASCII)


class Log(Protocol):
    """Somewhere that events are written to, beside the run folder."""

    def write(self, event: Event) -> None:
        """Pass on what `event` measures."""

    def close(self, outcome: Outcome) -> None:
        """Say how this attempt at the run ended."""


def require_services(config: TrainingConfig) -> None:
    """Raise ConfigError, with the way to install it, if a service's package is not here."""
    for name, title in TITLES.items():
        if getattr(config, name) and importlib.util.find_spec(name) is None:
            raise ConfigError(
                f"--{name} was given, and the package of {title} is not installed.",
                f"Install it with: {how_to_install(name)}; or leave out --{name}.",
            )


class Services:
    """Writes to every service that `config` switches on, for as long as it answers.

    `warn` takes the warning of one that does not, once for each.
    """

    def __init__(
        self, config: TrainingConfig, run_dir: Path, warn: Callable[[Warning_], None]
    ) -> None:
        self._warn = warn
        self._logs: dict[str, Log] = {}
        kinds: dict[str, Callable[[TrainingConfig, Path], Log]] = {
            "wandb": WandbLog, "mlflow": MlflowLog,
        }  # fmt: skip
        for name, kind in kinds.items():
            if getattr(config, name):
                with self._guarded(name):
                    self._logs[name] = kind(config, run_dir)

    def write(self, event: Event) -> None:
        """Pass on what `event` measures."""
        for name, log in list(self._logs.items()):
            with self._guarded(name):
                log.write(event)

    def close(self, outcome: Outcome) -> None:
        """Say how this attempt at the run ended."""
        for name, log in list(self._logs.items()):
            with self._guarded(name):
                log.close(outcome)
        self._logs.clear()

    @contextlib.contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever it is, training goes on
            self._logs.pop(name, None)
            self._warn(
                Warning_(
                    code=f"no-{name}",
                    message=f"{TITLES[name]} gets nothing of this run from here on: "
                    f"{clean(str(error))[:300] or type(error).__name__}",
                    hint=_WAYS[name],
                )
            )


_WAYS = {
    "wandb": "Sign in with wandb login or $WANDB_API_KEY, or set WANDB_MODE=offline and send it "
    "later with wandb sync. The run folder has everything.",
    "mlflow": "Look at $MLFLOW_TRACKING_URI. The run folder has everything.",
}


class WandbLog:
    """A run of Weights & Biases, in the project called as ours; its files go to `RUN/wandb`.

    Raises what wandb does when it cannot be signed in to or reached.
    """

    def __init__(self, config: TrainingConfig, run_dir: Path) -> None:
        wandb = importlib.import_module("wandb")
        with _without_slurm_secrets():
            self._run = wandb.init(
                project=_experiment(config),
                name=run_dir.name,
                id=_identifier(run_dir, "wandb") or _keep(run_dir, "wandb", secrets.token_hex(8)),
                resume="allow",
                dir=str(run_dir),
                config=_settings(config),
                settings=_wandb_settings(wandb),
            )
        # A resumed run goes back a few steps, which wandb's own counter cannot.
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def write(self, event: Event) -> None:
        """Pass on what `event` measures."""
        values = scalars(event)
        if values:
            self._run.log({"step": event.step, **values})  # type: ignore[union-attr]

    def close(self, outcome: Outcome) -> None:
        """Send what is left and mark the run as finished or failed."""
        self._run.finish(exit_code=1 if outcome == "failed" else 0)


@contextlib.contextmanager
def _without_slurm_secrets() -> Iterator[None]:
    """Keep a token of SLURM's, such as SLURM_JWT, out of what wandb's process is started with.

    wandb 0.31 notes every variable that begins with SLURM_ in the run's metadata.
    """
    taken = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("SLURM_") and redact(value) != value
    }
    for name in taken:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(taken)


def _wandb_settings(wandb: Any) -> Any:
    """Return how wandb is to behave, as far as this release of it can."""
    settings: dict[str, Any] = {
        # What is printed is train.log's; our code is none of the run's.
        "console": "off", "quiet": True, "save_code": False, "disable_git": True,
        "init_timeout": _PATIENCE_S,
    }  # fmt: skip
    if "finish_timeout" in getattr(wandb.Settings, "model_fields", ()):
        settings["finish_timeout"] = _PATIENCE_S
    return wandb.Settings(**settings)


class MlflowLog:
    """A run of MLflow, in the experiment called as our project.

    It goes where `$MLFLOW_TRACKING_URI` says, else into `RUN/mlflow.db`. Raises what MLflow does
    when that cannot be reached.
    """

    def __init__(self, config: TrainingConfig, run_dir: Path) -> None:
        # MLflow by itself tries each request for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        place = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{run_dir / 'mlflow.db'}"
        self._client = importlib.import_module("mlflow.tracking").MlflowClient(place)
        self._entities = importlib.import_module("mlflow.entities")
        self._values: list[Any] = []
        self._sent = time.monotonic()
        self._id = self._earlier(run_dir) or self._new(config, run_dir)

    def _earlier(self, run_dir: Path) -> str | None:
        """Go on with the run of an earlier attempt, if it is still there."""
        known = _identifier(run_dir, "mlflow")
        if known is None:
            return None
        missing = importlib.import_module("mlflow.exceptions").MlflowException
        try:
            self._client.update_run(known, status="RUNNING")
        except missing:  # deleted, or it was another server
            return None
        return known

    def _new(self, config: TrainingConfig, run_dir: Path) -> str:
        name = _experiment(config)
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        made = str(self._client.create_run(experiment, run_name=run_dir.name).info.run_id)
        param = self._entities.Param
        settings = [param(key, str(value)[:500]) for key, value in _settings(config).items()]
        self._client.log_batch(made, params=settings)
        return _keep(run_dir, "mlflow", made)

    def write(self, event: Event) -> None:
        """Pass on what `event` measures, some seconds later together with others."""
        metric, stamp = self._entities.Metric, round(event.t * 1000)
        for name, value in scalars(event).items():
            plain = _NOT_MLFLOW.sub("_", name)
            self._values.append(metric(plain, value, stamp, event.step))  # type: ignore[union-attr]
        late = time.monotonic() - self._sent > _SECONDS
        if len(self._values) >= _MANY or late or isinstance(event, Epoch):
            self._send()

    def _send(self) -> None:
        values, self._values = self._values, []
        self._sent = time.monotonic()
        for start in range(0, len(values), _MANY):
            self._client.log_batch(self._id, metrics=values[start : start + _MANY])

    def close(self, outcome: Outcome) -> None:
        """Send what is left and say how it ended."""
        self._send()
        status = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}[outcome]
        self._client.set_terminated(self._id, status)


def _experiment(config: TrainingConfig) -> str:
    return config.project.name if config.project else "batman"


def _settings(config: TrainingConfig) -> dict[str, Any]:
    """Return the settings, without paths: they say nothing to others than this machine."""
    values = config.model_dump(mode="json", exclude={"dataset", "notes"})
    paths = ("project", "output_dir", "resume", "pretrained")
    kept = {name: value for name, value in values.items() if name not in paths}
    if config.dataset is not None:
        kept["data_set"] = config.dataset.fingerprint
        kept["classes"] = config.dataset.class_names
    return kept


def _identifiers(run_dir: Path) -> Mapping[str, Any]:
    try:
        content = read_json(run_dir / IDS_FILE)
    except BatmanError:
        return {}
    return content if isinstance(content, dict) else {}


def _identifier(run_dir: Path, name: str) -> str | None:
    known = _identifiers(run_dir).get(name)
    return known if isinstance(known, str) else None


def _keep(run_dir: Path, name: str, identifier: str) -> str:
    write_json(run_dir / IDS_FILE, {**_identifiers(run_dir), name: identifier})
    return identifier
