"""Projects."""

from __future__ import annotations

from batman_tui.widgets.base import BatmanScreen


class ProjectsScreen(BatmanScreen):
    """The projects of the workspace."""
