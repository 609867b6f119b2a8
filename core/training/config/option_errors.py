"""What is wrong with an option that was typed, in one plain sentence."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from core.common.text import clean, did_you_mean


def messages(error: ValidationError, known: Collection[str]) -> dict[str, str]:
    """Return one plain sentence for each field that failed; the first problem of a field wins.

    `known` are the names of all options: an unknown one is answered with the nearest of them.
    """
    found: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        text = _explain(name, problem["type"], problem.get("ctx", {}), problem["input"], known)
        found.setdefault(name, text or problem["msg"])
    return found


def _explain(
    name: str, kind: str, context: Mapping[str, Any], value: Any, known: Collection[str]
) -> str:
    if kind == "extra_forbidden":
        guess = did_you_mean(name, known)
        return f"there is no such option{'; ' + guess if guess else ''}"
    if kind == "value_error":
        return str(context["error"])
    auto = " or auto" if name in ("batch_size", "workers") else ""
    if value is None or (isinstance(value, str) and not value.strip()):
        return f"needs a value{', a whole number or auto' if auto else ''}"
    if kind in ("int_parsing", "int_type", "int_from_float", "int_parsing_size"):
        return f"must be a whole number{auto}, not {_shown(value)}"
    if kind in ("float_parsing", "float_type", "finite_number"):
        return f"must be a number, such as 1e-4, not {_shown(value)}"
    limits = {"greater_than_equal": "at least {ge:g}", "greater_than": "more than {gt:g}",
              "less_than_equal": "at most {le:g}", "less_than": "less than {lt:g}"}  # fmt: skip
    if kind in limits:
        return f"must be {limits[kind].format(**context)}{auto}, not {_shown(value)}"
    if kind == "literal_error":
        if auto:
            return f"must be a whole number{auto}, not {_shown(value)}"
        return f"must be {context['expected'].replace(chr(39), '')}, not {_shown(value)}"
    if kind in ("bool_parsing", "bool_type"):
        return f"must be yes or no, not {_shown(value)}"
    if kind == "list_type":
        return f"must be names with bars between them, such as a|b, not {_shown(value)}"
    if kind in ("path_type", "path_parsing"):
        return f"must be a path, not {_shown(value)}"
    return ""


def _shown(value: Any) -> str:
    text = clean(value if isinstance(value, str) else json.dumps(value, default=str))
    return f"'{text[:40]}…'" if len(text) > 40 else f"'{text}'"
