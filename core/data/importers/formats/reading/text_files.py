"""Lines, numbers and tables of text files as programs and people write them.

Excel writes a byte order mark, UTF-16 for "Unicode text", and where a comma marks decimals a
semicolon between the cells. Such files are read as what they mean.
"""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path

from core.common.errors import ImportFailed
from core.common.text import clean

# Letters, such as `nan` and `1e400`, and Python's `1_0` are none of these.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?").fullmatch
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+").fullmatch
# What a label file may reach: masks and whole pictures lie in some.
_MOST_BYTES = 2_000_000_000
_SEPARATORS = ",;\t|"


def number(text: str) -> float:
    """Return the number that `text` is, with a decimal point or comma; NaN when it is none."""
    text = text.strip()
    if _NUMBER(text):
        return float(text)
    return float(text.replace(",", ".")) if _DECIMAL_COMMA(text) else math.nan


def bytes_of(file: Path, shown: str = "") -> bytes:
    """Return what is in a file, which messages call `shown`. Raises `ImportFailed`."""
    shown = clean(shown or file.name)
    try:
        if not file.is_file() or file.stat().st_size > _MOST_BYTES:
            raise ImportFailed(f"'{shown}' is no file to read.", "Check the file.")
        return file.read_bytes()
    except OSError as error:
        raise ImportFailed(
            f"'{shown}' cannot be read: {error.strerror}.", "Check its permissions."
        ) from None


def encoding_of(path: Path) -> str:
    """Return the encoding that the first bytes tell, or UTF-8. Raises OSError."""
    with path.open("rb") as file:
        return _encoding(file.read(4))


def decoded(raw: bytes, errors: str = "strict") -> str:
    """Return the text that bytes are, by their byte order mark or as UTF-8, without the mark.

    The beginning of a file may end within a character of two bytes: what is left of it goes.
    """
    encoding = _encoding(raw)
    return raw[: len(raw) - len(raw) % 2 if is_utf16(raw) else None].decode(encoding, errors)


def as_utf8(raw: bytes, shown: str) -> bytes:
    """Return a text in UTF-8 without a byte order mark, whichever encoding its first bytes tell.

    What is UTF-8 already is not looked at further. Raises `ImportFailed`, in which the file is
    `shown`, for a text that breaks off within a character.
    """
    if not is_utf16(raw):
        return raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode(_encoding(raw)).encode()
    except UnicodeError:
        raise ImportFailed(
            f"'{clean(shown)}' is not whole as UTF-16 text.", "Export it again, as UTF-8."
        ) from None


def is_utf16(raw: bytes) -> bool:
    """Whether a text is UTF-16: by its byte order mark, or since every second byte of the first
    four is 0, as of no other text (`json.detect_encoding` of Python 3.11 goes by the same).
    """
    return _encoding(raw) != "utf-8-sig"


def _encoding(raw: bytes) -> str:
    if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    zeros = [byte == 0 for byte in raw[:4]]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else "utf-8-sig"


def lines_of(path: Path) -> list[str] | None:
    """Return the lines of a text file, None when it is unreadable or no text."""
    try:
        text = path.read_bytes().decode(encoding_of(path))
    except (OSError, UnicodeError):
        return None
    return None if "\0" in text else text.splitlines()


def separator_of(line: str) -> str:
    """Return what separates the cells of a table, by its first line: `,` `;` tab or `|`."""
    bare = re.sub(r'"[^"]*"', "", line)
    return max(_SEPARATORS, key=bare.count)


def cells_of(line: str) -> list[str]:
    """Return the cells of one line of a table, such as its header; [] for none."""
    try:
        rows = csv.reader([line], delimiter=separator_of(line), skipinitialspace=True)
        return [cell.strip() for cell in next(rows, [])]
    except csv.Error:
        return []


def table(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV file that have a cell, each with the number of its line.

    Raises `ImportFailed` when it is unreadable, no text, or no table.
    """
    place = 0
    try:
        with path.open(encoding=encoding_of(path), newline="") as file:
            first = file.readline(65_536)
            file.seek(0)
            rows = csv.reader(file, delimiter=separator_of(first), skipinitialspace=True)
            for row in rows:
                place = rows.line_num
                if any(cell.strip() for cell in row):
                    yield place, [cell.strip() for cell in row]
    except UnicodeError:
        raise ImportFailed(
            f"'{clean(path.name)}' is not readable as text.", "Save it as CSV in UTF-8."
        ) from None
    except OSError as error:
        raise ImportFailed(
            f"'{clean(path.name)}' cannot be read: {error.strerror}.", "Check its permissions."
        ) from None
    except csv.Error as error:
        raise ImportFailed(
            f"'{clean(path.name)}' is no table after line {place}: {error}.",
            "Correct it, or export it again.",
        ) from None


def column(name: str) -> str:
    """Return a column's name without case, spaces and punctuation: `Image_ID` → `imageid`."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())
