"""The formats that Batman reads: a small whole example of each, and how Batman reads it.

A reader returns, or raises an error that Batman expects. `mutated_files.py` damages the examples.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import sys
import types
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "unit")]

PRINTED = ROOT / "tests" / "unit" / "slurm_printed"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


@dataclasses.dataclass(frozen=True)
class Format:
    """How an example is made in a folder, which files of it are damaged, and how it is read.

    `prepare` makes what is the same for every case, once; `read` gets the case's folder and that.
    """

    make: Callable[[Path], None]
    read: Callable[[Path, Any], object]
    damaged: tuple[str, ...] = ()
    prepare: Callable[[Path], Any] = lambda folder: None


def put(path: Path, data: bytes | str) -> None:
    """Write a file, its folders among it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def each(readers: Iterable[Callable[[], object]]) -> list[object]:
    """Call several readers of one example: what one refuses, the others still read."""
    from core.common.errors import BatmanError

    told: list[object] = []
    for reader in readers:
        try:
            told.append(reader())
        except BatmanError as error:
            told.append(error)
    return told


# Data sets


def _template(folder: Path) -> Path:
    from core.data.store import Project

    Project.create(folder / "template").close()
    return folder / "template"


def _import(name: str) -> Callable[[Path, Any], object]:
    def read(folder: Path, template: Path) -> object:
        from core.data import importers
        from core.data.store import Project

        shutil.copytree(template, folder / "project")
        with Project.open(folder / "project") as project:
            project.db.execute("PRAGMA synchronous = OFF")
            return getattr(importers, name)(project, folder / "case")

    return read


def _coco(folder: Path) -> None:
    from import_data import coco, png

    value = coco()
    value["annotations"][0]["segmentation"] = [[1, 1, 9, 1, 9, 9]]
    for name in ("a.png", "b.png"):
        put(folder / "train" / name, png())
    put(folder / "train" / "_annotations.coco.json", json.dumps(value))


def _yolo(folder: Path) -> None:
    from import_data import put_yolo

    put_yolo(folder)


def _voc(folder: Path) -> None:
    from import_data import png, voc_xml

    put(folder / "JPEGImages" / "a.png", png())
    put(folder / "Annotations" / "a.xml", voc_xml("a.png", ("hook", 2, 3, 11, 14)))


def _tool(name: str) -> Format:
    """The example of a labelling tool's format, read without a project."""
    from tool_data import READERS, SETS
    from tool_data import put as put_files

    def read(folder: Path, _prepared: Any) -> object:
        from core.data.importers.report import Watch

        return READERS[name](folder / "case", Watch())

    return Format(lambda folder: put_files(folder, SETS[name]) and None, read, (".json", ".xml"))


def _tools() -> dict[str, Format]:
    from tool_data import SETS

    return {f"tool {name}": _tool(name) for name in SETS}


def _zip(folder: Path) -> None:
    _coco(folder / "in")
    with zipfile.ZipFile(folder / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((folder / "in").rglob("*.*")):
            archive.write(file, file.relative_to(folder / "in"))
    shutil.rmtree(folder / "in")


def _read_zip(folder: Path, template: Path) -> object:
    from core.common.zip_archive import extract_zip
    from core.data.importers import import_coco
    from core.data.store import Project

    extract_zip(folder / "case" / "set.zip", folder / "project-in")
    shutil.copytree(template, folder / "project")
    with Project.open(folder / "project") as project:
        return import_coco(project, folder / "project-in")


def _original(folder: Path) -> None:
    from test_original_layout import original

    original(folder)


def _video(folder: Path) -> None:
    from test_video_frames import film

    film(folder / "film.mp4", [1, 2], each=5)


def _read_video(folder: Path, template: Path) -> object:
    from core.data.importers import import_video
    from core.data.store import Project

    shutil.copytree(template, folder / "project")
    with Project.open(folder / "project") as project:
        return import_video(project, folder / "case" / "film.mp4", every_frames=5)


def _project(folder: Path) -> None:
    from import_data import put_coco

    from core.data.importers import import_coco
    from core.data.store import Project

    with Project.create(folder / "p") as project:
        import_coco(project, put_coco(folder / "in"), files="copy")
    shutil.rmtree(folder / "in")


def _read_project(folder: Path, _: Any) -> object:
    from core.data import classes
    from core.data.images.filter import find_images, parse_filter
    from core.data.images.rows import image_lines
    from core.data.overview import overview
    from core.data.splits.edit import split_counts
    from core.data.store import Project

    with Project.open(folder / "case" / "p") as project:
        readers = [
            project.summary, project.history, lambda: classes.list_classes(project),
            lambda: overview(project), lambda: split_counts(project),
            lambda: image_lines(project, find_images(project, parse_filter(""))),
        ]  # fmt: skip
        return each(readers)


def _image(kind: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        from PIL import Image

        buffer = io.BytesIO()
        picture = Image.effect_noise((48, 40), 60).convert("RGB")
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.save(buffer, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "TIFF") else {}))
        put(folder / f"a.{kind.lower()}", buffer.getvalue())

    return make


def _read_image(folder: Path, _: Any) -> object:
    from core.data.health.scan import scan
    from core.data.images.thumbnails import picture
    from core.training.launch.image_check import check_image

    (file,) = (folder / "case").iterdir()
    found = scan([(1, file)], read=True), check_image(file)
    return found, picture(file, (20, 20))


# Settings


def _mapping(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: put(folder / name, text)


def _read_mapping(folder: Path, _: Any) -> object:
    from core.data.classes.mapping import read_mapping

    (file,) = (folder / "case").iterdir()
    return read_mapping(file)


_CONFIG = """theme = "batman-dark"
files = "link"
jobs_columns = ["id", "name", "state"]
[keys]
"classes.merge" = "M"
[notify]
command = "true"
"""


def _read_config(folder: Path, _: Any) -> object:
    from batman_tui import settings
    from core.common.notify import load_notify

    case = folder / "case"
    return each(
        [
            lambda: settings.load(case), lambda: load_notify(case),
            lambda: settings.save_theme("batman-light", case), lambda: settings.load(case),
        ]
    )  # fmt: skip


def _theme(folder: Path) -> None:
    shutil.copy(next((ROOT / "themes").glob("*.toml")), folder / "own.toml")


def _read_theme(folder: Path, _: Any) -> object:
    import themes

    return themes.load(folder / "case")


def _profile(folder: Path) -> None:
    from slurm.site.profiles import make_profile, to_toml

    gpu = {
        "gres": "gpu:a100",
        "partition": "gpu",
        "memory": "64G",
        "time": "1-00:00:00",
        "batch": 8,
    }
    values = {"name": "vega", "host": "ada@vega", "gpus": {"a100": gpu}, "sbatch": ["--nice=1"]}
    put(folder / "clusters" / "vega.toml", to_toml(make_profile(values)))


def _read_profile(folder: Path, _: Any) -> object:
    from slurm.site.profile_files import list_profiles
    from slurm.site.profiles import choose_profile

    os.environ["BATMAN_CONFIG_DIR"] = str(folder / "case")
    profile = choose_profile("vega")
    gpus = profile.gpus.values() if profile else ()
    return list_profiles(), [(gpu.memory_mb, gpu.time_s) for gpu in gpus]


def _ssh(folder: Path) -> None:
    put(folder / "config", "Include conf.d/*\nHost it *.x\n  HostName login.x\n  Port 2222\n"
        '  User ada\n  IdentityFile "~/.ssh/id x"\n  ProxyJump a,b\n  UserKnownHostsFile ~/k /k2\n'
        "  StrictHostKeyChecking accept-new\n  ConnectTimeout 5\nMatch host *.x\n  Port 1\n"
    )  # fmt: skip


def _read_ssh(folder: Path, _: Any) -> object:
    from slurm.hosts.ssh_config import aliases, read_target

    config = folder / "case" / "config"
    return aliases(config), read_target("it", config), read_target("bob@other:22", config)


def _known(folder: Path) -> None:
    hashed = "|1|AAECAwQFBgcICQoLDA0ODxAREhM=|AAECAwQFBgcICQoLDA0ODxAREhM="
    lines = [f"login,*.x,!bad.x {KEY} mine", f"@revoked * {KEY}", f"{hashed} {KEY}",
             f"@cert-authority *.x {KEY}", f"[login]:2222 {KEY}", "# end"]  # fmt: skip
    put(folder / "known_hosts", "\n".join(lines))


def _read_known(folder: Path, _: Any) -> object:
    from slurm.hosts.known_hosts import add_key, find_keys, judge

    file = folder / "case" / "known_hosts"
    found = find_keys([file], "login.x") + find_keys([file], "[login]:2222")
    add_key(file, ["new"], "ssh-ed25519", b"\0\0\0\1x", hashed=True)
    return judge(found, b"\0\0\0\1x")


# Runs


def _run(folder: Path) -> None:
    from test_runs import finished, started, validation

    from core.training.config.options import TrainingConfig
    from core.training.run.events import EventWriter, Step

    TrainingConfig(project=Path("/p"), epochs=3).save(folder / "training_config.json")
    writer = EventWriter(folder / "events.jsonl")
    writer.write(started(epochs=3))
    for number in range(1, 4):
        writer.write(Step(step=number, epoch=number, loss=1.0, lr=0.1, images_per_s=9, step_s=1))
        writer.write(validation(number, 0.1 * number))
    writer.write(finished(3))
    writer.close()
    put(folder / "results.json", json.dumps({"run": "r", "best": {"epoch": 3, "map50_95": 0.3}}))
    put(folder / "notes.json", json.dumps({"note": "good", "tags": ["a", "b"]}))
    put(folder / "worker.json", json.dumps({"pid": 1, "host": "elsewhere", "create_time": 1.0}))
    put(folder / "job.json", json.dumps({"cluster": "vega", "job_id": "7", "token": "t"}))
    put(
        folder / "attempts.jsonl", json.dumps({"what": "begin", "job": "7", "token": "t", "t": 1.0})
    )
    put(folder / "mirror.json", json.dumps({"events": {"offset": 1}, "log": 3, "files": {}}))


def _read_run(folder: Path, _: Any) -> object:
    from core.plots.run_charts import story
    from core.training.live.follow import RunFollower
    from core.training.run.notes import read_notes
    from core.training.run.run import Run
    from slurm.job.attempts import read_attempts
    from slurm.job.record import read_record
    from slurm.sync.mirror_state import MirrorState

    path = folder / "case"
    run = Run(path)
    snapshot = RunFollower(path).poll()
    readers = [
        run.summary, run.config, run.results, run.state, lambda: read_notes(path),
        lambda: story(snapshot), lambda: snapshot.progress, lambda: snapshot.eta,
        lambda: read_record(path), lambda: MirrorState.load(path),
        lambda: read_attempts((path / "attempts.jsonl").read_bytes()),
    ]  # fmt: skip
    return each(readers)


def _evaluation(folder: Path) -> None:
    import msgspec

    from core.evaluation.result import EvaluationResult

    def example(kind: Any) -> Any:
        fields = {}
        for field in msgspec.structs.fields(kind):
            if field.required:
                text = str(field.type)
                fields[field.name] = (
                    [] if text.startswith("list") else {} if text.startswith("dict") else
                    example(field.type) if isinstance(field.type, type)
                    and issubclass(field.type, msgspec.Struct) else
                    "x" if field.type is str else 1
                )  # fmt: skip
        return kind(**fields)

    example(EvaluationResult).save(folder)


def _read_evaluation(folder: Path, _: Any) -> object:
    from core.evaluation.result import EvaluationResult

    return EvaluationResult.load(folder / "case")


def _read_truth(folder: Path, _: Any) -> object:
    from core.evaluation.ground_truth import read_truth

    return read_truth(folder / "case", "train", ["hook", "boom"])


# Models


def _checkpoint(folder: Path) -> None:
    import argparse

    import torch

    args = argparse.Namespace(class_names=["hook"], resolution=64)
    progress = {"fit_loop": {"epoch_progress": {"current": {"processed": 2}}}}
    content = {
        "model": {"class_embed.weight": torch.zeros(3, 4)}, "args": args, "loops": progress,
        "optimizer_states": [{"a": torch.ones(2)}], "global_step": 7, "model_name": "RFDETRNano",
        "model_config": {"resolution": 64}, "callbacks": {"batman": {"best": 1}},
    }  # fmt: skip
    torch.save(content, folder / "best.pth")
    put(folder / "class_info.json", json.dumps({"classes": ["hook"]}))


def _read_checkpoint(folder: Path, _: Any) -> object:
    from core.models.pytorch import describe_model, read_content
    from core.training.run.checkpoints import read_best, read_info, require_state

    path = folder / "case" / "best.pth"
    readers = [
        lambda: read_best(path), lambda: require_state(path), lambda: read_info(path),
        lambda: describe_model(path, read_content(path)),
    ]  # fmt: skip
    return each(readers)


def _onnx(folder: Path) -> None:
    facts = {"classes": ["hook"], "resolution": 64, "num_select": 10}
    put(folder / "notes", json.dumps(facts))
    put(folder / "batman.json", json.dumps(facts))


def _read_onnx(folder: Path, _: Any) -> object:
    from core.models import exported
    from core.models import onnx as onnx_model

    notes = (folder / "case" / "notes").read_bytes().decode(errors="surrogateescape")
    about = types.SimpleNamespace(custom_metadata_map={"batman": notes, "notes": notes})
    session = types.SimpleNamespace(get_modelmeta=lambda: about)
    path = folder / "case" / "model.onnx"
    return onnx_model.read_facts(path, session), exported.read_facts(path)


# SLURM


def _printed(kind: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for file in PRINTED.glob(f"{kind}-*.txt"):
            lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
            put(folder / file.name, "\n".join(lines))

    return make


def _read_printed(folder: Path, _: Any) -> object:
    from slurm.queue.job_detail import parse_show_job, parse_use
    from slurm.queue.jobs import parse_sacct, parse_squeue
    from slurm.queue.queue import split_sections
    from slurm.setup.look import parse_look
    from slurm.site.discover import parse_nodes
    from slurm.site.free_gpus import partition_rooms, pool_gpus

    told: list[object] = []
    for file in sorted((folder / "case").iterdir()):
        text = file.read_bytes().decode(errors="replace")
        jobs = parse_squeue(text, "|") + parse_sacct(text, "|")
        nodes, partitions = parse_nodes(text, "|")
        told += [jobs, pool_gpus(nodes), partition_rooms(partitions.values(), nodes)]
        told += [parse_show_job(text), split_sections(text, "|"), parse_look(text)]
        told += [parse_use(text, "|", gpus=True)]
    return told


FORMATS: dict[str, Format] = {
    "coco": Format(_coco, _import("import_coco"), (".json",), _template),
    "yolo": Format(_yolo, _import("import_yolo"), (".txt", ".yaml"), _template),
    "voc": Format(_voc, _import("import_voc"), (".xml",), _template),
    **_tools(),
    "zip": Format(_zip, _read_zip, (".zip",), _template),
    "original": Format(_original, _import("import_original"), (".json",), _template),
    "video": Format(_video, _read_video, (".mp4",), _template),
    "project.db": Format(_project, _read_project, (".db",)),
    **{
        kind.lower(): Format(_image(kind), _read_image)
        for kind in ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
    },
    "mapping yaml": Format(_mapping("m.yaml", "a: b\n'c d': &x e\nf: ~\ng: *x\n"), _read_mapping),
    "mapping csv": Format(_mapping("m.csv", 'old,new\na,b\n"c, d",\n'), _read_mapping),
    "config.toml": Format(_mapping("config.toml", _CONFIG), _read_config),
    "theme": Format(_theme, _read_theme),
    "profile": Format(_profile, _read_profile),
    "ssh config": Format(_ssh, _read_ssh),
    "known_hosts": Format(_known, _read_known),
    "run": Format(_run, _read_run),
    "evaluation": Format(_evaluation, _read_evaluation),
    "truth": Format(_coco, _read_truth, (".json",)),
    "checkpoint": Format(_checkpoint, _read_checkpoint),
    "onnx notes": Format(_onnx, _read_onnx),
    **{
        kind: Format(_printed(kind), _read_printed)
        for kind in ("squeue", "sacct", "sinfo", "scontrol")
    },
}
