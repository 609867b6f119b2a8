"""The small language that picks jobs from a list, and filters that a person keeps by a name.

Terms stand with spaces between them, and a job is shown when all of them hold: a word somewhere
in it, `field=value` and `field!=value` with `*` for anything, `field:part`, each with a `-` in
front for the opposite, and `@name` for a filter that was kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from core.common.errors import BatmanError
from core.common.files import read_typed_json, safe_name, write_json
from core.common.folders import config_dir
from core.common.text import clean, did_you_mean, sentence
from core.common.tokenizer import Token, Tokenizer
from slurm.queue.arrays import JobLine
from slurm.queue.columns import brief_why
from slurm.site.gpu_kinds import gpu_type_of
from slurm.site.hostlist import expand_hostlist

Test = Callable[[JobLine], bool]

FIELDS: Mapping[str, Callable[[JobLine], tuple[str, ...]]] = {
    "id": lambda line: (line.id, line.job.id),
    "name": lambda line: (line.job.name,),
    "state": lambda line: tuple(
        word for job in line.jobs for word in (job.state.name, job.state.words)
    ),
    "partition": lambda line: tuple(line.job.partition.split(",")),
    "qos": lambda line: (line.job.qos,),
    "account": lambda line: (line.job.account,),
    "node": lambda line: tuple(n for job in line.jobs for n in expand_hostlist(job.node_list)),
    "user": lambda line: (line.job.user,),
    "gpu": lambda line: tuple(
        name for gpus in line.job.gpus for name in (gpus.type, gpu_type_of(gpus.type))
    ),
    "reason": lambda line: (line.job.reason, line.why),
    "run": lambda line: (line.run.name if line.run else "",),
}
_TOKENS = Tokenizer(FIELDS, ("=", "!=", ":"), rich=True)


@dataclass(frozen=True)
class JobFilter:
    """A filter that was read. `problems` say what of it is not understood, and left out."""

    tests: tuple[Test, ...] = ()
    problems: tuple[str, ...] = ()

    def keeps(self, line: JobLine) -> bool:
        """Return whether the line is among those asked for."""
        return all(test(line) for test in self.tests)


def searched_text(line: JobLine) -> str:
    """Return what a filter looks for words in."""
    job = line.job
    return " ".join(
        (line.id, job.name, job.user, line.state_words, job.partition, line.gpus, job.node_list,
         line.why, brief_why(line), line.run.name if line.run else "")
    )  # fmt: skip


def read_job_filter(text: str) -> JobFilter:
    """Read a filter as far as it makes sense; never raises, it may still be being typed."""
    tests: list[Test] = []
    problems: list[str] = []
    kept = None
    for token in _TOKENS.tokens(text):
        if token.key is None and token.value.startswith("@") and len(token.value) > 1:
            try:
                kept = kept_filters() if kept is None else kept
                # A filter that names another one is not followed: it could name itself.
                inner = [
                    _turned(t, _test(t)) for t in _TOKENS.tokens(kept_text(token.value[1:], kept))
                ]
            except BatmanError as error:
                problems.append(f"{error.message} {error.hint}".strip())
                continue
            tests.append(_turned(token, JobFilter(tuple(inner)).keeps))
        elif token.key is None or token.value:
            tests.append(_turned(token, _test(token)))
    return JobFilter(tuple(tests), tuple(problems))


def require_job_filter(text: str) -> JobFilter:
    """Read a filter of which everything must make sense. Raises BatmanError."""
    found = read_job_filter(text)
    if found.problems:
        raise BatmanError(found.problems[0])
    return found


def _turned(token: Token, test: Test) -> Test:
    return (lambda line: not test(line)) if token.minuses % 2 else test


def _test(token: Token) -> Test:
    value = token.value.casefold()
    if token.key is None:
        return lambda line: value in searched_text(line).casefold()
    values = FIELDS[token.key]
    if token.operator == ":":
        return lambda line: any(value in text.casefold() for text in values(line))
    # A bracket is a character like others here; only the star is special.
    pattern = value.replace("[", "[[]")

    def equal(line: JobLine) -> bool:
        return any(fnmatchcase(text.casefold(), pattern) for text in values(line))

    return (lambda line: not equal(line)) if token.operator == "!=" else equal


# Those that are kept


def _file() -> Path:
    return config_dir() / "job-filters.json"


def kept_filters() -> dict[str, str]:
    """Return the kept filters by name. Raises BatmanError for a file that cannot be read."""
    return read_typed_json(_file(), dict[str, str]) or {}


def kept_text(name: str, kept: Mapping[str, str]) -> str:
    """Return the text of a kept filter. Raises BatmanError that says which there are."""
    if name in kept:
        return kept[name]
    guess = sentence(did_you_mean(name, kept))
    there = f"There are: {', '.join(map(clean, sorted(kept)))}." if kept else "None is kept."
    raise BatmanError(f"There is no filter '{clean(name)}'.", f"{guess} {there}".strip())


def keep_filter(name: str, text: str) -> None:
    """Keep a filter by a name; an empty text forgets it. Raises BatmanError for what is none."""
    name, kept = safe_name(name), kept_filters()
    if not text.strip():
        kept_text(name, kept)  # says which there are
        del kept[name]
    else:
        require_job_filter(text)
        if "@" in {token.value[:1] for token in _TOKENS.tokens(text) if token.key is None}:
            raise BatmanError(
                "A filter that is kept cannot name another one.", "Write its terms instead."
            )
        kept[name] = text.strip()
    write_json(_file(), kept)
