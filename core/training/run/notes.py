"""A person's note on a run, and the tags they gave it: `notes.json` in the run folder.

Anybody who can write the folder may write it, while the run goes on or long after; the trainer
never does. A folder without the file has no note and no tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from core.common.errors import BatmanError, ConfigError, RunError
from core.common.files import read_typed_json, write_json
from core.common.invisible_characters import said_unseen
from core.common.text import clean
from core.privacy.secrets import redact

NOTES_FILE = "notes.json"
MEND = "Mend the file, or move it away."
TAG_LENGTH = 40
NOTE_LENGTH = 4000


@dataclass(frozen=True, slots=True)
class Notes:
    """What a person said of a run: a note, and tags in alphabetical order.

    `problem` says what is wrong with the file, of which then nothing is written over.
    """

    text: str = ""
    tags: tuple[str, ...] = ()
    problem: str = ""


class _File(msgspec.Struct):
    note: str = ""
    tags: list[str] = []


def read_notes(run: Path) -> Notes:
    """Return the notes in the run folder `run`; none when there is no file that can be read.

    A list of runs must not break on one of them: what is wrong with a file is in `Notes.problem`.
    """
    path = run / NOTES_FILE
    try:
        found = read_typed_json(path, dict[str, Any])
        said = _File() if found is None else msgspec.convert(found, _File)
    except BatmanError as error:
        return Notes(problem=error.message)
    except msgspec.ValidationError as error:
        return Notes(problem=f"'{clean(str(path))}' cannot be read: {clean(str(error))}.")
    if found and not found.keys() & {"note", "tags"}:
        return Notes(problem=f"'{clean(str(path))}' holds something else than a note and tags.")
    tags, others = set(), []
    for tag in said.tags:
        try:
            tags.add(normal_tag(tag))
        except ConfigError as error:
            others.append(error.message)
    problem = f"In '{clean(str(path))}': {' '.join(others)}" if others else ""
    return Notes(said.note, tuple(sorted(tags)), problem)


def require_notes(run: Path) -> Notes:
    """Return the notes in the run folder `run`. Raises RunError for what is wrong with them."""
    found = read_notes(run)
    if found.problem:
        raise RunError(found.problem, MEND)
    return found


def write_note(run: Path, text: str) -> Notes:
    """Set the note of the run in `run`; an empty one takes it away. Returns what stands there.

    White space at the ends is dropped. Raises ConfigError for a note of more than `NOTE_LENGTH`
    characters or with new ones that nobody sees (`core.common.invisible_characters`), RunError when
    the file cannot be read or written.
    """
    # Bytes of the command line that are no UTF-8 come as lone surrogates, which no file can hold.
    text = text.strip().encode("utf-8", "replace").decode()
    if len(text) > NOTE_LENGTH:
        raise ConfigError(
            f"The note has {len(text):,} characters.", f"Keep it to {NOTE_LENGTH:,} at most."
        )
    before = require_notes(run)
    if hidden := said_unseen(text, before.text + "\n\t"):
        raise ConfigError(
            f"The note '{clean(text[:60])}' holds what nobody sees: {hidden}.",
            "Write it without that.",
        )
    return _write(run, Notes(text, before.tags))


def change_tags(run: Path, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Notes:
    """Give the run in `run` the tags `add` and take `remove` from it; return what stands there.

    A tag it has already, or has not, is no mistake. Raises as `normal_tag` and `write_note` do.
    """
    added, removed = {normal_tag(tag) for tag in add}, {normal_tag(tag) for tag in remove}
    before = require_notes(run)
    tags = (set(before.tags) | added) - removed
    return _write(run, Notes(before.text, tuple(sorted(tags))))


def normal_tag(text: str) -> str:
    """Return a tag as it is kept: small letters, `-` between words, without a `#` in front.

    Raises ConfigError for one that is empty, too long, or holds something the filter language of
    `core.training.run_list.filter` would take for its own.
    """
    tag = "-".join(text.strip().lstrip("#").casefold().split())
    if not tag or tag != clean(tag) or tag[0] in "-+" or set(tag) & set(',"*?['):
        raise ConfigError(
            f"'{clean(text)}' is no tag.", "Tags are words such as baseline or low-lr."
        )
    if len(tag) > TAG_LENGTH:
        raise ConfigError(
            f"The tag '{clean(tag[:TAG_LENGTH])}…' is too long.",
            f"Keep it to {TAG_LENGTH} characters.",
        )
    return tag


def parse_tag_changes(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the tags that `words` add (`+a`, or `a`) and take away (`-a`).

    A word may hold several with commas between them. Raises ConfigError for what is no tag.
    """
    add: list[str] = []
    remove: list[str] = []
    for word in ",".join(words).split(","):
        word = word.strip()
        if word:
            kept = remove if word.startswith("-") else add
            kept.append(normal_tag(word[1:] if word[0] in "+-" else word))
    return add, remove


def said_of(tags: Sequence[str], note: str) -> str:
    """Return tags and note in one line, `#a #b what was noted`; empty when there is neither."""
    return " ".join([*(f"#{tag}" for tag in tags), note]).strip()


def _write(run: Path, notes: Notes) -> Notes:
    path = run / NOTES_FILE
    try:
        # What somebody else keeps beside them stays.
        others = read_typed_json(path, dict[str, Any]) or {}
        write_json(path, {**others, "note": redact(notes.text), "tags": list(notes.tags)})
    except OSError as error:
        raise RunError(
            f"'{clean(str(run / NOTES_FILE))}' cannot be written: {error.strerror}."
        ) from error
    return notes
