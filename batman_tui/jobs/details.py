"""The job with the cursor: what is known of it, its log as it grows, what it uses; what is free."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.timer import Timer

from batman_tui.jobs.lines import FACTS, Room, facts_of, room_columns
from batman_tui.jobs.taking import file_for, job_text
from batman_tui.widgets.dialogs.text_dialog import TextDialog
from batman_tui.widgets.panel.facts import Facts
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.panel.tabs import LogPanel, TabbedPanels
from batman_tui.widgets.table.table import VirtualTable
from core.common.errors import BatmanError
from slurm.hosts import Host, HostError
from slurm.job.record import JobRecord
from slurm.queue.arrays import JobLine
from slurm.queue.job_detail import JobLog, JobUse, job_use, log_files, show_job
from slurm.queue.jobs import Job
from slurm.queue.node_shell import batch_script
from slurm.queue.priority import ask_priority
from slurm.watch.cluster_jobs import Watched

# The cursor rests this long on a job before its details are asked for.
REST_SECONDS = 0.4
# And this long before they are shown: laying them out takes longer than moving the cursor.
GLANCE_SECONDS = 0.06
# A log is a file: looking at it costs SLURM nothing.
LOG_SECONDS = 2.0
NOTHING_FREE = "What is free is not known yet."


class JobDetails(TabbedPanels):
    """Shows one job of a cluster, and what is free there.

    It is told of the cluster (`show_cluster`), of every look at it (`show_look`) and of every job
    that gets the cursor (`show_job`); where its log is and what it uses it asks by itself.
    """

    TABS = {"job": "Job", "log": "Log", "free": "Free"}
    BESIDE = "job"
    DEFAULT_CSS = "JobDetails #job-facts { height: 1fr; scrollbar-size-vertical: 1; }"

    @dataclass
    class Located(Message):
        """Where the logs of a job are."""

        job_id: str
        logs: list[str]

    @dataclass
    class Scripted(Message):
        """The batch script of a job came."""

        job_id: str
        text: str

    @dataclass
    class Used(Message):
        """What a job uses."""

        job_id: str
        use: JobUse

    @dataclass
    class Logged(Message):
        """The log of a job has new lines, or began anew."""

        log: JobLog
        restarted: bool

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.set_reactive(JobDetails.tab, "job")
        self.line: JobLine | None = None
        self.logs: dict[str, list[str]] = {}
        """Where the logs of jobs are, the output first, as far as it was asked."""
        self.shown_log: JobLog | None = None
        """The log that is shown."""
        self._host: Host | None = None
        self._watched: Watched | None = None
        self._uses: dict[str, JobUse] = {}
        self._log_ended = False
        self._errors = False
        self._reading = False
        self._fresh: deque[str] = deque()
        self._rest: Timer | None = None
        self._no_job = False
        self._stands_in = False
        """Whether what is free is shown because there is no job to tell of."""

    def compose(self) -> ComposeResult:
        """Lay out the three panels."""
        yield Panel(
            VerticalScroll(Facts(FACTS, id="facts"), id="job-facts"), title="Job", id="tab-job"
        )
        yield Panel(
            VirtualTable[Room](room_columns(), lambda room: (room.kind, room.name), id="rooms"),
            title="Free",
            id="tab-free",
            empty=NOTHING_FREE,
        )
        yield LogPanel(id="tab-log")

    def on_mount(self) -> None:
        """Begin to follow logs."""
        self.set_interval(LOG_SECONDS, self.tail)

    # -- what to show ----------------------------------------------------------------------------

    def show_cluster(self, host: Host) -> None:
        """Show another cluster's jobs, reached by `host`: what was known of jobs is forgotten."""
        self._host, self._watched = host, None
        self.logs, self._uses, self.shown_log = {}, {}, None

    def show_look(self, watched: Watched, line: JobLine | None, free: Sequence[Room]) -> None:
        """Show what a look found: of the job with the cursor, and what is free."""
        before, self._watched, self.line = self.line, watched, line
        self.query_one("#rooms", VirtualTable).set_rows(free)
        self.query_one("#tab-free", Panel).empty = "" if free else NOTHING_FREE
        self._show_facts()
        if (line is None) != self._no_job:
            self._no_job = line is None
            if self._no_job and self.tab == "job":
                self.tab, self._stands_in = "free", True
            elif self._stands_in and not self._no_job:
                self.tab = "job" if self.tab == "free" else self.tab
                self._stands_in = False
        if (
            before is not None
            and line is not None
            and before.id == line.id
            and before.job.id != line.job.id
        ):
            # Of an array another task tells most now, and its log is the one to follow.
            self._rested()

    def show_job(self, line: JobLine | None) -> None:
        """Show another job, once the cursor stays on it."""
        self.line = line
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(GLANCE_SECONDS, self._glanced)

    def _glanced(self) -> None:
        self._show_facts()
        # Another job's log must not stand beside it.
        self._follow_log(self.line.job.id if self.line and self.line.job.id in self.logs else None)
        self._rest = self.set_timer(REST_SECONDS - GLANCE_SECONDS, self._rested)

    def _rested(self) -> None:
        """The cursor stays: read the job's log, and ask where it is if that is not known."""
        line, host, watched = self.line, self._host, self._watched
        if line is None or host is None or watched is None:
            self._follow_log(None)
            return
        record = watched.records.get(line.job.id)
        if line.job.id not in self.logs and record is not None and record.log:
            self.logs[line.job.id] = [record.log]
            self._show_facts()
        if line.job.id in self.logs:
            self._follow_log(line.job.id)
            return
        self._follow_log(None)
        self._locate(host, line)

    def _show_facts(self) -> None:
        facts, line = self.query_one("#facts", Facts), self.line
        if line is None:
            for name in FACTS:
                facts.say(name, "")
            return
        said = self._told_of(line)
        for name, text in said.items():
            facts.say(name, text, wrong=name == "state" and line.job.state.name == "FAILED")

    def _told_of(self, line: JobLine) -> dict[str, str]:
        logs, use = self.logs.get(line.job.id), self._uses.get(line.job.id)
        return facts_of(line, self.batman.now(), logs, use)

    # -- what is asked for -----------------------------------------------------------------------

    @work(thread=True, exit_on_error=False, group="detail", exclusive=True)
    def _locate(self, host: Host, line: JobLine) -> None:
        try:
            logs = log_files(host, line.job, show_job(host, line.job.id), None)
        except HostError:
            # The queue's own look says what is wrong with the host.
            return
        if host is self._host:
            self.post_message(self.Located(line.job.id, logs))

    @on(Located)
    def _located(self, message: Located) -> None:
        self.logs[message.job_id] = message.logs
        if self.line is not None and self.line.job.id == message.job_id:
            self._show_facts()
            self._follow_log(message.job_id)

    def ask_usage(self) -> None:
        """Ask the nodes of a running job for GPU and memory use, of one that waits its priority."""
        if self.line is None or self._host is None:
            return
        self.tab = "job"
        self.query_one("#facts", Facts).say("uses", "asking …")
        self._ask_usage(self._host, self.line)

    @work(thread=True, exit_on_error=False, group="usage", exclusive=True)
    def _ask_usage(self, host: Host, line: JobLine) -> None:
        try:
            if line.job.state.waiting:
                found = ask_priority(host, line.job)
                use = JobUse(said=f"priority {found.words if found else 'is not told there'}")
            else:
                use = job_use(host, line.job)
        except BatmanError as error:
            use = JobUse(problems=(error.message,))
        if host is self._host:
            self.post_message(self.Used(line.job.id, use))

    @on(Used)
    def _used(self, message: Used) -> None:
        self._uses[message.job_id] = message.use
        if self.line is not None and self.line.job.id == message.job_id:
            self._show_facts()

    # -- what is taken from here -----------------------------------------------------------------

    def copy(self, lines: Sequence[JobLine], cluster: str) -> None:
        """Show the log, if it has the focus, else the job and `lines`, to copy or to write."""
        line, focused = self.line, self.screen.focused
        if line is None:
            return
        workspace = self.batman.workspace
        if focused is not None and self.log_panel in focused.ancestors_with_self:
            file = file_for(workspace, "logs", f"job-{line.id}.log")
            self._show_text(f"Log of job {line.id}", "\n".join(self.log_panel.view.lines), file)
            return
        file = file_for(workspace, "exports", f"jobs-{cluster}.md")
        self._show_text(f"Job {line.id}, and the list", job_text(self._told_of(line), lines), file)

    def _show_text(self, title: str, text: str, file: Path) -> None:
        self.app.push_screen(TextDialog(title, text, file=file))

    def ask_script(self) -> None:
        """Have the job's batch script brought, and show it."""
        if self.line is not None and self._host is not None and self._watched is not None:
            record = self._watched.records.get(self.line.job.id)
            self._ask_script(self._host, self.line.job, record)

    @work(thread=True, exit_on_error=False, group="script", exclusive=True)
    def _ask_script(self, host: Host, job: Job, record: JobRecord | None) -> None:
        self.post_message(self.Scripted(job.id, batch_script(host, job, record)))

    @on(Scripted)
    def _scripted(self, message: Scripted) -> None:
        file = file_for(self.batman.workspace, "logs", f"job-{message.job_id}.sh")
        self._show_text(f"Script of job {message.job_id}", message.text, file)

    # -- its log ---------------------------------------------------------------------------------

    def flip_output(self) -> None:
        """Show the job's error output instead of its output, or the other way round.

        Raises BatmanError where both go to one file.
        """
        if self.line is None:
            return
        if len(self.logs.get(self.line.job.id, [])) < 2:
            raise BatmanError("The output and the errors of this job are in one file.")
        self._errors = not self._errors
        self._follow_log(self.line.job.id)

    def _follow_log(self, job_id: str | None) -> None:
        paths = self.logs.get(job_id, []) if job_id else []
        path = paths[min(int(self._errors), len(paths) - 1)] if paths else None
        panel = self.log_panel
        panel.badge = "" if len(paths) < 2 else "errors" if self._errors else "output"
        if self.shown_log is not None and self.shown_log.path == path:
            return
        panel.view.clear()
        self._fresh.clear()
        self.shown_log, self._log_ended = None, False
        if path is None or self._host is None:
            panel.empty = "" if job_id is None else "Where its log is, nobody knows any more."
            if job_id is not None and self.line is not None and not self.line.job.state.ended:
                panel.empty = "It writes no log, as far as the cluster tells."
            return
        panel.empty = "The log is empty so far."
        self.shown_log = JobLog(self._host, path)
        self.tail()

    def tail(self) -> None:
        """Read what is new in the log, while the screen is in front."""
        line, log = self.line, self.shown_log
        if log is None or line is None or self._reading or not self.screen.is_active:
            return
        if line.job.state.ended:
            # Once more after its end, for what was written last.
            if self._log_ended:
                return
            self._log_ended = True
        self._reading = True
        self._read_log(log)

    @work(thread=True, exit_on_error=False, group="log")
    def _read_log(self, log: JobLog) -> None:
        try:
            lines = log.poll()
        except HostError:
            self._log_ended = False
            return
        finally:
            self._reading = False
        if log is self.shown_log and (lines or log.restarted):
            self._fresh.extend(lines)
            self.post_message(self.Logged(log, log.restarted))

    @on(Logged)
    def _logged(self, message: Logged) -> None:
        if message.log is not self.shown_log:
            return
        panel = self.log_panel
        if message.restarted and panel.view.lines:
            panel.view.append(["── the log began anew ──"])
        lines = []
        while self._fresh:
            lines.append(self._fresh.popleft())
        panel.view.append(lines)
        panel.empty = ""
