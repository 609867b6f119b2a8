"""What a person takes from the jobs screen: text to copy, a table as a file, a shell on a node."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from textual.app import App, SuspendNotSupported

from batman_tui.services import services_of
from batman_tui.widgets.dialogs.pick import Item, PickDialog
from core.common.errors import BatmanError
from core.common.files import write_atomic
from core.common.lists.export import as_csv, as_markdown
from core.common.text import clean
from core.common.workspace import Workspace
from slurm.queue.arrays import JobLine
from slurm.queue.columns import export_rows
from slurm.queue.jobs import Job
from slurm.queue.node_shell import shell_command, shell_places
from slurm.site.profiles import Profile

# A shell that ends sooner has hardly been used: what it said is why it could not be had.
SOON_S = 5.0


def file_for(workspace: Workspace, folder: str, name: str) -> Path:
    """Return a file in a folder of the workspace; of `name` what no file's name holds is left."""
    return workspace.root / folder / re.sub(r"[^\w.+-]+", "-", name)


def job_text(facts: dict[str, str], lines: Sequence[JobLine]) -> str:
    """Return a job's facts, one a line, and below them the lines of a list as Markdown."""
    told = [f"{name}: {value}" for name, value in facts.items() if value]
    return "\n".join([*told, "", as_markdown(*export_rows(lines))])


def write_table(lines: Sequence[JobLine], file: Path) -> str:
    """Write lines as CSV and return what to tell. Raises BatmanError where that cannot be."""
    return write_file(file, as_csv(*export_rows(lines)))


def write_file(file: Path, text: str) -> str:
    """Write a text and return what to tell. Raises BatmanError where that cannot be."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, text)
    except OSError as error:
        raise BatmanError(f"{clean(str(file))} cannot be written.", str(error)) from error
    return f"Written to {clean(str(file))}"


def ask_shell(app: App[int], profile: Profile, line: JobLine) -> None:
    """Open a shell on the node of a job; of several nodes, or tasks that run, on a chosen one.

    Raises BatmanError for a job that does not run, and where the terminal cannot be given away.
    """
    places = shell_places(line.jobs)
    if len(places) < 2:
        services_of(app).tell(open_shell(app, profile, line.job, ""))
        return

    def chosen(value: str | None) -> None:
        if value is not None:
            job, node = places[int(value)]
            services_of(app).tell(open_shell(app, profile, job, node))

    items = [Item(str(at), node, job.id) for at, (job, node) in enumerate(places)]
    app.push_screen(PickDialog(f"Shell on job {line.id}", items, text="On which node?"), chosen)


def open_shell(app: App[int], profile: Profile, job: Job, node: str) -> str:
    """Give the terminal to a shell on a job's node until it ends; return what to tell.

    `node` may be empty where it has one only. Raises BatmanError as `ask_shell` does.
    """
    command = shell_command(profile, job, node)
    failed = ""
    try:
        with app.suspend():
            # `suspend` hangs if its body raises.
            try:
                code = _in_terminal(command)
            except OSError as error:
                code, failed = 1, str(error)
    except SuspendNotSupported:
        raise BatmanError(
            "This terminal cannot be given to a shell: the app runs in a browser, or without one.",
            f"In a terminal: {clean(shlex.join(_words(profile, job, node)))}",
        ) from None
    if failed:
        raise BatmanError("The shell could not be started.", failed)
    return f"The shell on job {clean(job.id)} has ended" + (f" ({code})." if code else ".")


def _words(profile: Profile, job: Job, node: str) -> list[str]:
    """Return the command that does the same where there is a terminal."""
    words = ["batman", "jobs", "shell", job.id, "--cluster", profile.name]
    return [*words, "--node", node] if node else words


def _in_terminal(command: Sequence[str]) -> int:
    """Run a shell on the terminal; one that ends at once and not well stays until it is read."""
    began = time.monotonic()
    try:
        code = subprocess.call(command)
    except KeyboardInterrupt:
        code = 130
    if code and time.monotonic() - began < SOON_S:
        with suppress(EOFError, KeyboardInterrupt):
            input(f"\nIt ended with {code}. Enter goes back to Batman. ")
    return code
