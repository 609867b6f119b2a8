"""Export a trained model: write, check, and only then put the folder in its place.

The heavy libraries are imported inside functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.common.errors import BatmanError, Cancelled, ExportFailed
from core.common.files import read_json, write_json
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report, never, nothing
from core.common.temporary import folder_beside, put_in_place
from core.common.text import clean
from core.data.images.class_colours import model_class_ids
from core.export.formats import DEFAULT, FORMATS, Format, require_formats
from core.export.naming import check_classes
from core.export.verify import IMAGES
from core.privacy.secrets import redact, redact_forms, redact_tree
from core.training.run.checkpoints import BEST, read_best
from core.training.run.results import RESULTS_FILE

if TYPE_CHECKING:
    from core.export.verify import Difference
    from core.models.pytorch import TorchDetector

FACTS = "batman.json"
CARD = "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What to export, where to, and how.

    `target` is a run (folder or name) or a checkpoint; `output` a folder that is new or empty, or
    an earlier export, which is replaced. `classes` checks the model's names, or renames them. Both
    models look at up to `verify_images` images of `images`; None takes the run's validation
    images. `formats` are names of `core.export.formats`; `tolerance` takes the place of theirs.
    """

    target: str | Path
    output: Path
    classes: Sequence[str] | None = None
    formats: Sequence[str] = DEFAULT
    images: Path | None = None
    verify_images: int = IMAGES
    tolerance: float | None = None


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of the export and how far its model is from the original's.

    `scores` and `boxes` are the largest differences, 0 to 1; `pixels` the box's in pixels at the
    model's image size. Neither was above `tolerance`.
    """

    name: str
    format: str
    bytes: int
    scores: float
    boxes: float
    pixels: float
    images: int
    tolerance: float


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported. `checked_on` says which images both models looked at."""

    output: Path
    files: list[ExportedFile]
    classes: list[str]
    model: str
    resolution: int
    checked_on: str
    warnings: list[str] = field(default_factory=list)


def export(
    options: ExportOptions, progress: Report = nothing, cancelled: IsCancelled = never
) -> ExportReport:
    """Export a model and return how its files compare with it.

    The folder gets the model in each format, `batman.json` (class names, preprocessing, image
    size) and `MODEL_CARD.md`; it takes its place only when every file has been checked. Raises
    ExportFailed when a file differs by more than the tolerance, when the folder holds something
    else, or a format is unknown, cannot be written or cannot be checked here; ClassError for class
    names that do not fit; RunError for a missing or broken checkpoint; Cancelled.
    """
    from core.export import verify
    from core.export.write import write_model
    from core.models.find import WEIGHTS, find_checkpoint
    from core.models.pytorch import TorchDetector

    formats = _check(options)
    source = find_checkpoint(options.target)
    if source.suffix not in WEIGHTS:
        raise ExportFailed(
            f"'{clean(source.name)}' is an export already.", "Export from best.pth of a run."
        )
    progress(Progress("loading the model", 0, None))
    original = TorchDetector.open(source, device="cpu")
    names, warnings = check_classes(original.classes, options.classes)
    folder = options.images or _validation_images(source.parent)
    images, checked_on = verify.load_images(folder, options.verify_images, original.resolution)
    output = options.output.absolute()
    facts = _facts(original, source, names)
    try:
        with folder_beside(output) as working:
            # Formats without a place for notes are read with what lies beside them.
            write_json(working / FACTS, redact_tree(facts, redact_forms))
            files: list[ExportedFile] = []
            for number, kind in enumerate(formats):
                if cancelled():
                    raise Cancelled("The export was cancelled.")
                progress(Progress(f"writing {kind.name}", number, len(formats)))
                path = write_model(kind, original, source, facts, working)
                progress(Progress(f"checking {kind.name}", number, len(formats)))
                tolerance = kind.tolerance if options.tolerance is None else options.tolerance
                difference = _verify(original, path, images, names)
                if not difference.largest <= tolerance:
                    raise ExportFailed(
                        f"{path.name} does not agree with the original: scores differ by up to "
                        f"{difference.scores:.2g} and boxes by {difference.pixels:.2g} pixels, "
                        f"and {tolerance:g} is allowed. Nothing was exported.",
                        "Report it with the versions of torch, rfdetr and "
                        f"{kind.title}'s packages.",
                    )
                files.append(_described(path, kind, difference, tolerance))
            progress(Progress("writing the model card", len(files), len(formats)))
            facts["files"] = [asdict(file) for file in files]
            facts["checked_on"] = checked_on
            write_json(working / FACTS, redact_tree(facts, redact_forms))
            _write_card(working, facts, files)
            put_in_place(working, output)
    except OSError as error:
        raise ExportFailed(
            f"'{clean(str(output))}' cannot be written: {clean(str(error))}.",
            "Free some space, or choose another folder.",
        ) from error
    return ExportReport(
        output=output,
        files=files,
        classes=names,
        model=original.model_size,
        resolution=original.resolution,
        checked_on=checked_on,
        warnings=warnings,
    )


def _check(options: ExportOptions) -> list[Format]:
    formats = require_formats(options.formats)
    if not options.verify_images > 0:
        raise ExportFailed("At least one image is needed to check the export.")
    output = options.output
    if output.is_dir() and any(output.iterdir()) and not _is_export(output):
        raise ExportFailed(
            f"'{clean(str(output))}' holds other files, which an export would replace.",
            "Choose a new folder.",
        )
    if output.exists() and not output.is_dir():
        raise ExportFailed(f"'{clean(str(output))}' is a file.", "Choose a new folder.")
    return formats


def _is_export(folder: Path) -> bool:
    own = {FACTS, CARD, *(name for kind in FORMATS.values() for name in (kind.file, *kind.beside))}
    return (folder / FACTS).is_file() and {path.name for path in folder.iterdir()} <= own


def _validation_images(run: Path) -> Path | None:
    from core.training.config.options import TrainingConfig

    try:
        dataset = TrainingConfig.load(run / "training_config.json").dataset_dir(run)
    except BatmanError:
        dataset = run / "dataset"
    return next((dataset / s for s in ("valid", "test") if (dataset / s).is_dir()), None)


def _facts(detector: TorchDetector, source: Path, names: Sequence[str]) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    from core.models.sizes import MODELS

    try:
        ours = version("batman-tui")
    except PackageNotFoundError:
        ours = "from source"
    spec = MODELS.get(detector.model_size)
    return {
        "format": 1,
        "model": detector.model_size,
        "rfdetr_class": type(detector.rfdetr).__name__,
        "licence": spec.licence if spec else "see rfdetr",
        "classes": list(names),
        "class_ids": model_class_ids(source),
        "resolution": detector.resolution,
        "num_select": detector.num_select,
        "preprocessing": detector.preprocessing(),
        "source": {"checkpoint": f"{source.parent.name}/{source.name}"},
        "training": _training(source),
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "batman_version": ours,
        "rfdetr_version": version("rfdetr"),
    }


def _training(source: Path) -> dict[str, Any]:
    """Return what the run says about its best checkpoint; empty for any other file."""
    try:
        results = read_json(source.with_name(RESULTS_FILE))
    except BatmanError:
        return {}
    if source.name != BEST or not isinstance(results, dict):
        return {}
    epoch, metrics = results.get("best_epoch"), results.get("best")
    said = read_best(source)
    if said is not None and said.epoch and said.epoch != epoch:  # copied while it trained
        epoch, metrics = said.epoch, said.record
    return {
        "run": results.get("run"),
        "best_epoch": epoch,
        "dataset_fingerprint": results.get("dataset_fingerprint"),
        "metrics": metrics,
    }


def _verify(
    original: TorchDetector, path: Path, images: Sequence[Any], names: Sequence[str]
) -> Difference:
    from core.export import verify
    from core.models import load_detector

    exported = load_detector(path, device="cpu")
    if exported.classes != list(names) or exported.resolution != original.resolution:
        raise ExportFailed(
            f"{path.name} says it has the classes {', '.join(map(clean, exported.classes))} at "
            f"{exported.resolution} pixels, which is not what was exported."
        )
    return verify.compare(original, exported, images)


def _described(path: Path, kind: Format, difference: Difference, tolerance: float) -> ExportedFile:
    own = [path, *(path.with_name(name) for name in kind.beside)]
    files = [file for top in own for file in (top.rglob("*") if top.is_dir() else [top])]
    return ExportedFile(
        name=path.name,
        format=kind.name,
        bytes=sum(file.stat().st_size for file in files if file.is_file()),
        scores=difference.scores,
        boxes=difference.boxes,
        pixels=difference.pixels,
        images=difference.images,
        tolerance=tolerance,
    )


def _write_card(folder: Path, facts: dict[str, Any], files: Sequence[ExportedFile]) -> None:
    from core.common.files import write_atomic
    from core.export.card import model_card

    described = [
        {
            "name": file.name,
            "bytes": file.bytes,
            "checked": f"largest difference to the original on {facts['checked_on']}: scores "
            f"{file.scores:.1e}, boxes {file.pixels:.1e} pixels",
        }
        for file in files
    ]
    write_atomic(folder / CARD, redact(model_card(facts, described)))
