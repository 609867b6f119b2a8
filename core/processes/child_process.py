"""How Batman starts Python: the one argument list and environment for all its child processes.

A folder that a person works in may hold files named as modules are (`core/`, `json.py`), and
`python -m` looks there first. So children do not look in the current folder, and neither do those
that they start.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from core.common.errors import RunError
from core.privacy.telemetry import quiet_variables, switch_off
from core.processes.tracebacks import guard_tracebacks

_ROOT = Path(__file__).resolve().parents[2]


def python_command(module: str, *words: str) -> list[str]:
    """Return the argument list that runs `module` with this Python and the arguments `words`."""
    return [sys.executable, "-P", "-m", module, *words]


def python_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a child: `base` (default: ours), changed for a Python of ours.

    Our packages can be imported, the current folder is not looked in (python(1), PYTHONSAFEPATH,
    for those that start Python again, such as loaders of images), and libraries report nothing.
    Idle OpenMP threads wait instead of spinning: on two busy cores that is two to four times
    faster (measured with rfdetr on a CPU).
    """
    env = dict(os.environ if base is None else base)
    env["PYTHONPATH"] = _search_path(env.get("PYTHONPATH", ""))
    env["PYTHONSAFEPATH"] = "1"
    env["PYTHONUNBUFFERED"] = "1"
    env.setdefault("OMP_WAIT_POLICY", "passive")
    quiet_variables(env)
    return env


def start_detached(command: Sequence[str], folder: Path, log: BinaryIO, what: str) -> int:
    """Start a process in `folder` that outlives us, its output in `log`, and return its number.

    It has its own session, so that neither our end nor a lost terminal reaches it. Raises RunError
    that `what` cannot be started.
    """
    import subprocess  # every command imports this module, and few start anything

    try:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=python_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise RunError(
            f"{what} cannot be started: {error.strerror}.",
            "End other programs to free memory and processes, and try again.",
        ) from error
    # While we live, a process that ends is waited for, or it would stay as a zombie.
    threading.Thread(target=process.wait, name=f"wait-{folder.name}", daemon=True).start()
    return process.pid


def begin_process() -> None:
    """What every process of ours does first: libraries report nothing, tracebacks are safe.

    To be called before anything heavy is imported.
    """
    switch_off()
    guard_tracebacks()


def listen_for_stop() -> Callable[[], bool]:
    """Take SIGTERM and SIGINT as a request to stop, and return what tells whether one came.

    Processes that a library forks are ended by them as any other: with our handler they would go
    on, and whoever waits for them would wait for ever.
    """
    came: list[bool] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        signal.signal(number, lambda *_: came.append(True))

    of_thread = threading.local()

    def hold() -> None:  # one that comes in between would be taken by our handler, in the child
        of_thread.mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    def go_on() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, of_thread.mask)

    def forget() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        go_on()

    os.register_at_fork(before=hold, after_in_parent=go_on, after_in_child=forget)
    return lambda: bool(came)


def _search_path(given: str) -> str:
    """Return PYTHONPATH with our packages first, and without what leads to the current folder.

    An empty entry is the current folder (python(1)); other relative ones are made absolute, for a
    child may run elsewhere.
    """
    here = Path.cwd() if given else None
    paths = [str(_ROOT)]
    for entry in given.split(os.pathsep):
        path = os.path.abspath(entry) if entry else ""  # noqa: PTH100 - links stay as they are
        relative = not os.path.isabs(entry)  # noqa: PTH117
        if path and path not in paths and not (relative and Path(path) == here):
            paths.append(path)
    return os.pathsep.join(paths)
