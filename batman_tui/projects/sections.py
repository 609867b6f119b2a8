"""What the panel beside the list of projects says of one, in sections of lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from batman_tui.widgets.table.cells import bar, fit
from core.common.text import ago, clean, plural

if TYPE_CHECKING:
    from core.autolabel.loop import Deed, Round, Standing
    from core.data.overview import ImportLine, Overview

SPLIT_NAMES = {"train": "train", "valid": "valid", "test": "test", None: "no split"}
_MUTED = "$foreground-muted"
# The keys that lead to a deed from the list of projects, one after the other.
_KEYS: Mapping[Deed, tuple[str, ...]] = {
    "import": ("projects.import",),
    "continue": ("projects.label", "label.autolabel"),
    "follow": ("app.runs",),
    "review": ("projects.label", "label.crops"),
    "train": ("projects.train",),
    "propose": ("projects.label", "label.autolabel"),
    "differ": ("projects.label", "label.walk"),
    "walk": ("projects.label",),
}


@dataclass(frozen=True)
class Section:
    """Lines below a title (none, where it is empty); no fewer than `least` of them are worth it."""

    title: Content
    lines: tuple[Content, ...]
    least: int

    def cut(self, lines: int) -> list[Content]:
        """Return it in that many lines, its title among them."""
        head = [self.title] if self.title else []
        return [*head, *self.lines][:lines]

    @property
    def height(self) -> int:
        """The lines that all of it needs."""
        return len(self.lines) + bool(self.title)


def stacked(sections: Sequence[Section], height: int) -> list[Content]:
    """Return sections one below the other in at most `height` lines.

    An empty line stands between them where all their least lines still fit. What is left goes to
    the first that wants more; a section for which there is not the least is left out.
    """
    shown: list[Section] = []
    least = 0
    for section in sections:
        need = min(section.height, section.least + bool(section.title))
        if section.lines and least + need <= height:
            shown.append(section)
            least += need
    gap = 1 if least + len(shown) - 1 <= height else 0
    left = height - least - gap * (len(shown) - 1)
    found: list[Content] = []
    for number, section in enumerate(shown):
        need = min(section.height, section.least + bool(section.title))
        more = min(left, section.height - need)
        left -= more
        found += [Content("")] * (gap if number else 0)
        found += section.cut(need + more)
    return found


def counts(found: Overview, standing: Standing | None, width: int) -> Section:
    """Return the pictures by split, and how many of them a person has reviewed."""
    parts = [
        Content.assemble((SPLIT_NAMES[name], _MUTED), f" {count:,}")
        for name, count in found.splits.items()
    ]
    lines = [Content("   ").join(parts).truncate(width, ellipsis=True)]
    there, done = found.summary.images, found.summary.reviewed
    asked = standing is not None and standing.progress.open_suggestions
    if there and (done or asked):
        said = f"{done:,} of {there:,}"
        room = max(4, min(20, width - cell_len(said) - 11))
        line = Content.assemble(
            ("reviewed", _MUTED), f" {said} ", (bar(done / there, room), "$secondary")
        )
        lines.append(line.truncate(width, ellipsis=True))
    if standing is not None and asked:
        state = standing.progress
        text = f"{state.open_suggestions:,} on {plural(state.open_images, 'picture')}"
        lines.append(Content.assemble(("suggestions", _MUTED), f" {text}").truncate(width))
    return Section(Content(""), tuple(lines), least=len(lines))


def next_steps(standing: Standing | None, width: int, key_of: Callable[[str], str]) -> Section:
    """Return what comes next, the first thing first: its keys here, and the command that does it.

    `key_of` returns the key of an action of the app.
    """
    steps = standing.steps[:3] if standing is not None else ()
    keys = [", then ".join(map(key_of, _KEYS[step.deed])) for step in steps]
    indent = max(map(cell_len, keys), default=0) + 2
    lines: list[Content] = []
    least = 0
    for number, (step, key) in enumerate(zip(steps, keys, strict=True)):
        style = "bold" if not number else ""
        begin = Content.styled(key.ljust(indent), "$accent bold")
        for line in _wrapped(clean(step.what), width - indent, style):
            lines.append(Content.assemble(begin, line))
            begin = Content(" " * indent)
        # Cut after a whole step: its sentence, in full; its command may be left out.
        least = least or len(lines)
        command = fit(clean(step.command), max(1, width - indent))
        lines.append(Content.styled(" " * indent + command, _MUTED))
    if standing is not None and not lines:
        lines = _wrapped("Everything is reviewed, and the newest model has seen it.", width, "")
        least = len(lines)
    return Section(Content.styled("Next", "$accent"), tuple(lines), least=least)


def _wrapped(text: str, width: int, style: str) -> list[Content]:
    return list(Content.styled(text, style).wrap(max(1, width)))


def runs(standing: Standing | None, now: datetime, width: int) -> Section:
    """Return the last runs with the best that each has reached, the newest first."""
    rounds = standing.rounds if standing is not None else ()
    best = standing.best if standing is not None else None
    title = [(plural(len(rounds), "run"), _MUTED)]
    if best is not None and best.map50_95 is not None:
        title += [(", best mAP50-95 ", _MUTED), (f"{best.map50_95:.3f}", "bold")]
    lines = tuple(_run(of, of is best, now, width) for of in reversed(rounds[-12:]))
    return Section(Content.assemble(*title) if lines else Content(""), lines, least=2)


def _run(of: Round, best: bool, now: datetime, width: int) -> Content:
    value = "–" if of.map50_95 is None else f"{of.map50_95:.3f}"
    began = "" if of.started_at is None else ago(datetime.fromtimestamp(of.started_at, UTC), now)
    end = f"  {of.state:<9}  {value:>5} {'★' if best else ' '} {began:>11}"
    room = width - cell_len(end)
    if room < 12:
        end = f"  {value:>5} {'★' if best else ' '}"
        room = width - cell_len(end)
    return Content.assemble(fit(of.run, max(4, room)), (end, "" if best else _MUTED))


def classes(found: Overview, width: int) -> Section:
    """Return the largest classes, each with a bar."""
    most = max((row.annotations for row in found.largest), default=0)
    digits = max((len(f"{row.annotations:,}") for row in found.largest), default=1)
    name = max(10, (width - digits - 4) // 2)
    lines = tuple(
        Content.assemble(
            fit(row.name, name),
            "  ",
            (bar(row.annotations / most if most else 0, width - name - digits - 4), "$secondary"),
            "  ",
            f"{row.annotations:,}".rjust(digits),
        )
        for row in found.largest
    )
    return Section(Content.styled(_classes_title(found), _MUTED), lines, least=2)


def _classes_title(found: Overview) -> str:
    there = found.summary.classes
    if there > len(found.largest):
        return f"The {len(found.largest)} largest of {plural(there, 'class', 'classes')}"
    return plural(there, "class", "classes")


def imports(found: Overview, now: datetime, width: int) -> Section:
    """Return where the pictures came from, the newest import first."""
    lines = tuple(_import(item, now, width) for item in found.imports)
    return Section(Content.styled("Imports", _MUTED), lines, least=1)


def _import(item: ImportLine, now: datetime, width: int) -> Content:
    when = ago(item.at, now)
    kind = clean(item.kind)
    origin = clean(item.origin)
    room = width - len(kind) - len(when) - 4
    if len(origin) > room:
        # The end of a path tells more than its beginning.
        origin = "…" + origin[-max(1, room - 1) :]
    return Content.assemble(kind, "  ", fit(origin, max(1, room)), "  ", (when, _MUTED))
