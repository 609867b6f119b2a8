"""The table of keys: what is called the same has the same key, and the page of keys is right."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from batman_tui.action import key_name
from batman_tui.keys import ACTIONS, keymap

# Where letters are typed, what elsewhere is a letter is begun with ctrl+s, Enter or a button.
FORMS = {
    "choice", "columns", "confirm", "crops", "delete", "export", "filter", "import", "look",
    "merge", "model_export", "accept", "setup", "suggest", "train", "grid", "screen", "label",
}  # fmt: skip
# Called the same, and two things: the reason why they have two keys.
TWO_THINGS = {
    "Back": "each view also closes with the key that opened it",
    "Pictures": "a panel of the classes; what a confusion in an evaluation opens",
    "Next": "as the rows of lists do, and n where there is no list",
    "Before": "likewise",
    "Stop": "a run is stopped by s; where s sets the size or the split, X stops what goes on",
    "Choose": "space where several are chosen, enter for one",
}  # fmt: skip


def page() -> str:
    """Return what scripts/keys_page.py would write."""
    path = Path(__file__).parents[2] / "scripts" / "keys_page.py"
    spec = spec_from_file_location("keys_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    made: str = module.page()
    return made


def test_what_is_called_the_same_has_the_same_key() -> None:
    keys: dict[str, set[str]] = {}
    for action in ACTIONS.values():
        if action.id.partition(".")[0] in FORMS or action.label in TWO_THINGS:
            continue
        mine = set(action.keys.split(","))
        keys[action.label] = keys.get(action.label, mine) & mine
    assert [label for label, shared in keys.items() if not shared] == []


def test_no_room_has_a_key_twice() -> None:
    taken: dict[tuple[str, str], str] = {}
    for action in ACTIONS.values():
        for key in action.keys.split(","):
            place = action.id.partition(".")[0], key
            assert taken.setdefault(place, action.id) == action.id, place


def test_the_page_of_keys_is_what_the_table_says() -> None:
    docs = Path(__file__).parents[2] / "docs" / "keys.md"
    assert docs.read_text(encoding="utf-8") == page(), "run python scripts/keys_page.py"


def test_function_keys_have_one_spelling() -> None:
    assert [key_name(key) for key in ("f1", "f12", "shift+f5", "f", "^f")] == [
        "F1", "F12", "shift+F5", "f", "^f",
    ]  # fmt: skip


def test_a_changed_key_that_hides_another_is_told() -> None:
    for name, key, others in (
        ("classes.merge", "d", ["classes.delete"]),
        ("classes.merge", "F5,G", ["table.last"]),
        ("projects.new", "?", ["app.help"]),
        ("images.split", "b", ["picture.boxes"]),
        ("app.palette", "n", ["projects.new", "runs.note", "jobs.new"]),
        ("classes.merge", "M", []),
        ("classes.merge", "m", []),
        ("confirm.yes", "d", []),
    ):
        usable, problems = keymap({name: key})
        assert usable == {name: key}
        said = " ".join(problems)
        assert all(f"'{other}'" in said for other in others), (name, problems)
        assert bool(problems) == bool(others), (name, problems)
