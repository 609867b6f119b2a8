"""`batman jobs clone`: a job again, with changes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.common import workspace_of
from cli.parser import Subcommands

if TYPE_CHECKING:
    from slurm.clone import Clone

# These were chosen for the type of GPU, and mean nothing for another.
_OF_THE_GPU = ("time", "partition", "mem", "cpus")


def add_clone(commands: Subcommands) -> None:
    """Add the sub-command, with every option of `batman submit`.

    Those are loaded when the sub-command is called: the others are quicker without them.
    """
    clone = commands.add("clone", "submit a job of ours again, with changes", _clone)
    clone.add_argument("job", metavar="JOB", help="job, task of an array, or name of its run")
    parse = clone.parse_known_args
    filled: list[bool] = []

    def parse_all(  # type: ignore[no-untyped-def]
        args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ):
        if not filled:
            from cli.submit import add_arguments

            filled.append(True)
            add_arguments(clone)
        return parse(args, namespace)

    clone.parse_known_args = parse_all  # type: ignore[method-assign]


def _clone(args: argparse.Namespace) -> int:
    from cli import submit
    from slurm.clone import clone_job

    fill_in(args, clone_job(workspace_of(args), args.job, args.cluster))
    return submit.run(args)


def fill_in(args: argparse.Namespace, clone: Clone) -> None:
    """Set what was not chosen on the command line to what the job had."""
    if args.project is None:
        args.project = str(clone.project)
    for name, text in clone.values.items():
        if getattr(args, name) is None:
            setattr(args, name, text)
    same_gpu = args.gpu in ("", clone.gpu) and args.cluster in (None, clone.cluster)
    there = {
        "cluster": clone.cluster,
        "account": clone.account,
        "qos": clone.qos,
        "time": clone.time,
        "partition": clone.partition,
        "mem": clone.memory,
        "cpus": clone.cpus,
        "gpu": clone.gpu,
    }
    for name, value in there.items():
        chosen = getattr(args, name) not in (None, "")
        if not chosen and value and (same_gpu or name not in _OF_THE_GPU):
            setattr(args, name, value)
    if args.checkpoints == "none":
        args.checkpoints = clone.checkpoints
    if not args.sbatch:
        args.sbatch = list(clone.extra)
