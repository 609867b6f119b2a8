"""What a run has reached, and whether a start in its folder would throw some of it away.

No training shortens a run's curve or begins it anew over its best model. Whoever plans a start asks
here before anything is touched, and the worker asks again, because a run folder can be started by
hand or by a scheduler, and may have lost its checkpoints since it was planned.
"""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass
from pathlib import Path

import msgspec

from core.common.errors import BatmanError, RunError
from core.common.files import read_plain
from core.common.parse import ParseError, parse_json
from core.common.text import clean, plural
from core.training.config.command_line import command_line
from core.training.config.options import TrainingConfig
from core.training.run.checkpoints import BEST, LAST, named_epoch, periodic, read_best
from core.training.run.results import RESULTS_FILE
from core.training.run.run import EVENTS_FILE, Run
from core.training.run.summary import Best


class Setback(RunError):
    """A start that would take a run back behind what it has reached."""


class _Results(msgspec.Struct):
    epochs_trained: int = 0
    best: Best | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """What training in a run folder must not fall behind.

    `epoch` counts complete epochs. `best` tells that the best model is there, `map50_95` how good
    it is (0 to 1) where that is known, `told` that there are events, so that the folder's own
    training wrote the rest.
    """

    epoch: int
    best: bool
    map50_95: float | None
    told: bool


def reached(run_dir: Path, epoch: int) -> Reached:
    """Return what the run in `run_dir` has reached, whose events tell of `epoch` complete epochs.

    Each of its files may be lost or damaged: the results and the names of periodic checkpoints
    speak too, and the furthest counts.
    """
    results = _Results()
    with contextlib.suppress(OSError, ParseError):
        results = parse_json(read_plain(run_dir / RESULTS_FILE), _Results)
    worth = results.best.map50_95 if results.best else None
    said = read_best(run_dir / BEST)
    if said is not None and said.record:
        worth = said.record.get("map50_95", worth)
    kept = [named_epoch(path) or 0 for path in periodic(run_dir)]
    told = run_dir / EVENTS_FILE
    return Reached(
        epoch=max([epoch, results.epochs_trained, *kept]),
        best=(run_dir / BEST).is_file(),
        map50_95=worth,
        told=told.is_file() and told.stat().st_size > 0,
    )


def falls_behind(at: Reached, start: Path | None, epoch: int | None) -> bool:
    """Return whether training from `start` at `epoch` throws away some of what a run has reached.

    `start` is the checkpoint, None for a start from the beginning; `epoch` counts its complete
    epochs, None while they are unknown.
    """
    if start is None:
        # A best model beside events that tell of no epoch is of an epoch that was cut short.
        return at.epoch > 0 or (at.best and not at.told)
    return epoch is not None and epoch < at.epoch


def refuse_setback(
    run_dir: Path, config: TrainingConfig, at: Reached, start: Path | None, epoch: int | None
) -> None:
    """Raise Setback, with the ways out, if the start `falls_behind` what the run has reached."""
    if not falls_behind(at, start, epoch):
        return
    shown = f"The run '{clean(run_dir.name)}'"
    has = [plural(at.epoch, "epoch", "epochs")] if at.epoch else []
    if at.best:
        worth = "" if at.map50_95 is None else f" (mAP50-95 {at.map50_95:.3f})"
        has.append(f"a best model{worth}")
    if start is None:
        raise Setback(
            f"{shown} has {' and '.join(has)}, and no checkpoint left to go on from: "
            "training would begin again and replace them.",
            ways_out(run_dir, config),
        )
    raise Setback(
        f"{shown} has {' and '.join(has)}, and '{clean(start.name)}' is of epoch {epoch}: training "
        "from there would replace what came after.",
        ways_out(run_dir, config, start),
    )


def ways_out(run_dir: Path, config: TrainingConfig, start: Path | None = None) -> str:
    """Return how to train on from what the run in `run_dir` has, as commands that can be typed.

    They make new runs: from `start` or else its furthest checkpoint, and from its best weights.
    """
    ways = []
    if Run(run_dir).is_copy:
        line = clean(shlex.join(["batman", "submit", "--resume", str(run_dir)]))
        ways.append(f"Go on where it was trained: {line}")
    whole = [*periodic(run_dir), *(file for file in (run_dir / LAST,) if file.is_file())]
    start = start or (whole[-1] if whole else None)
    if start is not None:
        new = run_dir.with_name(f"{run_dir.name}-again")
        words = ["batman", "train", "--resume", str(start), "--output-dir", str(new)]
        begin = "Or go" if ways else "Go"
        ways.append(f"{begin} on from there in a new run: {clean(shlex.join(words))}")
    best = run_dir / BEST
    if best.is_file():
        new_config = None
        with contextlib.suppress(BatmanError):
            new_config = config.with_changes(
                pretrained=best,
                from_scratch=False,
                resume=None,
                origin=None,
                output_dir=None,
                dataset=None,
                notes=[],
            )
        if new_config is not None:
            line = clean(command_line(new_config))
            begin = "Or start" if ways else "Start"
            ways.append(f"{begin} a new run from its best weights: {line}")
    remove = clean(shlex.join(["batman", "runs", "delete", str(run_dir)]))
    ways.append(f"{'Or begin' if ways else 'Begin'} again after: {remove}")
    return "\n".join(ways)
