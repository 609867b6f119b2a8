"""Which model snaps boxes: chosen once by a person, for the page and the app alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.autolabel.choice import HUB, Choice, parse_choice
from core.autolabel.prepare import AutolabelRequest, locate_weights
from core.autolabel.weights import find_weights
from core.common.errors import BatmanError, WeightsMissing
from core.common.files import expand_user, read_json, write_json
from core.common.folders import config_dir
from core.common.text import clean
from core.common.workspace import Workspace

FILE = "snap.json"
"""In the configuration folder: `{"with": "sam3" or a run, "weights": a folder or ""}`."""


class NoSnapper(BatmanError):
    """No model was chosen yet, or the one that was is no longer there."""


@dataclass(frozen=True)
class SnapChoice:
    """What a person chose: `sam3` or a run; the folder of SAM 3's files ("": the hub's cache)."""

    model: str = ""
    weights: str = ""


@dataclass(frozen=True)
class SnapModel:
    """A model that can be opened: of which kind, its folder or file, and what people call it."""

    kind: Literal["sam3", "run"]
    weights: Path
    title: str


def snap_choice() -> SnapChoice:
    """Return what was chosen; an empty one where nothing was, or the file cannot be read."""
    try:
        kept = read_json(config_dir() / FILE)
    except (BatmanError, OSError):
        return SnapChoice()
    model, weights = (kept.get(n) if isinstance(kept, dict) else None for n in ("with", "weights"))
    if not isinstance(model, str) or not isinstance(weights, str):
        return SnapChoice()
    return SnapChoice(model, weights)


def keep_snap_choice(choice: SnapChoice, workspace: Workspace) -> SnapModel:
    """Keep a choice for all projects of this person, and return the model that it means.

    Raises BatmanError for a model that is not here or cannot snap; the one before stays then.
    """
    found = find_snap_model(choice, workspace)
    write_json(config_dir() / FILE, {"with": choice.model.strip(), "weights": choice.weights})
    return found


def find_snap_model(choice: SnapChoice, workspace: Workspace) -> SnapModel:
    """Return the model that a choice means; without one SAM 3, if the hub's cache has it.

    Nothing heavy is loaded. Raises NoSnapper where nothing was chosen and SAM 3 is not here, and
    BatmanError for what is missing or cannot snap.
    """
    if not choice.model.strip():
        folder = find_weights(Choice(*HUB["sam3"][:2]))
        if folder is None:
            raise NoSnapper(
                "No model that snaps boxes was chosen yet.",
                "Choose SAM 3 with the folder of its files, or a run of yours.",
            )
        return SnapModel("sam3", folder, "SAM 3")
    wanted = parse_choice(choice.model)
    if wanted.kind not in ("sam3", "run"):
        raise BatmanError(
            f"{clean(wanted.title)} cannot snap a box.", "SAM 3 can, and so can a run of yours."
        )
    weights = expand_user(choice.weights) if choice.weights.strip() else None
    path = locate_weights(
        AutolabelRequest(wanted, weights=weights if wanted.kind == "sam3" else None), workspace
    )
    if path is None:
        raise WeightsMissing(
            f"The weights of SAM 3 ({clean(wanted.target)}) are not on this machine.",
            "Give the folder with its files, or choose a run. How to get them is in the docs:"
            " labelling, labellers.",
        )
    kind: Literal["sam3", "run"] = "sam3" if wanted.kind == "sam3" else "run"
    return SnapModel(kind, path, "SAM 3" if kind == "sam3" else f"the run {clean(wanted.target)}")


def snap_models(workspace: Workspace) -> list[str]:
    """Return what there is to choose from: SAM 3, then the workspace's runs with weights."""
    runs = [path.name for path in workspace.list_runs() if (path / "best.pth").is_file()]
    return ["sam3", *runs]
