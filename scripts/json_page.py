"""Writes docs/json-schema.json, and the table of docs/json.md, from `cli.answers.registry`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from cli.answers.registry import ANSWERS, FOR_PEOPLE, schemas

DOCS = Path(__file__).parents[1] / "docs"
SCHEMA, PAGE = DOCS / "json-schema.json", DOCS / "json.md"
BEGIN, END = "<!-- made by scripts/json_page.py -->", "<!-- end -->"


def schema_text() -> str:
    """Return what docs/json-schema.json holds."""
    return json.dumps(schemas(), indent=1) + "\n"


def page_text(page: str) -> str:
    """Return docs/json.md with its table made anew."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{table()}{END}{after}"


def table() -> str:
    """Return the table: each command, the shape of its answer, and what that is."""
    found = schemas()
    parts = found["$defs"]
    rows = []
    for command, schema in found["commands"].items():
        if "events" in schema:
            said = "events " + ", ".join(f"`{kind}`" for kind in schema["events"])
        else:
            said = " or ".join(_answer(each, parts) for each in schema.get("anyOf", [schema]))
        rows.append((_named(command), said))
    rows += [(f"`{command}`", f"– {why}") for command, why in FOR_PEOPLE.items()]
    lines = [f"| {left} | {right} |\n" for left, right in rows]
    return "".join(["| command | answer |\n", "|---|---|\n", *lines])


def _named(command: str) -> str:
    formats = {"import": "`import` of every format", "export": "`export` of every format"}
    return formats.get(command, f"`{command}`")


def _answer(schema: dict[str, Any], parts: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        return f"list of {_name(schema['items'])}: {_about(schema['items'], parts)}"
    if "$ref" not in schema:
        return "an object of texts by name"
    return f"{_name(schema)}: {_about(schema, parts)}"


def _name(schema: dict[str, Any]) -> str:
    return f"`{schema['$ref'].rpartition('/')[2]}`"


def _about(schema: dict[str, Any], parts: dict[str, Any]) -> str:
    """Return the first sentence of a shape's description."""
    said = str(parts[schema["$ref"].rpartition("/")[2]].get("description", ""))
    return said.partition(". ")[0].rstrip(".")


if __name__ == "__main__":
    assert ANSWERS
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
