"""What `batman train` tells before it trains: how long it takes, what is done to images."""

from __future__ import annotations

from pathlib import Path

from cli.child import run_child
from cli.exits import Exit
from cli.output import say
from core.common.errors import BatmanError
from core.common.files import expand_user
from core.common.text import clean, plural, sentence
from core.common.workspace import Workspace
from core.training.config.augmentation import DEFAULT, NONE, augmentation_words
from core.training.config.options import TrainingConfig
from core.training.run_list.time_estimate import measured_sentence

MEASURE = "core.training.worker.trial.measure"
PREVIEW = "core.training.worker.trial.preview_augmentation"


def say_estimate(workspace: Workspace, config: TrainingConfig) -> int:
    """Take a few steps of `config` and print what they say of time and memory.

    Refuses what the same command without --estimate would refuse.
    """
    from core.training.launch.local import would_start

    if config.resume is not None:
        raise BatmanError(
            "A run that goes on is not measured.", "batman runs show tells how long it took."
        )
    _, _, settings = would_start(workspace, config)
    measured = run_child(MEASURE, {"config": settings.model_dump(mode="json")})
    images = settings.dataset.images if settings.dataset is not None else {}
    for note in settings.notes:
        say(f"Note: {note}", "yellow")
    say(sentence(measured_sentence(settings, images, measured)))
    return Exit.OK


def write_preview(config: TrainingConfig, file: Path) -> int:
    """Write the PNG `file` of training images as `config` changes them; return the exit code."""
    from core.training.launch.local import require_trainer

    target = expand_user(file).absolute()
    if target.suffix.lower() != ".png":
        raise BatmanError(
            f"The preview is a PNG, and '{clean(target.name)}' is not called so.",
            f"Call it {clean(target.stem)}.png.",
        )
    if not target.parent.is_dir():
        raise BatmanError(f"There is no folder '{clean(str(target.parent))}'.", "Make it first.")
    if config.project is None:
        raise BatmanError("A preview needs pictures to look at.", "Name a project with --project.")
    require_trainer()
    options = {"config": config.model_dump(mode="json"), "output": str(target)}
    made = run_child(PREVIEW, options)
    chosen = config.augmentation or (DEFAULT if config.augment else NONE)
    name = chosen if isinstance(chosen, str) else "your own"
    say(f"{name}: {augmentation_words(chosen)}")
    say(
        f"{plural(made['rows'], 'picture')} in {clean(made['file'])}: each as it is, then as it is "
        f"shown in the first {plural(made['columns'] - 1, 'epoch', 'epochs')}."
    )
    return Exit.OK
