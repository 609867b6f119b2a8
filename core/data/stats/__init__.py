"""What is in a project's data, in figures: for `batman project stats` and the app's screen."""

from core.data.stats.collect import DataStats, collect

__all__ = ["DataStats", "collect"]
