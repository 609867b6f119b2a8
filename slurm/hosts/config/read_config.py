"""`~/.ssh/config` read as `ssh` reads it, for where there is no `ssh` to ask.

The rules are those of OpenSSH 9.2's `readconf.c` (`process_config_line_depth`, `match_cfg_line`)
and `ssh.c`; a test compares 200 made configurations with what `ssh -G` says. Only the options that
are used here are kept. What ssh of another version may understand and this does not is an error,
never a guess. Names are not canonicalised by looking them up.
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.common.files import expand_user
from core.common.text import clean
from slurm.hosts.base import HostError
from slurm.hosts.config.tokens import client_tokens, expand
from slurm.hosts.known_hosts import match_pattern

# readconf.c, READCONF_MAX_DEPTH.
_DEPTH = 16
_BLANK = " \t\r\n\f"
_SPACE = " \t\r\n"
# Options of one word; of several, all that are named; of several, the first line that names any;
# the rest of the line as it is.
_ONE = {
    "hostname", "port", "user", "identitiesonly", "identityagent", "pkcs11provider", "hostkeyalias",
    "stricthostkeychecking", "checkhostip", "hashknownhosts", "connecttimeout", "revokedhostkeys",
    "canonicalizehostname", "canonicalizemaxdots", "canonicalizefallbacklocal", "controlpath",
}  # fmt: skip
_EACH = {"identityfile", "certificatefile"}
_FIRST = {"userknownhostsfile", "globalknownhostsfile"}
_RAW = {"proxycommand", "proxyjump"}
_OPTIONS = _ONE | _EACH | _FIRST | _RAW


class OnlySsh(HostError):
    """What only ssh itself understands."""


@dataclass
class _Reading:
    """What has been found so far, and for whom: `host` is what `Host` lines are compared with."""

    typed: str
    host: str
    local_user: str
    folder: Path
    found: dict[str, list[str]] = field(default_factory=dict)
    final: bool = False
    wants_final: bool = False
    # Where only names are listed: the words of Host lines, and nothing is run.
    lists: list[str] | None = None

    @property
    def user(self) -> str:
        return self.found.get("user", [self.local_user])[0]


def read_config(
    file: Path, host: str, user: str | None, port: str | None, local_user: str
) -> dict[str, list[str]]:
    """Return the options of `file` for `host`, names in small letters, values as written.

    `user` and `port` are those that were given with the host, and win. The host's name is as it
    will be connected to. Raises `HostError` that names the line, `BatmanError` for a home folder
    that is not there. A file that is not there says nothing.
    """
    reading = _Reading(host, host, local_user, Path.home() / ".ssh")
    if user:
        reading.found["user"] = [user]
    if port:
        reading.found["port"] = [port]
    _read_file(file, reading, 0, active=True, never=False)
    found = reading.found
    if "hostname" in found:
        reading.host = _host_name(found["hostname"][0], host)
    reading.host = reading.host.lower()
    if found.get("canonicalizehostname", ["no"])[0].lower() not in ("no", "false"):
        dots = int(found.get("canonicalizemaxdots", ["1"])[0])
        if reading.host.count(".") <= dots:
            raise OnlySsh(
                f"'{clean(str(file))}' has CanonicalizeHostname, and names are looked up by ssh"
                " only.",
                "Install OpenSSH's client, or write the whole name of the host.",
            )
        reading.wants_final = True
    if reading.wants_final:
        found["hostname"] = [reading.host]
        reading.final = True
        _read_file(file, reading, 0, active=True, never=False)
    found["hostname"] = [reading.host]
    return found


def host_names(file: Path) -> list[str]:
    """Return the words of all `Host` lines, those of included files among them.

    Raises `HostError` for a line that cannot be read.
    """
    reading = _Reading("", "", "", Path.home() / ".ssh", lists=[])
    _read_file(file, reading, 0, active=True, never=False)
    return reading.lists or []


def _host_name(name: str, typed: str) -> str:
    return expand(name, {"%": "%", "h": typed})


def _read_file(file: Path, reading: _Reading, depth: int, *, active: bool, never: bool) -> bool:
    if depth > _DEPTH:
        raise HostError(f"'{clean(str(file))}' includes itself.", "Remove the Include line.")
    if file.is_dir():
        raise HostError(f"'{clean(str(file))}' is a folder.", "Put ssh's configuration there.")
    if not file.exists():
        return active
    # A comment may be in any encoding.
    with file.open(encoding="utf-8", errors="surrogateescape", newline="\n") as opened:
        for number, line in enumerate(opened, 1):
            place = f"Line {number} of '{clean(str(file))}'"
            active = _read_line(line.rstrip(_BLANK), place, reading, depth, active, never)
    return active


def _read_line(
    line: str, place: str, reading: _Reading, depth: int, active: bool, never: bool
) -> bool:
    """Take one line and return whether what follows is for the host."""
    keyword, rest = _delimited(line)
    if keyword == "":
        keyword, rest = _delimited(rest)
    if not keyword or keyword.startswith("#"):
        return active
    keyword, rest = keyword.lower(), rest.lstrip(_SPACE)
    if keyword == "match":
        if reading.lists is not None:
            return active
        return _matches(rest, place, reading) and not never
    if keyword not in _OPTIONS and keyword not in ("host", "include"):
        if not keyword.isalnum():
            raise HostError(f"{place} cannot be read.", "Put it right.")
        return active
    words = [rest.lstrip(_SPACE + "=")] if keyword in _RAW else split_words(rest, place)
    if not words or not words[0]:
        raise HostError(f"{place} cannot be read: {keyword} takes a value.", "Put it right.")
    if keyword == "host":
        if reading.lists is not None:
            reading.lists += words
            return True
        return not never and _is_host(words, reading.host)
    if keyword == "include":
        for file in _included(words, reading.folder):
            # What an included file says of hosts ends with it.
            _read_file(file, reading, depth + 1, active=active, never=never or not active)
        return active
    if len(words) > 1 and (keyword in _ONE or keyword in _EACH):
        raise HostError(f"{place}: {keyword} takes one value.", "Put it right.")
    if keyword == "port" and not (words[0].isdecimal() and 0 < int(words[0]) < 65536):
        raise HostError(
            f"{place}: '{clean(words[0][:40])}' is no port.", "A port is a number up to 65535."
        )
    if keyword == "canonicalizemaxdots" and not words[0].isdecimal():
        raise HostError(f"{place} cannot be read: it takes a number.", "Put it right.")
    if active:
        _keep(keyword, words, reading.found)
    return active


def _keep(keyword: str, words: list[str], found: dict[str, list[str]]) -> None:
    """Note an option that is for the host: the first one counts."""
    if keyword in _EACH:
        values = found.setdefault(keyword, [])
        values += [word for word in words if word not in values]
    elif keyword == "proxyjump":
        if "proxycommand" not in found:
            found.setdefault(keyword, [words[0].partition("#")[0].strip(_SPACE)])
    elif keyword == "proxycommand":
        # Of the two ways the one that is named first, but for a jump that says there is none.
        if found.get("proxyjump", ["none"])[0].lower() == "none":
            found.setdefault(keyword, words)
    else:
        found.setdefault(keyword, words)


def _delimited(text: str) -> tuple[str | None, str]:
    """Return the first word and what follows it; of an `=` between them, one (`strdelim`).

    The word is None for a quote without its end.
    """
    found = re.search(r'[ \t\r\n"=]', text)
    if found is None:
        return text, ""
    start, at = text[: found.start()], found.start()
    if found[0] == '"':
        inside, ended, rest = text[at + 1 :].partition('"')
        return (start + inside if ended else None), rest.lstrip(_SPACE)
    rest = text[at + 1 :].lstrip(_SPACE)
    if found[0] != "=" and rest.startswith("="):
        rest = rest[1:].lstrip(_SPACE)
    return start, rest


def split_words(text: str, place: str) -> list[str]:
    """Return an option's words, quotes and escapes taken away, up to a comment (`argv_split`).

    Raises `HostError` for a quote without its end.
    """
    words: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
            continue
        if text[at] == "#":
            break
        word, quote = "", ""
        while at < len(text):
            char, following = text[at], text[at + 1 : at + 2]
            if (
                char == "\\"
                and following
                and (following in "'\"\\" or (not quote and following == " "))
            ):
                at += 1
                word += following
            elif not quote and char in " \t":
                break
            elif not quote and char in "'\"":
                quote = char
            elif quote and char == quote:
                quote = ""
            else:
                word += char
            at += 1
        if quote:
            raise HostError(
                f"{place} cannot be read: it has a quote without its end.", "Put it right."
            )
        words.append(word)
    return words


def _is_host(patterns: list[str], host: str) -> bool:
    """Compare with a `Host` line: one that is negated and fits ends it."""
    fits = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if match_pattern(host, pattern[1:]):
                return False
        elif match_pattern(host, pattern):
            fits = True
    return fits


def _is_in(text: str, patterns: str) -> bool:
    """Compare with a list of patterns with commas between (`match_pattern_list`)."""
    return _is_host(patterns.split(","), text)


def _included(words: list[str], folder: Path) -> Iterator[Path]:
    for word in words:
        yield from map(Path, sorted(glob.glob(str(folder / expand_user(word)))))  # noqa: PTH207


def _matches(rest: str, place: str, reading: _Reading) -> bool:
    """Return whether all that a `Match` line asks for is so."""
    words: list[str] = []
    while rest and not rest.startswith("#"):
        word, rest = _delimited(rest)
        if word is None:
            raise HostError(
                f"{place} cannot be read: it has a quote without its end.", "Put it right."
            )
        words.append(word)
    result, at = True, 0
    if not words:
        raise HostError(f"{place} cannot be read: Match takes a criterion.", "Put it right.")
    while at < len(words):
        asked = words[at].lower()
        negated = asked.startswith("!")
        asked = asked.removeprefix("!")
        at += 1
        if asked == "all":
            if len(words) > 1 and not (at == len(words) and _only_passes(words[:-1])):
                raise HostError(f"{place} cannot be read: 'all' stands by itself.", "Put it right.")
            return result and not negated
        if asked in ("canonical", "final"):
            reading.wants_final = reading.wants_final or asked == "final"
            result = result and reading.final != negated
            continue
        if asked not in ("host", "originalhost", "user", "localuser", "exec"):
            raise OnlySsh(
                f"{place}: 'Match {clean(asked)}' is understood by ssh itself only.",
                "Install OpenSSH's client here, or write it by Host.",
            )
        if at == len(words):
            raise HostError(f"{place} cannot be read: {asked} takes a value.", "Put it right.")
        value = words[at]
        at += 1
        if asked == "exec":
            # Not run where it would change nothing.
            result = result and _runs(value, reading) != negated
        else:
            result = _is_so(asked, value, reading) != negated and result
    return result


def _only_passes(words: list[str]) -> bool:
    return all(word.lower().removeprefix("!") in ("canonical", "final") for word in words)


def _is_so(asked: str, value: str, reading: _Reading) -> bool:
    if asked == "user":
        return _is_in(reading.user, value)
    if asked == "localuser":
        return _is_in(reading.local_user, value)
    name = reading.typed
    if asked == "host":
        named = reading.found.get("hostname")
        name = _host_name(named[0], reading.host) if named else reading.host
    return _is_in(name.lower(), value.lower())


def _runs(command: str, reading: _Reading) -> bool:
    """Run a command of `Match exec` by the person's shell; return whether it succeeds."""
    found = reading.found
    named = found.get("hostname")
    tokens = client_tokens(
        typed=reading.typed,
        host=_host_name(named[0], reading.host) if named else reading.host,
        port=found.get("port", ["22"])[0],
        user=reading.user,
        alias=found.get("hostkeyalias", [None])[0],
        local_user=reading.local_user,
    )
    shell = os.environ.get("SHELL") or "/bin/sh"
    try:
        done = subprocess.run(
            [shell, "-c", expand(command, tokens)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
