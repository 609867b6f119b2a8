"""`batman jobs clone`: a job again, with changes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.common import workspace_of
from cli.parser import Subcommands

if TYPE_CHECKING:
    from slurm.submit.clone import Clone


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
            from cli.cluster.submit import add_arguments

            filled.append(True)
            add_arguments(clone)
        return parse(args, namespace)

    clone.parse_known_args = parse_all  # type: ignore[method-assign]


def _clone(args: argparse.Namespace) -> int:
    from cli.cluster import submit
    from slurm.submit.clone import clone_job

    fill_in(args, clone_job(workspace_of(args), args.job, args.cluster))
    return submit.run(args)


def fill_in(args: argparse.Namespace, clone: Clone) -> None:
    """Set what was not chosen on the command line to what the job had."""
    from slurm.submit.request import wishes

    if args.project is None:
        args.project = str(clone.project)
    for name, text in clone.values.items():
        if getattr(args, name) is None:
            setattr(args, name, text)
    if args.cluster is None:
        args.cluster = clone.cluster
    same_gpu = args.cluster == clone.cluster and args.gpu in (None, "", clone.request.gpu)
    for wish in wishes():
        had = getattr(clone.request, wish.name)
        # What was chosen for one type of GPU means nothing for another.
        fits = same_gpu or not wish.metadata["of_gpu"]
        if fits and getattr(args, wish.name) in (None, wish.default):
            setattr(args, wish.name, had)
