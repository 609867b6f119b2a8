"""A function of Batman's on a cluster: what it reads sent once, its job submitted once.

It goes the way a run and a pass go (`pipeline`, `submit`, `autolabel`): the same wishes, script
and record, which lies in a folder of its own below the workspace's `jobs`. On a login node the job
reads and writes what is here. Behind SSH it has a copy of what it reads, under the name of its
content, and writes into a folder there; `slurm.client` brings that back.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import BatmanError
from core.common.files import safe_name, write_json
from core.common.progress import Cancelled, Report, never, nothing
from core.common.text import clean
from core.common.workspace import Workspace
from slurm.job.function import ANSWER, CALL, OPTIONS, Call, options_text
from slurm.job.record import SCRIPT_FILE, JobRecord, read_record, write_record
from slurm.site.site import Site
from slurm.submit.resources import Resources
from slurm.submit.sbatch import SubmitUnknown, submit_once
from slurm.submit.script import build_script
from slurm.submit.sending import make_folders, put_text, send_code, send_file
from slurm.submit.submit import Submission, job_spec, new_record
from slurm.sync.pack import pack_folder
from slurm.sync.patience import PATIENCE_S, persist
from slurm.sync.upload import send

# What of a run's folder a model is read from; the pictures it learnt from are sent apart.
_MODEL = {"best.pth", "training_config.json", "results.json", "class_info.json", "batman.json"}


@dataclass(frozen=True)
class FunctionOrder:
    """A function to be called: its options as plain values, and where its results go here.

    `model` is the option that names the model (a run's folder, an export's or a file), `reads` are
    options that name other files or folders, or lists of them, and `writes` the one that names the
    folder of the results. All of them are absolute paths of this machine. `own` are values of
    `reads` for a model that is sent: there it has not got the pictures that it learnt from.
    """

    name: str
    module: str
    options: Mapping[str, Any]
    output: Path
    resources: Resources
    model: str = "target"
    reads: tuple[str, ...] = ()
    writes: str = "output"
    own: Mapping[str, Path] = field(default_factory=dict)


def send_function(
    site: Site,
    workspace: Workspace,
    order: FunctionOrder,
    report: Report = nothing,
    cancelled: Cancelled = never,
) -> Path:
    """Send what the function reads, submit its job, and return the job's folder here.

    When it is not submitted, whatever the reason, that folder is gone again; after `SubmitUnknown`
    it is kept, for there may be a job. Raises BatmanError and `Cancelled`.
    """
    folder = _new_folder(workspace, order)
    try:
        _submit(site, folder, order, report, cancelled)
    except SubmitUnknown:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _new_folder(workspace: Workspace, order: FunctionOrder) -> Path:
    parent = workspace.root / "jobs"
    parent.mkdir(parents=True, exist_ok=True)
    name = safe_name(f"{order.name}-{Path(order.options[order.model]).stem}")
    for number in itertools.count(1):
        with contextlib.suppress(FileExistsError):
            (folder := parent / f"{name}-{number}").mkdir()
            return folder
    raise AssertionError


def _submit(
    site: Site, folder: Path, order: FunctionOrder, report: Report, cancelled: Cancelled
) -> None:
    token = secrets.token_hex(8)
    there = str(folder) if site.shared else f"{site.root}/jobs/{folder.name}-{token[:8]}"
    output = str(order.output) if site.shared else f"{there}/output"
    spec = job_spec(
        site, folder.name, token, (there,), order.resources, work="call", module=order.module
    )
    submission = Submission((), spec, build_script(spec))
    options = dict(order.options)
    if site.shared:
        Path(spec.log_dir).mkdir(parents=True, exist_ok=True)
        order.output.parent.mkdir(parents=True, exist_ok=True)
    else:
        make_folders(site, "job", (there, spec.log_dir), cancelled)
        send_code(site, spec.code, report, cancelled, PATIENCE_S)
        options = _sent(site, order, report, cancelled)
    options[order.writes] = output
    call = Call(name=order.name, module=order.module, output=output, here=str(order.output))
    write_json(folder / CALL, msgspec.to_builtins(call))
    if not site.shared:
        persist(lambda: site.host.put(folder / CALL, f"{there}/{CALL}"), cancelled)
    for name, text in ((OPTIONS, options_text(options)), (SCRIPT_FILE, submission.script.text)):
        put_text(site, folder, there, name, text, cancelled, PATIENCE_S)
    marker = f"{there}/.submitted-{token}"
    record = write_record(folder, new_record(site, submission, there, marker, time.time()))
    number = submit_once(site.host, submission.command(), marker, token, cancelled)
    write_record(folder, record.changed(job_id=number, log=spec.log_file(number)))


def _sent(site: Site, order: FunctionOrder, report: Report, cancelled: Cancelled) -> dict[str, Any]:
    """Send what the options name, and return them with where it lies there."""
    options = dict(order.options)
    options[order.model] = _send_model(site, Path(options[order.model]), report, cancelled)
    for name in order.reads:
        value = options.get(name)
        if value is None:
            continue
        several = not isinstance(value, str | Path)
        found = [
            _send_path(site, Path(one), report, cancelled)
            for one in (value if several else [value])
        ]
        options[name] = found if several else found[0]
    return options


def _send_model(site: Site, path: Path, report: Report, cancelled: Cancelled) -> str:
    """Return where the model lies there: a run's own folder, if it was trained there."""
    record = read_record(path) if path.is_dir() else None
    if record is not None and record.cluster == site.name:
        best = f"{record.run_dir}/best.pth"
        if persist(lambda: site.host.size(best), cancelled) is not None:
            return record.run_dir
    if not path.is_dir():
        return _send_path(site, path, report, cancelled)
    is_run = (path / "events.jsonl").is_file()
    wanted = _MODEL.__contains__ if is_run else None
    pack = pack_folder(path, wanted, report, cancelled, top_only=True)
    target = f"{site.root}/weights/{pack.digest[:32]}"
    send(site.host, pack, target, "weights", report, cancelled)
    return target


def _send_path(site: Site, path: Path, report: Report, cancelled: Cancelled) -> str:
    if not path.exists():
        raise BatmanError(f"There is nothing at '{clean(str(path))}'.")
    if path.is_file():
        return send_file(site, path, f"{site.root}/files", report, cancelled, PATIENCE_S)
    pack = pack_folder(path, report=report, cancelled=cancelled)
    target = f"{site.root}/files/{pack.digest[:32]}"
    send(site.host, pack, target, "files", report, cancelled)
    return target


def fetch_answer(site: Site, folder: Path, record: JobRecord) -> bytes:
    """Return what the function has answered so far, which is kept here. Raises `HostError`."""
    if not site.shared:
        with contextlib.suppress(FileNotFoundError):
            site.host.get(f"{record.run_dir}/{ANSWER}", folder / ANSWER)
    with contextlib.suppress(FileNotFoundError):
        return (folder / ANSWER).read_bytes()
    return b""
