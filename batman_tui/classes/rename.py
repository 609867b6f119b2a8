"""The questions around another name for a class, which may be one that is taken."""

from __future__ import annotations

from collections.abc import Collection

from batman_tui.widgets.dialogs.dialogs import ConfirmDialog, PromptDialog
from core.common.errors import BatmanError
from core.common.text import clean, plural
from core.data.classes import ClassRow


def name_question(old: str, taken: Collection[str]) -> PromptDialog:
    """Return the dialog that asks for another name of the class `old`, one of `taken` as well."""

    def check(name: str) -> str:
        if name in taken:
            return f"'{name}' is there already; Enter asks whether to merge."
        return ""

    return PromptDialog("Rename class", value=old, button="Rename", check=check)


def new_question(taken: Collection[str]) -> PromptDialog:
    """Return the dialog that asks for the name of a new class, which none of `taken` has."""

    def check(name: str) -> str:
        if name.strip() in taken:
            raise BatmanError(f"'{clean(name.strip())}' is there already.")
        return ""

    return PromptDialog("New class", placeholder="hook", button="Add", check=check)


def merge_question(old: ClassRow, new: ClassRow) -> ConfirmDialog:
    """Return the dialog that asks whether `old` becomes part of `new`, whose name it was given."""
    lines = [
        f"'{new.name}' is there already, with {plural(new.annotations, 'annotation')}.",
        f"Shall '{old.name}' ({plural(old.annotations, 'annotation')}) become part of it?",
    ]
    return ConfirmDialog("Merge instead?", lines, yes="Merge", no="Keep both", danger=False)
