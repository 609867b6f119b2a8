"""A cluster: its profile to make or change, and what it says it has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from batman_tui.cluster.work import SayingDialog
from batman_tui.connections import host_of
from batman_tui.keys import bindings
from batman_tui.widgets.dialogs.dialogs import ConfirmDialog
from batman_tui.widgets.form.field import Field, FieldSteps
from batman_tui.widgets.frame.keybar import KeyBar
from batman_tui.widgets.panel.facts import Facts as FactList
from core.common.errors import BatmanError
from core.common.text import clean, plural, size
from slurm.site.discover import Facts, discover
from slurm.site.gpu_kinds import is_share
from slurm.site.partitions import partition_words
from slurm.site.profile_files import profile_file
from slurm.site.profiles import Profile, make_profile, remove_profile, save_profile
from slurm.site.suggest import free_of, nodes_of, out_of_reach
from slurm.submit.plan import gpu_table
from slurm.submit.start_estimate import suggest_accepted

_FIELDS = {
    "name": ("Name", "what to call it"),
    "host": ("SSH host", "alias, user@host; empty: here"),
    "via": ("Via", "ssh: the system's (Kerberos)"),
    "workspace": ("Workspace", "our folder; the nodes see it"),
    "python": ("Python", "empty: WORKSPACE/env"),
    "modules": ("Modules", "loaded first, divided by ;;"),
    "image": ("Image", "Apptainer's; Python is in it"),
    "binds": ("Binds", "folders seen in the image; ;;"),
    "account": ("Account", "empty: the cluster's default"),
    "time": ("Time limit", "where none is chosen"),
    "gpu_option": ("GPUs by", "the option that the site takes"),
    "prelude": ("Before all", "shell lines, divided by ;;"),
}
_FACTS = ("GPUs", "Partitions", "Features", "Slurm", "Records", "Python", "Modules", "Places")
_LISTS = ("prelude", "modules", "binds")
_CHOICES = ("gpu_option",)
_NEW = "Fill in the host and press F5: the cluster is asked for the rest. Nothing is written there."


class ClusterDialog(FieldSteps, SayingDialog[Profile]):
    """Shows a cluster's profile to change, None for a new one.

    The result is the saved profile, None when nothing was saved or the profile was removed.
    """

    HELP = (
        "F5 connects and asks the cluster what it has. ^s saves the profile. Training there needs "
        "Batman in an environment: F7 says what it takes to make one, and makes it when told to. "
        "F8 removes the profile; nothing on the cluster is touched."
    )
    DEFAULT_CSS = """
    ClusterDialog {
        & > .dialog { width: 92; height: auto; max-height: 100%; padding: 0 1; }
        #cluster-form { height: auto; scrollbar-size-vertical: 1; }
        #cluster-facts { height: auto; max-height: 16; margin-top: 1; scrollbar-size-vertical: 1; }
        #cluster-facts .facts--name { width: 12; }
        #cluster-says { height: auto; min-height: 1; margin-top: 1; }
        &.-short > .dialog { height: 100%; }
        &.-short #cluster-form { max-height: 60%; }
        &.-short #cluster-facts { height: 1fr; min-height: 1; }
        &.-short #cluster-says { max-height: 3; margin-top: 0; }
    }
    """
    # With two lines of GPUs it is 29 lines high.
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = bindings("cluster")
    SAYS = "#cluster-says"

    @dataclass
    class Answered(Message):
        """The cluster said what it has, or `error` why not.

        The profile has what to ask it for; `doubts` are types of GPUs that SLURM refused, and why.
        """

        profile: Profile
        facts: Facts | None
        error: BatmanError | None = None
        doubts: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __init__(self, profile: Profile | None) -> None:
        super().__init__()
        self._profile = profile
        self._new = profile is None or not profile_file(profile.name).is_file()
        self._asking = False

    def compose(self) -> ComposeResult:
        """Lay out the fields, what the cluster has, and the keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = (
                "Add a cluster" if self._profile is None else f"Cluster {clean(self._profile.name)}"
            )
            with VerticalScroll(id="cluster-form", can_focus=False):
                for name, (title, hint) in _FIELDS.items():
                    # A profile is called by its file; another name would be another cluster.
                    if name != "name" or self._new:
                        options = (
                            get_args(Profile.model_fields[name].annotation)
                            if name in _CHOICES
                            else None
                        )
                        yield Field(name, title, self._text(name), options=options, hint=hint)
            with VerticalScroll(id="cluster-facts"):
                yield FactList(_FACTS, id="facts-there")
            yield Static("", markup=False, id="cluster-says", classes="dialog--hint")
            yield KeyBar()

    def on_mount(self) -> None:
        """Ask a known cluster at once."""
        self.query(Field).first().editor.focus()
        if self._profile is None:
            self.say(_NEW)
        else:
            self.action_ask()

    def _text(self, name: str) -> str:
        if self._profile is None:
            known = name in ("workspace", "time", *_CHOICES)
            return str(Profile.model_fields[name].default) if known else ""
        value = getattr(self._profile, name)
        return " ;; ".join(value) if isinstance(value, list) else str(value)

    def _read(self) -> Profile:
        """Return the profile as it stands in the fields. Raises `ProfileError`."""
        values: dict[str, Any] = (
            self._profile.model_dump(exclude_none=True) if self._profile is not None else {}
        )
        for field in self.query(Field):
            text = field.text.strip()
            values[field.option] = (
                [line.strip() for line in text.split(";;") if line.strip()]
                if field.option in _LISTS
                else text
            )
        if not values["name"]:
            values["name"] = _name_of(values["host"])
        return make_profile(values)

    # -- asking ----------------------------------------------------------------------------------

    def action_ask(self) -> None:
        """Connect, and ask the cluster what it has."""
        if self._asking:
            return
        try:
            profile = self._read()
        except BatmanError as error:
            self.say(f"{error.message} {error.hint}", wrong=True)
            return
        self._asking = True
        self.say(f"Asking {profile.host or 'this machine'} …")
        usual = str(Profile.model_fields["workspace"].default)
        chosen = self.query_one("#field-workspace", Field).text.strip()
        self._ask(profile, new=self._new, keep=chosen != usual)

    @work(thread=True, exclusive=True, exit_on_error=False, group="ask")
    def _ask(self, profile: Profile, *, new: bool, keep: bool) -> None:
        try:
            host = host_of(self.app, profile)
            facts = discover(host)
            doubts: dict[str, str] = {}
            if new:
                profile, doubts = suggest_accepted(host, profile, facts, keep_workspace=keep)
        except BatmanError as error:
            self.post_message(self.Answered(profile, None, error))
        else:
            self.post_message(self.Answered(profile, facts, None, doubts))

    @on(Answered)
    def _answered(self, message: Answered) -> None:
        self._asking = False
        if message.facts is None:
            error = message.error
            said = f"{error.message} {error.hint}" if error is not None else ""
            by_ssh = getattr(error, "by_ssh", "")  # of a LoginFailed, whose module loads paramiko
            if error is not None and by_ssh:
                self.query_one("#field-via", Field).show("ssh")
                said = f"{error.message} {by_ssh}: Via is the system's ssh now."
            self.say(f"{said} F5 asks again.", wrong=True)
            return
        profile = message.profile
        if self._new:
            self._profile = profile
            for name in ("name", "workspace", *_CHOICES):
                self.query_one(f"#field-{name}", Field).show(self._text(name))
        facts = self.query_one("#facts-there", FactList)
        told = facts_of(profile, message.facts)
        doubts = [f"{clean(gpu)} SLURM refuses now: {why}" for gpu, why in message.doubts.items()]
        told["GPUs"] = "; ".join([told["GPUs"], *doubts])
        for name, text in told.items():
            facts.say(name, text)
        self.say("^s adds it." if self._new else "^s saves what was changed.")

    # -- keys ------------------------------------------------------------------------------------

    def action_save(self) -> None:
        """Write the profile and close."""
        profile = self._saved()
        if profile is not None:
            self.dismiss(profile)

    def action_setup(self) -> None:
        """Save the profile, and go to what it takes to train there."""
        from batman_tui.cluster.setup_dialog import SetupDialog

        profile = self._saved()
        if profile is not None:
            self.app.push_screen(SetupDialog(profile), lambda made: self.dismiss(made or profile))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what there is no saved profile for."""
        if action == "remove" and self._new:
            return None
        return super().check_action(action, parameters)

    def why_not(self, action: str, parameters: tuple[object, ...]) -> str:
        """Say that a cluster which is not saved cannot be removed."""
        return "It is not saved yet: there is nothing to remove." if action == "remove" else ""

    def action_remove(self) -> None:
        """Remove the profile after a question, and close."""
        assert self._profile is not None
        name = self._profile.name

        def answered(agreed: bool | None) -> None:
            if not agreed:
                return
            try:
                remove_profile(name)
            except BatmanError as error:
                self.say(f"{error.message} {error.hint}", wrong=True)
            else:
                self.batman.tell(f"Removed the cluster {name}.")
                self.dismiss(None)

        said = [
            "Its profile here is deleted. Nothing on the cluster is touched.",
            "Jobs there go on; runs that they train are no longer followed from here.",
        ]
        question = ConfirmDialog(f"Remove the cluster '{clean(name)}'?", said, yes="Remove")
        self.app.push_screen(question, answered)

    def _saved(self) -> Profile | None:
        """Write the profile and return it; None, and the line says why, when it is not right."""
        try:
            profile = self._read()
            save_profile(profile, replace=not self._new)
        except BatmanError as error:
            self.say(f"{error.message} {error.hint}", wrong=True)
            return None
        return profile


def facts_of(profile: Profile, facts: Facts) -> dict[str, str]:
    """Return what a cluster has, a text for each of the dialog's facts."""
    gpus = []
    for name, gpu in gpu_table(profile, facts).items():
        free, total = free_of(nodes_of(facts, gpu, gpu.partition), gpu)
        each = f"{gpu.max_per_node} a {'GPU' if is_share(gpu.kind) else 'node'}"
        gpus.append(f"{name} {free}/{total} free, {each} in {gpu.partition}")
    parts = [
        partition_words(part, facts.person.why_closed(part, profile.account, profile.qos))
        for part in facts.partitions.values()
    ]
    closed = out_of_reach(facts, profile.account, profile.qos)
    gpus += [f"{clean(kind)} not for you: {why}" for kind, why in closed.items()]
    return {
        "GPUs": "; ".join(gpus) or "none",
        "Partitions": f"{', '.join(parts)}; {plural(len(facts.nodes), 'node')}",
        "Features": ", ".join(map(clean, facts.features())),
        "Slurm": facts.version,
        "Records": "kept by accounting" if facts.accounting else "no accounting: our own are kept",
        "Python": ", ".join(facts.pythons) or "none found",
        "Modules": ", ".join(facts.modules),
        "Places": ", ".join(f"{place.path} ({size(place.free)} free)" for place in facts.places),
    }


def _name_of(host: str) -> str:
    """Return a name for a cluster from its host: `hpc` for `ada@hpc.example.org:22`."""
    name = host.rpartition("@")[2].partition(":")[0]
    return name.partition(".")[0] or "here"
