"""Ways in from the disk: a data set, videos, and a project of the original Batman."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, RadioSet, Select, Static

from batman_tui.imports.import_way import FilesChoice, ImportJob, Line, PathWay
from batman_tui.widgets.form.choice import Choice
from batman_tui.widgets.form.field import Choice as OneOf
from batman_tui.widgets.form.line_input import LineInput
from batman_tui.widgets.form.path_suggester import PathSuggester
from core.common.errors import BatmanError
from core.common.text import plural
from core.data.importers.detect_format import (
    COCO,
    KINDS,
    ORIGINAL,
    PICTURES,
    VIDEO,
    Recognised,
    find_out,
    typed_paths,
)
from core.data.importers.formats.look import Look
from core.data.importers.formats.lying_together import lying_together

if TYPE_CHECKING:
    from core.data.importers import ImportRow

KINDS_BY_NAME = {kind.name: kind for kind in KINDS}

WHATEVER = (*KINDS, PICTURES, VIDEO, ORIGINAL)
"""What the first way in takes: data sets of every format, pictures, videos, whole projects."""


class FolderWay(PathWay):
    """Whatever lies at a path: what it is, is seen from its files."""

    TITLE = "Data set"
    LABEL = "Folder, file or ZIP of the data set"
    PLACEHOLDER = "/data/sets/site"
    ABOUT = "→ completes what you type; a folder such as one that Roboflow exports."

    def __init__(self, files: str, project: Path) -> None:
        super().__init__()
        self._files = FilesChoice(files, "files")
        self._project = project
        self._before: ImportRow | None = None
        self._seen: Recognised | None = None
        self._others: list[str] = []
        self._proposed = ""
        """The format that was chosen because of what lay at the path as typed so far."""
        self._kind = OneOf([kind.title for kind in WHATEVER], COCO.title)
        self._kind.id = "kind"

    def compose(self) -> ComposeResult:
        """Lay out the path, the format and what becomes of the files."""
        yield from self.path_fields()
        yield Line("Format", self._kind)
        pictures = LineInput(
            placeholder="empty: where the data set says",
            suggester=PathSuggester(),
            compact=True,
            id="pictures",
        )
        yield Line("Pictures in", pictures)
        yield self._files

    def on_mount(self) -> None:
        """Ask where pictures lie once there is something that may name them by their name only."""
        self._pictures.parent.display = False  # type: ignore[union-attr]

    @property
    def _pictures(self) -> LineInput:
        return self.query_one("#pictures", LineInput)

    def judge(self, ready: bool) -> None:
        """Ask where COCO's pictures lie when something is at the path."""
        coco = self._kind.value == COCO.title
        self._pictures.parent.display = ready and coco  # type: ignore[union-attr]
        self._there = ready
        super().judge(ready and not (coco and self._no_folder()))

    def missing(self) -> str:
        """Tell a path with nothing at it from pictures that do not lie where it says."""
        there = getattr(self, "_there", False)
        return "Pictures in: there is no such folder." if there else super().missing()

    def _no_folder(self) -> bool:
        """Whether what is typed for the pictures is no folder, which is marked."""
        typed = self._pictures.text.strip()
        try:
            wrong = bool(typed) and not Path(typed).expanduser().is_dir()
        except (OSError, RuntimeError, ValueError):
            wrong = True  # Such as `~nobody`.
        self._pictures.set_class(wrong, "-wrong")
        return wrong

    @on(Select.Changed, "#kind")
    @on(Input.Changed, "#pictures")
    def _pictures_typed(self) -> None:
        self.judge(getattr(self, "_there", False))

    def look(self, typed: str) -> tuple[bool, str | None]:
        """Return the format of what lies there."""
        path = Path(typed).expanduser()
        self._before = self._imported(path)
        self._seen = seen = find_out(path)
        taken = seen.kind.name if seen and seen.kind else None
        there = lying_together(Look(path)) if path.exists() else []
        self._others = [KINDS_BY_NAME[name].title for name in there if name != taken]
        return path.exists(), seen.kind.name if seen and seen.kind else None

    def _imported(self, path: Path) -> ImportRow | None:
        from core.data.importers import imported_before
        from core.data.store import Project

        try:
            with Project.open(self._project) as project:
                return imported_before(project, path)
        except BatmanError:
            return None

    def found(self, there: bool, kind: str | None) -> str:
        """Choose the format that was seen; say so when the project has it already."""
        known = next((item for item in WHATEVER if item.name == kind), None)
        # What the beginning of a path held, such as `/`, says nothing of what follows it.
        if known is not None:
            self._kind.value = self._proposed = known.title
        elif self._proposed and self._kind.value == self._proposed:
            self._kind.value, self._proposed = COCO.title, ""
        before, seen = self._before, self._seen
        if before is not None:
            return (
                f"The project has it already: import {before.id},"
                f" {plural(before.images, 'image')}. It would come in once more."
            )
        if known is not None:
            why = f": {seen.reason}" if seen is not None else ""
            others = f" {' and '.join(self._others)} lie here too." if self._others[1:] else ""
            others = others or (f" {self._others[0]} lies here too." if self._others else "")
            return f"This looks like {known.title}{why}.{others}"
        if seen is None:
            return "No data set is recognised here: choose the format."
        return f"This looks like {seen.title}. {seen.instead or 'See the way in by that name.'}"

    def job(self) -> ImportJob:
        """Import the folder as the chosen format."""
        from core.data.importers.import_named import import_named

        name = next(kind.name for kind in WHATEVER if kind.title == self._kind.value)
        source, files, anyway = self.path, self._files.mode, self.anyway
        typed = self._pictures.text.strip() if name == COCO.name else ""
        images = {"images": Path(typed).expanduser()} if typed else {}
        return lambda project, progress, cancelled: [
            import_named(
                project,
                source,
                name,
                files=files,
                anyway=anyway,
                progress=progress,
                cancelled=cancelled,
                **images,
            )
        ]


class VideoWay(PathWay):
    """Frames of videos, given by name, by a pattern or as a folder, at an interval."""

    TITLE = "Video"
    LABEL = "Videos, or folders of videos"
    PLACEHOLDER = "/data/videos/night.mp4"
    PATH = "video"
    ABOUT = "Several as in a shell: with spaces between, or night*.mp4. → completes."
    NOTHING = "Not all of it is there yet."
    SEVERAL = True

    def compose(self) -> ComposeResult:
        """Lay out the path, the interval and what becomes of frames that look alike."""
        yield from self.path_fields()
        yield Line(
            "A frame every",
            LineInput("1", type="number", compact=True, id="interval", classes="-short"),
            RadioSet(
                Choice("seconds", True, compact=True),
                Choice("frames", compact=True),
                id="unit",
                compact=True,
            ),
        )
        yield Line(
            "Look-alikes",
            RadioSet(
                Choice("Keep", True, compact=True),
                Choice("Pass over", compact=True),
                id="similar",
                compact=True,
            ),
        )
        yield Static(
            "A frame that looks like the one kept before it adds little to a model.",
            id="interval-hint",
            classes="way--hint",
        )

    def look(self, typed: str) -> tuple[bool, str | None]:
        """Return whether everything is there, and what that is in a few words."""
        paths = typed_paths(typed)
        gone = [path for path in paths if not path.exists()]
        if not paths or gone:
            return False, None
        folders = sum(path.is_dir() for path in paths)
        parts = [
            plural(count, noun)
            for count, noun in ((len(paths) - folders, "video"), (folders, "folder"))
            if count
        ]
        return True, " and ".join(parts)

    def found(self, there: bool, kind: str | None) -> str:
        """Say whether one or many are read."""
        if kind in (None, "1 video"):
            return "Frames are stored as JPEG, upright."
        if kind == "1 folder":
            return "Every video in this folder is read, as one import."
        return f"{kind} as one import; the frames of each stay in one split."

    @property
    def _interval(self) -> float:
        """What is typed: seconds, or a whole number of frames; 0 when it is neither."""
        text = self.query_one("#interval", LineInput).text
        try:
            value = float(text)
        except ValueError:
            return 0.0
        whole = self._frames and not value.is_integer()
        return value if 0 < value < 1e9 and not whole else 0.0

    def missing(self) -> str:
        """Tell videos that are not there from an interval that is none."""
        there = getattr(self, "_there", False)
        wrong = "A frame every: a number above zero, of frames a whole one."
        return wrong if there else super().missing()

    @property
    def _frames(self) -> bool:
        return self.query_one("#unit", RadioSet).pressed_index == 1

    def judge(self, ready: bool) -> None:
        """Refuse an interval that is none as well."""
        self._there = ready
        super().judge(ready and self._interval > 0)

    @on(Input.Changed, "#interval")
    @on(RadioSet.Changed, "#unit")
    def _interval_typed(self) -> None:
        line = self.query_one("#interval", LineInput)
        line.set_class(not self._interval, "-wrong")
        self.judge(getattr(self, "_there", False))

    def job(self) -> ImportJob:
        """Take the frames."""
        from core.data.importers.video.child import import_video_in_child

        sources, value = typed_paths(self.typed), self._interval
        every_s = None if self._frames else value
        every_frames = int(value) if self._frames else None
        anyway = self.anyway
        similar = self.query_one("#similar", RadioSet).pressed_index == 1
        return lambda project, progress, cancelled: [
            import_video_in_child(
                project.path,
                sources,
                every_s=every_s,
                every_frames=every_frames,
                skip_similar=similar,
                anyway=anyway,
                progress=progress,
                cancelled=cancelled,
            )
        ]


class OriginalWay(PathWay):
    """A project of the original Batman, whole."""

    TITLE = "Original"
    LABEL = "Folder of a project of the original Batman"
    PLACEHOLDER = "/data/projects/MyProject"
    PATH = "original"
    ABOUT = "→ completes what you type; the folder with project.json."

    def __init__(self, files: str) -> None:
        super().__init__()
        self._files = FilesChoice(files, "original-files")

    def compose(self) -> ComposeResult:
        """Lay out the path and what becomes of the files."""
        yield from self.path_fields()
        yield self._files

    def look(self, typed: str) -> tuple[bool, str | None]:
        """Return whether a project of the original lies there."""
        path = Path(typed).expanduser()
        folder = path.parent if path.name == "project.json" else path
        return path.exists(), "project" if (folder / "project.json").is_file() else None

    def found(self, there: bool, kind: str | None) -> str:
        """Say whether it is one."""
        if kind is None:
            return "There is no project.json in this folder."
        return "A project: its imports and videos become imports, with where they came from."

    def job(self) -> ImportJob:
        """Import every part of the project."""
        from core.data.importers import import_original

        source, files, anyway = self.path, self._files.mode, self.anyway
        return lambda project, progress, cancelled: import_original(
            project, source, files=files, anyway=anyway, progress=progress, cancelled=cancelled
        )
