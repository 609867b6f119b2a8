"""Keys and passwords of other people's services: kept out of all that is written or shown.

`redact` is the one redaction. It hides what has the form of a secret wherever it comes from
(passwords in addresses, headers, options, parameters, tokens of known shapes), and every value that
`core.privacy.find_secrets` finds on this machine or that `learn` was told.
`core.common.text.clean`, through which all that is shown passes, calls it, and so does whatever
writes texts into a file of a run.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.late import late
from core.privacy.find_secrets import WORDS, found_secrets

if TYPE_CHECKING:
    import json
else:
    json = late("json")

MASK = "…"
_SHORTEST = 4

_VALUE = r"[^\s\"'&,;<>(){}\[\]\\]+"
# A value between quotes of either kind, as in shells, JSON (in JSON) and Python, or a bare word.
_QUOTE = r"\\?[\"']?"
_QUOTED = rf"(?:(?<=\")[^\"\\\n]+|(?<=')[^'\n]+|{_VALUE})"
_OPTION = r"(?:api-?key|key|token|access-token|password|passwd|secret|client-secret|credentials?)"

_SCHEME = r"\b([a-z][a-z0-9+.-]{0,30}:/{1,3})"

# Each with what must be in a text for the pattern to be tried, and what stays of a match. None may
# begin or repeat in so many ways that a long line without an end costs more than its length.
_PATTERNS: tuple[tuple[str, str, str], ...] = (
    # RFC 3986, 3.2: user information stands between `//` and `@`. A path that was made of an
    # address has one slash. Without a password it is a token, but for SSH's plain user name.
    ("@", _SCHEME + r"[^\s/?#\"'<>\\:@]*:[^\s/?#\"'<>\\]{0,2000}@", rf"\1{MASK}@"),
    (
        "@",
        r"(?<![a-z+])(?!(?:git\+|svn\+)?ssh:|s?ftp:|rsync:)"
        + _SCHEME
        + r"[^\s/?#\"'<>\\]{1,2000}@",
        rf"\1{MASK}@",
    ),
    # Passwords with characters that should have been quoted; `:8080/` is a port.
    (
        "@",
        _SCHEME + r"[^\s/?#\"'<>\\:@]*:(?!\d{1,5}[/?#])[^\s\"'<>@]{1,200}@",
        rf"\1{MASK}@",
    ),
    (
        "%",
        r"\b([a-z][a-z0-9+.-]{0,30}%(?:25)?3A(?:%(?:25)?2F){2})"
        r"(?:(?!%(?:25)?(?:2F|3F|23|40))[^\s\"'<>&/@]){1,2000}%(?:25)?40",
        rf"\1{MASK}@",
    ),
    # The query of an address: API keys, export links, presigned storage addresses.
    (
        "=",
        r"([?&](?:key|token|sig|auth|code)=|\b(?:signature|x-(?:amz|goog)-[a-z-]+)=)" + _VALUE,
        rf"\1{MASK}",
    ),
    # `password=…`, `api_key='…'`, `AccountKey=…;` in whatever notation.
    (
        "=",
        r"((?:api_?key|access_?key(?:_?id)?|account_?key|secret_?key|secret|passw(?:or)?d"
        r"|passphrase|(?:access|auth|refresh|id|session|sas|bearer)_?token"
        r"|shared_?access_?(?:key|signature))\s?=\s?" + _QUOTE + ")" + _QUOTED,
        rf"\1{MASK}",
    ),
    # A job's BATMAN_TOKEN is its name in the queue and opens nothing.
    ("=", rf"((?-i:(?<!BATMAN_){WORDS})={_QUOTE})" + _QUOTED, rf"\1{MASK}"),
    (
        ":",
        r"((?:api_?key|secret|passw(?:or)?d|passphrase|token|credential|access_?key)"
        r"\\?[\"']\s?:\s?\\?[\"'])" + _QUOTED,
        rf"\1{MASK}",
    ),
    # RFC 9110, 11.6.2, and the headers of keys.
    (
        ":",
        r"(\b(?:(?:proxy-)?authorization|x-(?:[a-z]+-){0,4}(?:key|token)|(?:set-)?cookie)"
        r"\\?[\"']?\s?:\s?\\?[\"']?)(?:(?:bearer|basic|digest|token|apikey)\s+)?" + _VALUE,
        rf"\1{MASK}",
    ),
    ("earer ", r"(\bbearer\s+)(?=[a-z._~+/-]*\d)[a-z0-9._~+/=-]{8,}", rf"\1{MASK}"),
    ("--", rf"(--(?:[a-z]+-)*{_OPTION}[= ](?!-){_QUOTE}){_QUOTED}", rf"\1{MASK}"),
    # Tokens that say themselves what they are: Hugging Face, GitHub, GitLab, Slack, PyPI, AWS.
    ("_", r"\b(?:hf|gh[pousr]|github_pat)_[A-Za-z0-9_]{16,}", MASK),
    ("-", r"\b(?:glpat|xox[abprs]|pypi)-[A-Za-z0-9_-]{16,}", MASK),
    ("A", r"\b(?-i:A(?:KI|SI)A[0-9A-Z]{16})\b", MASK),
    # RFC 7519: JSON Web Tokens begin with the coded `{"`.
    ("eyJ", r"\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+", MASK),
    (
        "PRIVATE KEY",
        r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[\s\S]*?"
        r"(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
        rf"\1{MASK}",
    ),
)
# Most texts hold nothing of all this: a name, a number, a sentence.
_MAY_HOLD = (
    *("@", "%40", "%2540", "key", "token", "secret", "pass", "credential", "signature", "jwt"),
    *("_pat", "connection_string", "authorization", "cookie", "bearer", "?sig=", "&sig=", "auth="),
    *("?code=", "&code=", "x-amz-", "x-goog-", "hf_", "gh", "glpat", "xox", "pypi-", "akia"),
    *("asia", "eyj"),
)


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Compile the patterns when the first text may need them: every command starts without."""
    return tuple((mark, re.compile(text, re.IGNORECASE), kept) for mark, text, kept in _PATTERNS)


_lock = threading.Lock()
_told: set[str] = set()


def learn(*secrets: str) -> None:
    """Hide these values as well from now on: an argument, an answer at a prompt.

    What is shorter than `_SHORTEST` is no secret of any service, and stands in every text.
    """
    with _lock:
        _told.update(secret for secret in secrets if len(secret) >= _SHORTEST)
        _known.cache_clear()


def forget() -> None:
    """Forget what `learn` was told: for tests, which share a process."""
    with _lock:
        _told.clear()
        _known.cache_clear()


def refresh() -> None:
    """Look anew for secrets, where the environment has changed since this process began."""
    with _lock:
        _known.cache_clear()


def redact(text: str, secrets: Sequence[str] = ()) -> str:
    """Return `text` with every secret replaced by `…`: the known ones, `secrets`, and by form.

    Values are found plain, quoted as in addresses (once or twice), and escaped as in JSON.
    """
    for form in _known():
        if form in text:
            text = text.replace(form, MASK)
    for form in _forms(secrets) if secrets else ():
        text = text.replace(form, MASK)
    low = text.lower()
    for word in _MAY_HOLD:  # a loop is three times as fast as any() here
        if word in low:
            return redact_forms(text)
    return text


def redact_forms(text: str) -> str:
    """Return `text` without what has the form of a secret, whatever is known of this machine.

    For paths and settings, which are needed as they are: a variable may hold a folder's name.
    """
    for mark, pattern, kept in _patterns():
        if mark in text:
            text = pattern.sub(kept, text)
    return text


def redact_tree(value: Any, by: Callable[[str], str] = redact) -> Any:
    """Return JSON's `value` with `by` done to every text in it, keys left as they are."""
    if isinstance(value, str):
        return by(value)
    if isinstance(value, dict):
        return {key: redact_tree(item, by) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_tree(item, by) for item in value]
    return value


def redact_json(text: str) -> str:
    """Return the JSON `text` with the texts in it redacted; numbers and keys stay whole.

    Written as `text` was if nothing is to hide, else without spaces and in one line.
    """
    if redact(text) == text:
        return text
    content = redact_tree(json.loads(text))
    return json.dumps(content, ensure_ascii=text.isascii(), separators=(",", ":"))


class RedactedLines:
    """A stream of bytes as it comes, given on in whole lines without secrets.

    A secret may be torn over two writes, so what is after the last line end is kept back, at most
    `LONGEST` bytes of it. Bytes that are no UTF-8 are passed on as they are.
    """

    LONGEST = 64 * 1024
    # As much is kept of a line without an end that is longer: more than any secret.
    _OVERLAP = 4096

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Take what was written and return what may be passed on."""
        data = self._rest + data
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not end and len(data) > self.LONGEST:
            end = len(data) - self._OVERLAP
            # Not within a word, which may be a secret.
            end = max(data.rfind(b" ", 0, end) + 1, 0) or end
        self._rest = data[end:]
        return self._redacted(data[:end])

    def end(self) -> bytes:
        """Return what was kept back: nothing more comes."""
        rest, self._rest = self._rest, b""
        return self._redacted(rest)

    @staticmethod
    def _redacted(data: bytes) -> bytes:
        if not data:
            return b""
        text = redact(data.decode("utf-8", "surrogateescape"))
        return text.encode("utf-8", "surrogateescape")


@functools.lru_cache(maxsize=1)
def _known() -> tuple[str, ...]:
    return _forms({*found_secrets(), *_told})


def _forms(secrets: Collection[str]) -> tuple[str, ...]:
    """Return how the secrets may stand in a text, the longest first."""
    if not any(secrets):
        return ()
    import urllib.parse

    forms: set[str] = set()
    for secret in filter(None, secrets):
        quoted = urllib.parse.quote(secret, safe="")
        written = {secret, quoted, urllib.parse.quote(secret), urllib.parse.quote_plus(secret)}
        written |= {urllib.parse.quote_plus(secret, safe="/"), urllib.parse.quote(quoted, safe="")}
        forms |= written | {re.sub(r"%[0-9A-F]{2}", lambda at: at[0].lower(), w) for w in written}
        forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
        forms.add(repr(secret)[1:-1])
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def hide_argument(secret: str) -> None:
    """Overwrite `secret` in this process's argument list as `ps` and /proc show it, and learn it.

    Linux shows the memory that holds the arguments (proc(5), `arg_start` of /proc/PID/stat), which
    a process may write to. Elsewhere nothing happens: an argument can be seen there while the
    program runs, which the environment variable and the prompt avoid. `sys.argv` loses it too.
    """
    learn(secret)
    sys.argv[:] = [item.replace(secret, MASK) if secret else item for item in sys.argv]
    if not secret or not sys.platform.startswith("linux"):
        return
    import ctypes  # everything loads this module, and few need that

    with contextlib.suppress(OSError, ValueError, IndexError):
        raw = Path("/proc/self/cmdline").read_bytes()
        # The second field, the program's name, is in brackets and may hold spaces; `arg_start` is
        # the 48th field, so the 46th after it.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])
        wanted = secret.encode(errors="surrogateescape")
        at = raw.find(wanted)
        while start and at >= 0 and start + at + len(wanted) <= end:
            ctypes.memset(start + at, ord("*"), len(wanted))
            at = raw.find(wanted, at + len(wanted))
