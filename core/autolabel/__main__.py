"""`python -m core.autolabel`: goes on with a pass in a process of its own.

With no argument it is a job of `core.processes.job`, as the app and the command line start it. With
a folder it is a command, as a batch script on a cluster starts it:

    python -m core.autolabel FOLDER [--images DIR] [--weights PATH] [--device auto]

goes on with the pass in FOLDER, as `core.autolabel.pass_folder` describes it, without the project,
the network or a terminal. `--images` and `--weights` say where those of `pass.json` lie on this
machine. A line of progress is printed now and then. SIGTERM and SIGINT stop it after the batch at
hand; started again it goes on. It ends with 0 when every picture has its line in `found.jsonl`,
1 when that failed (what went wrong is on standard error), 3 when it was stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from core.autolabel.label import Labelled, LabelOptions, label
from core.common.errors import BatmanError, Cancelled
from core.common.progress import Cancelled as IsCancelled
from core.common.progress import Progress, Report
from core.common.text import clean, clean_lines, duration, plural
from core.processes.child_process import begin_process, listen_for_stop
from core.processes.job import serve_job

_EVERY_S = 10.0


def main(argv: Sequence[str]) -> int:
    """Do what the head of this module says, and return the exit code."""
    # Everything is in folders: no library is to look anything up by itself.
    os.environ["HF_HUB_OFFLINE"] = "1"
    if not argv:
        return serve_job(LabelOptions, _label)
    parser = argparse.ArgumentParser(prog="python -m core.autolabel", allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="the folder of the pass")
    parser.add_argument("--images", type=Path, help="the folder of the pictures")
    parser.add_argument("--weights", type=Path, help="the model file, or the hub's files")
    parser.add_argument("--device", help="auto, cpu, cuda, cuda:N or mps")
    args = parser.parse_args(argv)
    begin_process()
    cancelled = listen_for_stop()
    told = Lines()
    try:
        done = label(
            args.folder,
            told,
            cancelled,
            images=args.images,
            weights=args.weights,
            device=args.device,
        )
    except Cancelled as error:
        sys.stderr.write(f"{clean(error.message)}\n")
        return 3
    except BatmanError as error:
        sys.stderr.write(f"Error: {clean(error.message)}\n{clean_lines(error.hint)}\n")
        return 1
    sys.stdout.write(
        f"{plural(done.total, 'picture')}, {plural(done.objects, 'object')}"
        + (f", {done.unreadable:,} could not be read" if done.unreadable else "")
        + "\n"
    )
    return 0


class Lines:
    """Prints a stage when it begins and every ten seconds, with the time that is left."""

    def __init__(self) -> None:
        self._stage = ""
        self._at = 0.0
        self._first = (0, 0.0)

    def __call__(self, at: Progress) -> None:
        """Take one report."""
        now = time.monotonic()
        if at.stage != self._stage:
            self._stage, self._first, self._at = at.stage, (at.done, now), 0.0
        if now - self._at < _EVERY_S and at.done != at.total:
            return
        self._at = now
        text = at.stage if at.total is None else f"{at.stage}: {at.done:,} of {at.total:,}"
        if at.total is not None and at.total > at.done > self._first[0]:
            pace = (now - self._first[1]) / (at.done - self._first[0])
            text += f", {duration(pace * (at.total - at.done))} left"
        sys.stdout.write(clean(text) + "\n")
        sys.stdout.flush()


def _label(options: LabelOptions, report: Report, cancelled: IsCancelled) -> Labelled:
    return label(options.folder, report, cancelled)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
