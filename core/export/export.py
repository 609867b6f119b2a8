"""Export a trained model: write, check, and only then put the folder in its place.

The heavy libraries are imported inside functions.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.common.errors import BatmanError, Cancelled, DiskFull, ExportFailed
from core.common.files import write_json
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report, never, nothing
from core.common.temporary import folder_beside, put_in_place
from core.common.text import clean, plural
from core.export.check_images import IMAGES, load_images, validation_images
from core.export.facts import describe
from core.export.formats import DEFAULT, FORMATS, Format, require_formats
from core.export.naming import check_classes
from core.privacy.secrets import redact, redact_forms, redact_tree
from core.training.run_list.outputs import remember

if TYPE_CHECKING:
    from core.export.verify import Difference

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
    model's image size. Neither was above `tolerance`. On `tied` of the `images` queries of the
    model score the same, and it took them in another order: see `core.export.verify`.
    """

    name: str
    format: str
    bytes: int
    scores: float
    boxes: float
    pixels: float
    images: int
    tolerance: float
    tied: int = 0


@dataclass(frozen=True, slots=True)
class FailedFormat:
    """A format that could not be written or does not agree, why, and what to do."""

    format: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported, and what of it `failed`.

    `checked_on` says which images both models looked at.
    """

    output: Path
    files: list[ExportedFile]
    classes: list[str]
    model: str
    resolution: int
    checked_on: str
    warnings: list[str] = field(default_factory=list)
    failed: list[FailedFormat] = field(default_factory=list)


def export(
    options: ExportOptions, progress: Report = nothing, cancelled: IsCancelled = never
) -> ExportReport:
    """Export a model and return how its files compare with it.

    The folder gets the model in each format, `batman.json` (class names, preprocessing, image
    size) and `MODEL_CARD.md`; it takes its place only when every file has been checked. Formats
    that cannot be written, or differ by more than the tolerance, are left out and reported. Raises
    ExportFailed when that is true of all, or when an earlier export would lose such a format; when
    the folder holds something else, or a format is unknown or cannot be checked here; ClassError
    for class names that do not fit; RunError for a missing or broken checkpoint; Cancelled.
    """
    from core.export.verify import require_agreement
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
    folder = options.images or validation_images(source.parent)
    images, checked_on = load_images(folder, options.verify_images, original.resolution)
    output = options.output.absolute()
    facts = describe(original, source, names)
    try:
        with folder_beside(output) as working:
            # Formats without a place for notes are read with what lies beside them.
            write_json(working / FACTS, redact_tree(facts, redact_forms))
            files: list[ExportedFile] = []
            failed: list[FailedFormat] = []
            for number, kind in enumerate(formats):
                if cancelled():
                    raise Cancelled("The export was cancelled.")
                at = (number, len(formats))
                try:
                    progress(Progress(f"writing {kind.name}", *at))
                    path = write_model(kind, original, source, facts, working)
                    progress(Progress(f"checking {kind.name}", *at))
                    tolerance = kind.tolerance if options.tolerance is None else options.tolerance
                    difference = require_agreement(
                        original, path, kind.title, images, names, tolerance
                    )
                    files.append(_described(path, kind, difference, tolerance))
                except (Cancelled, DiskFull):
                    raise
                except BatmanError as error:
                    failed.append(FailedFormat(kind.name, error.message, error.hint))
                    _remove(kind, working)
            _refuse(failed, files, output)
            progress(Progress("writing the model card", len(formats), len(formats)))
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
    formats_said = ", ".join(file.format for file in files)
    forgotten = remember(source, "export", output, {"as": formats_said})
    return ExportReport(
        output=output,
        files=files,
        classes=names,
        model=original.model_size,
        resolution=original.resolution,
        checked_on=checked_on,
        warnings=[
            *warnings,
            *(_tied(file) for file in files if file.tied),
            *([forgotten] if forgotten else []),
        ],
        failed=failed,
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


def _refuse(failed: Sequence[FailedFormat], files: Sequence[ExportedFile], output: Path) -> None:
    """Raise ExportFailed where what failed leaves nothing to write, or would cost what is there."""
    for one in failed:
        file = FORMATS[one.format].file
        if files and not (output / file).exists():
            continue
        kept = f" The earlier {file} is kept." if files else ""
        way = "Leave the format out, or choose a new folder." if files else ""
        others = [f"{other.message} {other.hint}" for other in failed if other is not one]
        hint = " ".join(part for part in (one.hint, way, *others) if part)
        raise ExportFailed(f"{one.message} Nothing was exported.{kept}", hint)


def _remove(kind: Format, folder: Path) -> None:
    """Remove what was written of a format; what lies beside it and does not belong to it stays."""
    for name in (kind.file, *kind.beside, kind.name):
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _tied(file: ExportedFile) -> str:
    return (
        f"{file.name}: in {file.tied} of {plural(file.images, 'image')} the model scores several "
        "queries the same, and it takes them in another order. In that order it agrees."
    )


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
        tied=difference.tied,
    )


def _write_card(folder: Path, facts: dict[str, Any], files: Sequence[ExportedFile]) -> None:
    from core.common.files import write_atomic
    from core.export.card import model_card

    described = [
        {
            "name": file.name,
            "bytes": file.bytes,
            "checked": f"largest difference to the original on {facts['checked_on']}: scores "
            f"{file.scores:.1e}, boxes {file.pixels:.1e} pixels"
            + (f" (in {plural(file.tied, 'image')} queries tie)" if file.tied else ""),
        }
        for file in files
    ]
    write_atomic(folder / CARD, redact(model_card(facts, described)))
