"""A labeller's pass on a cluster: its pictures and weights sent once, its job submitted once.

It goes the way a run goes (`pipeline`, `submit`): the same wishes, script and record, which lies in
the folder of the pass. On a login node the job works in that folder itself. Behind SSH it has one
there, with pictures under names of our own: the project's may be anything, and lie anywhere.
`slurm.sync.pass_mirror` brings back what it finds.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from core.autolabel.pass_folder import FOUND, IMAGES, TASK, PassFolder, PassTask, TaskImage
from core.autolabel.prepare import begin_pass, discard
from core.common.errors import BatmanError
from core.common.progress import Cancelled, Report, never, nothing
from core.common.text import clean, shell_word
from core.data.store import Project
from core.training.run.damage import JOB_FILE, MIRROR_FILE
from slurm.job.record import SCRIPT_FILE, JobRecord, read_record, write_record
from slurm.site.discover import Facts
from slurm.site.site import Site
from slurm.submit.pipeline import asked_for
from slurm.submit.request import JobRequest
from slurm.submit.resources import Resources
from slurm.submit.sbatch import SubmitUnknown, submit_once
from slurm.submit.script import build_script
from slurm.submit.sending import make_folders, put_text, send_code
from slurm.submit.submit import Submission, job_spec, new_record
from slurm.sync.mirror_state import MirrorState
from slurm.sync.pack import pack_folder
from slurm.sync.patience import PATIENCE_S, persist
from slurm.sync.tail_copy import Grown
from slurm.sync.upload import send

# Pictures are sent so many at a time by their numbers: a pass over a few more sends a few more.
_TOGETHER = 500
# What names the classes of a model file that does not (`core.models`).
_NAMING = {"batman.json", "class_info.json", "training_config.json"}


@dataclass(frozen=True)
class PassOrder:
    """A pass to be: its task, the pictures it looks at, what its job asks for."""

    task: PassTask
    images: tuple[TaskImage, ...]
    resources: Resources


def order_pass(
    site: Site,
    facts: Facts,
    task: PassTask,
    images: Sequence[TaskImage],
    request: JobRequest,
) -> PassOrder:
    """Return what follows from a task and the `request`; writes nothing.

    Raises BatmanError for what means something for training only, and `CannotGive`.
    """
    for given, option in (
        (request.sweep, "--sweep"),
        (request.parallel, "--sweep-parallel"),
        (request.checkpoints != JobRequest().checkpoints, "--checkpoints"),
    ):
        if given:
            raise BatmanError(f"{option} is for training, not for a pass.", f"Leave out {option}.")
    return PassOrder(task, tuple(images), asked_for(site, facts, request))


def preview_pass(site: Site, project: Path, order: PassOrder) -> Submission:
    """Return the job as it would be submitted; its token is drawn anew for each job."""
    return _plan(site, PassFolder(project / "passes" / order.task.name), order)


def send_pass(
    site: Site,
    project: Path,
    order: PassOrder,
    report: Report = nothing,
    cancelled: Cancelled = never,
    *,
    folder: PassFolder | None = None,
) -> tuple[PassFolder, JobRecord]:
    """Begin the pass, or go on with the one in `folder`, on a cluster: send and submit it.

    When it is not submitted, whatever the reason, a pass that was begun for it is gone again; after
    `SubmitUnknown` it is kept, for there may be a job. Raises BatmanError and `Cancelled`.
    """
    if folder is None:
        with Project.open(project) as opened:
            made = begin_pass(opened, order.task, order.images)
        order = replace(order, task=made.task())  # its name may have been taken meanwhile
    else:
        made = folder
    try:
        with made.locked():
            if read_record(made.path) is not None:
                raise BatmanError(
                    f"The pass '{clean(order.task.name)}' has a job already.",
                    "Bring it back with batman autolabel --continue"
                    f" {shell_word(order.task.name)}.",
                )
            return made, _submit(site, made, order, report, cancelled)
    except SubmitUnknown:
        raise
    except BaseException:
        if folder is None:
            with contextlib.suppress(BatmanError, OSError):
                discard(made)
        raise


def release(folder: PassFolder) -> None:
    """Forget the job of a pass, which is over: the pass is an unfinished one like any other."""
    for name in (JOB_FILE, MIRROR_FILE):
        (folder.path / name).unlink(missing_ok=True)


def _submit(
    site: Site, made: PassFolder, order: PassOrder, report: Report, cancelled: Cancelled
) -> JobRecord:
    submission = _plan(site, made, order)
    spec, host = submission.spec, site.host
    (there,) = spec.run_dirs
    if site.shared:
        Path(spec.log_dir).mkdir(parents=True, exist_ok=True)
    else:
        make_folders(site, "pass", (there, spec.log_dir), cancelled)
        send_code(site, spec.code, report, cancelled, PATIENCE_S)
        _send_folder(site, made, order, there, report, cancelled)
    marker = f"{there}/.submitted-{spec.token}"
    record = new_record(site, submission, there, marker, time.time())
    try:
        put_text(site, made.path, there, SCRIPT_FILE, submission.script.text, cancelled, PATIENCE_S)
        # From here on it is made there, whatever becomes of our answer.
        write_record(made.path, record)
        number = submit_once(host, submission.command(), marker, spec.token, cancelled)
    except SubmitUnknown:
        raise
    except (BatmanError, OSError):
        release(made)
        raise
    return write_record(made.path, record.changed(job_id=number, log=spec.log_file(number)))


def _plan(site: Site, folder: PassFolder, order: PassOrder) -> Submission:
    token = secrets.token_hex(8)
    name = order.task.name
    there = str(folder.path) if site.shared else f"{site.root}/passes/{name}-{token[:8]}"
    spec = job_spec(site, f"label-{name}", token, (there,), order.resources, work="label")
    return Submission((), spec, build_script(spec))


def _send_folder(
    site: Site,
    made: PassFolder,
    order: PassOrder,
    there: str,
    report: Report,
    cancelled: Cancelled,
) -> None:
    """Send pictures and weights, and the pass as it is for there, with what it found so far."""
    task = order.task
    shown = {image.id: image for image in (*order.images, *task.example_images)}
    root = made.resolve(task.images)
    paths = _send_pictures(site, root, list(shown.values()), report, cancelled)
    weights = _send_weights(site, made.resolve(task.weights), report, cancelled)

    def moved(images: Sequence[TaskImage]) -> tuple[TaskImage, ...]:
        return tuple(msgspec.structs.replace(image, path=paths[image.id]) for image in images)

    state = MirrorState()
    with tempfile.TemporaryDirectory() as temporary:
        copy = PassFolder(Path(temporary))
        copy.create(
            msgspec.structs.replace(
                task,
                images=f"{site.root}/pictures",
                weights=weights,
                example_images=moved(task.example_images),
            ),
            moved(order.images),
        )
        for name in (IMAGES, TASK):
            _put(site, copy.path / name, f"{there}/{name}", cancelled)
    found = made.path / FOUND
    if found.is_file():
        _put(site, found, f"{there}/{FOUND}", cancelled)
        state.events = Grown(found.stat().st_size, found.stat().st_size)
    state.save(made.path)


def _send_pictures(
    site: Site, root: Path, images: Sequence[TaskImage], report: Report, cancelled: Cancelled
) -> dict[int, str]:
    """Send the pictures that are there; return where each lies below `ROOT/pictures`, by number.

    One that is not there is found missing by the labeller, as it would be here.
    """
    parts: dict[int, list[TaskImage]] = {}
    for image in images:
        parts.setdefault(image.id // _TOGETHER, []).append(image)
    paths: dict[int, str] = {}
    for part in sorted(parts):
        with _gathered(root, parts[part]) as (folder, names):
            pack = pack_folder(folder, report=report, cancelled=cancelled)
            digest = pack.digest[:32]
            target = f"{site.root}/pictures/{digest}"
            send(site.host, pack, target, "pictures", report, cancelled)
        paths.update({number: f"{digest}/{name}" for number, name in names.items()})
    return paths


@contextlib.contextmanager
def _gathered(root: Path, images: Sequence[TaskImage]) -> Iterator[tuple[Path, dict[int, str]]]:
    """Yield a folder of links to pictures, and the name of each in it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = {image.id: f"{image.id}{_ending(image.path)}" for image in images}
        for image in images:
            source = (root / image.path).absolute()
            if source.is_file():
                (folder / names[image.id]).symlink_to(source)
        yield folder, names


def _ending(path: str) -> str:
    ending = Path(path).suffix
    return ending if ending.isascii() and ending[1:].isalnum() else ""


def _send_weights(site: Site, path: Path, report: Report, cancelled: Cancelled) -> str:
    """Send a model file, with the one that belongs to it, or a folder; return its place there."""
    if not path.exists():
        raise BatmanError(f"There are no weights at '{clean(str(path))}'.", "Begin the pass again.")
    if path.is_dir():
        pack = pack_folder(path, report=report, cancelled=cancelled)
    else:
        # OpenVINO's numbers lie beside its .xml, those of a large ONNX file in .data.
        own = {path.name, f"{path.stem}.bin" if path.suffix == ".xml" else f"{path.name}.data"}
        pack = pack_folder(path.parent, (own | _NAMING).__contains__, top_only=True)
    target = f"{site.root}/weights/{pack.digest[:32]}"
    send(site.host, pack, target, "weights", report, cancelled)
    return target if path.is_dir() else f"{target}/{path.name}"


def _put(site: Site, source: Path, target: str, cancelled: Cancelled) -> None:
    persist(lambda: site.host.put(source, target), cancelled)
