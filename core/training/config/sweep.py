"""A sweep: one training for every combination of the values that settings are to have.

It is written the same way wherever it is trained: `lr=1e-4,5e-5 model=base,medium`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.common.errors import BatmanError
from core.common.text import clean, did_you_mean
from core.training.config.command_line import option_names
from core.training.config.options import TrainingConfig, parse_config

EXAMPLE = "lr=1e-4,5e-5 model=base,medium"
METAVAR = "NAME=A,B"
# Where a run lies says nothing about how it is trained, and one that goes on is trained already.
_NOT_SWEPT = ("project", "output_dir", "resume")
_MOST = 1_000


@dataclass(frozen=True)
class Combination:
    """One training of a sweep: its settings, and the `choices` that make it one, as typed."""

    config: TrainingConfig
    choices: dict[str, str]


def combinations(values: Mapping[str, Any], sweep: Sequence[str]) -> list[Combination]:
    """Return every run: the settings `values`, with each combination of the sweep's choices.

    `sweep` is `name=a,b` for each setting that varies; without any there is one run. A chosen
    `output_dir` holds a folder for each run, named for its choices. Raises BatmanError naming what
    is wrong.
    """
    axes = _axes(sweep)
    if axes and "resume" in values:
        raise BatmanError("A sweep begins new runs.", "Leave out --resume, or --sweep.")
    found: list[Combination] = []
    for values_of in itertools.product(*axes.values()):
        choices = dict(zip(axes, values_of, strict=True))
        here = {**values, **choices}
        if axes and "output_dir" in values:
            words = " ".join(f"{name}={value}" for name, value in choices.items())
            here["output_dir"] = Path(str(values["output_dir"])) / words.replace("/", "-")
        found.append(Combination(parse_config(here), choices))
    _refuse_twins(found)
    return found


def choice_words(choices: Mapping[str, str]) -> str:
    """Return the choices of one run in a line: `lr=1e-4 model=base`."""
    return " ".join(f"{name.replace('_', '-')}={value}" for name, value in choices.items())


def _axes(sweep: Sequence[str]) -> dict[str, list[str]]:
    axes: dict[str, list[str]] = {}
    for word in sweep:
        name, equals, values = word.partition("=")
        option = name.strip().lstrip("-").replace("-", "_")
        listed = [value.strip() for value in values.split(",") if value.strip()]
        if option in ("num_gpus", "num_nodes"):
            raise BatmanError(
                "Every run of a sweep is given the same GPUs.", "Make one sweep for each number."
            )
        if option not in option_names() or option in _NOT_SWEPT:
            guess = did_you_mean(option, option_names())
            raise BatmanError(
                f"There is no setting '{clean(name)}' to sweep; {guess}".rstrip("; ") + ".",
                f"Write --sweep {EXAMPLE}.",
            )
        if not equals or not listed:
            raise BatmanError(f"'{clean(word)}' names no values.", "Write --sweep lr=1e-4,5e-5.")
        if option in axes:
            raise BatmanError(
                f"The setting '{clean(name)}' is there twice.",
                f"Name all its values at once: {name}={','.join(axes[option] + listed)}.",
            )
        axes[option] = listed
    count = 1
    for listed in axes.values():
        count *= len(listed)
    if count > _MOST:
        raise BatmanError(
            f"A sweep of {count:,} runs is more than anybody trains.",
            f"Leave out values: {_MOST:,} runs are the most.",
        )
    return axes


def _refuse_twins(found: Sequence[Combination]) -> None:
    """Raise BatmanError for two runs that would be the same, such as of `lr=1e-4,0.0001`."""
    seen: dict[str, Combination] = {}
    for one in found:
        key = one.config.model_dump_json(exclude={"output_dir"})
        other = seen.setdefault(key, one)
        if other is not one:
            raise BatmanError(
                f"'{choice_words(other.choices)}' and '{choice_words(one.choices)}' are the same "
                "training.",
                "Name every value once.",
            )
