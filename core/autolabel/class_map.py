"""Which class of the project a class of a model is: as a person says, else by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.autolabel.pass_folder import TaskClass
from core.common.errors import ClassError
from core.common.text import clean, did_you_mean, plural, sentence

_SHOWN = 8


@dataclass(frozen=True)
class ClassMap:
    """`found` gives the project's class of each of the model's that has one; `left_out` are the
    model's others, `without` the project's classes that none of the model's stands for.
    """

    found: Mapping[str, int]
    left_out: tuple[str, ...]
    without: tuple[str, ...]

    @property
    def class_ids(self) -> list[int]:
        """The project's classes that are looked for, each once."""
        return list(dict.fromkeys(self.found.values()))

    def notes(self, what: str) -> list[str]:
        """Return what a person should know; `what` is whose the left-out classes are."""
        said = []
        if self.left_out:
            count = plural(len(self.left_out), "class", "classes")
            said.append(f"left out: {count} of {what} ({_listed(self.left_out)})")
        if self.without:
            said.append(f"not looked for: {_listed(self.without)}, which {what} does not know")
        return said


def match_classes(
    names: Iterable[str], classes: Sequence[TaskClass], mapping: Mapping[str, str]
) -> ClassMap:
    """Return which of `classes` each of a model's class `names` is.

    `mapping` says it for names of the model; what it does not name is the class of the same name,
    whatever the case and whether words are parted by spaces, `_` or `-`. Raises ClassError when
    `mapping` names a class that the model or the project does not have, and when nothing is left.
    """
    known = [name for name in names if name]
    by_name = {row.name: row.id for row in classes}
    alike = {_plain(row.name): row.id for row in reversed(classes)}
    for name, wanted in mapping.items():
        if name not in known:
            raise ClassError(
                f"The model has no class '{clean(name)}'.",
                sentence(did_you_mean(name, known)) or f"It has: {_listed(known)}.",
            )
        if wanted not in by_name:
            raise ClassError(
                f"The project has no class '{clean(wanted)}' for the model's '{clean(name)}'.",
                sentence(did_you_mean(wanted, by_name)) or f"It has: {_listed(by_name)}.",
            )
    found = {}
    for name in known:
        if name in mapping:
            found[name] = by_name[mapping[name]]
        elif name in by_name or _plain(name) in alike:
            found[name] = by_name.get(name, alike.get(_plain(name), -1))
    if not found:
        example = f"--map {clean(known[0])}={clean(next(iter(by_name), 'CLASS'))}" if known else ""
        raise ClassError(
            f"The model knows none of the project's classes ({_listed(by_name)}); "
            f"it finds: {_listed(known)}.",
            f"Say which is which, such as {example}." if example else "",
        )
    reached = set(found.values())
    return ClassMap(
        found,
        tuple(name for name in known if name not in found),
        tuple(row.name for row in classes if row.id not in reached),
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


def _listed(names: Iterable[str]) -> str:
    shown = [clean(name) for name in names]
    more = f", … ({len(shown) - _SHOWN} more)" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
