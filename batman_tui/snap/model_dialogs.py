"""Which model snaps boxes: asked once, kept for all projects and for the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.app import App

from batman_tui.services import services_of
from batman_tui.widgets.dialogs.dialogs import PromptDialog
from batman_tui.widgets.dialogs.pick import Item, PickDialog
from core.autolabel.choice import HUB, Choice
from core.autolabel.snap.which_model import SnapChoice, SnapModel, keep_snap_choice, snap_models
from core.autolabel.weights import find_weights
from core.common.errors import BatmanError, WeightsMissing
from core.common.text import clean


def choose_snap_model(app: App[int], why: str, done: Callable[[], None]) -> None:
    """Let a person choose; `why` says what is missing, and `done` is called once it is kept."""
    workspace = services_of(app).workspace

    def in_thread(act: Callable[[], None]) -> None:
        app.run_worker(act, thread=True, exit_on_error=False, group="snap-model")

    def keep(choice: SnapChoice) -> None:
        def act() -> None:
            try:
                model = keep_snap_choice(choice, workspace)
            except WeightsMissing as error:
                # SAM 3 is not in the hub's cache: where it lies instead is asked for.
                if choice.weights:
                    app.call_from_thread(services_of(app).show_error, error)
                else:
                    app.call_from_thread(app.push_screen, _folder_prompt(error), folder)
            except BatmanError as error:
                app.call_from_thread(services_of(app).show_error, error)
            else:
                app.call_from_thread(kept, model)

        in_thread(act)

    def kept(model: SnapModel) -> None:
        services_of(app).tell(f"Boxes are snapped by {model.title} from now on.")
        done()

    def folder(text: str | None) -> None:
        if text is not None:
            keep(SnapChoice("sam3", text))

    def list_them() -> None:
        names = snap_models(workspace)
        items = [Item("sam3", "SAM 3", "model")]
        items += [Item(name, clean(name), "run") for name in names if name != "sam3"]
        text = why or "SAM 3 finds the object in any box, a run what it found nearest to it."
        dialog = PickDialog("Which model snaps boxes", items, text=text)
        app.call_from_thread(
            app.push_screen, dialog, lambda name: keep(SnapChoice(name)) if name else None
        )

    in_thread(list_them)


def _folder_prompt(error: BatmanError) -> PromptDialog:
    return PromptDialog(
        "SAM 3",
        label=f"{error.message} The folder of its files, config.json among them:",
        check=_looked_at,
    )


def _looked_at(text: str) -> str:
    """Say what is wrong with a folder as it is typed. Raises BatmanError."""
    if text.strip():
        find_weights(Choice(*HUB["sam3"][:2]), Path(text.strip()))
    return ""
