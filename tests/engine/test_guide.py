"""The guide's steps 3 to 8 and its scenarios, each command read out of the guide and run.

What is rewritten is what a GPU, published weights and hours would be needed for: the model is
`tiny`, epochs, batch and image size are small, and `tail -f` does not go on for ever. The data are
blood cells under the guide's class names. The commands for a cluster run in `tests/cluster`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.common import run_module
from cli.exits import Exit
from core.common.workspace import Workspace
from core.data import classes
from core.data.importers import import_coco
from core.data.store import Project
from core.training.launch import local as launcher
from core.training.run.checkpoints import read_info
from core.training.run.run import Run

# Of the three hundred: enough for whole splits, and a step takes a tenth of a second.
IMAGES = {"train": 8, "valid": 3, "test": 2}
SMALL = {"--model": "tiny", "--epochs": "1", "--batch-size": "2", "--image-size": "64"}
NAMES = {"RBC": "person", "WBC": "car", "Platelets": "bicycle"}


def sections(guide: str) -> dict[str, list[list[str]]]:
    """Return the commands as words, by the heading of their step or scenario."""
    found: dict[str, list[list[str]]] = {}
    parts = re.split(r"^(?:## |### (?=Scenario))(.*)\n", guide, flags=re.MULTILINE)
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    found.setdefault(heading.split(":")[0], []).append(words)
    return found


def small(words: list[str], **values: str) -> list[str]:
    """Give the training command `words` a small model and little to do."""
    wanted = SMALL | {f"--{name.replace('_', '-')}": value for name, value in values.items()}
    words = list(words)
    for flag, value in wanted.items():
        if flag in words:
            words[words.index(flag) + 1] = value
        elif "--resume" not in words:  # a resumed run has its own
            words += [flag, value]
    return words


def subsample(bccd: Path, target: Path) -> Path:
    """Copy the first few images of each split of the blood cells."""
    for split, count in IMAGES.items():
        coco = json.loads((bccd / split / "_annotations.coco.json").read_text())
        coco["images"] = coco["images"][:count]
        kept = {image["id"] for image in coco["images"]}
        coco["annotations"] = [a for a in coco["annotations"] if a["image_id"] in kept]
        (target / split).mkdir(parents=True)
        for image in coco["images"]:
            shutil.copy(bccd / split / image["file_name"], target / split)
        (target / split / "_annotations.coco.json").write_text(json.dumps(coco))
    return target


def make_video(images: list[Path], path: Path) -> None:
    import av
    from PIL import Image

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width = stream.height = 128
        stream.pix_fmt = "yuv420p"
        for image in images * 2:
            picture = Image.open(image).convert("RGB").resize((128, 128))
            for packet in stream.encode(av.VideoFrame.from_image(picture)):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.fixture
def workspace(tmp_path: Path, bccd: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The guide's projects, image and video, in the current folder."""
    data = subsample(bccd, tmp_path / "cells")
    workspace = Workspace(tmp_path)
    for name in ("MyProject", "Test"):
        with Project.create(workspace.project_path(name)) as project:
            import_coco(project, data)
            for old, new in NAMES.items():
                classes.rename(project, old, new)
    pictures = sorted((data / "test").glob("*.jpg"))
    shutil.copy(pictures[0], tmp_path / "test_image.jpg")
    make_video(pictures, tmp_path / "test_video.mp4")
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    handlers = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    yield workspace
    for number, handler in handlers.items():
        signal.signal(number, handler)
    os.environ.clear()
    os.environ.update(before)


def train_here(run: Run) -> int:
    """Stand in for the launcher: train in this process, which has imported torch already."""
    from core.training.worker import main as worker

    assert worker.main([str(run.path)]) == 0
    return os.getpid()


def python(words: list[str]) -> int:
    """Run `python -m cli.<module> …` without another Python."""
    assert words[:2] == ["python", "-m"]
    return run_module(words[2].removeprefix("cli."), words[3:])


def test_the_guides_commands_run(
    guide: str,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    parts = sections(guide)
    run = workspace.runs_dir / "my_training_run"

    # Step 3 shows a part of a command, which scenario 3 has whole.
    ((*pair,),) = parts["Step 3"]
    assert pair == ["--batch-size", "4", "--grad-accum", "4"]

    # Step 4: as a process of its own, as always; the later ones in this one.
    local, *cluster = parts["Step 4"]
    assert all(words[0] == "./submit_train.sh" for words in cluster)
    assert python(small(local)) == Exit.OK, capsys.readouterr()
    assert Run(run).state() == "finished"
    monkeypatch.setattr(launcher, "launch_local", lambda run, begun: train_here(run))

    # Step 5.
    tail, slurm_tail, tensorboard, cat = parts["Step 5"]
    assert slurm_tail == ["tail", "-f", "logs/job_*.log"]
    tail.remove("-f")
    shown = subprocess.run(
        ["bash", "-c", " ".join(tail)], capture_output=True, text=True, check=True
    )
    assert "mAP50-95" in shown.stdout
    assert tensorboard[:2] == ["tensorboard", "--logdir"]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(tensorboard[2]).Reload()
    assert any("loss" in tag for tag in board.Tags()["scalars"])
    shown = subprocess.run(cat, capture_output=True, text=True, check=True)
    assert {"map50", "precision", "recall", "loss"} <= json.loads(shown.stdout)["best"].keys()

    # Step 6.
    cat, show, inference = parts["Step 6"]
    shown = subprocess.run(cat, capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout)["dataset"]["class_names"] == sorted(NAMES.values())
    assert show[0] == "open"
    assert list(Path(show[1]).glob("*.jpg"))
    assert python(inference) == Exit.OK, capsys.readouterr()

    # Step 8, of the model from step 4.
    export, tracking = parts["Step 8"]
    assert python(export) == Exit.OK, capsys.readouterr()
    assert (workspace.root / "exports/my_model_v1/model.pth").is_file()
    assert python(tracking) == Exit.OK, capsys.readouterr()
    assert list(workspace.root.glob("**/annotated/test_video.mp4"))

    # Step 7, with a class of the name that it gives.
    (rare,) = parts["Step 7"]
    with Project.open(workspace.project_path("MyProject")) as project:
        classes.rename(project, "bicycle", "rare_class")
    assert python(small(rare)) == Exit.OK, capsys.readouterr()
    made = Run(workspace.runs_dir / "MyProject-tiny-1")
    assert made.config().dataset.class_names == ["rare_class"]

    # The scenarios; the second is for a cluster.
    (prototype,) = parts["Scenario 1"]
    assert python(small(prototype)) == Exit.OK, capsys.readouterr()
    assert Run(workspace.runs_dir / "Test-tiny-1").state() == "finished"
    ((program, *_),) = parts["Scenario 2"]
    assert program == "./submit_train.sh"
    (limited,) = parts["Scenario 3"]
    assert python(small(limited, batch_size="1")) == Exit.OK, capsys.readouterr()
    assert Run(workspace.runs_dir / "MyProject-tiny-2").results()["effective_batch"] == 8

    # Scenario 4 goes on from another run's checkpoint, into a folder of its own.
    previous = shutil.copytree(made.path.with_name("MyProject-tiny-2"), "runs/previous_run")
    (Path(previous) / "checkpoint_last.pth").rename(Path(previous) / "checkpoint_epoch_25.pth")
    (fine_tune,) = parts["Scenario 4"]
    assert python(small(fine_tune, epochs="2")) == Exit.OK, capsys.readouterr()
    continued = workspace.runs_dir / "continued_training"
    assert read_info(continued / "checkpoint_last.pth").epoch == 2
    assert Run(continued).config().lr == 1e-5
    assert Run(continued).state() == "finished"
