"""The keys of labelling, a part of the one table of keys."""

from __future__ import annotations

from batman_tui.action import Action

LABEL_TITLES = {
    "label": "Label",
    "boxes": "Boxes of a picture",
    "view": "What is looked at",
    "crops": "Crops",
    "accept": "Accept a class",
    "autolabel": "Auto-label",
    "passes": "Passes",
}

_DIGITS = tuple(
    Action(
        f"boxes.class_{number}",
        f"{number}",
        f"class_at({number})",
        f"Class {number}",
        f"Class {number} for the chosen box, or for the next new one.",
    )
    for number in range(1, 10)
)

_NUDGES = tuple(
    Action(f"boxes.{way}_{name}", key, f"nudge('{edge}', {by})", f"{name.title()} {way}", said)
    for edge, name in zip("hjkl", ("left", "bottom", "top", "right"), strict=True)
    for way, key, by, said in (
        ("out", edge, 1, f"Push the {name} edge out by one pixel of the view."),
        ("in", edge.upper(), -1, f"Pull the {name} edge in by one pixel of the view."),
    )
)

LABEL_ACTIONS: tuple[Action, ...] = (
    Action("boxes.all", "enter", "accept_all", "All right", "Accept all shown, go on.", "always"),
    Action("boxes.next", "tab", "step(1)", "Next box", "Choose the next box.", "always"),
    Action("boxes.accept", "a", "accept", "Accept", "Accept the chosen suggestion.", "always"),
    Action("boxes.reject", "r", "reject", "Reject", "Reject the chosen suggestion.", "always"),
    Action("boxes.edge", "e", "edge", "Edge", "Put an edge right: edge, two letters.", "always"),
    Action("boxes.new", "n", "new_box", "New box", "Draw a box: three keys a corner.", "wide"),
    Action("boxes.undo", "u,ctrl+z", "undo", "Undo", "Take back your last edit.", "wide"),
    Action(
        "boxes.done", "space", "as_it_is", "As it is", "Reviewed as it is; go to the next.", "wide"
    ),
    Action("boxes.reject_all", "x", "reject_all", "Reject all", "Reject all shown here.", "wide"),
    Action("label.crops", "c", "crops", "Crops", "Review pages of crops of one class.", "wide"),
    Action("label.snap", "s", "snap", "Snap", "A model puts the chosen box right.", "wide"),
    Action("label.snap_model", "S", "snap_model", "Snap by …", "Choose which model snaps boxes."),
    Action("boxes.before", "shift+tab", "step(-1)", "Box before", "Choose the box before."),
    Action("boxes.redo", "ctrl+r,ctrl+y", "redo", "Redo", "Do again what you took back."),
    Action("boxes.delete", "d,delete", "delete", "Delete", "Delete the chosen box."),
    Action("boxes.copy", "p", "copy", "Copy before", "Boxes of the picture before, copied here."),
    Action("boxes.later", "w", "later", "Later", "Put the picture off, or no longer."),
    Action("label.picture", "right,pagedown", "move(1)", "Next picture", "Go to the next picture."),
    Action("label.back", "left,pageup", "move(-1)", "Picture before", "Go to the one before."),
    *_DIGITS,
    Action("boxes.class", "g", "choose_class", "Class …", "Choose the class from a list."),
    *_NUDGES,
    Action(
        "boxes.lower",
        "less_than_sign,left_square_bracket",
        "threshold(-1)",
        "Lower score",
        "Show suggestions with lower scores too.",
    ),
    Action(
        "boxes.higher",
        "greater_than_sign,right_square_bracket",
        "threshold(1)",
        "Higher score",
        "Show suggestions with higher scores only.",
    ),
    Action(
        "label.accept_class",
        "A",
        "accept_class",
        "Accept class",
        "Accept all of the class in the project, after a look.",
    ),
    Action("view.hide", "b,v", "hide", "Hide boxes", "Hide the boxes, or show them again."),
    Action("view.loupe", "z", "loupe", "Loupe", "Look at the chosen box, or at the whole."),
    Action("view.fit", "0", "fit", "Whole picture", "Look at the whole picture."),
    Action("view.zoom_in", "plus,equals_sign", "zoom(1.5)", "Zoom in", "Show less, larger."),
    Action("view.zoom_out", "minus", "zoom(0.66)", "Zoom out", "Show more, smaller."),
    Action("view.pan_left", "shift+left", "pan(-1, 0)", "Look left", "Move the view left."),
    Action("view.pan_right", "shift+right", "pan(1, 0)", "Look right", "Move the view right."),
    Action("view.pan_up", "shift+up", "pan(0, -1)", "Look up", "Move the view up."),
    Action("view.pan_down", "shift+down", "pan(0, 1)", "Look down", "Move the view down."),
    Action("label.filter", "slash", "filter", "Filter", "Show only pictures that match.", "wide"),
    Action("label.walk", "o", "walk", "Order", "Choose which pictures to walk through, and how."),
    Action("label.autolabel", "m", "autolabel", "Auto-label", "Let a model propose boxes.", "wide"),
    Action("label.passes", "T", "passes", "Passes", "What models did here; take one back whole."),
    Action("label.panel", "i", "panel", "Side panel", "Show or hide classes and boxes."),
    # Pages of crops
    Action(
        "crops.take",
        "enter",
        "take",
        "Take the rest",
        "Reject what is struck out, accept the others, go on.",
        "always",
    ),
    Action(
        "crops.lower",
        "less_than_sign,left_square_bracket",
        "threshold(-1)",
        "Lower score",
        "Show lower scores too.",
        "always",
    ),
    Action(
        "crops.higher",
        "greater_than_sign,right_square_bracket",
        "threshold(1)",
        "Higher score",
        "Show higher scores only.",
        "always",
    ),
    Action("crops.next", "tab,down", "other(1)", "Next class", "The next class.", "always"),
    Action("crops.undo", "u,ctrl+z", "undo", "Undo", "Take back your last page.", "always"),
    Action("crops.before", "shift+tab,up", "other(-1)", "Class before", "The class before."),
    Action("crops.redo", "ctrl+r,ctrl+y", "redo", "Redo", "Do again what you took back."),
    Action(
        "crops.skip",
        "right,pagedown,space",
        "page(1)",
        "Next page",
        "Look at the next page; this one stays open.",
        "wide",
    ),
    Action("crops.back", "left,pageup", "page(-1)", "Page before", "Look at the page before."),
    Action("crops.all", "X", "strike_all", "Strike all", "Strike out all, or none.", "wide"),
    Action(
        "crops.accept",
        "A",
        "accept_class",
        "Accept class",
        "Accept all of the class in the project, after a look.",
        "wide",
    ),
    Action(
        "crops.passes",
        "T",
        "passes",
        "Passes",
        "What models did here; take one back whole.",
        "wide",
    ),
    Action("crops.order", "O", "order", "Least sure", "The least sure first, or the surest."),
    Action("crops.larger", "plus,equals_sign", "larger(1)", "Larger", "Fewer crops, larger."),
    Action("crops.smaller", "minus", "larger(-1)", "Smaller", "More crops, smaller."),
    *(
        Action(
            f"crops.class_{number}",
            f"{number}",
            f"class_at({number})",
            f"Class {number}",
            f"The class with number {number} in the list.",
        )
        for number in range(1, 10)
    ),
    # A model that proposes boxes
    Action("autolabel.start", "ctrl+s", "start", "Start", "Let the model look.", "always"),
    Action("autolabel.next", "f3", "next_labeller", "Other model", "Take the next one.", "always"),
    # What models did
    Action(
        "passes.withdraw",
        "enter,T",
        "withdraw",
        "Take back",
        "Take the pass with the cursor back, after a question.",
        "always",
    ),
    # All of a class at once
    Action("accept.yes", "y", "yes", "Accept", "Accept them all.", "always"),
    Action("accept.more", "right", "sample(1)", "Others", "Look at other ones.", "always"),
)
