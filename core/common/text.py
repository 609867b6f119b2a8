"""Small helpers for text that comes from outside and goes to a person."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from core.common.invisible_characters import visible
from core.late import late
from core.privacy.secrets import redact

if TYPE_CHECKING:
    import shlex
else:
    shlex = late("shlex")


def clean(text: str) -> str:
    """Return `text` as one line that is safe to print on a terminal.

    What a terminal obeys and what nobody sees is shown as what it is, such as `⟨U+001B⟩`, and line
    ends as `⏎`: names of files, classes and jobs come from other people's data. See
    `core.common.invisible_characters` for what counts, and for what stays because a script or an
    emoji needs it. Secrets are hidden: all that is shown passes here or through `clean_lines`.
    """
    return visible(redact(text))


def clean_lines(text: str) -> str:
    """Return `text`, of several lines, safe to print: each line as by `clean`, tabs as spaces."""
    return "\n".join(visible(line.expandtabs()) for line in redact(text).splitlines())


def nearest(word: str, choices: Iterable[str], n: int = 3) -> list[str]:
    """Return up to `n` of `choices` spelled most like `word`, best first, ignoring case."""
    import difflib

    folded: dict[str, str] = {}
    for choice in choices:
        folded.setdefault(choice.casefold(), choice)
    return [folded[key] for key in difflib.get_close_matches(word.casefold(), folded, n, 0.6)]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return `did you mean 'a' or 'b'?`, or an empty string when nothing is alike."""
    found = nearest(word, choices)
    if not found:
        return ""
    return "did you mean " + " or ".join(f"'{clean(name)}'" for name in found) + "?"


def sentence(text: str) -> str:
    """Return `text` with a capital at its beginning and the rest as it is: names keep theirs."""
    return text[:1].upper() + text[1:]


def shell_word(text: str) -> str:
    """Return a name as it is typed into a shell in a command that is proposed: quoted where needed.

    It can be shown: what a terminal would obey is marked, as `clean` marks it.
    """
    return clean(shlex.quote(text))


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Return `1 image`, `2 images`, `1,024 images`; `many` for irregular plurals."""
    if count != 1 and many is None:
        many = noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")
    return f"{count:,} {noun if count == 1 else many}"


def whole_number(text: str) -> int | None:
    """Return the number that up to 15 digits say, None for any other text.

    `str.isdigit` takes digits such as ² that `int` does not, and `int` no more than 4300 of them.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def duration(seconds: float) -> str:
    """Return a length of time as `0.4s`, `8s`, `2m 05s`, `3h 07m` or `2d 04h`."""
    whole = max(0, round(seconds))
    if 0 < seconds < 0.95:
        return f"{max(0.1, seconds):.1f}s"
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago `then` was, in at most 11 cells: `just now`, `5 min ago`, `3 Mar 2026`.

    Both times must know their time zone; dates are in that of this machine.
    """
    seconds = (now - then).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h ago"
    if seconds < 7 * 86400:
        return f"{int(seconds // 86400)} d ago"
    local = then.astimezone()
    return f"{local.day} {local:%b %Y}"


def minute(t: float | None) -> str | None:
    """Return a Unix time as lists on paper show it, `2026-03-14 09:05`, in this machine's zone."""
    return None if t is None else f"{datetime.fromtimestamp(t).astimezone():%Y-%m-%d %H:%M}"


def score(value: float | None) -> str | None:
    """Return a metric between 0 and 1 as lists show it, `0.512`; None stays None."""
    return None if value is None else f"{value:.3f}"


def size(count: float) -> str:
    """Return a number of bytes as `512 B`, `1.5 MB`, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
