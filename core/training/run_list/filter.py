"""The small language that picks runs from a list: `model=base map50>0.5 tag:x -tag:y words`.

Terms stand with spaces between them, and a run is shown when all of them hold:

- `word` or `"several words"`: somewhere in the name, state, project, model, note or tags;
- `field=value`, `field!=value`: a text field as a whole, whatever the case, with `*` for anything;
- `field>n`, `>=`, `<`, `<=`, `=`, `!=`: a number, or a time such as `took>2h`;
- `field:text`: a part of a text field; of `tag`, a whole tag;
- `-` in front of any of these: the opposite.

Every setting of training is a field too, under its name on the command line: `lr=1e-4`,
`batch-size>=8`, `ema=no`, `lr-scheduler=cosine`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from core.common.errors import ConfigError
from core.common.text import clean, did_you_mean, sentence
from core.common.tokenizer import Token, Tokenizer
from core.training.run.summary import RunSummary

Test = Callable[[RunSummary], bool]

TEXTS: dict[str, Callable[[RunSummary], tuple[str, ...]]] = {
    "name": lambda run: (run.name,),
    "state": lambda run: (run.state,),
    "model": lambda run: (run.model,),
    "project": lambda run: (run.project or "",),
    "note": lambda run: (run.note,),
    "tag": lambda run: run.tags,
    "sweep": lambda run: (run.sweep,),
}
NUMBERS: dict[str, Callable[[RunSummary], float | None]] = {
    "map50_95": lambda run: run.best_map50_95,
    "map50": lambda run: run.best_map50,
    "epoch": lambda run: run.epoch,
    "epochs": lambda run: run.epochs,
    "best_epoch": lambda run: run.best_epoch,
    "loss": lambda run: run.loss,
    "took": lambda run: run.seconds,
}
FIELDS = (*TEXTS, *NUMBERS)
SORTABLE = (*FIELDS, "started")
# What training was told; the data set, the notes and the origin are no settings that one chooses.
_NO_SETTINGS = ("dataset", "notes", "origin", "sweep")
_OTHER_NAMES = {"map": "map50_95", "map50-95": "map50_95", "run": "name", "tags": "tag"}
_OTHER_NAMES |= {"time": "took", "seconds": "took", "notes": "note", "batch": "batch_size"}
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_TOKENS = Tokenizer(None, (*_COMPARE, ":"), rich=True)


@cache
def setting_names() -> tuple[str, ...]:
    """Return the settings of training that runs are filtered and sorted by, in their order."""
    # Not for a plain list: the options of training take longer to load than all else.
    from core.training.config.options import TrainingConfig

    return tuple(
        name for name in TrainingConfig.model_fields if name not in (*FIELDS, *_NO_SETTINGS)
    )


@dataclass(frozen=True)
class RunFilter:
    """A filter that was read. `problems` are sentences on terms that are not understood.

    Those terms are left out, so that a filter may be used while it is still being typed.
    """

    tests: tuple[Test, ...] = ()
    problems: tuple[str, ...] = field(default=())

    def keeps(self, run: RunSummary) -> bool:
        """Return whether `run` is among those asked for."""
        return all(test(run) for test in self.tests)


def read_filter(text: str) -> RunFilter:
    """Read a filter; never raises, see `RunFilter.problems`."""
    tests: list[Test] = []
    problems: list[str] = []
    for token in _TOKENS.tokens(text):
        try:
            tests.append(_term(token))
        except ConfigError as error:
            problems.append(f"{error.message} {error.hint}".strip())
    return RunFilter(tuple(tests), tuple(problems))


def require_filter(text: str) -> RunFilter:
    """Read a filter of which every term must make sense. Raises ConfigError."""
    for token in _TOKENS.tokens(text):
        _term(token)
    return read_filter(text)


def sort_runs(runs: Iterable[RunSummary], by: str, reverse: bool = False) -> list[RunSummary]:
    """Return `runs` ordered by a field: numbers largest first, text from A to Z.

    `reverse` turns the order round; runs without a value come last either way. Raises ConfigError
    for a field that there is not.
    """
    name = _field(by)
    if name not in (*SORTABLE, *setting_names()):
        guess = did_you_mean(by, (*SORTABLE, *setting_names()))
        raise ConfigError(
            f"Runs cannot be sorted by '{clean(by)}'.",
            sentence(guess) or f"There are {', '.join(SORTABLE)}, and every setting.",
        )

    def value(run: RunSummary) -> Any:
        if name in NUMBERS:
            return NUMBERS[name](run)
        if name in TEXTS:
            return " ".join(TEXTS[name](run)).casefold() or None
        if name == "started":
            return run.started_at
        found = _setting(run, name)
        return found if isinstance(found, float) else _as_text(name, found).casefold() or None

    values = [(value(run), run) for run in runs]
    known = [(found, run) for found, run in values if found is not None]
    if any(isinstance(found, str) for found, _ in known):
        # Auto among numbers stands with the text.
        known.sort(key=lambda pair: str(pair[0]), reverse=reverse)
    else:
        known.sort(key=lambda pair: pair[0], reverse=not reverse)
    return [run for _, run in known] + [run for found, run in values if found is None]


def _field(name: str) -> str:
    """Return the field or setting that is meant by `name`, dashes and capitals aside."""
    wanted = name.casefold()
    wanted = _OTHER_NAMES.get(wanted, wanted)
    return wanted if wanted in SORTABLE else wanted.replace("-", "_")


def _setting(run: RunSummary, name: str) -> Any:
    """Return one setting of the run: a float where it is a number, None where it is not known."""
    value = None if run.config is None else getattr(run.config, name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return value


def _as_text(name: str, value: Any) -> str:
    """Return a setting's value as it is typed."""
    from core.training.config.form import to_text

    return to_text(name, value)


def _term(token: Token) -> Test:
    test = _positive(token)
    return (lambda run: not test(run)) if token.minuses % 2 else test


def _positive(token: Token) -> Test:
    how, value = token.operator, token.value
    if token.key is None:
        return _anywhere(value.casefold())
    name = _field(token.key)
    if name not in (*FIELDS, *setting_names()):
        guess = did_you_mean(name, (*FIELDS, *setting_names()))
        raise ConfigError(
            f"Runs have no '{clean(token.key)}' to filter by.",
            sentence(guess) or f"There are {', '.join(FIELDS)}, and every setting.",
        )
    if not value:
        raise ConfigError(f"'{clean(token.text)}' says nothing to compare with.")
    if name in setting_names():
        return _by_setting(name, how, value)
    return _number(name, how, value) if name in NUMBERS else _text(name, how, value.casefold())


def _anywhere(word: str) -> Test:
    def test(run: RunSummary) -> bool:
        tags = " ".join(f"#{tag}" for tag in run.tags)
        text = f"{run.name} {run.state} {run.project or ''} {run.model} {tags} {run.note}"
        return word in text.casefold()

    return test


def _text(name: str, how: str, value: str) -> Test:
    values = TEXTS[name]
    if name == "tag":
        value = value.lstrip("#")
    if how == ":" and name != "tag":
        return lambda run: any(value in text.casefold() for text in values(run))
    if how not in ("=", "!=", ":"):
        raise ConfigError(f"'{name}' is text: compare it with =, != or :.")
    # A bracket is a character like others here; only the star is special.
    pattern = value.replace("[", "[[]")

    def equal(run: RunSummary) -> bool:
        return any(fnmatchcase(text.casefold(), pattern) for text in values(run))

    return (lambda run: not equal(run)) if how == "!=" else equal


def _number(name: str, how: str, value: str) -> Test:
    wanted = _seconds(value) if name == "took" else None
    try:
        number = float(value) if wanted is None else wanted
    except ValueError:
        raise ConfigError(f"'{clean(value)}' is no number to compare {name} with.") from None
    compare = _COMPARE["=" if how == ":" else how]
    read = NUMBERS[name]

    def test(run: RunSummary) -> bool:
        found = read(run)
        return found is not None and compare(found, number)

    return test


def _by_setting(name: str, how: str, value: str) -> Test:
    """Compare a setting as a number where both sides are one, else as it is typed."""
    try:
        number = float(value)
    except ValueError:
        number = None
        if how in (">", ">=", "<", "<="):
            raise ConfigError(f"'{clean(value)}' is no number to compare {name} with.") from None
    wanted, compare = value.casefold().replace("[", "[[]"), _COMPARE["=" if how == ":" else how]

    def test(run: RunSummary) -> bool:
        found = _setting(run, name)
        if isinstance(found, float):
            # 1e-4 and 0.0001 are the same learning rate.
            return number is not None and compare(found, number)
        if run.config is None or how in (">", ">=", "<", "<="):
            return False
        text = _as_text(name, found).casefold()
        same = value.casefold() in text if how == ":" else fnmatchcase(text, wanted)
        return same != (how == "!=")

    return test


def _seconds(text: str) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip().casefold())
    return float(match[1]) * _UNITS[match[2]] if match else None
