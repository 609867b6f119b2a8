"""What was done here, so that a key takes back one's own last edit and nobody else's."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.data.store import ChangedSince, HistoryEntry, Project


@dataclass(frozen=True)
class Step:
    """A change done here: its number in the history, and the picture it was on, if one."""

    history_id: int
    image_id: int | None = None


@dataclass
class OwnHistory:
    """The steps done here, the newest last, and those taken back."""

    steps: list[Step] = field(default_factory=list)
    _again: list[tuple[Step, int]] = field(default_factory=list)

    def did(self, history_id: int | None, image_id: int | None = None) -> None:
        """Note a change; None is none."""
        if history_id is not None:
            self.steps.append(Step(history_id, image_id))
            self._again.clear()

    def undo(self, project: Project) -> tuple[Step, HistoryEntry] | None:
        """Take the newest step back, and return it with the entry that says so; None without one.

        Raises `ChangedSince` when somebody changed the same since; the step is then let go of, so
        that the one before can be taken back.
        """
        if not self.steps:
            return None
        step = self.steps[-1]
        try:
            entry = project.take_back(step.history_id)
        except ChangedSince:
            self.steps.pop()
            raise
        self.steps.pop()
        self._again.append((step, entry.id))
        return step, entry

    def redo(self, project: Project) -> tuple[Step, HistoryEntry] | None:
        """Do again what was taken back last; None without one. Raises `ChangedSince`."""
        if not self._again:
            return None
        step, by = self._again[-1]
        if by == step.history_id:
            entry = project.redo(expect=step.history_id)
            if entry is None:
                # Another change came since, and what was undone is forgotten with it.
                self._again.clear()
                return None
        else:
            # It was answered by a change of its own, which is taken back in its turn.
            entry = project.take_back(by)
            if not entry.undone:
                step = Step(entry.id, step.image_id)
        self._again.pop()
        self.steps.append(step)
        return step, entry
