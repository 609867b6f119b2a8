"""Ways in from the disk: a data set, videos, and a project of the original Batman."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, RadioSet, Static

from batman_tui.imports.import_way import FilesChoice, ImportJob, Line, PathWay
from batman_tui.widgets.form.choice import Choice
from batman_tui.widgets.form.field import Choice as OneOf
from batman_tui.widgets.form.line_input import LineInput
from core.common.errors import BatmanError
from core.common.text import plural
from core.data.importers.detect_format import COCO, KINDS, Recognised, recognise, typed_paths

if TYPE_CHECKING:
    from core.data.importers import ImportRow


class FolderWay(PathWay):
    """A data set in a folder; its format is seen from its files."""

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
        self._kind = OneOf([kind.title for kind in KINDS], COCO.title)
        self._kind.id = "kind"

    def compose(self) -> ComposeResult:
        """Lay out the path, the format and what becomes of the files."""
        yield from self.path_fields()
        yield Line("Format", self._kind)
        yield self._files

    def look(self, typed: str) -> tuple[bool, str | None]:
        """Return the format of what lies there."""
        path = Path(typed).expanduser()
        self._before = self._imported(path)
        self._seen = seen = recognise(path)
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
        known = next((item for item in KINDS if item.name == kind), None)
        if known is not None:
            self._kind.value = known.title
        before, seen = self._before, self._seen
        if before is not None:
            return (
                f"The project has it already: import {before.id},"
                f" {plural(before.images, 'image')}. It would come in once more."
            )
        if known is not None:
            return f"This looks like {known.title}."
        if seen is None:
            return "No data set is recognised here: choose the format."
        return f"This looks like {seen.title}. {seen.instead or 'See the way in by that name.'}"

    def job(self) -> ImportJob:
        """Import the folder as the chosen format."""
        from core.data.importers.import_named import import_named

        name = next(kind.name for kind in KINDS if kind.title == self._kind.value)
        source, files, anyway = self.path, self._files.mode, self.anyway
        return lambda project, progress, cancelled: [
            import_named(
                project,
                source,
                name,
                files=files,
                anyway=anyway,
                progress=progress,
                cancelled=cancelled,
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
        from core.data.importers import import_video

        sources, value = typed_paths(self.typed), self._interval
        every_s = None if self._frames else value
        every_frames = int(value) if self._frames else None
        anyway = self.anyway
        similar = self.query_one("#similar", RadioSet).pressed_index == 1
        return lambda project, progress, cancelled: [
            import_video(
                project,
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
