"""Children find our packages and nobody else's, report nothing, and end when they are told to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.privacy.telemetry import SWITCHES, shell_exports
from core.processes.child_process import python_command, python_environment
from core.training.config.options import TrainingConfig

ROOT = Path(__file__).parents[2]
# Files that a person may well have in the folder they work in.
NAMES = (
    "core/__init__.py", "core/common/errors.py", "cli.py", "cli/__init__.py", "slurm/__init__.py",
    "torch.py", "numpy.py", "json.py", "re.py", "secrets.py", "msgspec.py", "psutil.py", "pip.py",
    "requests.py", "roboflow.py", "rfdetr/__init__.py", "onnxruntime.py", "sitecustomize.py",
)  # fmt: skip


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder in which importing anything leaves a trace and ends the process."""
    folder = tmp_path / "hostile"
    for name in NAMES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"import os\nopen({str(tmp_path / 'hijacked')!r}, 'a').write({name!r})\nos._exit(99)\n"
        )
    return folder


def env_of(folder: Path) -> dict[str, str]:
    """An environment in which entries of PYTHONPATH lead to the current folder, twice."""
    return {**os.environ, "PYTHONPATH": f":{ROOT}:.:", "PWD": str(folder)}


CHILDREN = {
    # Module, arguments, standard input, and what it says when it came to its own work.
    "worker": ("core.training.worker", ["RUN"], "", "There is no training_config.json"),
    "log pump": ("core.training.log.pump", ["1"], "a line\n", "a line"),
    "evaluation": (
        "core.evaluation", [], json.dumps({"target": "nothing here"}), '"event": "failed"',
    ),
    "inference": (
        "core.inference", [], json.dumps({"target": "no", "inputs": ["no"], "output": "o"}),
        '"event": "failed"',
    ),
    "export": (
        "core.export", [], json.dumps({"target": "no", "output": "o"}), '"event": "failed"',
    ),
    "probe": (
        "core.training.worker.trial.probe_batch_size", [],
        TrainingConfig(model="nano").model_dump_json(), '"event"',
    ),
    "roboflow": (
        "core.data.importers.services.roboflow_child", [],
        json.dumps({"key": "k", "workspace": "w", "project": "p", "version": 1}),
        '"stage"',
    ),
    "attempts": ("slurm.attempts", ["begin", "no folder"], "", "There is no run folder"),
    "command line": ("cli.main", ["--version"], "", "batman "),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHILDREN)
def test_children_ignore_the_folder_they_are_started_in(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind in ("evaluation", "inference", "export", "probe"):
        pytest.importorskip("torch", reason="the train extra is not installed")
    if kind == "roboflow":
        pytest.importorskip("roboflow", reason="the package roboflow is not installed")
    module, words, stdin, expected = CHILDREN[kind]
    monkeypatch.chdir(hostile)
    (hostile / "run").mkdir()
    words = [str(hostile / "run") if word == "RUN" else word for word in words]
    done = subprocess.run(
        python_command(module, *words),
        # Nobody listens there: what would ask Roboflow ends at once.
        env={**python_environment(env_of(hostile)), "API_URL": "http://127.0.0.1:9"},
        input=stdin.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
        check=False,
    )  # fmt: skip
    text = done.stdout.decode(errors="replace")
    assert not (tmp_path / "hijacked").exists(), (tmp_path / "hijacked").read_text()
    assert expected in text, text


def test_commands_work_in_a_folder_with_such_names(hostile: Path, tmp_path: Path) -> None:
    """As a person calls them, with the program that lies beside Python."""
    batman = Path(sys.executable).with_name("batman")
    if not batman.is_file():
        pytest.skip("batman is not installed as a program here")
    pytest.importorskip("torch", reason="the train extra is not installed")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for words in (
        ["infer", "--checkpoint", "no.pth", "--input", ".", "--output", "o"],
        ["evaluate", "no.pth"],
    ):
        done = subprocess.run(
            [str(batman), *words], cwd=hostile, env=env, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert not (tmp_path / "hijacked").exists()
        assert done.returncode != 0
        assert "No module named" not in done.stderr, done.stderr
        assert "no.pth" in done.stderr, done.stderr


def test_grandchildren_ignore_it_too(hostile: Path, tmp_path: Path) -> None:
    """As loaders of images are started, by `spawn`, and Lightning's processes, by `python -m`."""
    code = (
        "import multiprocessing, subprocess, sys\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.apply(len, ('four',)))\n"
        "    subprocess.run([sys.executable, '-m', 'cli.main', '--version'], check=True)\n"
    )
    (tmp_path / "parent.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-P", str(tmp_path / "parent.py")], cwd=hostile,
        env=python_environment({**os.environ, "PYTHONPATH": ""}),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "4"
    assert not (tmp_path / "hijacked").exists()


def test_the_search_path_leads_nowhere_but_where_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = os.pathsep.join(["", "/elsewhere", ".", "src", str(ROOT), "", "./."])
    env = python_environment({"PYTHONPATH": given, "OMP_WAIT_POLICY": "active"})
    assert env["PYTHONPATH"].split(os.pathsep) == [str(ROOT), "/elsewhere", str(tmp_path / "src")]
    assert env["OMP_WAIT_POLICY"] == "active"
    assert env["PYTHONSAFEPATH"] == "1"
    # A person who names the folder by its whole path means it.
    assert str(tmp_path) in python_environment({"PYTHONPATH": str(tmp_path)})["PYTHONPATH"]
    assert python_environment({})["PYTHONPATH"] == str(ROOT)
    assert python_environment({})["OMP_WAIT_POLICY"] == "passive"


def test_every_child_is_started_in_this_one_way() -> None:
    """Whoever writes `python -m` again forgets one of it."""
    allowed = {
        "core/processes/child_process.py",  # here
        "core/training/worker/out_of_memory.py",  # the same command again
        "core/export/write.py",  # the folder of programs beside it
        "cli/app/demo.py",
        "cli/app/serve.py",
        "cli/answers/kept.py",  # which Python an answer was made by
        "slurm/site/site.py",  # the interpreter of jobs on this machine
        "slurm/setup/wheelhouse.py",  # the name in an error
    }
    using = {
        str(path.relative_to(ROOT))
        for folder in ("core", "cli", "slurm", "batman_tui", "themes")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"^[^#\"'\n]*sys\.executable", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert using <= allowed


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.variable)
def test_libraries_are_told_to_keep_quiet_unless_the_person_said_otherwise(switch) -> None:
    assert python_environment({})[switch.variable] == switch.value
    assert python_environment({switch.variable: "mine"})[switch.variable] == "mine"
    shell = "\n".join([*shell_exports(), f'printf %s "${switch.variable}"'])
    for env, expected in (({}, switch.value), ({switch.variable: "mine"}, "mine")):
        done = subprocess.run(
            ["bash", "-uc", shell], env={"PATH": os.environ["PATH"], **env}, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        assert done.stdout == expected


# How each package itself says that it is quiet, asked of the installed one.
ASK = {
    "mlflow": "from mlflow.telemetry.utils import MLFLOW_DISABLE_TELEMETRY as v; quiet = v.get()",
    "wandb": "from wandb.env import error_reporting_enabled as e; quiet = not e()",
    "huggingface_hub": (
        "from huggingface_hub import constants as c; quiet = c.HF_HUB_DISABLE_TELEMETRY"
    ),
    "onnxruntime": "import onnxruntime; quiet = True",  # the home folder tells
    "albumentations": (
        "import urllib.request as u\n"
        "def no(*a, **k): raise SystemExit('asked')\n"
        "u.OpenerDirector.open = no\n"
        "import albumentations; quiet = True"
    ),
    "openvino": (
        "from openvino.tools.ovc import telemetry_utils as t\n"
        "quiet = t.tm.__name__ == 'openvino.tools.ovc.telemetry_stub'"
    ),
}


@pytest.mark.parametrize("package", ASK)
def test_installed_packages_understand_it(package: str, tmp_path: Path) -> None:
    pytest.importorskip(package, reason=f"the package {package} is not installed")
    code = (
        f"from core.processes.child_process import begin_process; begin_process()\n{ASK[package]}\n"
    )
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in {switch.variable for switch in SWITCHES} | {"CI"}
    }
    done = subprocess.run(
        [sys.executable, "-c", code + "print(bool(quiet))"], cwd=ROOT,
        env={**env, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "True", done.stdout + done.stderr
    left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")]
    assert not [name for name in left if re.search(r"device.?id|telemetry|onnxruntime", name)]


def test_who_asked_openvino_to_report_is_not_overruled(tmp_path: Path) -> None:
    pytest.importorskip("openvino_telemetry", reason="the package openvino is not installed")
    code = (
        "from core.processes.child_process import begin_process; begin_process()\n"
        "import openvino_telemetry; print(openvino_telemetry.__name__)"
    )
    (tmp_path / "intel").mkdir()
    for content, known in (("0", False), ("1", True)):
        (tmp_path / "intel" / "openvino_telemetry").write_text(content)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode == 0) == known, done.stderr


def test_what_a_library_forks_ends_when_it_is_told_to() -> None:
    """A reporter that inherits our handler would take SIGTERM for itself, and live for ever."""
    code = (
        "import os, signal, time\n"
        "from core.processes.child_process import listen_for_stop\n"
        "stopped = listen_for_stop()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    while True: time.sleep(60)\n"
        "os.kill(child, signal.SIGTERM)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), stopped())\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "print(stopped())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30,
        check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["-15 False", "True"]
