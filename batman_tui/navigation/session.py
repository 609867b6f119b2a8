"""Back to where one was: the open screens are noted while the app runs, and opened at the start."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from textual.app import App
from textual.screen import Screen

from batman_tui.navigation.kept_places import (
    DEEPEST,
    REMEMBERED,
    Kept,
    Place,
    PlaceFile,
    from_row,
    from_subject,
    to_row,
    to_subject,
)
from batman_tui.navigation.kinds import KINDS, Kind, kind_of, subject_of
from batman_tui.services import services_of
from batman_tui.widgets.frame.base import BatmanScreen
from core.common.workspace import holds

SAVE_SECONDS = 3.0
_MARK = {"project": "project.db", "run": "training_config.json"}


class Session:
    """Where the person is, for the app that owns it; without a `file` nothing is kept.

    It is written every few seconds when it has changed, in a thread: a connection may be lost at
    any moment.
    """

    def __init__(self, app: App[Any], file: PlaceFile | None) -> None:
        self._app = app
        self._file = file
        self._kept = file.load() if file is not None else Kept()
        self._written: Kept | None = None
        self.typed: list[str] = list(self._kept.typed)
        """What was typed to go somewhere, oldest first."""

    @property
    def _root(self) -> Path:
        return services_of(self._app).workspace.root

    # Noting

    def start(self) -> None:
        """Begin to note where the person is."""
        if self._file is not None:
            self._app.set_interval(SAVE_SECONDS, self.note)

    def note(self) -> None:
        """Write down where the person is, in a thread, when that has changed."""
        kept = self._now()
        if kept != self._written:
            self._written = kept
            self._app.run_worker(
                lambda: self._save(kept), group="place", thread=True, exit_on_error=False
            )

    def end(self) -> None:
        """Write down where the person is, at the end of the app."""
        if self._file is not None:
            self._save(self._now())

    def remember(self, line: str) -> None:
        """Note a line that led somewhere; one typed again moves to the end."""
        self.typed = [*(old for old in self.typed if old != line), line][-REMEMBERED:]

    def _save(self, kept: Kept) -> None:
        # Not to know the place the next time is no reason to disturb anybody now.
        with suppress(OSError):
            if self._file is not None:
                self._file.save(kept)

    def _now(self) -> Kept:
        return Kept(self.places(), list(self.typed))

    def places(self) -> list[Place]:
        """Return the open screens from the view on, up to the first that cannot be reopened."""
        found: list[Place] = []
        for screen in self._app.screen_stack:
            kind = kind_of(screen)
            if kind is None or not kind.kept or not isinstance(screen, BatmanScreen):
                break
            if not getattr(screen, "is_local", True):  # a run that only a cluster has
                break
            found.append(_place(screen, kind, self._root))
        return [found[0], *found[1:][-(DEEPEST - 1) :]] if found else []

    # Going back

    async def come_back(self) -> None:
        """Open what was open the last time, as far as it is still there; say what is not."""
        first, *others = self._kept.places or [Place("")]
        view = KINDS.get(first.kind)
        if view is None or view.of != "view":
            return
        app = services_of(self._app)
        await self._app.switch_mode(view.name)
        self._put_back(self._app.screen, first)
        for place in others:
            kind = KINDS.get(place.kind)
            if kind is None or kind.of == "view" or not kind.kept:
                return
            path = from_subject(place.subject, self._root)
            if kind.of in _MARK and not (path.is_dir() and holds(path, _MARK[kind.of])):
                app.tell(f"The {kind.of} '{path.name}', where you were, is gone.")
                return
            if kind.begins:
                row = from_row(place.row, self._root)
                image = row if isinstance(row, int) else None
                await self._app.push_screen(kind.load()(path, place.filter, image))
                continue
            screen = kind.load()(*([path] if kind.of in _MARK else []))
            await self._app.push_screen(screen)
            self._put_back(screen, place)

    def _put_back(self, screen: Screen[Any], place: Place) -> None:
        if isinstance(screen, BatmanScreen):
            screen.back_at(place.filter, from_row(place.row, self._root), place.of)


def _place(screen: BatmanScreen, kind: Kind, root: Path) -> Place:
    subject = subject_of(screen) if kind.of in _MARK else None
    return Place(
        kind.name,
        to_subject(subject, root) if subject is not None else "",
        screen.filter_here,
        to_row(screen.row_here, root),
        screen.of_here,
    )
