"""From a picture of an evaluation to the same picture in the project, and its name there."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from core.common.errors import ProjectError
from core.common.text import clean
from core.data.store import Project
from core.evaluation.display import Mixup
from core.evaluation.result import EvaluationResult, WorstImage, evaluation_folder
from core.evaluation.worst_images import with_names
from core.evaluation.wrong_images import images_showing
from core.training.launch.dataset_files import find_prepared
from core.training.run.run import Run


def find_in_project(run: Path, file: str) -> tuple[Path, int]:
    """Return the project that a run was trained on, and the id of the image that `file` shows.

    `file` is the image's name in the run's data set. Raises BatmanError when the run names no
    project, it is not there, or it has the image no more.
    """
    project = Run(run).config().project
    if project is None:
        raise ProjectError(
            f"'{clean(run.name)}' was not trained on a project of Batman.",
            "Import its data set to look at it here.",
        )
    with Project.open(project) as opened:
        image = find_prepared(opened, file)
    if image is None:
        raise ProjectError(
            f"The project '{clean(project.name)}' has no picture '{clean(file)}' any more.",
            "It was taken out since the run was trained, or the project was made anew.",
        )
    return project, image


def named_result(run: Path, split: str) -> EvaluationResult:
    """Return the evaluation of a run on `split`, its images called as in the project.

    It may have been made where the project was not. Raises BatmanError if there is no good one.
    """
    result = EvaluationResult.load(evaluation_folder(run, split))
    return replace(result, worst=with_names(result.worst, run))


def named_showing(
    run: Path, result: EvaluationResult, mixup: Mixup
) -> tuple[list[WorstImage], bool]:
    """Return what `images_showing` finds for a run, called as in the project."""
    images, whole = images_showing(evaluation_folder(run, result.split), result, mixup)
    return with_names(images, run), whole
