"""The job with the cursor: what is known of it, its log as it grows, what it uses."""

from __future__ import annotations

from collections import deque

from textual import on, work
from textual.message import Message
from textual.reactive import reactive

from batman_tui.jobs.control import JobsControl
from batman_tui.jobs.lines import FACTS, facts_of
from batman_tui.widgets.panel.facts import Facts
from batman_tui.widgets.panel.log_view import LogView
from batman_tui.widgets.panel.panel import Panel
from batman_tui.widgets.table.filter import FilterInput
from batman_tui.widgets.table.table import VirtualTable
from core.common.errors import BatmanError
from slurm.hosts import HostError
from slurm.queue.arrays import JobLine
from slurm.queue.job_detail import JobDetail, JobLog, JobUse, job_use, log_files, show_job
from slurm.watch.cluster_jobs import QueueWatch, Watched


class JobsDetails(JobsControl):
    """The part of the jobs screen that shows one job."""

    watched: reactive[Watched | None] = reactive(None, init=False, repaint=False)

    class Detailed(Message):
        """What is known of the job with the cursor, besides what the queue tells."""

        def __init__(
            self, job_id: str, logs: list[str], use: JobUse | None, problem: str = ""
        ) -> None:
            super().__init__()
            self.job_id = job_id
            self.logs = logs
            self.use = use
            self.problem = problem

    class Logged(Message):
        """The log of a job has new lines, or began anew."""

        def __init__(self, log: JobLog, restarted: bool) -> None:
            super().__init__()
            self.log = log
            self.restarted = restarted

    def __init__(self) -> None:
        super().__init__()
        self._watch: QueueWatch | None = None
        self._logs: dict[str, list[str]] = {}
        self._uses: dict[str, JobUse] = {}
        self._log: JobLog | None = None
        self._log_ended = False
        self._errors = False
        self._reading = False
        self._fresh: deque[str] = deque()

    def forget(self) -> None:
        """Forget what was known of jobs, for another cluster is shown."""
        self._logs, self._uses, self._log = {}, {}, None

    @property
    def table(self) -> VirtualTable[JobLine]:
        """The list of jobs."""
        return self.query_one("#jobs", VirtualTable)

    @property
    def chosen(self) -> JobLine | None:
        """The line with the cursor."""
        return self.table.cursor_row

    def _details(self) -> None:
        """Show what the queue tells of the job."""
        facts = self.query_one("#facts", Facts)
        line = self.chosen
        if line is None:
            for name in FACTS:
                facts.say(name, "")
            return
        said = facts_of(line, self.batman.now(), self._logs.get(line.id), self._uses.get(line.id))
        for name, text in said.items():
            facts.say(name, text, wrong=name == "state" and line.job.state.name == "FAILED")

    def _rested(self) -> None:
        """The cursor stays: read the job's log, and ask where it is if that is not known."""
        line, watch, watched = self.chosen, self._watch, self.watched
        if line is None or watch is None or watched is None:
            self._follow_log(None)
            return
        if line.id in self._logs:
            self._follow_log(line.id)
            return
        record = watched.records.get(line.job.id)
        if record is not None and record.log:
            self._logs[line.id] = [record.log]
            self._follow_log(line.id)
            self._details()
            return
        self._follow_log(None)
        self._ask_detail(watch, line)

    @work(thread=True, exit_on_error=False, group="detail", exclusive=True)
    def _ask_detail(self, watch: QueueWatch, line: JobLine) -> None:
        try:
            detail: JobDetail | None = show_job(watch.host, line.job.id)
            logs = log_files(watch.host, line.job, detail, None)
        except HostError:
            # The queue's own look says what is wrong with the host.
            return
        if watch is self._watch:
            self.post_message(self.Detailed(line.id, logs, None))

    @on(Detailed)
    def _detailed(self, message: Detailed) -> None:
        if message.use is not None:
            self._uses[message.job_id] = message.use
        else:
            self._logs[message.job_id] = message.logs
        if self.chosen is not None and self.chosen.id == message.job_id:
            self._details()
            if message.use is None:
                self._follow_log(message.job_id)

    # -- its log ---------------------------------------------------------------------------------

    def _follow_log(self, job_id: str | None) -> None:
        paths = self._logs.get(job_id, []) if job_id else []
        path = paths[min(int(self._errors), len(paths) - 1)] if paths else None
        watch = self._watch
        panel = self.query_one("#tab-log", Panel)
        panel.badge = "" if len(paths) < 2 else "errors" if self._errors else "output"
        if self._log is not None and self._log.path == path:
            return
        self.query_one(LogView).clear()
        self._fresh.clear()
        self._log, self._log_ended = None, False
        if path is None or watch is None:
            panel.empty = "" if job_id is None else "Where its log is, nobody knows any more."
            return
        panel.empty = "The log is empty so far."
        self._log = JobLog(watch.host, path)
        self._tail()

    def _tail(self) -> None:
        line, log = self.chosen, self._log
        if log is None or line is None or self._reading:
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
        if log is self._log and (lines or log.restarted):
            self._fresh.extend(lines)
            self.post_message(self.Logged(log, log.restarted))

    @on(Logged)
    def _logged(self, message: Logged) -> None:
        if message.log is not self._log:
            return
        view = self.query_one(LogView)
        if message.restarted and view.lines:
            view.append(["── the log began anew ──"])
        lines = []
        while self._fresh:
            lines.append(self._fresh.popleft())
        view.append(lines)
        self.query_one("#tab-log", Panel).empty = ""

    def action_output(self) -> None:
        """Show the job's error output instead of its output, or the other way round.

        Raises BatmanError where both go to one file.
        """
        line = self.chosen
        if line is None:
            return
        if len(self._logs.get(line.id, [])) < 2:
            raise BatmanError("The output and the errors of this job are in one file.")
        self._errors = not self._errors
        self._follow_log(line.id)

    @on(FilterInput.Filter, "#log-search")
    def _search(self, message: FilterInput.Filter) -> None:
        log = self.query_one(LogView)
        log.search = message.text
        if message.done:
            log.focus()

    @on(LogView.Searched)
    def _searched(self, message: LogView.Searched) -> None:
        found = f"{message.at} of {message.count}" if message.count else "not found"
        self.query_one("#tab-log").border_subtitle = found if message.view.search else ""

    def action_usage(self) -> None:
        """Ask the nodes of a running job for GPU and memory use."""
        line, watch = self.chosen, self._watch
        if line is None or watch is None:
            return
        self.tab = "job"
        self.query_one("#facts", Facts).say("uses", "asking its nodes …")
        self._ask_usage(watch, line)

    @work(thread=True, exit_on_error=False, group="usage", exclusive=True)
    def _ask_usage(self, watch: QueueWatch, line: JobLine) -> None:
        try:
            use = job_use(watch.host, line.job)
        except BatmanError as error:
            use = JobUse(problems=(error.message,))
        self.post_message(self.Detailed(line.id, [], use))
