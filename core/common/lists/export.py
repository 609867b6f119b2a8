"""A table as text for other programs: CSV for spreadsheets, Markdown for notes and issues."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from core.common.text import clean
from core.late import late

if TYPE_CHECKING:
    import csv
else:
    csv = late("csv")


def as_csv(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV with a line of titles; None is an empty cell, other values are `str`.

    Control characters are replaced as everywhere, so that a row is one line. A cell that begins
    like a formula gets an apostrophe, for spreadsheets run them (OWASP, "CSV Injection").
    """

    def cell(value: object) -> object:
        if value is None or isinstance(value, (int, float)):
            return value
        text = clean(str(value))
        return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([cell(title) for title in titles])
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()


def as_markdown(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as a table of GitHub's Markdown; None is an empty cell.

    Signs that would end a cell, or be markup in it, are escaped (GitHub Flavored Markdown, tables
    and backslash escapes).
    """

    def cell(value: object) -> str:
        text = "" if value is None else clean(str(value))
        return "".join(f"\\{char}" if char in "\\|`*_[]<>" else char for char in text)

    lines = ["| " + " | ".join(map(cell, row)) + " |" for row in [titles, *rows]]
    lines.insert(1, "|" + " --- |" * len(titles))
    return "\n".join(lines) + "\n"
