"""The evaluation's figures, curves and confusion matrix, drawn in a process beside it.

matplotlib takes 0.7 s of a processor to load and 0.3 s to draw. In the process that evaluates, both
would hold Python's lock, for which the network and the decoders would wait; in one of its own they
take place while the model is loaded, on a processor that has nothing else to do then.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from core.common.errors import Cancelled, RunError
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Report, never
from core.common.text import clean
from core.data.images.class_colours import Colour, hex_colour
from core.evaluation.result import CONFUSION, PR_CURVES, ClassResult, Confusion
from core.processes.child_process import begin_process
from core.processes.job import run_job, serve_job

MODULE = "core.evaluation.figures"

# More classes than this make a legend or numbers nobody can read.
_MAX_LEGEND, _MAX_NUMBERS = 20, 25
# As many curves are told apart by their colours alone.
_ONE_STYLE = 7


@dataclass(frozen=True, slots=True)
class FigureOptions:
    """What is to be drawn into `folder`, which will be `output` when all is there."""

    output: Path
    folder: Path
    per_class: Sequence[ClassResult]
    colours: Mapping[str, Colour]
    table: Confusion


class FiguresBeside:
    """The process that draws, within a `with` block: it loads matplotlib from the beginning on.

    `output` is what a full disk is named by. `draw` is called once, then `wait`. A block that is
    left before that ends the process, and so does `close`: it is gone then and writes no more.
    """

    def __init__(self, output: Path, cancelled: IsCancelled = never) -> None:
        self._output = output
        self._cancelled = cancelled
        self._left = threading.Event()
        self._wanted: Future[FigureOptions] = Future()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="figures")

    def __enter__(self) -> FiguresBeside:
        # What is to be drawn is sent as soon as it is known; the process starts now.
        self._drawn = self._pool.submit(
            run_job, MODULE, self._wanted.result, cancelled=self._left.is_set, name="matplotlib"
        )
        return self

    def draw(
        self,
        folder: Path,
        per_class: Sequence[ClassResult],
        colours: Mapping[str, Colour],
        table: Confusion,
    ) -> None:
        """Have both figures drawn into `folder`; returns at once."""
        self._wanted.set_result(FigureOptions(self._output, folder, per_class, colours, table))

    def wait(self) -> None:
        """Return when they are drawn. Raises RunError or DiskFull if they cannot be, Cancelled."""
        try:
            self._drawn.result()
        except RunError:
            # Who stops us by a key stops that process too.
            if self._cancelled():
                raise Cancelled("The evaluation was cancelled.") from None
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if it is still there."""
        self._left.set()
        self._wanted.cancel()
        self._pool.shutdown()


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


def _draw(options: FigureOptions, _report: Report, _cancelled: IsCancelled) -> None:
    # As they come through the pipe, these are plain values.
    per_class = msgspec.convert(options.per_class, list[ClassResult])
    colours = msgspec.convert(options.colours, dict[str, Colour])
    draw_curves(options.folder, per_class, colours)
    draw_confusion(options.folder, msgspec.convert(options.table, Confusion))


if __name__ == "__main__":
    begin_process()
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401

    sys.exit(serve_job(FigureOptions, _draw, stops=False))
