"""Tells what is going wrong while a run trains, and what to do about it: pure, no torch.

`Watchdog.see` is shown every event of the run and answers with warnings. Each carries the advice
of the user's guide in a sentence, and where the advice is a setting, the command that has it. A
warning is told once for each run, attempts together; thresholds err on the side of silence, since
an alarm that is wrong once is not read again. How long the run may be silent is `StallWatch`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from core.common.text import clean, plural
from core.training.config.command_line import command_line, resume_line
from core.training.config.options import DatasetInfo, TrainingConfig
from core.training.run.events import Epoch, Event, Started, Step, Validation, Warning_
from core.training.warnings.failures import Diverged

# Training whose loss is not a number for this many steps in a row will not recover: the weights
# themselves are then not numbers any more.
MAX_BAD_STEPS = 3

# A class with less than a twentieth of the boxes of the most frequent one is seldom learnt along
# with it. The blood cells, at a twelfth, still are.
IMBALANCE = 20
# Fifty steps even out the loader's bursts. With half of the time lost to waiting, a loader that
# keeps up would make training twice as fast; below that little can be gained.
STARVED_STEPS = 50
STARVED_SHARE = 0.5
# Five epochs is also how much patience people have; means of three even out one odd epoch.
WINDOW = 5
RECENT = 3
# Epoch means of the loss differ by less than this from chance alone.
FLAT = 0.02
# The guide calls a validation worse, and so do we, when both agree: its loss is a tenth above its
# lowest (DETR's validation loss often creeps up while mAP still grows), and mAP has fallen.
WORSE_LOSS = 0.10
WORSE_MAP = 0.03
# Below this a detector misses most objects; fine-tuning passes it in the first epochs.
POOR_MAP50 = 0.2
ENOUGH_EPOCHS = 10
# Sizes that have a smaller one to go to when a run over-fits, in the guide's words "large".
_LARGE = ("large", "large-deprecated", "xlarge", "2xlarge")


@dataclass(frozen=True, slots=True)
class _Point:
    """An epoch as the detectors see it; None is not known, or not a number."""

    epoch: int
    train: float | None
    valid: float | None
    map: float
    map50: float


class Watchdog:
    """Looks at a run's figures as they come.

    `told` are the codes of warnings that earlier attempts have given, `history` the
    `validation_record`s of the epochs behind us, so that a resumed run is judged as a whole.
    A call costs a few microseconds for a step and some tens for an epoch.
    """

    def __init__(
        self,
        config: TrainingConfig,
        run_dir: Path,
        *,
        told: Iterable[str] = (),
        history: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._config = config
        self._run_dir = run_dir
        self._told = set(told)
        self._points = [
            _Point(r["epoch"], r.get("loss"), r.get("val_loss"), r["map50_95"], r["map50"])
            for r in history
        ]
        self._validation: Validation | None = None
        self._waits: deque[tuple[float, float]] = deque(maxlen=STARVED_STEPS)
        self._epoch = 0
        self._bad_steps = 0

    def see(self, event: Event) -> list[Warning_]:
        """Return the warnings that `event` gives rise to, mostly none.

        Raises Diverged when the loss has not been a number for `MAX_BAD_STEPS` steps.
        """
        match event:
            case Step():
                return self._step(event)
            case Validation():
                self._validation = event
            case Epoch():
                return self._epoch_done(event)
            case Started():
                return self._begin()
        return []

    # --- at the start ------------------------------------------------------------------------

    def _begin(self) -> list[Warning_]:
        found = imbalance(self._config.dataset) if self._config.dataset else None
        if found is None:
            return []
        rare, message = found
        command = None
        if not any("|" in name for name in rare):
            command = self._again(filter_classes=rare, epochs=max(100, self._config.epochs))
        hint = (
            "Show them more often (--balance), train on them alone, or import more images that "
            "show them."
        )
        return self._tell("class-imbalance", message, hint, command)

    # --- steps -------------------------------------------------------------------------------

    def _step(self, step: Step) -> list[Warning_]:
        first, self._epoch = step.epoch != self._epoch, step.epoch
        if not first:  # an epoch's first step waits for the loader's processes to start
            self._waits.append((step.data_s, step.step_s))
        return self._loss(step) + self._starved(step)

    def _loss(self, step: Step) -> list[Warning_]:
        if step.loss is not None:
            self._bad_steps = 0
            return []
        self._bad_steps += 1
        lr = self._config.lr
        hint = f"Lower the learning rate (now {lr:g}), for example to a third of it"
        if self._bad_steps >= MAX_BAD_STEPS:
            raise Diverged(
                f"The loss has not been a number for {self._bad_steps} steps: "
                f"training has diverged at step {step.step}.",
                f"{hint}, and resume from the last checkpoint, which is from before.",
            )
        if self._bad_steps > 1:
            return []
        # Told in every episode: one that passed says nothing about the next.
        self._told.discard("nan-loss")
        return self._tell(
            "nan-loss",
            f"The loss is not a number at step {step.step}.",
            f"{hint}, if this does not pass by itself.",
            resume_line(self._run_dir, lr=float(f"{lr / 3:.1g}")),
            step.epoch,
            step.step,
        )

    def _starved(self, step: Step) -> list[Warning_]:
        """Find steps that mostly wait for images, over the last `STARVED_STEPS`."""
        if "data-starved" in self._told or len(self._waits) < STARVED_STEPS:
            return []
        total = sum(took for _, took in self._waits)
        share = sum(waited for waited, _ in self._waits) / total if total else 0.0
        if share <= STARVED_SHARE:
            return []
        now = self._config.worker_count()
        more = min(16, max(2, 2 * now))
        return self._tell(
            "data-starved",
            f"Training waits for images {share:.0%} of the time.",
            f"Load them with more processes (now {now}), or keep them on a faster disk.",
            resume_line(self._run_dir, workers=more) if more > now else None,
            step.epoch,
            step.step,
        )

    # --- epochs ------------------------------------------------------------------------------

    def _epoch_done(self, event: Epoch) -> list[Warning_]:
        seen, self._validation = self._validation, None
        if seen is None:
            return []
        self._points = [point for point in self._points if point.epoch < event.epoch]
        self._points.append(
            _Point(event.epoch, event.train_loss, seen.loss, seen.map50_95, seen.map50)
        )
        found = self._flat() or self._overfitting() or self._underfitting()
        return [] if found is None else self._tell(*found, event.epoch, event.step)

    def _flat(self) -> tuple[str, str, str, str | None] | None:
        """Find a loss that never fell: the last three epochs' best is not 2 % below the first's.

        Asked from the sixth epoch after the warm-up on, in which the learning rate is still low.
        A model that is good already (fine-tuned on what it knows) has nothing to fall from, and
        once a loss has fallen, standing still is convergence.
        """
        points = [p for p in self._points if p.epoch > self._config.warmup_epochs]
        losses = [point.train for point in points if point.train is not None]
        if len(losses) <= WINDOW or max(point.map50 for point in points) >= POOR_MAP50:
            return None
        if min(losses[1:]) <= losses[0] * (1 - FLAT):
            return None
        lr = 1e-4 if not 0.5 < self._config.lr / 1e-4 < 2 else 5e-4
        return (
            "loss-flat",
            f"The loss has not fallen in {plural(len(losses), 'epoch', 'epochs')} "
            f"({losses[0]:.3g} then, {losses[-1]:.3g} now).",
            f"Check the data (batman check), and try another learning rate than "
            f"{self._config.lr:g}.",
            self._again(lr=lr),
        )

    def _overfitting(self) -> tuple[str, str, str, str | None] | None:
        """Find training that goes on falling while validation gets worse.

        The best mAP is five epochs old or more; since then the training loss has fallen by 2 %,
        and the mean of the last three epochs is worse than the best by 3 points of mAP50-95 and
        10 % of validation loss (where that is known).
        """
        if len(self._points) <= WINDOW:
            return None
        best = max(self._points, key=lambda point: point.map)
        since = [point for point in self._points if point.epoch > best.epoch]
        if len(since) < WINDOW or best.train is None:
            return None
        recent = since[-RECENT:]
        train = [point.train for point in recent if point.train is not None]
        if len(train) < RECENT or fmean(train) > best.train * (1 - FLAT):
            return None
        if fmean(point.map for point in recent) > best.map - WORSE_MAP:
            return None
        valid = [point.valid for point in recent if point.valid is not None]
        lowest = min((p.valid for p in self._points if p.valid is not None), default=None)
        if valid and lowest is not None and fmean(valid) < lowest * (1 + WORSE_LOSS):
            return None
        changes: dict[str, Any] = {"lr": self._config.lr / 2, "patience": 10}
        if self._config.model in _LARGE:
            changes = {"model": "base", "patience": 10}
        return (
            "over-fitting",
            f"The training loss still falls while validation gets worse: mAP50-95 was "
            f"{best.map:.3f} in epoch {best.epoch} and is {recent[-1].map:.3f} now.",
            "best.pth keeps the best epoch. Add data, take a smaller model or a lower learning "
            "rate, or stop early.",
            self._again(**changes),
        )

    def _underfitting(self) -> tuple[str, str, str, str | None] | None:
        """Find a model that stays poor: mAP50 below 0.2 with half of the epochs (ten or more) done.

        Only when its loss has come to rest too, less than 2 % lower over the last three epochs
        than over the three that lie five epochs before: otherwise it is still learning.
        """
        done = self._points[-1].epoch
        if done < max(ENOUGH_EPOCHS, self._config.epochs / 2) or "loss-flat" in self._told:
            return None
        best = max(point.map50 for point in self._points)
        losses = [point.train for point in self._points if point.train is not None]
        if best >= POOR_MAP50 or len(losses) < WINDOW + RECENT:
            return None
        before = fmean(losses[-WINDOW - RECENT : -WINDOW])
        if fmean(losses[-RECENT:]) < before * (1 - FLAT):
            return None
        if self._config.model == "tiny":
            changes: dict[str, Any] = {"model": "nano"}
        elif self._config.model in _LARGE:
            changes = {"epochs": 2 * self._config.epochs, "lr": 5e-5}
        else:
            changes = {"model": "large"}
        return (
            "under-fitting",
            f"After {done} epochs mAP50 is {best:.2f} at best, and the loss has come to rest at "
            f"{losses[-1]:.3g}.",
            "Take a larger model or image size, train longer, and look at the labels "
            "(batman check).",
            self._again(**changes),
        )

    # --- telling -----------------------------------------------------------------------------

    def _tell(
        self,
        code: str,
        message: str,
        hint: str,
        command: str | None = None,
        epoch: int = 0,
        step: int = 0,
    ) -> list[Warning_]:
        if code in self._told:
            return []
        self._told.add(code)
        return [
            Warning_(code=code, message=message, hint=hint, command=command, epoch=epoch, step=step)
        ]

    def _again(self, **changes: Any) -> str | None:
        """Return the command of a new run like this one with `changes`."""
        if self._config.project is None:
            return None
        new: dict[str, Any] = dict.fromkeys(("output_dir", "resume", "origin", "sweep"))
        new |= {"dataset": None, "notes": [], **changes}
        return command_line(self._config.with_changes(**new), shown=("model", *changes))


def imbalance(dataset: DatasetInfo) -> tuple[list[str], str] | None:
    """Return the classes that are too rare in the training split, and a sentence on them.

    Too rare is less than a twentieth (`IMBALANCE`) of the boxes of the most frequent class; a class
    without any box in the training split is told of when the data set is prepared. None if none is.
    """
    counts = {name: n for name, n in dataset.per_class.get("train", {}).items() if n}
    if len(counts) < 2:
        return None
    most = max(counts, key=lambda name: counts[name])
    rare = sorted(
        (name for name, n in counts.items() if n * IMBALANCE < counts[most]),
        key=lambda name: counts[name],
    )
    if not rare:
        return None
    shown = ", ".join(f"'{clean(name)}' {counts[name]:,}" for name in rare[:3])
    more = f" and {len(rare) - 3} more" if len(rare) > 3 else ""
    return rare, (
        f"The classes are far from balanced: {shown}{more} against "
        f"'{clean(most)}' {counts[most]:,} boxes."
    )
