"""The check of a project: what is wrong with its data, examples, and putting it right."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import on, work
from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget
from textual.worker import Worker, get_current_worker

from batman_tui.health.finding_details import FindingDetails
from batman_tui.keys import bindings
from batman_tui.pictures.gallery import Gallery, ProjectGallery
from batman_tui.pictures.picture_keys import PictureKeys
from batman_tui.project_screen import ProjectScreen
from batman_tui.widgets.frame.base import Newest
from batman_tui.widgets.panel.list_layout import ListLayout
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.errors import BatmanError, Cancelled
from core.common.text import duration, plural
from core.data.store import Project

if TYPE_CHECKING:
    from core.common.progress import Progress
    from core.data.health import Finding, HealthReport

NOTHING_WRONG = "Nothing is wrong with the data."
IMAGE_SIZE = 640
_ORDER = {"error": 0, "serious": 1, "notice": 2}
_SUBJECTS = {"image": "images", "annotation": "boxes", "class": "classes", "project": "project"}
_MARKS = {"error": "✖ error", "serious": "▲ serious", "notice": "· notice"}


@dataclass(frozen=True)
class FindingLine:
    """A finding in the table: `place` keeps the order of the check within a severity."""

    finding: Finding
    place: int


COLUMNS: tuple[Column[FindingLine], ...] = (
    Column(
        "severity",
        "Severity",
        lambda line: _MARKS[line.finding.severity],
        width=11,
        sort=lambda line: (_ORDER[line.finding.severity], line.place),
    ),
    Column("kind", "Finding", lambda line: line.finding.kind, least=18),
    Column("count", "Rows", lambda line: line.finding.count or None, "number", 7),
    Column("of", "of", lambda line: _SUBJECTS[line.finding.subject], width=7, muted=True),
    Column("fix", "Fix", lambda line: "yes" if line.finding.fix else None, width=4),
)


class HealthScreen(ProjectScreen, PictureKeys):
    """The findings beside what the one with the cursor means."""

    HELP = (
        "First everything but the content of the image files is looked at, then every file is "
        "read; X stops that. f puts a finding right, in one step that u takes back. z gives the "
        "example the whole screen, t shows all images of the finding as thumbnails, p lays those "
        "that are nearly the same side by side."
    )
    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("health"), *bindings("picture")]

    @dataclass
    class Went(Newest):
        """The check went on."""

        progress: Progress
        files: str

    @dataclass
    class Checked(Message):
        """A check came to its end; `images` has the image ids of each kind of finding."""

        report: HealthReport
        images: dict[str, frozenset[int]]

    class Ended(Message):
        """No check is running any more."""

    def __init__(self, project: Path, image_size: int = IMAGE_SIZE) -> None:
        """Make the screen for a project that is to be trained at `image_size` pixels."""
        super().__init__(project)
        self.image_size = image_size
        self.report: HealthReport | None = None
        """What the newest check said, None before there is any."""
        self._worker: Worker[None] | None = None
        self._seen: set[str] = set()
        """Kinds of finding that the newest quick look had."""
        self._read: tuple[Finding, ...] = ()
        """What only reading the files can tell; kept while they are read again."""
        self._fixed = ""
        self.table: VirtualTable[FindingLine] = VirtualTable(
            COLUMNS, lambda line: line.finding.kind, sort="severity", id="health-table"
        )

    def trail(self) -> str:
        """Say whose data is checked."""
        return f"{self.project.name} › Check"

    def body(self) -> Iterable[Widget]:
        """Lay the findings beside the one with the cursor, or above it where it is narrow."""
        yield ListLayout(
            Panel(
                self.table, title="Findings", id="health-panel", empty="Looking …", classes="-list"
            ),
            FindingDetails(self.project, id="finding-details"),
            id="health-body",
        )

    @property
    def running(self) -> bool:
        """Whether a check is running."""
        return self._worker is not None

    @property
    def finding(self) -> Finding | None:
        """The finding with the cursor."""
        return self.table.cursor_row.finding if self.table.cursor_row else None

    # The check, in a thread

    def on_mount(self) -> None:
        """Begin, with the keys at the table."""
        self.table.focus()
        self.reload()

    def reload(self) -> None:
        """Check, again when the project was changed."""
        if self._worker is not None:
            self._worker.cancel()
        self._worker = self._check(self.image_size)
        self._badge("looking")

    @work(thread=True, exclusive=True, exit_on_error=False, group="check")
    def _check(self, image_size: int) -> None:
        """Look quickly, then read the files; the first report is on the screen meanwhile."""
        from core.data.health import check
        from core.data.health.report import finding_images

        worker = get_current_worker()
        passes: Sequence[Literal["look", "read"]] = ("look", "read")
        try:
            with Project.open(self.project) as project:
                for files in passes:
                    report = check(
                        project,
                        image_size,
                        files=files,
                        progress=partial(self._report, files=files),
                        cancelled=lambda: worker.is_cancelled,
                    )
                    images = {item.kind: finding_images(project, item) for item in report.findings}
                    if worker.is_cancelled:
                        return
                    self.post_message(self.Checked(report, images))
                    if not report.images:
                        break
        except Cancelled:
            pass
        except BatmanError:
            if not worker.is_cancelled:
                self.post_message(self.Ended())
            raise
        else:
            self.post_message(self.Ended())

    def _report(self, progress: Progress, files: str) -> None:
        self.post_message(self.Went(progress, files))

    @on(Went)
    def _went(self, message: Went) -> None:
        if not self.running:
            return
        at = message.progress
        if message.files == "read" and at.stage == "images" and at.total:
            self._badge(f"reading images {at.done:,} of {at.total:,}")
        elif message.files == "read":
            self._badge(f"reading {at.stage}")

    @on(Checked)
    def _checked(self, message: Checked) -> None:
        report, images = message.report, message.images
        if report.files == "read":
            self._read = tuple(item for item in report.findings if item.kind not in self._seen)
        else:
            # A fix does not make the others wait for every file to be read again.
            self._seen = {item.kind for item in report.findings}
            left = [item for item in self._read if item.kind not in (*self._seen, self._fixed)]
            found = sorted((*report.findings, *left), key=lambda item: _ORDER[item.severity])
            report = replace(report, findings=tuple(found))
            known = self.batman.findings.get(self.project, {})
            images |= {item.kind: known.get(item.kind, frozenset()) for item in left}
            self._fixed = ""
        self.report = report
        self.batman.findings[self.project] = images
        self.table.set_rows(
            FindingLine(finding, place) for place, finding in enumerate(report.findings)
        )
        self._say_empty()
        self._details()

    @on(Ended)
    def _ended(self) -> None:
        self._worker = None
        self._badge("")
        self._say_empty()
        self.refresh_bindings()

    def _say_empty(self) -> None:
        report = self.report
        text = ""
        if report is None:
            text = "Looking …" if self.running else "The check was stopped. Press r to begin again."
        elif not report.findings and self.running:
            text = "Nothing wrong so far; the image files are being read …"
        elif not report.findings:
            text = (
                f"{NOTHING_WRONG} Looked at {plural(report.images, 'image')} and "
                f"{plural(report.annotations, 'annotation')} in {duration(report.seconds)}."
            )
            if report.files != "read":
                text += " The content of the image files was not looked at; r reads them."
        self.query_one("#health-panel", Panel).empty = text

    def _badge(self, doing: str) -> None:
        """Show how many findings there are, and what is being done."""
        parts: list[str] = []
        if self.report is not None:
            counts = {
                severity: sum(item.severity == severity for item in self.report.findings)
                for severity in _ORDER
            }
            parts = [
                plural(counts["error"], "error") if counts["error"] else "",
                f"{counts['serious']} serious" if counts["serious"] else "",
                plural(counts["notice"], "notice") if counts["notice"] else "",
            ]
            if not doing and self.report.files != "read":
                parts.append("files not read")
        self.query_one("#health-panel", Panel).badge = " · ".join(
            part for part in (*parts, doing) if part
        )

    @on(VirtualTable.Highlighted)
    def _details(self) -> None:
        self.query_one(FindingDetails).finding = self.finding
        self.refresh_bindings()

    @on(VirtualTable.Opened)
    def _clicked(self) -> None:
        self.action_fix()

    # The pictures, for the keys of pictures

    def gallery(self) -> Gallery | None:
        """Return the images of the finding, the examples first."""
        finding = self.finding
        if finding is None:
            return None
        known = self.batman.findings.get(self.project, {}).get(finding.kind, frozenset())
        ids = [*finding.images, *sorted(known - set(finding.images))]
        return ProjectGallery(self.project, ids, f"{self.project.name} › {finding.kind}")

    def here(self) -> int | None:
        """Return the example that is shown."""
        return self.query_one(FindingDetails).image

    def go_to(self, key: Hashable) -> None:
        """Show another example."""
        self.query_one(FindingDetails).go_to(key)

    def _groups(self) -> list[list[int]]:
        """Return the groups of images that are the same or nearly so, if the finding has any."""
        found = self.finding.data.get("groups", []) if self.finding is not None else []
        return [group for group in found if len(group) > 1]

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what the finding with the cursor does not have."""
        finding = self.finding
        if action == "fix":
            return True if finding is not None and finding.fix else None
        if action == "images":
            ids = self.batman.findings.get(self.project, {})
            return True if finding is not None and ids.get(finding.kind) else None
        if action == "label":
            return True if finding is not None and finding.images else None
        if action == "example":
            return True if finding is not None and len(finding.images) > 1 else None
        if action == "pairs":
            return True if self._groups() else None
        if action == "stop":
            return True if self.running else None
        return super().check_action(action, parameters)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say what the finding, or the check, has nothing of."""
        if action == "stop" and not self.running:
            return "No check is running; r checks again."
        if self.finding is None:
            return ""
        return {
            "fix": "This finding has no fix: it takes a person to put it right.",
            "example": "The finding has no other example.",
            "pairs": "Only findings of look-alikes have pairs to lay side by side.",
        }.get(action, "")

    def action_example(self, step: int) -> None:
        """Show the next example of the finding, or the one before."""
        self.query_one(FindingDetails).turn(step)

    def action_pairs(self) -> None:
        """Lay images that are nearly the same side by side."""
        from batman_tui.pictures.pair_screen import PairScreen

        if self.finding is not None and self._groups():
            title = f"{self.project.name} › {self.finding.kind}"
            self.app.push_screen(PairScreen(self.project, self._groups(), title))

    def action_images(self) -> None:
        """List all images of the finding."""
        if self.finding is not None:
            shown = self.query_one(FindingDetails).image_id
            self.batman.open_images(self.project, f"finding:{self.finding.kind}", shown)

    def action_label(self) -> None:
        """Label the picture that is shown."""
        shown = self.query_one(FindingDetails).image_id
        if shown is not None:
            self.batman.open_label(self.project, image_id=shown)

    def action_stop(self) -> None:
        """Stop the check; what was found so far stays."""
        if self._worker is not None:
            self._worker.cancel()
            self._ended()

    def action_again(self) -> None:
        """Check again."""
        self.reload()

    def action_size(self) -> None:
        """Ask for the training size that boxes are judged by."""
        from batman_tui.widgets.dialogs.dialogs import PromptDialog

        def check(text: str) -> str:
            if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 10_000):
                raise BatmanError("A size is a number of pixels, such as 640.")
            return "Boxes that are smaller than 8×8 pixels at this size are hard to learn."

        def sized(text: str | None) -> None:
            if text is not None:
                self.image_size = int(text)
                self.reload()

        self.app.push_screen(
            PromptDialog(
                "Training image size",
                label="Pixels",
                value=str(self.image_size),
                button="Check",
                check=check,
            ),
            sized,
        )

    def action_fix(self) -> None:
        """Ask, saying what will be done, and put the finding right."""
        finding = self.finding
        if finding is None or finding.fix is None:
            return
        from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
        from core.data.health import fix

        lines = [
            f"{finding.message}",
            f"Fix: {finding.fix}.",
            "It is one step: u takes it back. Image files are never changed or deleted.",
        ]
        wanted = replace(finding)

        def agreed(yes: bool | None) -> None:
            if yes:
                self._fixed = wanted.kind
                self.change(lambda project: fix(project, wanted), "There was nothing left to fix.")

        self.app.push_screen(
            ConfirmDialog(f"Fix {finding.kind}?", lines, yes="Fix", no="Leave", danger=False),
            agreed,
        )
