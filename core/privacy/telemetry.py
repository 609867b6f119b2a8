"""What the libraries under Batman would report about their user, switched off in every process.

Batman connects to what a person asks for (docs/connections.md has the list), and to nothing else.
Several packages that it uses send events or look for newer versions by themselves, some leaving an
identifier in the home folder. The table has each with the switch that its own code reads; who sets
such a variable otherwise keeps it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import NamedTuple


class Switch(NamedTuple):
    """A variable that keeps a package quiet; `version` is the release whose code was read."""

    package: str
    version: str
    variable: str
    value: str
    what: str
    source: str


SWITCHES: tuple[Switch, ...] = (
    Switch(
        "onnxruntime", "1.32.0", "ORT_DISABLE_TELEMETRY", "1",
        "events of sessions with hardware and a device identifier in the user's cache",
        "onnxruntime/core/platform/posix/telemetry_1ds.cc; read when the library is loaded",
    ),
    Switch(
        "mlflow", "3.17.2", "MLFLOW_DISABLE_TELEMETRY", "true",
        "its own usage events, and an identifier in ~/.config/mlflow/telemetry.json",
        "mlflow/telemetry/utils.py, is_telemetry_disabled",
    ),
    Switch(
        "wandb", "0.31.0", "WANDB_ERROR_REPORTING", "false",
        "crash reports and traces of wandb itself, beside the run that is sent when asked for",
        "wandb/env.py, error_reporting_enabled; read by the service and its proxy for traces",
    ),
    Switch(
        "huggingface_hub", "2.4.0", "HF_HUB_DISABLE_TELEMETRY", "1",
        "which libraries call it, also for transformers and timm",
        "huggingface_hub/constants.py and utils/_telemetry.py",
    ),
    Switch(
        "albumentations", "2.0.8", "NO_ALBUMENTATIONS_UPDATE", "1",
        "a question to pypi.org for a newer version at each import",
        "albumentations/__init__.py, check_version.py",
    ),
    Switch(
        "pip", "26.0", "PIP_DISABLE_PIP_VERSION_CHECK", "1",
        "a question to the index for a newer pip",
        "pip documentation, --disable-pip-version-check",
    ),
    Switch(
        "any other", "", "DO_NOT_TRACK", "1",
        "what later releases may bring: the name that many tools agree on",
        "consoledonottrack.com; mlflow/telemetry/utils.py, huggingface_hub/constants.py",
    ),
)  # fmt: skip

# OpenVINO's converter reports through this package (2025.2.0, with openvino 2026.4.1), in a process
# for each event, and knows no variable for it. Where the package is missing, openvino/tools/ovc
# takes its own stub, which does nothing.
_REPORTER = "openvino_telemetry"
# What `opt_in_out --opt_in` writes for a person who wants it: openvino_telemetry/utils/
# opt_in_checker.py, `consent_file`.
_CONSENT = Path("intel") / "openvino_telemetry"


def quiet_variables(env: MutableMapping[str, str]) -> None:
    """Set in `env` what keeps the packages quiet, and leave what is set there already."""
    for switch in SWITCHES:
        env.setdefault(switch.variable, switch.value)


def shell_exports() -> list[str]:
    """Return the lines of a shell script that do what `quiet_variables` does."""
    return [f"export {s.variable}=${{{s.variable}-{s.value}}}" for s in SWITCHES]


def switch_off() -> None:
    """Keep the packages quiet in this process and its children; before they are imported."""
    quiet_variables(os.environ)
    if not _asked_for():
        sys.modules.setdefault(_REPORTER, None)  # type: ignore[arg-type]  # import fails, by design


def _asked_for() -> bool:
    try:
        return (Path.home() / _CONSENT).read_text(encoding="utf-8").strip() == "1"
    except (OSError, RuntimeError, UnicodeDecodeError):
        return False
