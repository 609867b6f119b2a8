"""Holds what a command printed with `--json` against its schema, no field more and none less."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from cli.answers.registry import answer_of, schemas


@cache
def _closed() -> dict[str, Any]:
    """Return the schemas with every object closed: a field that is not told of is an error."""
    found = copy.deepcopy(schemas())
    for part in found["$defs"].values():
        if "properties" in part:
            part.setdefault("additionalProperties", False)
    return found


def _errors(schema: dict[str, Any], value: Any) -> list[str]:
    validator = Draft202012Validator({**schema, "$defs": _closed()["$defs"]})
    return [
        f"{error.json_path}: {error.message}"
        for each in validator.iter_errors(value)
        for error in [each, *(each.context or [])]
    ]


def holds(command: str, printed: str) -> Any:
    """Return the answer of `command`, which is as its schema says; of events all of them."""
    known = _closed()["commands"]
    schema = known.get(command) or known[command.partition(" ")[0]]
    assert answer_of(command) is not None
    if "events" not in schema:
        answer = json.loads(printed)
        wrong = _errors(schema, answer)
        assert not wrong, (command, wrong)
        return answer
    told = [json.loads(line) for line in printed.splitlines()]
    for event in told:
        of = schema["events"][event["type"]] if event["type"] != "error" else _closed()["error"]
        wrong = _errors(of, event)
        assert not wrong, (command, event["type"], wrong)
    return told


def holds_error(printed: str, code: int) -> dict[str, Any]:
    """Return what a command that failed with `code` says of it: its last line."""
    told = json.loads(printed.splitlines()[-1])
    assert _errors(_closed()["error"], told) == []
    assert told["error"]["exit_code"] == code
    return dict(told["error"])
