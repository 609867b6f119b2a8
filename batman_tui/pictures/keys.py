"""The keys of pictures, a part of the one table of keys."""

from __future__ import annotations

from batman_tui.action import Action

PICTURE_TITLES = {
    "picture": "Picture",
    "whole": "Picture on the whole screen",
    "grid": "Thumbnails",
    "pair": "Side by side",
}

_CLASSES = tuple(
    Action(
        f"whole.class_{number}",
        f"{number}",
        f"switch_class({number})",
        f"Class {number}",
        f"Show or hide class {number} of the picture.",
    )
    for number in range(1, 10)
)

PICTURE_ACTIONS: tuple[Action, ...] = (
    # Wherever there is a picture
    Action("picture.grid", "t", "grid", "Thumbnails", "All of them as thumbnails.", "wide"),
    Action("picture.boxes", "b", "hide_boxes", "Boxes", "Hide the boxes, or show them.", "wide"),
    Action("picture.wrong", "w", "only_wrong", "Only wrong", "Only what is wrong, or all."),
    Action("picture.alone", "full_stop", "class_alone(1)", "Class alone", "The next class alone."),
    Action("picture.back", "comma", "class_alone(-1)", "Class before", "The class before alone."),
    # A picture on the whole screen
    Action("whole.next", "n,space,pagedown", "turn(1)", "Next", "The next picture.", "always"),
    Action("whole.before", "N,pageup", "turn(-1)", "Before", "The picture before."),
    Action("whole.zoom_in", "plus,equals_sign", "zoom(1.5)", "Closer", "Look closer.", "always"),
    Action("whole.zoom_out", "minus", "zoom(0.6667)", "Less close", "Look less close."),
    Action("whole.fit", "0", "fit", "All of it", "Look at the whole picture.", "wide"),
    Action("whole.boxes", "b", "hide_boxes", "Boxes", "Hide the boxes, or show them.", "always"),
    Action("whole.wrong", "w", "only_wrong", "Only wrong", "Only what is wrong.", "always"),
    Action(
        "whole.alone", "full_stop", "class_alone(1)", "Class alone", "The next one alone.", "wide"
    ),
    Action("whole.back", "comma", "class_alone(-1)", "Class before", "The class before alone."),
    Action("whole.close", "z,enter,t", "back", "Back", "Go back to where you came from.", "always"),
    Action("whole.left", "left,h", "pan(-1, 0)", "Left", "Look further left."),
    Action("whole.right", "right,l", "pan(1, 0)", "Right", "Look further right."),
    Action("whole.up", "up,k", "pan(0, -1)", "Up", "Look further up."),
    Action("whole.down", "down,j", "pan(0, 1)", "Down", "Look further down."),
    Action("whole.step_left", "shift+left,H", "step(-1, 0)", "Pixel left", "One pixel left."),
    Action("whole.step_right", "shift+right,L", "step(1, 0)", "Pixel right", "One pixel right."),
    Action("whole.step_up", "shift+up,K", "step(0, -1)", "Pixel up", "One pixel up."),
    Action("whole.step_down", "shift+down,J", "step(0, 1)", "Pixel down", "One pixel down."),
    *_CLASSES,
    # Thumbnails
    Action("grid.open", "enter,z", "open", "Enlarge", "Look at the picture.", "always"),
    Action("grid.mark", "space", "mark", "Mark", "Mark the picture, or unmark it.", "always"),
    Action("grid.next", "pagedown,ctrl+d", "page(1)", "Next page", "The next page.", "always"),
    Action("grid.before", "pageup,ctrl+u", "page(-1)", "Page before", "The page before."),
    Action("grid.larger", "plus,equals_sign", "larger(1)", "Larger", "Fewer, larger.", "wide"),
    Action("grid.smaller", "minus", "larger(-1)", "Smaller", "More, smaller."),
    Action("grid.left", "left,h", "move(-1, 0)", "Left", "The one at the left."),
    Action("grid.right", "right,l", "move(1, 0)", "Right", "The one at the right."),
    Action("grid.up", "up,k", "move(0, -1)", "Up", "The one above."),
    Action("grid.down", "down,j", "move(0, 1)", "Down", "The one below."),
    Action("grid.first", "home,g", "first", "First", "The first picture."),
    Action("grid.last", "end,G", "last", "Last", "The last picture."),
    Action("grid.close", "t", "back", "Back", "Go back to where you came from."),
    # Pictures that are nearly the same
    Action("pair.next", "n,right,l,space", "turn(1)", "Next", "The next two.", "always"),
    Action("pair.before", "N,left,h", "turn(-1)", "Before", "The two before.", "always"),
    Action("pair.boxes", "b", "hide_boxes", "Boxes", "Hide the boxes, or show them.", "always"),
    Action("pair.close", "p", "back", "Back", "Go back to where you came from."),
)
