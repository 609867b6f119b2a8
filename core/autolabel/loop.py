"""Where one stands in the loop of labelling and training, and what comes next.

Label a little, train, let the model propose, accept or mend, train again. All of it is read from
the project and from the folders of the runs that were trained on it; nothing is kept besides.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from core.autolabel.prepare import unfinished
from core.common.text import plural, shell_word
from core.common.workspace import Workspace
from core.data.labels.passes import PassLine, list_passes
from core.data.labels.view import Progress, progress
from core.data.store import Project
from core.training.run.summary import RunSummary
from core.training.run.worker_process import State
from core.training.run_list.index import RunIndex
from core.training.run_list.of_project import is_of

GOING: frozenset[State] = frozenset({"preparing", "running", "stopping"})


@dataclass(frozen=True)
class Round:
    """A run that was trained on the project.

    `reviewed` is how many pictures were reviewed when it began: those it was trained on where it
    was held to them, else those that are reviewed now and were then. `valid` is the number of
    pictures it was measured on, `same` whether these are as many as in the round before. Metrics
    lie between 0 and 1, None where nothing was measured.
    """

    run: str
    path: Path
    state: State
    model: str
    started_at: float | None
    map50_95: float | None
    map50: float | None
    reviewed: int
    only_reviewed: bool
    train: int
    valid: int
    same: bool


Deed = Literal["import", "continue", "follow", "review", "train", "propose", "differ", "walk"]


@dataclass(frozen=True)
class NextStep:
    """What to do, in a sentence, the command that does it, and what kind of deed it is."""

    what: str
    command: str
    deed: Deed


@dataclass(frozen=True)
class Standing:
    """Where one stands; `steps` has what comes next, the first thing first.

    `labelled` counts the pictures with a label, `unsplit` those without a split; `rounds` are the
    oldest first, `best` is the one with the highest mAP50-95.
    """

    project: str
    progress: Progress
    labelled: int
    unsplit: int
    last_pass: PassLine | None
    rounds: tuple[Round, ...]
    best: Round | None
    steps: tuple[NextStep, ...]

    @property
    def unreviewed(self) -> int:
        """How many pictures nobody has reviewed."""
        return self.progress.images - self.progress.done


def standing(workspace: Workspace, project: Project, runs: RunIndex | None = None) -> Standing:
    """Return where `project` stands; `runs` are those of `workspace`, looked at anew if None."""
    rows = (runs or RunIndex(workspace)).list()
    mine = [row for row in rows if is_of(row, project.path)]
    mine.sort(key=lambda row: row.started_at or row.updated_at or 0.0)
    reviewed = sorted(
        row[0] or ""
        for row in project.db.execute("SELECT reviewed_at FROM v_images WHERE review = 'done'")
    )
    rounds: list[Round] = []
    for row in mine:
        rounds.append(_round(row, reviewed, rounds[-1] if rounds else None))
    measured = [of for of in rounds if of.map50_95 is not None]
    passes = list_passes(project)
    labelled, unsplit = project.db.execute(
        "SELECT (SELECT count(DISTINCT image_id) FROM v_annotations),"
        " (SELECT count(*) FROM v_images WHERE split IS NULL)"
    ).fetchone()
    found = Standing(
        project=project.name,
        progress=progress(project),
        labelled=labelled,
        unsplit=unsplit,
        last_pass=passes[0] if passes else None,
        rounds=tuple(rounds),
        best=max(measured, key=lambda of: of.map50_95 or 0.0, default=None),
        steps=(),
    )
    steps = _steps(found, project, workspace, passes)
    return Standing(**{**vars(found), "steps": tuple(steps)})


def _round(row: RunSummary, reviewed: Sequence[str], before: Round | None) -> Round:
    config = row.config
    images = {} if config is None or config.dataset is None else config.dataset.images
    held = config is not None and config.only_reviewed
    if held and images:
        count = sum(images.values())
    else:
        began = row.started_at or row.updated_at or 0.0
        at = datetime.fromtimestamp(began, UTC).isoformat(timespec="milliseconds")
        count = sum(time <= at for time in reviewed)
    valid = images.get("valid", 0)
    return Round(
        run=row.name,
        path=row.path,
        state=row.state,
        model=row.model,
        started_at=row.started_at,
        map50_95=row.best_map50_95,
        map50=row.best_map50,
        reviewed=count,
        only_reviewed=held,
        train=images.get("train", 0),
        valid=valid,
        same=before is None or before.valid == valid,
    )


def _steps(
    found: Standing, project: Project, workspace: Workspace, passes: Sequence[PassLine]
) -> list[NextStep]:
    """Return what can be done next, what helps most first."""
    name = project.name if project.path.parent == workspace.projects_dir else str(project.path)
    on = f"--project {shlex.quote(name)}"
    state = found.progress
    if not state.images:
        return [NextStep("Bring pictures in.", f"batman import FOLDER {on}", "import")]
    steps: list[NextStep] = []
    for item in unfinished(project.path)[:1]:
        title = shlex.quote(item.task.name)
        steps.append(
            NextStep(
                "Go on with the unfinished pass.",
                f"batman autolabel {on} --continue {title}",
                "continue",
            )
        )
    going = next((of for of in reversed(found.rounds) if of.state in GOING), None)
    if going is not None:
        steps.append(
            NextStep(
                f"Follow the training {going.run}.",
                f"batman watch {shell_word(going.run)}",
                "follow",
            )
        )
    if state.open_suggestions:
        steps.append(
            NextStep(
                f"Review {plural(state.open_suggestions, 'suggestion')} on"
                f" {plural(state.open_images, 'picture')}, in the terminal or (batman label) on"
                " the page.",
                f"batman review {shell_word(name)} --crops",
                "review",
            )
        )
    last = found.rounds[-1] if found.rounds else None
    fresh = state.done - (0 if last is None else last.reviewed)
    if going is None and found.labelled and (last is None or fresh > 0):
        steps.append(_train(found, on, fresh, first=last is None))
    best = found.best
    asked = best is not None and any(
        line.labeller == "run" and Path(line.model).name == best.run for line in passes
    )
    if best is not None and not asked:
        where = " --images is:unreviewed" if found.unreviewed else ""
        steps.append(
            NextStep(
                f"Let {best.run} (mAP50-95 {best.map50_95:.3f}) propose boxes.",
                f"batman autolabel {on} --with run:{shell_word(best.run)}{where}",
                "propose",
            )
        )
    elif best is not None and not state.open_suggestions and state.done:
        steps.append(
            NextStep(
                "Look at what the model and the labels differ in (batman labels compare lists it).",
                f"batman review {shell_word(name)} --walk differ",
                "differ",
            )
        )
    if not found.labelled and not found.rounds and not passes:
        steps.append(
            NextStep(
                "Let a published model propose the first boxes, or draw some (batman label).",
                f"batman autolabel {on} --with coco:base",
                "propose",
            )
        )
    if found.unreviewed and not state.open_suggestions and (asked or best is None):
        steps.append(
            NextStep(
                f"Review {plural(found.unreviewed, 'picture')}, in the terminal or (batman label)"
                " on the page.",
                f"batman review {shell_word(name)} --walk unreviewed",
                "walk",
            )
        )
    return steps


def _train(found: Standing, on: str, fresh: int, *, first: bool) -> NextStep:
    done = found.progress.done
    held = " --only-reviewed" if done else ""
    if first:
        what = f"Train on {plural(done or found.labelled, 'picture')}."
    else:
        what = f"Train again: {plural(fresh, 'picture')} reviewed since the last run."
    if found.unsplit and held:
        what += " (Draw splits once with batman splits draw, so that rounds can be compared.)"
    return NextStep(what, f"batman train {on}{held}", "train")
