"""Style sheets that are parsed, and matched with widgets, once for all apps of a session of tests.

Each app parses the same thirty sheets anew, a quarter of the processor time of a short test.
Textual itself keeps what it parsed (`Stylesheet._parse_cache`) for as long as one app runs and its
variables (a theme's colours) stay as they are; here this is kept for each set of variables.
What cannot be parsed is not kept and fails as ever.

Of what is left another quarter goes into asking nine hundred rules which of them hold for a widget.
That follows from the rules and from all that a selector can ask of the widget and of those around
it (`textual.css.model.Selector.check`): their types, names, classes, and of the pseudo classes
those that any rule in question names. Where all this was there before, its answer is taken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode

_parsed: dict[Any, list[Any]] = {}
_parse_rules = Stylesheet._parse_rules
_apply = Stylesheet.apply
_replace_rules = Stylesheet.replace_rules


class _Answer(NamedTuple):
    """The rules that hold for a widget (None: no rule does), and what Textual notes of them."""

    rules: Any
    notes: tuple[bool, ...]


# What `Stylesheet.apply` writes down about a widget beside its rules.
_NOTES = ("_has_hover_style", "_has_focus_within", "_has_order_style", "_has_odd_or_even")
_sheets: dict[tuple[int, ...], tuple[int, list[RuleSet]]] = {}
_sets: dict[tuple[int, ...], int] = {}
_asked: dict[tuple[int, frozenset[str]], tuple[int, tuple[str, ...]]] = {}
_answers: dict[Any, _Answer] = {}
# What many answers and questions have in common is kept once.
_common: dict[Any, Any] = {}
_replaced: dict[int, Any] = {}


def _parse_once(sheet: Stylesheet, css: str, *args: Any, **named: Any) -> list[Any]:
    # All that the rules follow from: the sheet, where it is from, its rank, and the variables.
    key = (css, args, tuple(named.items()), frozenset(sheet._variables.items()))
    if key not in _parsed:
        _parsed[key] = _parse_rules(sheet, css, *args, **named)
    return _parsed[key]


def _number(sheet: Stylesheet) -> int:
    """Return a number that sheets of the same rules share. The rules are kept: so are their ids."""
    rules = sheet.rules
    known: Any = sheet.__dict__.get("_numbered")
    if known is None or known[1] is not rules or known[2] != len(rules):
        number, _ = _sheets.setdefault(tuple(map(id, rules)), (len(_sheets), list(rules)))
        known = sheet.__dict__["_numbered"] = (number, rules, len(rules))
    return int(known[0])


def _concerned(sheet: Stylesheet, node: DOMNode) -> tuple[int, tuple[str, ...]]:
    """Return a number for the rules that may hold for `node`, and the pseudo classes in these."""
    number, rules = _number(sheet), sheet.rules_map
    names = frozenset(rules.keys() & node._selector_names)
    found = _asked.get((number, names))
    if found is None:
        some = {id(rule) for name in names for rule in rules[name]}
        ordered = [rule for rule in sheet.rules if id(rule) in some]
        pseudo = {each for rule in ordered for each in rule.pseudo_classes}
        same = _sets.setdefault(tuple(map(id, ordered)), len(_sets))
        found = _asked[number, names] = (same, tuple(sorted(pseudo)))
    return found


def _question(sheet: Stylesheet, node: DOMNode) -> Any:
    """Return all that the rules which hold for `node` follow from."""
    rules, pseudo = _concerned(sheet, node)
    path = []
    for each in node.css_path_nodes:
        states: Any = ()
        if pseudo:
            checks: Any = each._PSEUDO_CLASSES
            states = tuple([checks[name](each) if name in checks else None for name in pseudo])
        part = (type(each), each._id, frozenset(each._classes), states)
        path.append(_common.setdefault(part, part))
    return (rules, tuple(path))


def _apply_once(
    sheet: Stylesheet, node: DOMNode, *, animate: bool = False, cache: Any = None
) -> None:
    question = None
    # A widget that is on no screen cannot be asked everything: Textual asks it what it must.
    with contextlib.suppress(Exception):
        question = _question(sheet, node)
    answer = None if question is None else _answers.get(question)
    if answer is None:
        _replaced.pop(id(node), None)
        _apply(sheet, node, animate=animate, cache=cache)
        rules = _replaced.pop(id(node), None)
        if question is not None:
            _answers[question] = _Answer(_kept(rules), _notes_of(node))
        return
    for name, value in zip(_NOTES, answer.notes, strict=True):
        setattr(node, name, value)
    if answer.rules is not None:
        sheet.replace_rules(node, answer.rules, animate=animate)
    sheet._process_component_classes(node)


def _notes_of(node: DOMNode) -> tuple[bool, ...]:
    return tuple([getattr(node, name) for name in _NOTES])


def _kept(rules: Any) -> Any:
    """Return these rules, or the same ones that another widget has."""
    if rules is None:
        return None
    # Values of the same name and identity: the sheets that are kept hold them, or Textual does.
    same = tuple([(name, id(value)) for name, value in rules.items()])
    return _common.setdefault(same, rules)


def _replace_and_tell(node: DOMNode, rules: Any, animate: bool = False) -> None:
    _replaced[id(node)] = rules
    _replace_rules(node, rules, animate=animate)


@pytest.fixture(scope="session", autouse=True)
def parsed_styles() -> Iterator[None]:
    """Parse a sheet of a theme once in the session, and match it with a widget once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", _parse_once)
        patch.setattr(Stylesheet, "apply", _apply_once)
        patch.setattr(Stylesheet, "replace_rules", staticmethod(_replace_and_tell))
        # The same numbers, from C: sets of rules are made for every widget.
        patch.setattr(RuleSet, "__hash__", object.__hash__)
        yield
