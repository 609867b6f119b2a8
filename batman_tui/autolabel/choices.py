"""Which labellers there are to choose from, and what a pass would be; no widget."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.autolabel.choice import HUB, parse_choice
from core.autolabel.job import AutolabelJob, plan_autolabel, resume_autolabel
from core.autolabel.prepare import AutolabelRequest, unfinished
from core.common.errors import BatmanError
from core.common.text import clean, duration, plural
from core.common.workspace import Workspace
from core.data.images.filter import find_images, parse_filter
from core.data.labels.prompts import prompts_of
from core.data.store import Project
from core.models.sizes import MODELS

MOST_RUNS = 30


@dataclass(frozen=True)
class LabellerChoice:
    """A labeller to choose: what it is called in the list, and what stands for it.

    `kind` is `resume` (then `value` is the unfinished pass), `run`, `coco` or `phrases`.
    """

    title: str
    value: str
    kind: str


@dataclass(frozen=True)
class Wish:
    """What the form says."""

    labeller: LabellerChoice
    images: str = ""
    phrases: dict[str, tuple[str, ...]] | None = None
    skip_labelled: bool = False
    download: bool = False


def labellers(project: Path, workspace: Workspace) -> list[LabellerChoice]:
    """Return the labellers: passes to go on with, the workspace's runs, then published models."""
    found = [
        LabellerChoice(
            f"go on with {item.task.name}, at {item.done:,} of {item.total:,}",
            item.task.name,
            "resume",
        )
        for item in unfinished(project)
        if not item.running
    ]
    found += [
        LabellerChoice(f"run {path.name}", f"run:{path.name}", "run")
        for path in workspace.list_runs()[:MOST_RUNS]
        if (path / "best.pth").is_file()
    ]
    found += [LabellerChoice(name, name, "phrases") for name in HUB]
    found += [
        LabellerChoice(f"coco:{size.name}", f"coco:{size.name}", "coco")
        for size in MODELS.values()
        if size.weights
    ]
    return found


def phrases_of(project: Project) -> dict[str, str]:
    """Return the phrases of each class by its name, as one line to edit."""
    prompts = prompts_of(project)
    names = project.db.execute("SELECT id, name FROM classes ORDER BY id").fetchall()
    return {row["name"]: ", ".join(prompts[row["id"]].phrases) for row in names}


def split_phrases(line: str) -> tuple[str, ...]:
    """Return the phrases in a line, which commas part."""
    return tuple(filter(None, (" ".join(part.split()) for part in line.split(","))))


def planned(project: Path, wish: Wish, workspace: Workspace) -> AutolabelJob:
    """Return the job that the form means, not begun. Raises BatmanError for what keeps it."""
    if wish.labeller.kind == "resume":
        return resume_autolabel(project, wish.labeller.value)
    ids = None
    if wish.images.strip():
        with Project.open(project) as opened:
            ids = find_images(opened, parse_filter(wish.images))
        if not ids:
            raise BatmanError("No picture matches the filter.")
    request = AutolabelRequest(
        choice=parse_choice(wish.labeller.value),
        images=ids,
        prompts=wish.phrases or {},
        skip_labelled=wish.skip_labelled,
    )
    return plan_autolabel(project, request, download=wish.download, workspace=workspace)


def said_of(job: AutolabelJob) -> str:
    """Say what the job would do, and how long that takes where there is no GPU."""
    said = f"{clean(job.task.model)} looks at {plural(job.left, 'picture')}."
    seconds = job.cpu_seconds()
    if seconds is not None:
        said += f" There is no GPU here: that takes about {duration(seconds)}."
    return said
