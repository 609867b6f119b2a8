"""The project store: `project.db`, its history, and who may write to it."""

from core.data.store.changes import Change
from core.data.store.project import ChangedSince, HistoryEntry, Project
from core.data.store.summary import ProjectSummary

__all__ = ["Change", "ChangedSince", "HistoryEntry", "Project", "ProjectSummary"]
