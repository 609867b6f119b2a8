"""What looks different after the focus has moved, and no more of the screen than that."""

from __future__ import annotations

from textual.dom import DOMNode
from textual.widget import Widget


class FocusStyles:
    """A screen that asks the style sheet again only for what the focus can have changed.

    Textual 8.2 asks for everything below the outermost part whose look depends on a focus within
    it: with panels that show theirs by the border, for each of a form's three hundred widgets at
    every Tab. What had the focus within it before and has it still looks as before, and so does
    all that no rule with `:focus-within` meets, as the style sheet has noted of each widget
    (`DOMNode._has_focus_within`).

    Nor is the whole screen painted anew, as Textual does when `Screen.focused` changes: what has
    got or lost the focus paints itself, and so does whatever looks different then. Screens take
    that reactive without its painting, which is theirs to say.
    """

    def _update_focus_styles(
        self, focused: Widget | None = None, blurred: Widget | None = None
    ) -> None:
        chains = [list(end.ancestors_with_self) if end else [] for end in (focused, blurred)]
        changed = set(chains[0]) ^ set(chains[1])
        concerned: set[DOMNode] = set()
        for chain in chains:
            outermost = next((node for node in reversed(chain) if node in changed), None)
            if outermost is not None:
                below = outermost.walk_children(with_self=True)
                concerned.update(node for node in below if node._has_focus_within)
        if concerned:
            self.app.stylesheet.update_nodes(concerned, animate=True)  # type: ignore[attr-defined]
