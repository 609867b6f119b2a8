"""The project store: `project.db`, its history, and who may write to it."""

from typing import TYPE_CHECKING

from core.late import late_names

if TYPE_CHECKING:
    from core.data.store.changes import Change
    from core.data.store.project import ChangedSince, HistoryEntry, Project
    from core.data.store.summary import ProjectSummary
else:
    # Runs ask for the machine's name alone, which needs no database.
    __getattr__ = late_names(
        __name__,
        {
            "Change": "core.data.store.changes",
            "ChangedSince": "core.data.store.project",
            "HistoryEntry": "core.data.store.project",
            "Project": "core.data.store.project",
            "ProjectSummary": "core.data.store.summary",
        },
    )

__all__ = ["Change", "ChangedSince", "HistoryEntry", "Project", "ProjectSummary"]
