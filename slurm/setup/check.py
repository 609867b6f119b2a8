"""The job that checks a new environment: it imports what training needs and looks for a GPU."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from core.common.errors import BatmanError
from core.common.errors import Cancelled as WasCancelled
from core.common.parse import ParseError, parse_json
from core.common.progress import Cancelled, never
from core.common.text import clean
from core.privacy.telemetry import shell_exports
from slurm.hosts import Host
from slurm.job.record import JobRecord, comment_of
from slurm.queue.arrays import why
from slurm.queue.job_status import ask_job
from slurm.setup.install import put_text
from slurm.site.environment import PLAIN, Environment
from slurm.submit.resources import Resources, resource_options
from slurm.submit.sbatch import find_job, submit_once
from slurm.sync.patience import PATIENCE_S, persist

# What a training job imports (`core.training.worker`), heavy ones last.
MODULES = (
    "msgspec", "pydantic", "psutil", "platformdirs", "numpy", "PIL", "supervision", "pycocotools",
    "pytorch_lightning", "torch", "rfdetr",
)  # fmt: skip
TIME_S = 15 * 60
_LOOK_S = 2.0
# The queue is asked this seldom; the result is a file, which costs SLURM nothing.
_ASK_S = 15.0

_PROGRAM = '''"""Written by batman clusters setup: says what this environment can do, as JSON."""
import importlib, json, os, platform, subprocess, sys

said = {"python": platform.python_version(), "host": platform.node(), "modules": {}, "wrong": {},
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"), "gpus": [], "cuda": None, "driver": ""}
for name in sys.argv[2:]:
    print("importing", name, flush=True)
    try:
        module = importlib.import_module(name)
        said["modules"][name] = str(getattr(module, "__version__", ""))
    except BaseException as error:
        said["wrong"][name] = f"{type(error).__name__}: {error}"[:500]
try:
    import torch
    said["cuda"] = torch.version.cuda or getattr(torch.version, "hip", None)
    if torch.cuda.is_available():
        said["gpus"] = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
except BaseException as error:
    said["wrong"].setdefault("torch", f"{type(error).__name__}: {error}"[:500])
try:
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    said["driver"] = subprocess.run(words, capture_output=True, text=True, timeout=60).stdout.split("\\n")[0]
except (OSError, subprocess.SubprocessError):
    pass
with open(sys.argv[1] + ".new", "w") as file:
    json.dump(said, file)
os.replace(sys.argv[1] + ".new", sys.argv[1])
'''  # noqa: E501


class Said(msgspec.Struct, frozen=True):
    """What the check job found on its node.

    `modules` are versions by name and `wrong` what could not be imported and why, `visible` is
    CUDA_VISIBLE_DEVICES, `cuda` what torch was built for, `gpus` the names of those torch sees.
    """

    python: str = ""
    host: str = ""
    modules: dict[str, str] = {}
    wrong: dict[str, str] = {}
    visible: str | None = None
    gpus: list[str] = []
    cuda: str | None = None
    driver: str = ""


@dataclass(frozen=True)
class Check:
    """The check of the environment `env` by a job; its files lie in `work`.

    `environment` is what goes before; in an image, `python` is the interpreter's name.
    """

    env: str
    work: str
    token: str
    resources: Resources
    prelude: tuple[str, ...] = ()
    environment: Environment = PLAIN
    python: str = ""
    modules: tuple[str, ...] = MODULES

    @property
    def marker(self) -> str:
        """The folder that the submission leaves its answer in."""
        return f"{self.work}/check-{self.token}"

    @property
    def result(self) -> str:
        """The file that the job leaves its result in."""
        return f"{self.work}/check-{self.token}.json"

    @property
    def log(self) -> str:
        """The job's output."""
        return f"{self.work}/check-{self.token}.log"

    def command(self) -> list[str]:
        """Return sbatch's argument list."""
        return [
            "sbatch", "--parsable", "--job-name=batman-setup", "--no-requeue",
            f"--comment={comment_of(self.token)}", f"--output={self.log.replace('%', '%%')}",
            f"--chdir={self.work}", *resource_options(self.resources), f"{self.work}/check.sh",
        ]  # fmt: skip

    def script(self) -> str:
        """Return the job's script, every value quoted."""
        python = shlex.quote(f"{self.env}/bin/python")
        if self.environment.image:
            gpu = bool(self.resources.gres)
            python = self.environment.inside(self.python, [self.work], gpu=gpu)
        words = shlex.join([f"{self.work}/check.py", self.result, *self.modules])
        return "\n".join(
            [
                "#!/bin/bash", *self.prelude, *self.environment.lines(), *shell_exports(),
                f"exec {python} {words}", "",
            ]
        )  # fmt: skip


def run_check(
    host: Host,
    check: Check,
    say: Callable[[str], None],
    cancelled: Cancelled = never,
    patience_s: float = PATIENCE_S,
) -> Said:
    """Submit the check job once, wait for it and return what it found.

    One that was submitted before and has not ended is waited for; nothing is submitted twice.
    Raises BatmanError when SLURM does not take it or it ends without a result, and `Cancelled`.
    """
    found = _result(host, check, cancelled, patience_s)
    if found is not None:
        return found
    put_text(host, _PROGRAM, f"{check.work}/check.py", cancelled, patience_s)
    put_text(host, check.script(), f"{check.work}/check.sh", cancelled, patience_s)
    kind, number = persist(lambda: find_job(host, check.marker, check.token), cancelled, patience_s)
    if kind == "nothing":
        number = submit_once(
            host, check.command(), check.marker, check.token, cancelled, min(patience_s, 300.0)
        )
    elif kind == "begun":
        raise BatmanError(
            "sbatch was started for the check and neither answered nor left a job.",
            f"Look at squeue there; batman clusters setup --fresh begins anew. See {check.work}.",
        )
    say(f"check job {number}")
    record = JobRecord(
        cluster="", host="", token=check.token, run_dir=check.work, log=check.log,
        marker=check.marker, submitted_at=time.time(), job_id=number,
    )  # fmt: skip
    told, ask_at, over = "", time.monotonic() + _LOOK_S, 0
    while True:
        if cancelled():
            raise WasCancelled(
                f"Left; the check job {number} goes on. Setting up again waits for it."
            )
        found = _result(host, check, cancelled, patience_s)
        if found is not None:
            return found
        if time.monotonic() >= ask_at:
            ask_at = time.monotonic() + _ASK_S
            job = persist(lambda: ask_job(host, record), cancelled, patience_s)
            words = "not known any more" if job is None else job.state.words
            if job is not None and why(job):
                words += f": {why(job)}"
            if words != told:
                told = words
                say(f"check job {number}: {words}")
            if job is None or job.state.ended:
                # Its result may reach us later than its end, over a network file system.
                over += 1
                ask_at = time.monotonic() + _LOOK_S
                if over > 3:
                    raise _ended(host, check, number, words)
        time.sleep(_LOOK_S / 2)


def _result(host: Host, check: Check, cancelled: Cancelled, patience_s: float) -> Said | None:
    data = persist(lambda: host.read(check.result, 0, 1 << 20), cancelled, patience_s)
    if not data:
        return None
    try:
        return parse_json(data, Said)
    except ParseError as error:
        raise BatmanError(
            f"What the check job found cannot be read: {clean(str(error))}.",
            f"Remove {clean(check.result)} there and try again.",
        ) from None


def _ended(host: Host, check: Check, number: str, words: str) -> BatmanError:
    text = host.read(check.log, 0, 1 << 16).decode(errors="replace").strip().splitlines()
    last = clean(" ".join(text[-3:]))[-400:] or "it wrote nothing"
    return BatmanError(
        f"The check job {number} ended without a result ({words}): {last}.",
        f"Its log is {clean(check.log)} there. Setting up again checks again.",
    )


def judge(said: Said, *, gpu: str) -> tuple[list[str], list[str]]:
    """Return what is well and what is wrong, a sentence each; `gpu` was asked for if not empty."""
    good, bad = [], []
    versions = ", ".join(f"{name} {said.modules[name]}".strip() for name in said.modules)
    if said.modules:
        good.append(f"On {said.host}, Python {said.python} imports {versions}.")
    bad += [f"{name} cannot be imported: {text}." for name, text in said.wrong.items()]
    if said.gpus:
        names = ", ".join(dict.fromkeys(said.gpus))
        good.append(f"torch sees {len(said.gpus)} of them: {names} (CUDA {said.cuda}).")
    elif gpu and "torch" in said.modules:
        bad.append(f"torch sees no GPU, and one of type {gpu} was asked for: {_why_none(said)}.")
    return good, bad


def _why_none(said: Said) -> str:
    if said.cuda is None:
        return "this build of torch has no CUDA; name another with --requirements"
    if said.visible is not None and not said.visible.strip():
        return "SLURM handed the job none (CUDA_VISIBLE_DEVICES is empty)"
    if not said.driver:
        return f"{said.host} has no NVIDIA driver, or nvidia-smi does not answer there"
    return (
        f"the driver {said.driver} of {said.host} is too old for CUDA {said.cuda}; name an older"
        " torch with --requirements"
    )


def summary(said: Said) -> dict[str, Any]:
    """Return what the job found, for programs."""
    return dict(msgspec.to_builtins(said))
