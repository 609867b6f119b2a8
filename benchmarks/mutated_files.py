"""Thousands of damaged files of every format that Batman reads: each ends in a value or one error.

    python benchmarks/mutated_files.py [COUNT] [FORMAT …]

COUNT cases are shared out among the formats (see `mutated_formats.py`). Each case is a small whole
example with one file of it damaged by its seed: bytes flipped, cut, repeated; numbers of thousands
of digits; brackets nested thousands of levels deep; values of other types; bytes that are no UTF-8.
They are read in a child process. What may not happen: an exception that Batman does not expect, the
end of the process by a signal, more than 20 s of work, more than 1 GB of memory, a file that
is made or changed outside of the case's own folder. Prints a line for each, with the seed that
makes it again, and a table. Exit code 1 when there was any.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from mutated_formats import FORMATS, ROOT, Format

COUNT = 30_000
LIMIT_S = 20
LIMIT_MB = 1000
_DEEP = [b"[", b'{"a":', b"{a: ", b"<a>", b"(", b"- ", b"[a.", b"a = [", b"&a [*a, "]


class Hung(BaseException):
    """The time for one case is over."""


def damage(name: str, data: bytes, rng: random.Random) -> bytes:
    """Damage a file by the ways that fit it."""
    from test_import_fuzz import damage_zip, mutate, mutate_values

    way = rng.random()
    if name.endswith((".zip", ".pth")) and way < 0.6:
        return damage_zip(data, rng)
    if name.endswith(".json") and way < 0.4:
        return mutate_values(data, rng)
    if way > 0.85:
        # Many levels, or a number of many digits, in the place of a word.
        words = [m.span() for m in re.finditer(rb'"[^"]*"|[-+.\w]+', data)] or [(0, 0)]
        start, end = rng.choice(words)
        huge = rng.choice([b"9" * 5000, b"1" + b"0" * 40, b"-1e999", b"nan", b"0." + b"1" * 9000])
        deep = rng.choice(_DEEP) * rng.choice([50, 1_200, 20_000])
        return data[:start] + (deep if rng.random() < 0.6 else huge) + data[end:]
    return mutate(data, rng)


def example(kind: Format, root: Path) -> dict[str, bytes]:
    """Return the files of a whole example by their names."""
    folder = root / "example"
    folder.mkdir()
    kind.make(folder)
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def cases(name: str, start: int, stop: int, root: Path) -> Iterator[tuple[int, str, str]]:
    """Read the cases `start` to `stop`; yield seed, outcome and details.

    The outcome is fine, error, or what is a fault. The whole example comes first, as seed -1.
    """
    from core.common.errors import BatmanError

    kind = FORMATS[name]
    files = example(kind, root)
    targets = [file for file in files if not kind.damaged or file.endswith(kind.damaged)]
    shared = kind.prepare(root)
    place, here = root / "place", root / "here"
    here.mkdir()
    os.chdir(here)
    known = [*sorted(entry.name for entry in root.iterdir()), "place"]
    for seed in [-1, *range(start, stop)]:
        rng = random.Random(f"{name} {seed}")
        victim = rng.choice(targets)
        for file, data in files.items():
            path = place / "case" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(damage(file, data, rng) if file == victim and seed >= 0 else data)
        outcome, details = "fine", ""
        set_limit(LIMIT_S)
        try:
            kind.read(place, shared)
        except BatmanError as error:
            outcome = "error" if error.message else "an error without words"
            details = error.message
        except Hung:
            outcome, details = "took too long", f"more than {LIMIT_S} s"
        except BaseException as error:
            lines = traceback.format_exception(error)
            outcome, details = type(error).__name__, "".join(lines[-4:])
        set_limit(0)
        found = sorted(entry.name for entry in root.iterdir())
        if found != sorted(known) or list(here.iterdir()):
            outcome, details = "wrote outside", str(set(found) ^ set(known))
        yield seed, outcome, details
        shutil.rmtree(place)


def set_limit(seconds: float) -> None:
    """Raise `Hung` after so many seconds of work, or when nothing is done for long; 0 for never.

    Seconds of the processor: on a busy machine the clock says little.
    """

    def hung(*_: Any) -> None:
        raise Hung

    for number, timer, factor in (
        (signal.SIGPROF, signal.ITIMER_PROF, 1), (signal.SIGALRM, signal.ITIMER_REAL, 15),
    ):  # fmt: skip
        if seconds:
            signal.signal(number, hung)
        signal.setitimer(timer, seconds * factor)


def work(name: str, start: int, stop: int) -> int:
    """Read the cases in this process; write a JSON line for each before and after it."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ.update(BATMAN_CONFIG_DIR=f"{folder}/config", BATMAN_CACHE_DIR=f"{folder}/cache")
        for made in ("config", "cache"):
            (root / made).mkdir()
        for seed, outcome, details in cases(name, start, stop, root):
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
            out.write(json.dumps([seed, outcome, details, memory]) + "\n")
        os.chdir("/")
    return 0


def sweep(name: str, count: int) -> tuple[Counter[str], float, list[str]]:
    """Read `count` cases of a format; return outcomes, the most MB in memory, and faults."""
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    most, start = 0.0, 0
    while start < count:
        command = [sys.executable, __file__, "--work", name, str(start), str(count)]
        with tempfile.TemporaryFile() as noise:
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, cwd=ROOT)
            assert child.stdout is not None
            for line in child.stdout:
                seed, outcome, details, memory = json.loads(line)
                outcomes[outcome] += seed >= 0
                start, most = max(start, seed + 1), max(most, memory)
                if seed < 0 and outcome != "fine":
                    raise RuntimeError(f"the example of {name} is not whole: {outcome} {details}")
                if outcome not in ("fine", "error"):
                    faults.append(f"{name} {seed}: {outcome} {details}")
            code = child.wait()
            if code:
                noise.seek(0)
                if not outcomes:
                    raise RuntimeError(noise.read().decode(errors="replace"))
                said = noise.read().decode(errors="replace")[-400:]
                outcomes["ended"] += 1
                faults.append(f"{name} {start}: the process ended with {code} {said}")
                start += 1
    if most > LIMIT_MB:
        faults.append(f"{name}: {most:.0f} MB")
    return outcomes, most, faults


def main(words: list[str]) -> int:
    """Sweep, print what came out and return the exit code."""
    if words[:1] == ["--work"]:
        return work(words[1], int(words[2]), int(words[3]))
    count = int(words[0]) if words else COUNT
    names = words[1:] or list(FORMATS)
    each = -(-count // len(names))
    total, wrong = 0, 0
    print(
        f"{'format':14}{'cases':>8}{'fine':>8}{'error':>8}{'faults':>8}{'most MB':>9}", flush=True
    )
    for name in names:
        outcomes, most, faults = sweep(name, each)
        done = sum(outcomes.values())
        total, wrong = total + done, wrong + len(faults)
        print(
            f"{name:14}{done:8}{outcomes['fine']:8}{outcomes['error']:8}{len(faults):8}{most:8.0f}"
        )
        for fault in faults[:20]:
            print(f"  {fault}", flush=True)
    print(f"{total:,} damaged files of {len(names)} formats, {wrong} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
