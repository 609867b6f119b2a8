"""JSON records, one a line or one list in a file, as formats of text hold them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.coco.json_lists import loads
from core.data.importers.formats.reading import text_files
from core.data.importers.formats.reading.text_files import as_utf8, bytes_of, is_utf16
from core.data.importers.report import Problems


def json_lines(file: Path, problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a file with one a line, and where each stands.

    A damaged line is noted and passed over. Raises `ImportFailed` for a file that is unreadable.
    """
    try:
        with file.open("rb") as reading:
            wide = is_utf16(reading.read(4))
            reading.seek(0)
            lines: Iterable[bytes] = (
                as_utf8(reading.read(), file.name).splitlines() if wide else reading
            )
            for place, line in enumerate(lines, 1):
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


def json_file(file: Path, shown: str = "") -> Any:
    """Return what a JSON file holds, which messages call `shown`.

    Raises `ImportFailed` when it is unreadable or damaged.
    """
    shown = shown or file.name
    raw = as_utf8(bytes_of(file, shown), shown)
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        # Python's reader takes NaN and Infinity, and says where a fault is.
        return loads(raw, shown)


def number(value: Any) -> float | None:
    """Return a finite number, also as text (`400`, `"400"`, `"400px"`); None for anything else."""
    if isinstance(value, str):
        found = text_files.number(re.sub(r"\s*px$", "", value))
        return found if math.isfinite(found) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def numbers(value: Any, count: int | None = None) -> list[float] | None:
    """Return a list of finite numbers as floats, None for anything else (or of another length)."""
    if not isinstance(value, list | tuple) or (count is not None and len(value) != count):
        return None
    found = [number(item) for item in value]
    return None if None in found else [item for item in found if item is not None]


def records(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a JSON list, [] for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
