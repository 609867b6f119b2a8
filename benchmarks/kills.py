"""`kill -9` at any moment of every command that writes: what is left is before or after it.

    python benchmarks/kills.py [KILLS] [SEED]

Each kill is followed by the next command, which must work; then the workspace must be as it was,
or as the whole command leaves it, its database sound, and nothing hidden left behind. Half of the
kills wait for a transaction to be open (SQLite's journal is there) and fall into it.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent))

from writing import COMMANDS, Command, fresh, journals, leftovers, run, start, state, template, warm

KILLS = 1000
NEXT = ("project", "list")


def killed(folder: Path, words: tuple[str, ...], delay: float, inside: bool, most: float) -> bool:
    """Start a command and kill it `delay` seconds later, if `inside` counted from the moment that
    a transaction is open (`most` seconds are waited for it). Return whether it was still there.
    """
    child = start(folder, words)
    began = perf_counter()
    if inside:
        while perf_counter() - began < most and not journals(folder):
            pass
        began = perf_counter()
    # The moment of the kill is the random thing under test, not something to wait for.
    while perf_counter() - began < delay:
        pass
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _kept(found: dict[str, str]) -> dict[str, str]:
    """Return a state without the data sets that were imported."""
    return {name: value for name, value in found.items() if not name.startswith("src/")}


def sweep(
    made: Path, room: Path, command: Command, kills: int, rng: random.Random
) -> tuple[Counter[str], list[str], set[str]]:
    """Kill one command `kills` times; return the counts, what is wrong, and what is left over."""
    count: Counter[str] = Counter()
    wrong: list[str] = []
    left: set[str] = set()
    here = room / "try"

    def ready() -> dict[str, str]:
        fresh(made, here)
        if command.first:
            run(here, command.first)
        return state(here)

    before = ready()
    began = perf_counter()
    code, said = run(here, command.words)
    took = perf_counter() - began
    after = state(here)
    if code not in (0, 1):
        return count, [f"ended with {code} unharmed: {said.strip()[-300:]}"], left
    dirty = True
    for _ in range(kills):
        if dirty:
            ready()
        inside = rng.random() < 0.5
        delay = rng.uniform(0, 0.01) if inside else rng.uniform(0, 1.2 * took)
        count["kills"] += killed(here, command.words, delay, inside, took)
        count["inside"] += journals(here)
        code, said = run(here, NEXT)
        if code:
            wrong.append(f"the next command ended with {code}: {said.strip()[-300:]}")
        try:
            now = state(here)
        except (AssertionError, OSError) as error:
            wrong.append(f"not sound: {error!r}")
            dirty = True
            continue
        if now == before:
            count["before"] += 1
        elif now == after or ("--move" in command.words and _kept(now) == _kept(after)):
            # Originals go one by one once all is recorded: some may be there twice.
            count["after"] += 1
        else:
            names = sorted(k for k in now.keys() | before.keys() if now.get(k) != before.get(k))
            gone = sorted(k for k in now.keys() | after.keys() if now.get(k) != after.get(k))
            wrong.append(f"between: {names[:3]} are not as before, {gone[:3]} not as after")
        hidden = leftovers(here)
        count["leftovers"] += bool(hidden)
        left.update(Path(name).name[:12] for name in hidden)
        # A journal without a header is no transaction, and would be taken for the next one's.
        dirty = now != before or bool(hidden) or journals(here)
    return count, wrong, left


def main() -> int:
    """Sweep, print, and return 1 when a state was neither before nor after."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 8)
    total: Counter[str] = Counter()
    faults = 0
    columns = ("kills", "inside", "before", "after", "leftovers")
    print(f"{'command':50}" + "".join(f"{name:>10}" for name in columns))
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        made = template(room / "made")
        warm(made, room)
        share, more = divmod(kills, len(COMMANDS))
        for number, command in enumerate(COMMANDS):
            count, wrong, left = sweep(made, room, command, share + (number < more), rng)
            total += count
            faults += len(wrong)
            print(f"{command.name:50}" + "".join(f"{count[name]:10}" for name in columns),
                  *sorted(left), flush=True)  # fmt: skip
            for text, times in Counter(wrong).items():
                print(f"    WRONG {times}x {text}", flush=True)
    print(f"{'all':50}" + "".join(f"{total[name]:10}" for name in columns))
    print(f"{faults} states or commands that were wrong")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
