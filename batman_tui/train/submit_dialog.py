"""Training on a cluster: which one, on which GPU, for how long, what follows, and off it goes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from batman_tui.cluster.work import ClusterWork
from batman_tui.connections import host_of
from batman_tui.keys import bindings
from batman_tui.widgets.form.field import Field, FieldSteps, editors
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.table.table import Column, VirtualTable
from core.common.errors import BatmanError, Cancelled
from core.common.progress import Progress
from core.common.text import duration, plural, sentence, whole_number
from core.training.config.options import parse_config
from core.training.config.sweep import EXAMPLE
from core.training.run_list.time_estimate import TimeEstimate, estimate, on_gpu_type
from slurm.job.record import CHECKPOINTS
from slurm.site.discover import Facts, discover
from slurm.site.gpu_kinds import is_share
from slurm.site.profiles import Profile
from slurm.site.site import Site, open_site
from slurm.submit.pipeline import Order, make_order, preview, send_order
from slurm.submit.plan import gpu_table
from slurm.submit.request import JobRequest
from slurm.submit.start_estimate import Soonest, soonest
from slurm.watch.cluster_jobs import clusters

NO_CLUSTER = "No cluster is known. Add one on the jobs screen (3) with n, or batman clusters add."
_HINTS = {
    "time": "such as 10h; empty: profile's",
    "partition": "empty: the GPU's own",
    "memory": "on each node, such as 64G",
    "constraint": "such as gpu_mem_80&rack1",
    "share": "shards, or hundredths by MPS",
    "account": "empty: the profile's",
    "sweep": EXAMPLE,
    "parallel": "runs of a sweep at once",
}
_LABELS = {
    "time": "Time limit", "parallel": "At once", "constraint": "Features", "share": "Of a GPU",
}  # fmt: skip


@dataclass(frozen=True)
class Submitted:
    """What was submitted: the job's number, the cluster, how many runs it trains, the first."""

    job: str
    cluster: str
    runs: int
    run: str


def when_words(row: Soonest, now: float) -> str:
    """Return when a job could start on a type of GPU, or why it cannot."""
    if row.start is None:
        return row.why_not or "not known"
    return "now" if row.start <= now + 60 else f"in {duration(row.start - now)}"


def _columns() -> list[Column[Soonest]]:
    return [
        Column("gpu", "GPU", lambda row: row.gpu, width=14),
        Column("free", "Free", lambda row: f"{row.free}/{row.total}", width=7,
               sort=lambda row: row.free),
        # Where it would leave too little for why a job cannot start, the line below names it.
        Column("partition", "Partition", lambda row: row.partition, width=12, from_width=80,
               muted=True),
        Column("when", "Could start", lambda row: when_words(row, time.time()), least=14,
               sort=lambda row: row.start),
    ]  # fmt: skip


class SubmitDialog(FieldSteps, ClusterWork[Submitted]):
    """Submits the training that `values` describe (options of `TrainingConfig`) to a cluster.

    `request` and `cluster` are what the fields begin with; `images` by split are what it would
    learn, None where that is not known. The result is what was submitted. Escape
    gives up while nothing is submitted.
    """

    HELP = (
        "The cluster says when a job could start on each type of GPU; choose one with the arrow "
        "keys. Tab goes to the fields; what the cluster cannot give is said below them."
    )
    DEFAULT_CSS = """
    SubmitDialog {
        & > .dialog { width: 88; padding: 0 1; }
        #soonest { height: 4; margin-bottom: 1; background: $surface; }
        #submit-form { height: auto; scrollbar-size-vertical: 1; }
        #submit-says { height: auto; min-height: 2; margin-top: 1; }
        &.-short > .dialog { height: 100%; }
        &.-short #submit-form { height: 1fr; }
        &.-short #soonest { max-height: 5; }
        &.-short #submit-says { min-height: 1; max-height: 3; margin-top: 0; }
    }
    """
    # With eight types of GPU and three lines below, it is 24 lines high.
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = bindings("submit")
    SAYS = "#submit-says"

    @dataclass
    class Answered(Message):
        """The cluster said what it has, or `error` why not."""

        profile: Profile
        site: Site | None
        facts: Facts | None
        rows: Sequence[Soonest]
        times: Sequence[TimeEstimate] = ()
        error: BatmanError | None = None

    @dataclass
    class Ended(Message):
        """It was submitted, or `error` says why not."""

        result: Submitted | None
        error: BatmanError | None = None

    def __init__(
        self,
        values: Mapping[str, Any],
        *,
        request: JobRequest | None = None,
        cluster: str = "",
        images: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self._values = dict(values)
        self._request = request or JobRequest()
        self._cluster = cluster
        self._profiles: list[Profile] = []
        self._site: Site | None = None
        self._facts: Facts | None = None
        self._order: Order | None = None
        self._images = dict(images or {})
        self._times: Sequence[TimeEstimate] = ()

    def compose(self) -> ComposeResult:
        """Lay out the cluster, its GPUs, the fields, what follows and the keys."""
        self._profiles = clusters()
        names = [profile.name for profile in self._profiles]
        asked = self._request
        texts = {
            "time": asked.time,
            "partition": asked.partition,
            "memory": asked.memory,
            "constraint": asked.constraint,
            "share": "" if asked.share is None else str(asked.share),
            "account": asked.account,
            "sweep": " ".join(asked.sweep),
            "parallel": "" if asked.parallel is None else str(asked.parallel),
        }
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Train on a cluster"
            with VerticalScroll(id="submit-form", can_focus=False):
                if names:
                    first = self._cluster if self._cluster in names else names[0]
                    yield Field("cluster", "Cluster", first, options=names)
                yield VirtualTable[Soonest](_columns(), lambda row: row.gpu, id="soonest")
                for name, text in texts.items():
                    title = _LABELS.get(name, name.capitalize())
                    yield Field(name, title, text, hint=_HINTS[name])
                yield Field(
                    "checkpoints",
                    "Bring back",
                    asked.checkpoints,
                    options=CHECKPOINTS,
                    hint="checkpoints, beside the best",
                )
            yield Static("", markup=False, id="submit-says")
            yield KeyBar()

    def on_mount(self) -> None:
        """Ask the cluster."""
        self.query_one("#soonest").focus()
        self._offer()
        if not self._profiles:
            self.say(NO_CLUSTER, wrong=True)
            return
        self.action_ask()

    # -- asking ----------------------------------------------------------------------------------

    @property
    def profile(self) -> Profile | None:
        """The cluster that is chosen."""
        if not self._profiles:
            return None
        name = self.query_one("#field-cluster", Field).text
        return next(profile for profile in self._profiles if profile.name == name)

    def action_ask(self) -> None:
        """Ask the cluster what is free and when a job could start."""
        profile = self.profile
        if profile is None or self.working is not None:
            return
        self._site = self._facts = self._order = None
        self.query_one("#soonest", VirtualTable).set_rows([])
        self.say(f"Asking {profile.name} when the job could start …")
        self._ask(profile, self._read())

    @work(thread=True, exclusive=True, exit_on_error=False, group="ask")
    def _ask(self, profile: Profile, request: JobRequest) -> None:
        try:
            host = host_of(self.app, profile)
            site = open_site(host, profile, self.batman.workspace)
            facts = discover(host)
            config = parse_config(self._values)
            rows = soonest(host, profile, request, facts, config.num_gpus, config.num_nodes)
            times = estimate(self.batman.run_index.list(), config, self._images)
        except BatmanError as error:
            self.post_message(self.Answered(profile, None, None, (), error=error))
        else:
            self.post_message(self.Answered(profile, site, facts, rows, times))

    @on(Answered)
    def _answered(self, message: Answered) -> None:
        if message.profile is not self.profile:
            return
        if message.error is not None:
            self.say(f"{message.error.message} {message.error.hint} F5 asks again.", wrong=True)
            return
        self._site, self._facts, self._times = message.site, message.facts, message.times
        table = self.query_one("#soonest", VirtualTable)
        table.set_rows(message.rows)
        table.styles.height = min(8, max(3, len(message.rows) + 1))
        if self._request.gpu:
            table.move_to(self._request.gpu)
        self._follow()

    # -- what follows ----------------------------------------------------------------------------

    def _read(self) -> JobRequest:
        """Return what stands in the fields."""
        texts = {field.option: field.text.strip() for field in self.query(Field)}
        row = self.query_one("#soonest", VirtualTable).cursor_row
        number = texts["parallel"]
        share = texts["share"] if self.query_one("#field-share", Field).display else ""
        begun = self._request
        return replace(
            begun,
            gpu=row.gpu if row is not None else "",
            time=texts["time"],
            partition=texts["partition"],
            memory=texts["memory"],
            constraint=texts["constraint"],
            share=whole_number(share) or None,
            account=texts["account"],
            # What was chosen for one type of GPU says nothing about another.
            cpus=begun.cpus if row is not None and row.gpu == begun.gpu else None,
            sweep=tuple(texts["sweep"].split()),
            checkpoints=texts["checkpoints"],
            parallel=whole_number(number) or None,
        )

    def _offer(self) -> None:
        """Show the fields that the chosen GPU has a use for, with what there is."""
        row = self.query_one("#soonest", VirtualTable).cursor_row
        gpus = gpu_table(self.profile, self._facts) if self.profile and self._facts else {}
        gpu = gpus.get(row.gpu) if row is not None else None
        features = self._facts.features(gpu.kind if gpu else None) if self._facts else []
        field = self.query_one("#field-constraint", Field)
        field.display = bool(features or field.text)
        field.say(", ".join(features) or _HINTS["constraint"])
        field = self.query_one("#field-share", Field)
        field.display = gpu is not None and is_share(gpu.kind)
        if gpu is not None and gpu.max_per_node:
            field.say(f"of {gpu.max_per_node}; empty: {gpu.share}")

    def _follow(self) -> None:
        """Say what would be submitted, or what is wrong."""
        self._order = None
        self._offer()
        if self._site is None or self._facts is None or self.working is not None:
            return
        try:
            self._order = make_order(self._site, self._facts, self._values, self._read())
        except BatmanError as error:
            self.say(f"{error.message} {error.hint}", wrong=True)
            return
        self.say(f"{order_words(self._order)} {self._time_words(self._order)}".rstrip())

    def _time_words(self, order: Order) -> str:
        """Return how long the run will take on the GPU, where earlier runs tell."""
        found = on_gpu_type(self._times, order.resources.gpu or "")
        if found is None or not self._images or len(order.configs) > 1:
            return ""
        return sentence(found.sentence())

    @on(Field.Typed)
    def _typed(self, message: Field.Typed) -> None:
        if message.field.option == "cluster":
            self.action_ask()
        else:
            self._follow()

    @on(VirtualTable.Highlighted)
    def _moved(self) -> None:
        self._follow()

    def stops(self) -> Sequence[Widget]:
        """Return the table of GPUs and the editors."""
        return [self.query_one("#soonest"), *editors(self)]

    # -- submitting ------------------------------------------------------------------------------

    def action_script(self) -> None:
        """Show the script as it would be submitted."""
        from batman_tui.widgets.dialogs.text_dialog import TextDialog

        if self._order is None or self._site is None:
            return
        try:
            submission = preview(self._site, self.batman.workspace, self._order)
        except BatmanError as error:
            self.say(f"{error.message} {error.hint}", wrong=True)
            return
        file = self.batman.workspace.root / "job.sh"
        lead = f"c copies it, w writes it to {file}."
        self.app.push_screen(TextDialog("The job", submission.script.text, file=file, lead=lead))

    def action_submit(self) -> None:
        """Prepare the data set, send it and submit the job."""
        if self._order is None or self._site is None or self.working is not None:
            return
        self.working = self._submit(self._site, self._order)

    @work(thread=True, exit_on_error=False, group="submit")
    def _submit(self, site: Site, order: Order) -> None:
        worker = get_current_worker()
        try:
            sent = send_order(
                site,
                self.batman.workspace,
                order,
                lambda at: self._report(at.stage, at.done, at.total),
                lambda: worker.is_cancelled,
            )
        except Cancelled:
            self.post_message(self.Ended(None))
        except BatmanError as error:
            self.post_message(self.Ended(None, error))
        else:
            number = sent.records[0].job_id.partition("_")[0]
            self.post_message(
                self.Ended(Submitted(number, site.name, len(sent.runs), sent.runs[0].name))
            )

    def _report(self, stage: str, done: int, total: int | None) -> None:
        self.post_message(self.Went(Progress(stage, done, total)))

    @on(Ended)
    def _ended(self, message: Ended) -> None:
        self.working = None
        if message.result is not None:
            self.dismiss(message.result)
            return
        self._follow()
        if message.error is not None:
            self.say(f"{message.error.message} {message.error.hint}", wrong=True)
        else:
            self.say("Cancelled; nothing was submitted.")


def order_words(order: Order) -> str:
    """Return what would be submitted, in a sentence or two."""
    asked = order.resources
    gpus = f"{asked.of_gpu} × {asked.gpu}" if asked.gpu else "no GPU"
    parts = [
        gpus + (f" on each of {asked.nodes} nodes" if asked.nodes > 1 else ""),
        f"in {asked.partition}" if asked.partition else "",
        f"on nodes with {asked.constraint}" if asked.constraint else "",
        "no time limit" if asked.time_s is None else f"for {duration(asked.time_s)} a go",
        f"{asked.memory} of memory" if asked.memory else "",
        f"{plural(asked.cpus_per_gpu, 'CPU')} a GPU",
        f"batches of {order.configs[0].batch_size}",
    ]
    runs = ""
    if len(order.configs) > 1:
        cap = f", {order.parallel} at once" if order.parallel else ""
        runs = f"A sweep of {plural(len(order.configs), 'run')}{cap}. "
    return f"{runs}{', '.join(part for part in parts if part)}. ^s submits it."
