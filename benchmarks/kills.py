"""`kill -9` at any moment of every command that writes: what is left is before or after it.

    python benchmarks/kills.py [KILLS] [SEED] [WORD]

Each kill is followed by the next command, which must work; then the workspace must be as it was,
or as the whole command leaves it, and its database sound. After the next command that changes
something in the same folder, nothing hidden or half made may be left. Half of the kills wait for a
transaction to be open (SQLite's journal is there) and fall into it. With WORD, only the commands
that have it in their name are swept.
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
State = dict[str, str]


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


def judge(
    command: Command, now: State, before: State, after: State, half: State
) -> tuple[str, str]:
    """Return whether the state `now` is `before` or `after`, and else what is wrong.

    Where a command is two changes, or does many files one by one, what is on its way is `half`.
    """
    for which, one in (("before", before), ("after", after), ("half", half)):
        if now == one:
            return which, ""
    names = now.keys() | before.keys() | after.keys()
    loose = {name for name in names if command.piecemeal and name.startswith(command.piecemeal)}
    if all(now.get(name) in (before.get(name), after.get(name)) for name in loose):
        loose.add(command.rewritten)
        rest = [{name: each[name] for name in each.keys() - loose} for each in (now, before, after)]
        if rest[0] in rest[1:]:
            return "half", ""
    names = sorted(k for k in now.keys() | before.keys() if now.get(k) != before.get(k))
    gone = sorted(k for k in now.keys() | after.keys() if now.get(k) != after.get(k))
    return "", f"between: {names[:3]} are not as before, {gone[:3]} not as after"


def sweep(
    made: Path, room: Path, command: Command, kills: int, rng: random.Random
) -> tuple[Counter[str], list[str]]:
    """Kill one command `kills` times; return the counts and what is wrong.

    Counted are the commands that were `killed` before their end, those whose transaction was
    `inside`, the states, the kills that `hid` something, and those of which something was `left`.
    """
    count: Counter[str] = Counter()
    wrong: list[str] = []
    here = room / "try"

    def ready() -> State:
        fresh(made, here)
        if command.first:
            run(here, command.first)
        return state(here)

    before = ready()
    half = before
    if command.steps:
        run(here, command.steps)
        half = state(here)
        ready()
    began = perf_counter()
    code, said = run(here, command.words)
    took = perf_counter() - began
    after = state(here)
    if code not in (0, 1):
        return count, [f"ended with {code} unharmed: {said.strip()[-300:]}"]
    if before == after and not command.reads:
        return count, ["changes nothing"]
    dirty = True
    for _ in range(kills):
        if dirty:
            ready()
        inside = rng.random() < 0.5
        delay = rng.uniform(0, 0.01) if inside else rng.uniform(0, 1.2 * took)
        count["killed"] += killed(here, command.words, delay, inside, took)
        count["inside"] += journals(here)
        hidden = leftovers(here)
        code, said = run(here, NEXT)
        if code:
            wrong.append(f"the next command ended with {code}: {said.strip()[-300:]}")
        try:
            now = state(here)
        except (AssertionError, OSError) as error:
            wrong.append(f"not sound: {error!r}")
            dirty = True
            continue
        which, problem = judge(command, now, before, after, half)
        count[which] += 1
        if problem:
            wrong.append(problem)
        if hidden:
            count["hid"] += 1
            code, said = run(here, command.later or command.words)
            if still := leftovers(here):
                count["left"] += 1
                wrong.append(f"left over: {still[:3]} ({code}: {said.strip()[-200:]})")
        # A journal without a header is no transaction, and would be taken for the next one's.
        dirty = now != before or bool(hidden) or journals(here)
    return count, wrong


def main() -> int:
    """Sweep, print, and return 1 when a state was neither before nor after."""
    # Some commands end before their kill: so many more are tried than are killed.
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 8)
    total: Counter[str] = Counter()
    faults = 0
    columns = ("killed", "inside", "before", "half", "after", "hid", "left")
    print(f"{'command':50}" + "".join(f"{name:>10}" for name in columns))
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        made = template(room / "made")
        warm(made, room)
        word = sys.argv[3] if len(sys.argv) > 3 else ""
        chosen = [command for command in COMMANDS if word in command.name]
        share, more = divmod(kills, len(chosen))
        for number, command in enumerate(chosen):
            count, wrong = sweep(made, room, command, share + (number < more), rng)
            total += count
            faults += len(wrong)
            print(f"{command.name:50}" + "".join(f"{count[name]:10}" for name in columns),
                  flush=True)  # fmt: skip
            for text, times in Counter(wrong).items():
                print(f"    WRONG {times}x {text}", flush=True)
    print(f"{'all':50}" + "".join(f"{total[name]:10}" for name in columns))
    print(f"{faults} states, commands or leftovers that were wrong")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
