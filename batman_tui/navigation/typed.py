"""What a typed line such as `runs lr=1e-4` or `project harbour` means, and how it can go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from batman_tui.navigation.index import Found
from batman_tui.navigation.kinds import KINDS
from batman_tui.navigation.ways import Ways
from batman_tui.settings import setting_names
from core.common.errors import BatmanError
from core.common.text import did_you_mean, sentence

Call = Callable[[], Any]


@dataclass(frozen=True)
class Verb:
    """A word to begin with: what may follow it, and a sentence. `takes` is `` where nothing may."""

    name: str
    takes: str
    about: str


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("projects", "WORDS", "The projects, those with these words."),
        Verb("runs", "RUN", "The run, or the runs that a filter leaves."),
        Verb("jobs", "CLUSTER", "The jobs of a cluster, or those with these words."),
        Verb("project", "PROJECT", "The classes of the project."),
        Verb("class", "CLASS", "A class of a project."),
        Verb("run", "RUN", "The run."),
        Verb("job", "JOB", "The job in its queue."),
        Verb("cluster", "CLUSTER", "The jobs of the cluster."),
        *(
            Verb(kind.name, "PROJECT" if kind.of == "project" else "RUN", kind.about)
            for kind in KINDS.values()
            if kind.of in ("project", "run") and kind.name != "run"
        ),
        Verb("settings", "SETTING", "The settings."),
        Verb("theme", "THEME", "Other colours."),
        Verb("help", "SCREEN", "What a screen is for, and its keys."),
        Verb("quit", "", "Leave; training goes on."),
    )
}
# As k9s and vi have them.
SHORT = {"p": "projects", "r": "runs", "j": "jobs", "q": "quit", "?": "help"}


class TypedLine:
    """Reads lines for one app, with the names that the index `found`."""

    def __init__(self, ways: Ways, found: Found) -> None:
        self._ways = ways
        self._found = found

    def names(self, takes: str) -> list[str]:
        """Return what can stand for a word of `VERBS`, such as `PROJECT`."""
        found = self._found
        names: dict[str, Callable[[], Iterable[str]]] = {
            "WORDS": lambda: found.projects,
            "PROJECT": lambda: found.projects,
            "RUN": lambda: found.runs,
            "CLASS": lambda: found.classes,
            "JOB": lambda: found.jobs,
            "CLUSTER": lambda: found.clusters,
            "SETTING": setting_names,
            "THEME": lambda: sorted(self._ways.themes()),
            "SCREEN": lambda: KINDS,
        }
        return list(names[takes]()) if takes in names else []

    def completions(self, line: str, most: int = 8) -> list[str]:
        """Return how `line` can go on, as whole lines: what begins so first."""
        word, space, rest = line.lstrip().partition(" ")
        if not space:
            return [name for name in VERBS if name.startswith(word)][:most]
        verb = VERBS.get(SHORT.get(word, word))
        if verb is None:
            return []
        typed = rest.strip().casefold()
        begin: list[str] = []
        hold: list[str] = []
        for name in self.names(verb.takes):
            folded = name.casefold()
            if folded.startswith(typed):
                begin.append(name)
                if len(begin) == most:
                    break
            elif typed in folded and len(hold) < most:
                hold.append(name)
        return [f"{word} {name}" for name in (begin + hold)[:most]]

    def read(self, line: str) -> Call:
        """Return what goes where `line` says. Raises `BatmanError` with the nearest for no sense.

        Where no name follows, the project or the run is meant that one is in.
        """
        word, _, rest = line.strip().partition(" ")
        word, rest = SHORT.get(word, word), rest.strip()
        begun = [name for name in VERBS if name.startswith(word)]
        name = word if word in VERBS else begun[0] if len(begun) == 1 else ""
        if not name:
            if begun:
                raise BatmanError(f"'{word}' may mean {' or '.join(begun)}.")
            raise BatmanError(
                f"There is no '{word}' to go to.",
                sentence(did_you_mean(word, VERBS)) or "Tab shows what there is.",
            )
        verb, ways, found = VERBS[name], self._ways, self._found
        if name == "quit":
            return ways.quit
        if name == "projects":
            return partial(ways.to_view, "projects", rest)
        if name == "runs":
            return partial(ways.to, "run", found.runs[rest]) if rest in found.runs else (
                partial(ways.to_view, "runs", rest)
            )  # fmt: skip
        if name in ("jobs", "cluster") and (name == "cluster" or rest in found.clusters):
            return partial(ways.to_view, "jobs", of=self._one("CLUSTER", rest, needed=True))
        if name == "jobs":
            return partial(ways.to_view, "jobs", rest)
        if name == "job":
            job = self._one("JOB", rest, needed=True)
            return partial(ways.to_view, "jobs", row=job, of=found.jobs[job])
        if name == "class":
            return partial(ways.to_class, *self._class(rest))
        if name == "settings":
            return partial(ways.to_setting, self._one("SETTING", rest))
        if name == "theme":
            return partial(ways.to_theme, self._one("THEME", rest, needed=True))
        if name == "help":
            return partial(ways.to_help, self._one("SCREEN", rest)) if rest else ways.help
        subject = self._one(verb.takes, rest)
        folders: dict[str, Path] = found.projects if verb.takes == "PROJECT" else found.runs
        kind = "classes" if name == "project" else name
        return partial(ways.to, kind, folders[subject] if subject else None)

    def _one(self, takes: str, name: str, *, needed: bool = False) -> str:
        """Return the name as it is there: the same, the same in other letters, or the only one
        that begins so.
        """
        what = takes.lower()
        if not name:
            if needed:
                raise BatmanError(f"Which {what}?", "Tab goes through them.")
            return ""
        names = self.names(takes)
        if name in names:
            return name
        folded = name.casefold()
        same = [each for each in names if each.casefold() == folded]
        begun = same or [each for each in names if each.casefold().startswith(folded)]
        if len(begun) == 1:
            return begun[0]
        if begun:
            raise BatmanError(f"{len(begun):,} begin with '{name}'.", "Tab goes through them.")
        raise BatmanError(f"There is no {what} '{name}'.", sentence(did_you_mean(name, names)))

    def _class(self, name: str) -> tuple[Path, str]:
        classes = self._found.classes
        if name in classes:
            return classes[name]
        here = self._ways.current("project")
        alike = [key for key, (_, known) in classes.items() if known == name]
        for key in alike:
            if classes[key][0] == here:
                return classes[key]
        return classes[alike[0]] if len(alike) == 1 else classes[
            self._one("CLASS", name, needed=True)
        ]  # fmt: skip
