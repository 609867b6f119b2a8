"""From which score on suggestions are kept, and from which on they are shown."""

from __future__ import annotations

KEPT = 0.1
"""The least score of what a pass keeps: all that a person may want to look at later."""

SHOWN = 0.5
"""The least score of what is shown where nothing else was chosen; a view, never a second run."""
