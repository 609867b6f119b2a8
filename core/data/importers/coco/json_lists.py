"""Reading COCO's JSON: fast while it is as it should be, record by record where it is not.

The file's three lists are found without reading what is in them; images and annotations are then
read some thousands at a time into typed records, which is several times faster than `json.load`
and needs a fraction of its memory. A part of a list in which a record has the wrong type is read
again without types, and each record looked at. A file that is no JSON by the standard but what
many programs write (NaN, Infinity) is read by Python's own reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from core.common.errors import ImportFailed
from core.common.text import clean
from core.data.importers.formats.reading.text_files import as_utf8, is_utf16

T = TypeVar("T")
# Bytes of JSON read into records at a time: small enough to stay in a processor's cache.
_CHUNK = 200_000
# A cut between records is a guess (the text may be part of a name); so many guesses are made.
_GUESSES = 64
_ABSENT = memoryview(b"")
_ANNOTATIONS_AT = re.compile(rb'"annotations"\s*:\s*\[')
_BETWEEN = re.compile(rb"\}\s*,\s*\{")


class BadRecord(Exception):
    """A record that cannot be used: kind of problem, where, and the detail."""

    def __init__(self, kind: str, where: str, detail: str) -> None:
        super().__init__(kind, where, detail)
        self.kind, self.where, self.detail = kind, where, detail


class _Root(msgspec.Struct):
    images: msgspec.Raw = msgspec.Raw(b"")
    annotations: msgspec.Raw = msgspec.Raw(b"")
    categories: msgspec.Raw = msgspec.Raw(b"")


def _texts(root: _Root) -> dict[str, Any]:
    return {key: memoryview(getattr(root, key)) for key in _Root.__struct_fields__}


class Lists:
    """The lists of one COCO file, each still JSON text, or plain values when types had to go."""

    def __init__(self, path: Path, name: str) -> None:
        """Read the file. Raises `ImportFailed` that names the file and the place."""
        self.name = name
        try:
            with path.open("rb") as file:
                raw = file.read()
        except OSError as error:
            raise ImportFailed(
                f"'{clean(str(path))}' cannot be read: {error.strerror}.", "Check its permissions."
            ) from None
        data = _plain(raw, name)
        self._parts: dict[str, Parts[Any]] = {}
        self._counts: dict[str, int] = {}
        # The text whose list of annotations still has to show that it ends where it seems to.
        self._unproven: bytes | memoryview | None = None
        try:
            self.lists: dict[str, Any] = self._found(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            value = loads(bytes(data), name)
            if not isinstance(value, dict):
                raise ImportFailed(
                    f"'{clean(name)}' is not a COCO file: it holds {_what(value)} where an object"
                    " with images, annotations and categories is expected.",
                    "Choose the file with the annotations.",
                ) from None
            self.lists = {key: value.get(key, _ABSENT) for key in _Root.__struct_fields__}
        for key, value in self.lists.items():
            if isinstance(value, memoryview) and (not len(value) or bytes(value[:1]) == b"["):
                if key == "images" and not len(value):
                    raise self.wrong("it has no 'images'")
            elif not isinstance(value, list):
                raise self.wrong(f"'{key}' is not a list")

    def _found(self, data: bytes | memoryview) -> dict[str, Any]:
        """Return the text of the lists. Raises msgspec's errors for what is no JSON.

        Nearly all of the text is the annotations, and reading it once more only to learn where it
        ends would cost a twentieth of an import. So its ends are guessed: from the first `[` after
        its key to the last `]` before the categories, or of the file. That what is around it reads
        as an object that lacks nothing but this value proves the beginning; the end is proven
        when the records have been read.
        """
        text = data if isinstance(data, bytes) else bytes(data)
        begin = _ANNOTATIONS_AT.search(text)
        if begin is not None:
            start = begin.end() - 1
            after = text.rfind(b'"categories"', start)
            end = text.rfind(b"]", start, after if after > 0 else len(text)) + 1
            if end > start:
                around = b"".join((text[:start], b"null", text[end:]))
                try:
                    root = msgspec.json.decode(around, type=_Root)
                except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                    root = _Root()
                if bytes(root.annotations) == b"null" and bytes(root.images):
                    self._unproven = text
                    return {**_texts(root), "annotations": memoryview(text)[start:end]}
        return _texts(msgspec.json.decode(data, type=_Root))

    def _proven(self, guess: memoryview) -> memoryview | None:
        """Return the annotations' text as a reader of the whole file finds it: a part of `guess`.

        None where that was known before, or where only Python's own reader takes the file. Raises
        `ImportFailed` that names the place where the file breaks.
        """
        text, self._unproven = self._unproven, None
        if text is None:
            return None
        try:
            proven = memoryview(msgspec.json.decode(text, type=_Root).annotations)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            loads(bytes(text), self.name)
            return None
        if proven != guess[: len(proven)]:
            raise self.wrong("it has more than one list of annotations")
        return proven

    def wrong(self, what: str) -> ImportFailed:
        """Return the error for a file that is JSON but not COCO."""
        return ImportFailed(
            f"'{clean(self.name)}' is not a COCO file: {what}.",
            "A COCO file is an object with the lists images, annotations and categories.",
        )

    def plain(self, key: str) -> list[Any]:
        """Return a (short) list as plain values."""
        value = self.lists[key]
        if isinstance(value, list):
            return value
        return loads(bytes(value), self.name) if len(value) else []

    def head(self, key: str) -> bytes:
        """Return the beginning of a list's text, enough to see what its records are like."""
        value = self.lists[key]
        if isinstance(value, list):
            return msgspec.json.encode(value[:1])
        return bytes(value[:_CHUNK])

    def records(
        self,
        key: str,
        decoder: msgspec.json.Decoder[list[T]],
        tolerant: Callable[[int, Any], T],
        bad: Callable[[BadRecord], None],
    ) -> Iterator[list[T]]:
        """Yield the list's records some thousands at a time.

        `tolerant` makes one of a plain value (given its place in the list) or raises `BadRecord`,
        which is handed to `bad`. Asked again, it goes on where it was.
        """
        value = self.lists[key]
        if isinstance(value, list):
            pieces: Iterator[list[Any]] = iter([value] if value else [])
        else:
            if key not in self._parts:
                prove = self._proven if key == "annotations" else _no_proof
                self._parts[key] = Parts(value, decoder, prove)
            pieces = iter(self._parts[key])
        for part in pieces:
            count = self._counts.get(key, 0)
            self._counts[key] = count + len(part)
            if part and not isinstance(part[0], msgspec.Struct):
                good = []
                for place, record in enumerate(part, count):
                    try:
                        good.append(tolerant(place, record))
                    except BadRecord as error:
                        bad(error)
                yield good
            else:
                yield part
        self.drop(key)

    def drop(self, key: str) -> None:
        """Forget a list: what was read is not needed twice, and its text is most of the memory."""
        self.lists[key] = []
        self._parts.pop(key, None)
        if key == "annotations":
            self._unproven = None


def _no_proof(_guess: memoryview) -> None:
    return None


class Parts(Generic[T]):
    """The parts of one JSON list: typed records, or plain values where the types do not fit.

    A list is cut where one object ends and the next begins. That this was a place between two
    records, and not inside one, shows when the part reads as a list; if not, the cut is moved on.
    `prove` is asked when that does not help: given the text, it returns as much of it as is the
    list, None when that is known to be all.
    """

    def __init__(
        self,
        text: memoryview,
        decoder: msgspec.json.Decoder[list[T]],
        prove: Callable[[memoryview], memoryview | None] = _no_proof,
    ) -> None:
        self.text = text
        self.decoder = decoder
        self.prove = prove
        self.at = 1
        self._end = len(text) - 1

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield the parts that are left."""
        text = self.text
        while True:
            end = self._end
            if end - self.at < 64 and not bytes(text[self.at : end]).strip():
                return
            search, read = self.at + _CHUNK, None
            for _ in range(_GUESSES):
                match = _BETWEEN.search(text, min(search, end), end)
                stop = match.start() + 1 if match else end
                read = self._read(b"".join((b"[", text[self.at : stop], b"]")))
                if read is not None or match is None:
                    break
                search = match.end() - 1
            if read is None:
                if (proven := self.prove(text)) is not None:
                    # What was read so far is the beginning of either text.
                    self._end = len(proven) - 1
                    continue
                read = loads(b"".join((b"[", text[self.at : end], b"]")), "a list")
                match = None
            self.at = match.end() - 1 if match else end
            yield read
            if match is None:
                return

    def _read(self, part: bytes) -> list[Any] | None:
        try:
            return self.decoder.decode(part)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:
                return msgspec.json.decode(part, type=list)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None


def _plain(data: bytes, name: str) -> bytes | memoryview:
    """Return the JSON in UTF-8 without a byte order mark.

    Raises `ImportFailed` for no text at all.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        return memoryview(data)[3:]
    if not data.strip(b" \t\r\n\0"):
        raise ImportFailed(f"'{clean(name)}' is empty.", "Download or export it again.")
    return as_utf8(data, name) if is_utf16(data) else data


def loads(data: bytes, name: str) -> Any:
    """Return JSON as plain values, taking NaN and Infinity.

    Raises `ImportFailed` that names the line and column where the file breaks.
    """
    try:
        return json.loads(data, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise ImportFailed(
            f"'{clean(name)}' is not valid JSON: {error.msg} at line {error.lineno},"
            f" column {error.colno}.",
            "It may be cut short: download or export it again.",
        ) from None
    except UnicodeDecodeError as error:
        raise ImportFailed(
            f"'{clean(name)}' is not UTF-8 text (byte {error.start:,}).",
            "Save it as UTF-8, which JSON has to be.",
        ) from None
    except RecursionError:
        raise ImportFailed(
            f"'{clean(name)}' is nested too deeply to be a COCO file.",
            "Choose the file with the annotations.",
        ) from None


def _integer(digits: str) -> int | float:
    # Python refuses to read numbers of more than 4,300 digits; none is an id or a length.
    return int(digits) if len(digits) < 400 else float("inf")


def _what(value: Any) -> str:
    names = {list: "a list", str: "a text", type(None): "null", bool: "true or false"}
    return names.get(type(value), "a number")
