"""How right the suggestions of a class were, by score, as far as people decided."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from core.data.labels.queue.decided import ENOUGH, RIGHT, ClassDecided

NOTHING = "Nothing of this class was decided yet: how right it was stands here, by score."
_BAR = 8


class Rightness(Widget):
    """The share that was right in each band of scores, the surest first, and what follows."""

    DEFAULT_CSS = "Rightness { width: 1fr; height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._of: ClassDecided | None = None

    def show(self, of: ClassDecided | None) -> None:
        """Show what was decided of a class; None is nothing yet."""
        if of != self._of:
            self._of = of
            self.refresh()

    def render(self) -> Content:
        """Return the bands, and the score from which on all may be accepted."""
        of = self._of
        if of is None or not of.counts.n:
            return Content.styled(NOTHING, "$foreground-muted")
        lines = [
            Content.assemble(
                (f"{band.low:.1f}-{band.high:.1f} ", "$foreground-muted"),
                ("█" * (full := round(_BAR * band.counts.right / band.counts.n)), "$success"),
                ("░" * (_BAR - full), "$foreground-muted"),
                f" {band.counts.right:,}/{band.counts.n:,}",
            )
            for band in reversed(of.bands)
        ]
        if of.threshold is not None:
            said = (
                f"From {of.threshold:.2f} on {of.above.right:,} of {of.above.n:,} were right:"
                " A accepts all from there."
            )
        else:
            said = f"No score yet from which on {RIGHT:.0%} of {ENOUGH} or more were right."
        mended = f"{of.counts.mended:,} of them mended." if of.counts.mended else ""
        tail = [Content(""), Content.styled(f"{said} {mended}".strip(), "$foreground-muted")]
        return Content("\n").join([*lines, *tail])
