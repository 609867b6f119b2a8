"""Nothing that Batman leaves or shows holds a secret: every place that keeps one gets a canary.

A real run whose services are away, a run that fails, a job of a cluster, refused imports and
crashes; then every file in the workspace, the home folder and the settings is read for them.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.demo.shapes import make_shapes
from core.processes.child_process import python_command, python_environment

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
# All a folder listing of `sinfo` needs; `sbatch` runs the job at once, as a node would.
SINFO = """#!/bin/sh
case "$*" in
  --version) echo 'slurm 23.11.4' ;;
  *-O*) sep=$(printf '%s' "$*" | sed 's/.*StateLong:\\([a-z0-9]*\\).*/\\1/')
    for field in n1 gpu gpu:a100:1 gpu:a100:0 idle 0/8/0/8 16000 1:00:00 up idle; do
      printf '%s%s' "$field" "$sep"
    done; echo ;;
  *) echo 'gpu*' ;;
esac
"""
SBATCH = """#!/bin/bash
for script; do :; done
log=$(sed -n 's/^#SBATCH --output=//p' "$script" | sed 's/%j/12/')
SLURM_JOB_ID=12 bash "$script" >>"$log" 2>&1
echo 12
"""


def secret(number: int) -> str:
    """A value that stands nowhere else, with characters that addresses quote."""
    return f"cAnary{number:02d}/{number * 104729 % 1000003:07d}q+x"


@dataclass
class Stand:
    """A workspace and a home full of secrets, and whatever commands there have printed."""

    root: Path
    env: dict[str, str]
    secrets: dict[str, str]
    planted: set[Path] = field(default_factory=set)
    printed: dict[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        return self.root / "work"

    def batman(self, name: str, *words: str, **more: str) -> int:
        """Run a command as a person would, and keep what it prints."""
        return self.run(name, python_command("cli.main", *words), **more)

    def run(self, name: str, command: list[str], **more: str) -> int:
        done = subprocess.run(
            command, cwd=self.workspace, env={**python_environment(self.env), **more},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=240, check=False,
        )  # fmt: skip
        self.printed[name] = done.stdout.decode(errors="replace")
        return done.returncode

    def new_run(self, name: str) -> Path:
        """Return a run folder that is not there yet, when a test is tried again too."""
        runs = self.workspace / "runs"
        return runs / f"{name}-{len(list(runs.glob(f'{name}-*'))) if runs.is_dir() else 0}"

    def leaks(self) -> list[str]:
        """Return where a secret stands, in whatever notation, in files and in what was printed."""
        texts = {f"printed by {name}": text.encode() for name, text in self.printed.items()}
        for path in self.root.rglob("*"):
            if path.is_file() and not path.is_symlink() and path not in self.planted:
                texts[str(path.relative_to(self.root))] = path.read_bytes()
        suspicious = {
            name: content
            for name, content in texts.items()
            # Weights are large: there, what all secrets begin with stands for them.
            if len(content) < 1_000_000 or any(head in content for head in HEADS)
        }
        return [
            f"{name}: the secret of {owner}"
            for name, content in suspicious.items()
            for owner, value in self.secrets.items()
            if any(form in content for form in forms(value))
        ]


HEADS = (b"cAnary", base64.b64encode(b"ada:cA")[:8])


def forms(value: str) -> set[bytes]:
    """Return how a secret may stand somewhere, its middle alone included, for one that was cut."""
    quoted = urllib.parse.quote(value, safe="")
    middle = value[6:-2].replace("/", "%2F")
    return {
        form.encode()
        for form in (
            value, quoted, quoted.lower(), urllib.parse.quote(quoted, safe=""), value[:8], middle,
            value[9:-2], base64.b64encode(f"ada:{value}".encode()).decode(),
        )
    }  # fmt: skip


def closed_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Stand:
    root = tmp_path_factory.mktemp("canaries")
    for name in ("work", "home", "config/clusters", "cache", "bin", "data", "tmp"):
        (root / name).mkdir(parents=True)
    make_shapes(root / "data", train=16, valid=8, test=0, messy=False)
    port = closed_port()
    values: dict[str, str] = {}

    def new(owner: str) -> str:
        return values.setdefault(owner, secret(len(values) + 10))

    def address(owner: str, scheme: str = "http") -> str:
        return f"{scheme}://ada:{urllib.parse.quote(new(owner), safe='')}@127.0.0.1:{port}"

    env = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
    env |= {
        "PATH": f"{root / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "tmp"),
        "BATMAN_CONFIG_DIR": str(root / "config"),
        "BATMAN_CACHE_DIR": str(root / "cache"),
        "USER": "ada",
        "WANDB_MODE": "offline",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_TRACKING_URI": address("MLFLOW_TRACKING_URI"),
        "WANDB_BASE_URL": address("WANDB_BASE_URL"),
        "REDIS_URL": address("REDIS_URL", "redis"),
        "GIT_REMOTE": f"https://{urllib.parse.quote(new('GIT_REMOTE'), safe='')}@127.0.0.1/x.git",
        "PIP_INDEX_URL": address("PIP_INDEX_URL") + "/simple",
        "UV_DEFAULT_INDEX": address("UV_DEFAULT_INDEX") + "/simple",
    }
    for name in (
        "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN",
        "WANDB_API_KEY", "ROBOFLOW_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GOOGLE_API_KEY",
        "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "MY_SERVICE_TOKEN", "DB_PASSWORD",
        "A_SECRET", "SOME_CREDENTIAL", "SSH_PASSWD", "SLURM_JWT",
    ):  # fmt: skip
        env[name] = new(name)
    planted = {
        "home/.netrc": f"machine api.wandb.ai login user password {new('~/.netrc')}\n",
        "home/.cache/huggingface/token": new("huggingface token"),
        "home/.aws/credentials": f"[default]\naws_secret_access_key = {new('~/.aws')}\n",
        "home/.mlflow/credentials": f"[mlflow]\nmlflow_tracking_password = {new('~/.mlflow')}\n",
    }
    profile = {
        "host": "local", "workspace": str(root / "work"), "python": sys.executable,
        "gpus": {"cpu": {"partition": "gpu"}}, "time": "1:00:00",
    }  # fmt: skip
    lines = [f"{name} = {json.dumps(value)}" for name, value in profile.items() if name != "gpus"]
    planted["config/clusters/here.toml"] = "\n".join(
        [*lines, "", "[gpus.cpu]", 'partition = "gpu"', ""]
    )
    # A person's own lines have to be run as they are; see test_a_prelude_with_a_key_is_private.
    for name, text in planted.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name, text in (("sinfo", SINFO), ("sbatch", SBATCH), ("scontrol", "#!/bin/sh\n")):
        (root / "bin" / name).write_text(text)
        (root / "bin" / name).chmod(0o755)
    stand = Stand(root, env, values, {root / name for name in planted})
    words = ("import", "coco-dir", str(root / "data"), "--project", "p", "--create")
    assert stand.batman("import", *words) == 0, stand.printed
    return stand


def test_a_run_whose_services_are_away(stand: Stand) -> None:
    for name in ("wandb", "mlflow"):
        pytest.importorskip(name, reason=f"the package {name} is not installed")
    run = stand.new_run("away")
    words = ("train", "--project", "p", "--model", "tiny", "--epochs", "1", "--output-dir")
    code = stand.batman("train", *words, str(run), "--wandb", "--mlflow")
    assert code == 0, stand.printed["train"]
    log, events = (run / "train.log").read_text(), (run / "events.jsonl").read_text()
    # The service's own words are there, with the address it could not reach.
    assert "no-mlflow" in events
    assert "MLflow gets nothing" in log
    assert "127.0.0.1" in log
    assert list((run / "wandb").glob("offline-run-*"))
    for what in ("show", "list"):
        assert stand.batman(f"runs {what}", "runs", what, *([str(run)] * (what == "show"))) == 0
    assert stand.batman("runs json", "runs", "show", str(run), "--json") == 0
    assert stand.batman("watch", "watch", str(run), "--plain") == 0
    assert stand.leaks() == []


def test_proxies_and_a_run_that_fails(stand: Stand) -> None:
    proxies = {}
    for name in ("HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        stand.secrets[name] = secret(len(stand.secrets) + 10)
        proxies[name] = f"ada:{urllib.parse.quote(stand.secrets[name], safe='')}@127.0.0.1:9"
    proxies["ALL_PROXY"] = "http://" + proxies["ALL_PROXY"]
    stand.secrets["--pretrained"] = secret(98)
    at = urllib.parse.quote(stand.secrets["--pretrained"], safe="")
    words = ("train", "--project", "p", "--model", "nano", "--epochs", "1", "--output-dir")
    stand.batman(
        "fails", *words, str(stand.new_run("fails")), "--pretrained", f"https://ada:{at}@host/w.pth"
    )
    # A download through a proxy that is away.
    run = stand.new_run("download")
    assert stand.batman("download", *words, str(run), **proxies) != 0
    download = (run / "events.jsonl").read_text()
    assert '"kind":"weights"' in download
    assert stand.leaks() == []


def test_a_job_of_a_cluster(stand: Stand) -> None:
    words: tuple[str, ...] = (
        "submit", "--project", "p", "--model", "tiny", "--epochs", "1", "--mlflow",
    )  # fmt: skip
    run = stand.new_run("job")
    words = (*words, "--cluster", "here", "--gpu", "cpu", "--cpus", "2", "--output-dir", str(run))
    assert stand.batman("dry run", *words, "--dry-run") == 0, stand.printed
    assert "core.training.worker" in stand.printed["dry run"]
    assert stand.batman("submit", *words) == 0, stand.printed
    assert '"finished"' in (run / "events.jsonl").read_text(), (run / "train.log").read_text()
    log = stand.workspace / "logs" / "job_12.log"
    assert "MLflow gets nothing" in log.read_text()
    assert (run / "job.sh").is_file()
    assert stand.leaks() == []


def test_imports_that_are_refused(stand: Stand) -> None:
    for way in ("address", "--api-key"):
        stand.secrets[way] = secret(len(stand.secrets) + 10)
    address = f"https://ada:{urllib.parse.quote(stand.secrets['address'], safe='')}@host/data"
    into = ("--project", "p")
    assert stand.batman("import address", "import", "coco-dir", address, *into) != 0
    words = ("import", "roboflow", "--workspace", "w", "--rf-project", "x", "--version", "1")
    code = stand.batman(
        "roboflow", *words, "--api-key", stand.secrets["--api-key"].replace("/", "-"), *into,
        API_URL="http://127.0.0.1:9",
    )  # fmt: skip
    assert code != 0
    stand.secrets["--api-key"] = stand.secrets["--api-key"].replace("/", "-")
    assert stand.leaks() == []


CRASHES = {
    "the command line": """
from cli.common import guard
def action():
    raise ValueError("no answer from " + os.environ["MLFLOW_TRACKING_URI"])
sys.exit(guard(action))
""",
    "a thread": """
import threading
from core.processes.child_process import begin_process
begin_process()
def work():
    raise ValueError("no answer from " + os.environ["MLFLOW_TRACKING_URI"])
thread = threading.Thread(target=work)
thread.start()
thread.join()
sys.exit(1)
""",
    "the app": """
from pathlib import Path
from batman_tui.app import BatmanApp
from core.common.workspace import Workspace
class Broken(BatmanApp):
    def on_mount(self):
        super().on_mount()
        # Errors in a storm, as from painting, end the app.
        self.set_interval(0.01, self.broken)
    def broken(self):
        key = os.environ["WANDB_API_KEY"]
        raise ValueError("no answer from " + os.environ["MLFLOW_TRACKING_URI"])
Broken(Workspace(Path.cwd())).run(headless=True)
sys.exit(1)
""",
}


@pytest.mark.parametrize("what", CRASHES)
def test_crashes(stand: Stand, what: str) -> None:
    code = f"import os, sys\n{CRASHES[what]}"
    name = f"the crash of {what}"
    assert stand.run(name, [sys.executable, "-P", "-c", code]) not in (0, None)
    assert "no answer from http://…@127.0.0.1" in "".join(stand.printed[name].split("\n")), (
        stand.printed[name]
    )
    assert "ValueError" in stand.printed[name]
    assert stand.leaks() == []


def test_the_search_finds_what_is_there(stand: Stand) -> None:
    """A search that cannot find anything proves nothing."""
    owner, value = next(iter(stand.secrets.items()))
    left = stand.workspace / "left behind"
    left.write_text(f"at {urllib.parse.quote(value, safe='')}")
    try:
        assert stand.leaks() == [f"work/left behind: the secret of {owner}"]
    finally:
        left.unlink()
