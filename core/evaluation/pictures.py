"""The evaluation's pictures: curves, confusion matrix, the worst images.

Imports matplotlib (it comes with supervision) inside functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.common.text import clean
from core.data.images.class_colours import Colour, hex_colour
from core.data.images.draw_boxes import draw_boxes
from core.data.images.exif_orientation import orientation_of, turn_for_boxes, turned
from core.evaluation.display import drawn_boxes
from core.evaluation.result import CONFUSION, PR_CURVES, ClassResult, Confusion, WorstImage

# A picture keeps its size up to this side (pixels).
_MAX_SIDE = 1280
# More classes than this make a legend or numbers nobody can read.
_MAX_LEGEND, _MAX_NUMBERS = 20, 25
# As many curves are told apart by their colours alone.
_ONE_STYLE = 7


def _figure(width: float, height: float) -> tuple[Any, Any]:
    # Without pyplot: no global state, no display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _plain(name: str, most: int = 30) -> str:
    """Return a name as matplotlib shall draw it: `$` would start a formula."""
    text = clean(name).replace("$", r"\$")
    return text if len(text) <= most else text[: most - 1] + "…"


def draw_curves(
    folder: Path, per_class: Sequence[ClassResult], colours: Mapping[str, Colour]
) -> Path:
    """Draw the precision-recall curves at IoU 0.5, a dot where a class has its best F1."""
    figure, axes = _figure(7.5, 5.5)
    recalls = [step / 100 for step in range(101)]
    drawn = sorted((c for c in per_class if c.curve), key=lambda c: -(c.ap50 or 0.0))
    for index, item in enumerate(drawn):
        colour = hex_colour(colours[item.name])
        style = ("-", "--", ":", "-.")[index // _ONE_STYLE % 4]
        label = f"{_plain(item.name)}  {item.ap50 or 0.0:.3f}" if index < _MAX_LEGEND else None
        axes.plot(recalls, item.curve, style, color=colour, label=label, linewidth=1.6)
        if item.recall is not None:
            axes.plot([item.recall], [item.precision], "o", color=colour, markersize=4)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axes.set_title("Precision and recall at IoU 0.5; dots: best F1", fontsize=10)
    axes.grid(alpha=0.3)
    if drawn:
        axes.legend(title="AP50", fontsize=8, loc="lower left")
    path = folder / PR_CURVES
    figure.savefig(path)
    return path


def draw_confusion(folder: Path, table: Confusion) -> Path:
    """Draw the confusion matrix, coloured by the share of each row."""
    import numpy as np

    matrix = np.array(table.matrix, dtype=float)
    total = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, total, out=np.zeros_like(matrix), where=total > 0)
    count = len(table.labels)
    side = min(24.0, max(4.5, 2.5 + 0.5 * count))
    figure, axes = _figure(side + 0.5, side)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [_plain(name, 20) for name in table.labels]
    axes.set_xticks(range(count), names, rotation=90 if count > 6 else 30, fontsize=8)
    axes.set_yticks(range(count), names, fontsize=8)
    axes.set(xlabel="predicted", ylabel="true")
    if count <= _MAX_NUMBERS:
        for row in range(count):
            for column in range(count):
                if matrix[row, column]:
                    ink = "white" if shares[row, column] > 0.5 else "black"
                    text = f"{int(matrix[row, column])}"
                    axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8)
    path = folder / CONFUSION
    figure.savefig(path)
    return path


def draw_worst(
    source: Path, image: WorstImage, colours: Mapping[str, Colour], folder: Path
) -> Path:
    """Draw what is there and what was predicted, as `core.evaluation.display.drawn_boxes` says."""
    from PIL import Image

    target = folder / image.picture
    target.parent.mkdir(exist_ok=True)
    with Image.open(source) as opened:
        orientation = orientation_of(opened)
        turn = turn_for_boxes(orientation, (image.width, image.height), opened.size)
        picture = turned(opened.convert("RGB"), turn)
        scale = min(1.0, _MAX_SIDE / max(picture.size))
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        canvas = picture.resize(size)
    # Labels need room on small images.
    if max(size) < 400:
        grow = round(400 / max(size)) or 1
        canvas = canvas.resize((size[0] * grow, size[1] * grow), Image.Resampling.NEAREST)
        scale *= grow
    draw_boxes(canvas, drawn_boxes(image, colours, scale, scale, labelled=True))
    canvas.save(target, quality=88)
    return target
