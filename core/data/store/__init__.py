"""The project store: `project.db`, its history, and who may write to it."""

from core.data.store.changes import Change
from core.data.store.project import HistoryEntry, Project, ProjectSummary

__all__ = ["Change", "HistoryEntry", "Project", "ProjectSummary"]
