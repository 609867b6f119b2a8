"""JSON records, one a line or one list in a file, as formats of text hold them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.formats.reading.text_files import number
from core.data.importers.report import Problems


def json_lines(file: Path, problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a file with one a line, and where each stands.

    A damaged line is noted and passed over. Raises `ImportFailed` for a file that is unreadable.
    """
    try:
        with file.open("rb") as reading:
            for place, line in enumerate(reading, 1):
                line = line.removeprefix(b"\xef\xbb\xbf").strip()
                if not line:
                    continue
                where = f"{file.name}: line {place}"
                try:
                    value = msgspec.json.decode(line)
                except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                    problems.add("bad line", where, f"not JSON: {error}"[:200])
                    continue
                if isinstance(value, dict):
                    yield where, value
                else:
                    problems.add("bad line", where, "not a JSON object")
    except OSError as error:
        raise ImportFailed(
            f"'{clean(file.name)}' cannot be read: {error.strerror}.", "Check its permissions."
        ) from None


def json_file(file: Path) -> Any:
    """Return what a JSON file holds. Raises `ImportFailed` when it is unreadable or damaged."""
    try:
        return msgspec.json.decode(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except OSError as error:
        raise ImportFailed(
            f"'{clean(file.name)}' cannot be read: {error.strerror}.", "Check its permissions."
        ) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ImportFailed(
            f"'{clean(file.name)}' is not valid JSON: {error}.", "Correct it, or export it again."
        ) from None


def numeric(value: Any) -> float:
    """Return a number from JSON, also as text (`400`, `"400"`, `"400px"`); NaN for another."""
    if isinstance(value, str):
        return number(re.sub(r"\s*px$", "", value))
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if whole else math.nan
    except OverflowError:
        return math.nan


def numbers(value: Any, count: int) -> list[float] | None:
    """Return a list of so many finite numbers from JSON, None for anything else."""
    if not isinstance(value, list) or len(value) != count:
        return None
    values = [numeric(item) for item in value]
    return values if all(map(math.isfinite, values)) else None


def records(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a JSON list, [] for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
