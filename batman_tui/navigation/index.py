"""All that the palette and the typed line find by name, read in a thread and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from batman_tui.keys import ACTIONS, room_title
from batman_tui.navigation.command_names import COMMAND_NAMES
from batman_tui.navigation.kinds import KINDS, kind_with
from batman_tui.navigation.other_words import DRAW_SPLITS, OTHER_WORDS
from batman_tui.navigation.search import APART
from batman_tui.settings import Settings
from core.common.errors import BatmanError
from core.common.text import clean

if TYPE_CHECKING:
    from batman_tui.navigation.ways import Ways

# What moves about in widgets is what keys are for; in the palette it would only be in the way.
LEFT_OUT = (
    "table", "filter", "dialog", "confirm", "go", "choice", "screen", "app",
    # Answers to a question, and lists that something else opens.
    "delete", "merge", "accept", "pick", "text", "setup",
)  # fmt: skip
_MOVES = ("next_field", "previous_field")
# What several screens offer by one name is most likely meant of these, in this order: a training
# is what one stops, the classes' screen is where changes of a project are undone.
_FIRST = ("projects", "run", "runs", "jobs", "classes", "images", "label")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to go to or to do: its name, what does it, a sentence, and the action it is.

    `folded` is what is searched: the name, and behind `APART` what else it is called (`also`). In
    it what an action does `begins` behind its room.
    """

    name: str
    call: Callable[[], Any]
    help: str
    action: str = ""
    also: str = ""
    folded: str = field(init=False)
    begins: int = field(init=False)

    def __post_init__(self) -> None:
        also = self.also or _otherwise(self.action)
        text = f"{self.name}{APART}{also}" if also else self.name
        object.__setattr__(self, "folded", text.casefold())
        room = f"{room_title(self.action)}: " if self.action else ""
        object.__setattr__(self, "begins", len(room.casefold()))


def _otherwise(name: str) -> str:
    """Return what else an action or a view is called, in a shell too."""
    return f"{OTHER_WORDS.get(name, '')} {COMMAND_NAMES.get(name, '')}".strip()


@dataclass(frozen=True)
class Found:
    """What was found: entries for the palette, and names of each kind for the typed line."""

    entries: tuple[Entry, ...] = ()
    projects: dict[str, Path] = field(default_factory=dict)
    runs: dict[str, Path] = field(default_factory=dict)
    classes: dict[str, tuple[Path, str]] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    """Of each job the cluster it is on."""
    clusters: tuple[str, ...] = ()


class Index:
    """Reads what there is, for the app whose `ways` lead there; `refresh` is for a thread."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._lock = Lock()
        self._classes: dict[Path, tuple[object, list[str]]] = {}
        self.found = Found()
        """What the last look found."""

    def refresh(self) -> None:
        """Look again. What cannot be read is left out: its own screen says why."""
        with self._lock:
            self.found = self._look()

    def _look(self) -> Found:
        batman, ways = self._ways.batman, self._ways
        found = Found()
        entries: list[Entry] = [*_commands(ways)]
        with suppress(BatmanError):
            for path in batman.workspace.list_projects():
                found.projects[path.name] = path
                entries += _of_project(ways, path)
        for path in found.projects.values():
            for name in self._classes_of(path):
                found.classes[f"{name} · {path.name}"] = path, name
                entries.append(
                    Entry(
                        f"Class {clean(name)} · {clean(path.name)}",
                        partial(ways.to_class, path, name),
                        "Go to the class in its project.",
                    )
                )
        with suppress(BatmanError):
            # Names alone: to read thousands of runs for the first time takes a minute.
            for path in batman.workspace.list_runs():
                found.runs[path.name] = path
                entries.append(
                    Entry(f"Run {clean(path.name)}", partial(ways.to, "run", path), "Open the run.")
                )
        entries += _sweeps(ways)
        clusters, jobs = self._jobs()
        found.jobs.update(jobs)
        for name in clusters:
            call = partial(ways.to_view, "jobs", of=name)
            entries.append(Entry(f"Cluster {clean(name)}", call, "Show its jobs."))
        for job, cluster in jobs.items():
            call = partial(ways.to_view, "jobs", row=job, of=cluster)
            text = f"Job {clean(job)} · {clean(cluster)}"
            entries.append(Entry(text, call, "Go to the job in its queue."))
        entries += _of_the_app(ways)
        return Found(
            tuple(entries), found.projects, found.runs, found.classes, found.jobs, tuple(clusters)
        )

    def _classes_of(self, project: Path) -> list[str]:
        from core.data.store.project_file import peek_classes

        file = project / "project.db"
        with suppress(OSError, BatmanError):
            stat = file.stat()
            stamp = stat.st_mtime_ns, stat.st_size
            known = self._classes.get(project)
            if known is None or known[0] != stamp:
                known = self._classes[project] = stamp, peek_classes(project)
            return known[1]
        return []

    def _jobs(self) -> tuple[list[str], dict[str, str]]:
        from slurm.job.record import list_records
        from slurm.watch.cluster_jobs import clusters

        names: list[str] = []
        jobs: dict[str, str] = {}
        with suppress(BatmanError):
            names = [profile.name for profile in clusters()]
            for _, record in list_records(self._ways.batman.workspace):
                if record.job_id:
                    jobs[record.job_id] = record.cluster
        for cluster in self._ways.clusters_looked_at():
            if cluster.latest is not None:
                jobs |= {line.id: cluster.profile.name for line in cluster.latest.lines()}
        return names, jobs


def _commands(ways: Ways) -> Iterable[Entry]:
    """Return what every screen offers, to be done there."""
    rooms = {room: at for at, room in enumerate(_FIRST)}
    in_order = sorted(ACTIONS.values(), key=lambda each: rooms.get(each.room, len(rooms)))
    for action in in_order:
        room, kind = action.room, kind_with(action.room)
        if kind is None or room in LEFT_OUT or action.run in _MOVES:
            continue
        yield Entry(
            f"{room_title(action.id)}: {action.label}",
            partial(ways.to_do, action.id),
            f"{action.help} Goes to {kind.title} first. Key there: {ways.key_of(action)}",
            action.id,
        )


def _sweeps(ways: Ways) -> Iterable[Entry]:
    from core.training.sweep.sweep import list_sweeps

    with suppress(BatmanError):
        for sweep in list_sweeps(ways.batman.workspace):
            call = partial(ways.to_sweep, sweep.path)
            yield Entry(f"Sweep {clean(sweep.name)}", call, "Its runs, the best first.")


def _of_project(ways: Ways, path: Path) -> Iterable[Entry]:
    for kind in KINDS.values():
        if kind.of == "project":
            yield Entry(
                f"Project {clean(path.name)}: {kind.title.lower()}",
                partial(ways.to, kind.name, path),
                kind.about,
            )


def _of_the_app(ways: Ways) -> Iterable[Entry]:
    yield Entry(
        "Draw new splits",
        ways.draw_splits,
        "Ask for the shares of train, valid and test, on the images of the project.",
        also=DRAW_SPLITS,
    )
    for kind in KINDS.values():
        if kind.of == "view":
            words = _otherwise(f"view {kind.name}")
            yield Entry(kind.title, partial(ways.to_view, kind.name), kind.about, also=words)
        yield Entry(
            f"Help: {kind.title}", partial(ways.to_help, kind.name), "What it is for, and its keys."
        )
    for setting in fields(Settings):
        if setting.name != "problems":
            yield Entry(
                f"Setting {setting.name}",
                partial(ways.to_setting, setting.name),
                "See and change it.",
                also=OTHER_WORDS.get(f"setting {setting.name}", ""),
            )
    for theme in sorted(ways.themes()):
        call = partial(ways.to_theme, theme)
        yield Entry(f"Theme: {clean(theme)}", call, "Use these colours.")
