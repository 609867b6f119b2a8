"""What the lists of the run screen hold: accuracy by class, what happened, the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from batman_tui.widgets.table.table import Column
from core.common.text import clean
from core.plots import ticks
from core.plots.chart import GLYPHS
from core.plots.run_charts import Happening, beginning
from core.training.live.follow import RunSnapshot

if TYPE_CHECKING:
    from core.training.config.options import TrainingConfig

_SIGNS = {**GLYPHS, "start": "▶", "validation": "·"}


@dataclass(frozen=True)
class ClassScore:
    """Average precision (0 to 1) of one class at the last validation.

    `change` is the difference to the validation before; `boxes` counts its boxes in train.
    """

    name: str
    ap: float
    change: float | None
    boxes: int | None


def class_scores(run: RunSnapshot) -> list[ClassScore]:
    """Every class of the last validation, the weakest first."""
    if not run.validations:
        return []
    last = run.validations[-1].per_class
    before = run.validations[-2].per_class if len(run.validations) > 1 else {}
    dataset = run.config.dataset if run.config is not None else None
    boxes = dataset.per_class.get("train", {}) if dataset is not None else {}
    scores = [
        ClassScore(name, ap, ap - before[name] if name in before else None, boxes.get(name))
        for name, ap in last.items()
    ]
    return sorted(scores, key=lambda score: score.ap)


def class_columns() -> list[Column[ClassScore]]:
    """The columns of the table of classes."""

    def change(row: ClassScore) -> str:
        if row.change is None or abs(row.change) < 0.0005:
            return ""
        return f"{'▲' if row.change > 0 else '▼'}{abs(row.change):.3f}"

    return [
        Column("name", "Class", lambda row: row.name),
        Column("ap", "AP50-95", lambda row: f"{row.ap:.3f}", width=7, sort=lambda row: row.ap),
        Column("bar", "", lambda row: max(row.ap, 0.0), kind="bar", width=8, from_width=44),
        Column("change", "Change", change, width=7, sort=lambda row: row.change, muted=True),
        Column(
            "boxes", "Boxes", lambda row: row.boxes, kind="number", width=7, from_width=52,
            muted=True,
        ),
    ]  # fmt: skip


def event_columns(run: Callable[[], RunSnapshot | None]) -> list[Column[Happening]]:
    """The columns of the table of events; `run` gives the run they belong to."""

    def when(row: Happening) -> str:
        snapshot = run()
        return ticks.clock(row.t - beginning(snapshot)) if snapshot is not None else ""

    return [
        Column("t", "After", when, width=8, sort=lambda row: row.t, muted=True),
        Column("kind", "", lambda row: _SIGNS.get(row.kind, "·"), width=1),
        Column(
            "text", "What", lambda row: f"{row.text} {row.hint}".strip() if row.hint else row.text
        ),
    ]


def problem_lines(run: RunSnapshot, local: bool) -> list[Content]:
    """Return why the run failed or was lost and what to do, and which files are damaged.

    `local` is a run of this machine, which can be resumed here.
    """
    beside = [Content.styled(f"! {clean(run.problem)}", "$text-warning")] if run.problem else []
    if run.state == "lost":
        message = "The run ended without a word: its process was killed, or the machine went down."
        hint = "The log has its last words; whole checkpoints are kept."
        keys = "r goes on from the last one." if local else ""
    elif run.error is not None:
        message, hint = run.error.message, run.error.hint
        keys = "e shows the whole error" + (", r tries again." if local else ".")
    else:
        return beside
    lines = [Content.styled(f"✖ {clean(message)}", "bold $text-error")]
    lines += [Content(clean(hint))] if hint else []
    return lines + ([Content.styled(keys, "$foreground-muted")] if keys else []) + beside


def settings_text(run: RunSnapshot, state: str = "") -> Content:
    """The run's settings; what differs from the defaults stands out.

    `state` says which state of its project it learnt.
    """
    config = run.config
    if config is None:
        return Content("There are no settings to read.")
    # Settings come after the first curve, and what reads them.
    from core.training.config.form import SECTIONS, label, to_text
    from core.training.config.options import default_for

    lines: list[Content] = []
    data = config.dataset
    if data is not None:
        counts = ", ".join(f"{count:,} {name}" for name, count in data.images.items())
        lines += [
            _line("Images", counts, chosen=False),
            _line("Classes", ", ".join(data.class_names), chosen=False),
            _line("Fingerprint", data.fingerprint[:16], chosen=False),
        ]
    lines.append(_line("Project", str(config.project or "–"), chosen=False))
    if state:
        lines.append(_line("Data", state, chosen=False))
    if config.origin is not None:
        lines.append(_line("Began from", str(config.origin), chosen=False))
    for section in SECTIONS:
        lines += [Content(""), Content.styled(section.title, "bold $accent")]
        for name in section.names:
            value = getattr(config, name)
            chosen = value != default_for(name, config.model)
            lines.append(_line(label(name), to_text(name, value) or "–", chosen))
    for note in _notes(config):
        lines += [Content(""), Content.styled(clean(note), "$foreground-muted")]
    return Content("\n").join(lines)


def _notes(config: TrainingConfig) -> list[str]:
    return [*config.notes, *(config.dataset.notes if config.dataset is not None else [])]


def _line(name: str, value: str, chosen: bool) -> Content:
    return Content.assemble(
        (f"{clean(name):<16}", "$foreground-muted"), (clean(value), "bold" if chosen else "")
    )
