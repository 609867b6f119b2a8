"""Cleaning up all classes of a project at once: by a naming convention, or by a mapping file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import work

from batman_tui.project_screen import ProjectScreen
from core.common.errors import BatmanError
from core.common.text import clean, plural
from core.data.store import Project

if TYPE_CHECKING:
    from core.data.classes import ClassRow
    from core.data.classes.similar_names import Convention


class CleanUpScreen(ProjectScreen):
    """A screen whose `rows` are the project's classes; each clean-up is one step to undo."""

    @property
    def rows(self) -> list[ClassRow]:
        """Every class."""
        raise NotImplementedError

    def action_convention(self) -> None:
        """Ask how names shall be written, and write all of them so."""
        from batman_tui.classes.mapping import ConventionDialog

        self.app.push_screen(ConventionDialog(self.rows), self._write_names)

    def _write_names(self, style: Convention | None) -> None:
        if style is None:
            return
        from core.data.classes import list_classes, remap
        from core.data.classes.similar_names import convention_mapping

        self.change(
            lambda project: remap(
                project,
                dict(convention_mapping((row.name for row in list_classes(project)), style)),
                kind="classes.convention",
                summary=f"Names in {style} style",
            ),
            "Every name is written that way already.",
        )

    def action_apply_mapping(self) -> None:
        """Ask for a mapping file, and apply it."""
        from batman_tui.classes.mapping import MappingFileDialog

        folder = self.batman.workspace.root
        self.app.push_screen(MappingFileDialog(self.rows, folder), self._apply_mapping)

    def _apply_mapping(self, file: Path | None) -> None:
        if file is None:
            return
        from core.data.classes.mapping import apply_mapping

        self.change(
            lambda project: apply_mapping(project, file).entry,
            "The classes are as the file wants them already.",
        )

    def action_write_mapping(self) -> None:
        """Ask for a file, and write what the imports' names have become."""
        from batman_tui.widgets.dialogs.dialogs import PromptDialog

        def check(typed: str) -> str:
            path = _path(typed)
            if path.is_dir():
                raise BatmanError("That is a folder.", "Name a file in it.")
            if path.exists():
                return "There is such a file; it will be replaced."
            return "CSV when it ends in .csv, else YAML. f applies it to another project."

        file = self.batman.workspace.root / f"{self.project.name}-classes.yaml"
        self.app.push_screen(
            PromptDialog(
                "Write the mapping",
                label="What every import's own names have become, to:",
                value=str(file),
                button="Write",
                check=check,
            ),
            self._write_to,
        )

    def _write_to(self, typed: str | None) -> None:
        if typed is not None:
            self._write_mapping(_path(typed))

    @work(thread=True, exit_on_error=False, group="changing")
    def _write_mapping(self, file: Path) -> None:
        from core.data.classes.mapping import current_mapping, write_mapping

        with Project.open(self.project) as project:
            mapping = current_mapping(project)
        try:
            write_mapping(mapping, file)
        except OSError as error:
            raise BatmanError(f"{clean(str(file))} cannot be written.", str(error)) from error
        self.post_message(self.Changed(f"{plural(len(mapping), 'name')} written to {file}"))


def _path(typed: str) -> Path:
    """Return the path that is typed. Raises `BatmanError` for one that cannot be."""
    try:
        path = Path(typed).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError):
        raise BatmanError("There can be no such file.") from None
    return path
