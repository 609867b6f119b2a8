"""A function of Batman's that a job calls: its folder, and what the job leaves in it.

The folder holds `function.json` (the call), `options.json` (what the module reads, see
`core.processes.job`) and, once the job is at it, `answer.jsonl` (what that says, a JSON object a
line). `job.json` and `job.sh` are those of every job.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from core.common.files import read_typed_json
from core.common.parse import ParseError, parse_json

CALL, OPTIONS, ANSWER = "function.json", "options.json", "answer.jsonl"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call: `python -m MODULE` on the options; its results are a folder.

    `output` is where they lie for the job, `here` where they go on this machine.
    """

    name: str
    module: str
    output: str
    here: str


def read_call(folder: Path) -> Call | None:
    """Return the call in a job's folder, None where it is none. Raises BatmanError if broken."""
    return read_typed_json(folder / CALL, Call)


def is_call(folder: Path) -> bool:
    """Whether a job's folder is one of a function."""
    return (folder / CALL).is_file()


def read_answer(data: bytes) -> dict[str, Any] | None:
    """Return the last word of `answer.jsonl`: `finished` or `failed`; None while there is none."""
    for line in reversed(data.splitlines()):
        try:
            said = parse_json(line, dict[str, Any])
        except ParseError:
            continue  # torn, or printed before the job began
        if said.get("event") in ("finished", "failed"):
            return said
    return None


def options_text(options: Any) -> str:
    """Return options as the module reads them."""
    return json.dumps(msgspec.to_builtins(options, enc_hook=str))
