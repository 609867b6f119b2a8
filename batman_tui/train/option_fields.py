"""The fields of the training form: one for each option, and what is said beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from textual.widget import Widget
from textual.widgets import Static

from batman_tui.widgets.form.field import Field
from core.models.sizes import MODELS
from core.training.config.augmentation import augmentation_words
from core.training.config.form import (
    FOLLOWS,
    SECTIONS,
    Reading,
    Section,
    choices,
    description,
    is_switch,
    label,
    size_choices,
)

YES_NO = ("yes", "no")


def option_fields(sections: Sequence[Section], texts: Mapping[str, str]) -> list[Widget]:
    """Return a heading for each section but the first, and a field for each of its options.

    `texts` are the values by option. Those of the first section have the class `basic`, all others
    `advanced`.
    """
    widgets: list[Widget] = []
    for section in sections:
        kind = "basic" if section is SECTIONS[0] else "advanced"
        if kind == "advanced":
            widgets.append(Static(section.title, markup=False, classes=f"section {kind}"))
        for name in section.names:
            options = choices(name) or (YES_NO if is_switch(name) else None)
            value = texts[name]
            if options is not None and value not in options:
                value = options[0]
            hint = description(name)
            field = Field(name, label(name), value, options=options, hint=hint, classes=kind)
            widgets.append(field)
    return widgets


def said_of_errors(errors: Mapping[str, str]) -> str:
    """Return what is wrong, by option, as sentences that name the fields as the form does."""
    sentences = []
    for name, text in errors.items():
        joint = " " if text.startswith(("must ", "needs ")) else ": "
        said = f"{label(name)}{joint}{text}" if name else text
        sentences.append(f"{said.rstrip('.')}.")
    return " ".join(sentences)


def option_hint(name: str, reading: Reading, typed: Collection[str]) -> str:
    """Return what stands beside the field of the option `name`; `typed` are those that are set."""
    texts = reading.texts
    if name == "model":
        model = MODELS[texts["model"]]
        return f"{model.params:g} M parameters, {model.licence}"
    if name == "image_size":
        return size_choices(texts["model"], texts[name])
    if name == "augmentation" and reading.config is not None:
        words = augmentation_words(reading.config.augmentation)
        # What it is for stands in the table of all of them.
        return words.partition(";")[0] if texts[name] else description(name)
    if name in FOLLOWS and name not in typed:
        return "suggested for this machine"
    if name == "grad_accum" and reading.effective_batch is not None:
        return f"batches a step: {reading.effective_batch} images"
    return description(name)
