"""Printing: colour and tables on a terminal, plain aligned lines in a log or a pipe.

Everything that is printed passes through `core.common.text.clean`, for names and logs come from
other people's data and may hold escape codes. Rich is loaded on a terminal only.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import unicodedata
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO, TypeVar

from cli.answers.printing import asked, note_error, say_json, words_to
from cli.exits import Exit
from core.common.invisible_characters import visible
from core.common.lists.export import as_csv
from core.common.text import clean, clean_lines
from core.late import late

if TYPE_CHECKING:
    from rich.console import Console

    from core.common.lists.columns import Column
    from core.data.store import HistoryEntry

if not TYPE_CHECKING:
    csv = late("csv")

Row = TypeVar("Row")


def is_terminal(stream: TextIO | None = None) -> bool:
    """Return whether `stream` (default: where words for people go) is a terminal."""
    return (stream or words_to()).isatty()


def open_streams() -> None:
    """Give the process its three streams: where one is closed, nothing is read or written there.

    Else the next file that is opened would get its number, and what is printed would go into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken: this one.
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
        elif mode == "w" and hasattr(stream, "reconfigure"):
            # A terminal that cannot show a character shows a '?', not a traceback.
            stream.reconfigure(errors="replace")


def output_fails() -> bool:
    """Return whether what was printed cannot be written: it is still there, and fails again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            return True
    return False


def drop_output(stream: TextIO) -> None:
    """Let what is still buffered go nowhere: Python writes it when it ends, and would complain."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        stream.flush()


def say(text: str = "", style: str = "") -> None:
    """Print one line; `style` is a rich style and counts on a terminal only."""
    if style and is_terminal():
        from rich.text import Text

        console().print(Text(clean(text), style), soft_wrap=True)
    else:
        words_to().write(clean(text) + "\n")


def say_link(text: str) -> None:
    """Print one line that holds the link of `batman serve`: the one secret that is to be seen."""
    words_to().write(visible(text) + "\n")


def say_change(
    entry: HistoryEntry | None, done: str = "", nothing: str = "", **more: object
) -> int:
    """Print what a change of a project did, or that it did nothing; return the exit code.

    `done` and `nothing` are other words for it. A program gets the step of the history, and `more`.
    """
    said = f"{done}: {entry.summary}." if entry and done else entry and f"{entry.summary}."
    say(said or nothing or "There was nothing to change.")
    if asked():
        say_json({**step_json(entry), **more})
    return Exit.OK


def step_json(entry: HistoryEntry | None) -> dict[str, object]:
    """Return a step of a project's history for programs; all is null when nothing was changed."""
    if entry is None:
        return {"history": None, "summary": None, "detail": None}
    told = {"id": entry.id, "kind": entry.kind, "summary": entry.summary}
    return {"history": told, "summary": entry.summary, "detail": entry.detail}


def say_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as CSV, as `core.common.lists.export.as_csv` writes it."""
    sys.stdout.write(as_csv(columns, rows))


def say_error(message: str, hint: str = "") -> None:
    """Print on standard error what is wrong and what to do about it; a hint may have lines."""
    sys.stdout.flush()
    note_error(clean(message), clean_lines(hint))
    if is_terminal(sys.stderr):
        from rich.text import Text

        errors = console(error=True)
        errors.print(Text.assemble(("Error: ", "bold red"), clean(message)), soft_wrap=True)
        if hint:
            errors.print(Text(clean_lines(hint), "dim"), soft_wrap=True)
    else:
        sys.stderr.write(f"Error: {clean(message)}\n")
        if hint:
            sys.stderr.write(f"{clean_lines(hint)}\n")


def say_note(text: str) -> None:
    """Print a line on standard error that is no complaint, beside output that programs may read."""
    sys.stdout.flush()
    sys.stderr.write(visible(text) + "\n")


def say_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    right: Container[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Print a table with the titles `columns`; those in `right` are aligned to the right.

    On a terminal that is too narrow the columns in `spare` are left out, the first of them first.
    In a pipe columns stand two spaces apart, none is left out and no line is wrapped. None is
    shown as `–`.
    """
    columns = [clean(column) for column in columns]
    cells = [["–" if cell is None else clean(str(cell)) for cell in row] for row in rows]
    if is_terminal():
        columns, cells = _narrowed(columns, cells, spare, console().width)
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(
                Text(column),
                justify="right" if column in right else "left",
                overflow="fold",
            )
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        console().print(table)
        return
    widths = [max(map(_width, column)) for column in zip(columns, *cells, strict=True)]
    for row in ([*columns], *cells):
        parts = [
            " " * (width - _width(cell)) + cell
            if column in right
            else cell + " " * (width - _width(cell))
            for cell, width, column in zip(row, widths, columns, strict=True)
        ]
        words_to().write("  ".join(parts).rstrip() + "\n")


def say_columns(
    columns: Sequence[Column[Row]], rows: Iterable[Row], spare: Sequence[str] = ()
) -> None:
    """Print rows under the columns that the app has too; those with the keys `spare` may go."""
    titles = {column.key: column.typed for column in columns}
    say_table(
        list(titles.values()),
        [[column.written(row) for column in columns] for row in rows],
        right=[column.typed for column in columns if column.to_right],
        spare=[titles[key] for key in spare if key in titles],
    )


def _narrowed(
    columns: list[str], cells: list[list[str]], spare: Sequence[str], room: int
) -> tuple[list[str], list[list[str]]]:
    """Return the columns and cells that fit `room`, without as many of `spare` as it takes."""
    # Rich puts three spaces between columns and one at either end.
    widths = [max(map(_width, column)) + 3 for column in zip(columns, *cells, strict=True)]
    kept = list(range(len(columns)))
    for name in spare:
        if sum(widths[place] for place in kept) - 1 <= room:
            break
        kept = [place for place in kept if columns[place] != name]
    return [columns[place] for place in kept], [[row[place] for place in kept] for row in cells]


def say_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one a line; values of None and '' are left out."""
    shown = [(name, clean(str(value))) for name, value in pairs if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        if is_terminal():
            from rich.text import Text

            line = Text.assemble((name.ljust(width + 2), "dim"), value)
            console().print(line, soft_wrap=True)
        else:
            words_to().write(f"{name.ljust(width + 2)}{value}\n")


def console(error: bool = False) -> Console:
    """Return rich's console where words for people go, or on standard error, as they are now."""
    return _console(sys.stderr if error else words_to())


@functools.lru_cache(maxsize=4)
def _console(stream: TextIO) -> Console:
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            # Rich would end the process; `cli.common.guard` has its own way.
            raise BrokenPipeError

    return Plain(file=stream, highlight=False, markup=False, emoji=False)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
