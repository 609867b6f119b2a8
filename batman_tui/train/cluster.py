"""From the training form to a cluster: a new run, or a job of ours again with changes."""

from __future__ import annotations

from batman_tui.train.submit_dialog import SubmitDialog, Submitted
from batman_tui.widgets.frame.base import BatmanScreen
from core.common.text import plural
from core.training.config.form import FOLLOWS, Form
from core.training.config.options import TrainingConfig
from slurm.submit.clone import Clone


class ClusterTraining(BatmanScreen):
    """The part of the training form that goes to a cluster; `clone` is a job to begin from."""

    form: Form
    clone: Clone | None = None

    def complete(self) -> TrainingConfig | None:
        """Return the settings, None where a field is wrong."""
        raise NotImplementedError

    def action_cluster(self) -> None:
        """Choose a cluster, its GPU and time, and submit the training there."""
        config = self.complete()
        if config is None:
            return
        # What was suggested for this machine's memory says nothing about the cluster's.
        chosen = [n for n in config.model_fields_set if n not in FOLLOWS or n in self.form.typed]
        values = {name: getattr(config, name) for name in chosen}
        clone = self.clone
        dialog = SubmitDialog(
            values,
            request=clone.request if clone else None,
            cluster=clone.cluster if clone else "",
        )
        self.app.push_screen(dialog, self._submitted)

    def _submitted(self, result: Submitted | None) -> None:
        if result is None:
            return
        what = f"array of {plural(result.runs, 'run')}" if result.runs > 1 else "run"
        self.app.pop_screen()
        self.app.switch_mode("jobs")
        self.batman.tell(f"Submitted job {result.job} to {result.cluster}: {what}.")
