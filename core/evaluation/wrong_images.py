"""Every image with a mistake, beside the worst ones that an evaluation tells of.

`evaluation.json` has as many as somebody looks through; this file has all, so that each of a
confusion can be listed. They are in the same order; those beyond the worst were not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from core.common.files import write_atomic
from core.common.parse import ParseError, parse_json
from core.evaluation.display import Mixup, shows
from core.evaluation.result import EvaluationResult, WorstImage

MISTAKES = "mistakes.json"


def save_mistakes(folder: Path, images: Sequence[WorstImage]) -> None:
    """Write the images with mistakes, worst first, into the folder of an evaluation, atomically."""
    write_atomic(folder / MISTAKES, msgspec.json.encode(list(images)) + b"\n")


def images_showing(
    folder: Path, result: EvaluationResult, mixup: Mixup
) -> tuple[list[WorstImage], bool]:
    """Return the images that show a mistake, worst first, and whether these are all there are.

    They are looked for among the worst alone where an earlier version made the evaluation in
    `folder`, or the file is gone or damaged. Reads a file: for a thread.
    """
    try:
        images: Sequence[WorstImage] = parse_json(
            (folder / MISTAKES).read_bytes(), list[WorstImage]
        )
        whole = True
    except (OSError, ParseError):
        images, whole = result.worst, False
    return [image for image in images if shows(image, mixup)], whole
