"""Which labeller is meant: what a person writes after `--with`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.autolabel.pass_folder import Kind
from core.common.errors import BatmanError
from core.common.text import clean, did_you_mean, sentence
from core.models.sizes import APACHE, MODELS

HUB: Final[dict[str, tuple[Kind, str, str]]] = {
    "sam3": ("sam3", "facebook/sam3", "SAM 3"),
    "owlv2": ("owlv2", "google/owlv2-base-patch16-ensemble", "OWLv2"),
    "grounding-dino": ("grounding-dino", "IDEA-Research/grounding-dino-tiny", "Grounding DINO"),
}
"""Labellers from the Hugging Face hub: the repository that is taken where none is named, and what
people call them."""


@dataclass(frozen=True)
class Choice:
    """A labeller: of which kind, and a run's name or path, a size, or a repository of the hub."""

    kind: Kind
    target: str

    @property
    def model(self) -> str:
        """What people know it by, as it is recorded with its suggestions."""
        return f"coco:{self.target}" if self.kind == "coco" else self.target

    @property
    def title(self) -> str:
        """What messages call it."""
        if self.kind in HUB:
            return HUB[self.kind][2]
        return f"RF-DETR {self.target}" if self.kind == "coco" else f"the run '{self.target}'"


def licence_of(kind: Kind, model: str) -> str | None:
    """Return the licence of a labeller's published weights, None for a run and where it is not
    known. `model` is as it is recorded; the licences are those that the pages of the hub named at
    the end of 2026.
    """
    if kind == "coco":
        return MODELS[model.removeprefix("coco:")].licence
    usual = kind in HUB and model == HUB[kind][1]
    return ("SAM License" if kind == "sam3" else APACHE) if usual else None


def parse_choice(text: str) -> Choice:
    """Return the labeller that `text` means.

    `sam3`, `owlv2` and `grounding-dino`, each with `:REPOSITORY` for another of its kind;
    `coco:SIZE` for RF-DETR's published weights; `run:NAME`, or anything else, for a run or a model
    file. Raises BatmanError for a size that has no published weights, and for an empty name.
    """
    head, colon, rest = text.strip().partition(":")
    if head in HUB:
        kind, usual, title = HUB[head]
        if colon and not rest:
            raise BatmanError(
                f"'{clean(text)}' names no repository.", f"Write {head} alone for {usual}."
            )
        if rest and rest.count("/") != 1:
            raise BatmanError(
                f"'{clean(rest)}' is no repository of the hub for {title}.",
                f"Write {head}:OWNER/NAME, such as {head}:{usual}, "
                "or give a folder with --weights.",
            )
        return Choice(kind, rest or usual)
    if head == "coco" and colon:
        return Choice("coco", _size(rest))
    name = rest if head == "run" and colon else text.strip()
    if not name:
        raise BatmanError(
            "No labeller is named.",
            f"Give a run, coco:base, or one of {', '.join(HUB)}.",
        )
    return Choice("run", name)


def near_labeller(text: str) -> str:
    """Return what a name that is no run's was probably meant to be, "" if nothing is alike."""
    return sentence(did_you_mean(text, [*HUB, "coco:base"]))


def _size(name: str) -> str:
    published = [size.name for size in MODELS.values() if size.weights]
    if name not in published:
        guess = sentence(did_you_mean(name, published))
        raise BatmanError(
            f"There are no published weights of the size '{clean(name)}'.",
            f"{guess} There are: {', '.join(published)}.".strip(),
        )
    return name
