"""`batman clusters`: the clusters one may train on, and what they have."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module

from cli.answers.printing import say_json
from cli.common import add_workspace, run_module
from cli.exits import Exit
from cli.output import say, say_table
from cli.parser import BatmanParser, Subcommands
from slurm.site.profile_files import list_profiles

DESCRIPTION = (
    "Add, list, show, set up, test, edit and remove the SLURM clusters that runs are trained on."
)

_SETUP = "install Batman there with what training needs, and check it with a job"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the sub-commands."""
    commands = Subcommands(parser)
    commands.add_later("add", "add a cluster, and ask it for its GPUs", _later("add"), _fill_add)
    commands.add("list", "list the clusters", _list)
    show = commands.add("show", "show a cluster, and what it has now", _later("show"))
    show.add_argument("name", metavar="NAME", help="cluster")
    show.add_argument("--no-ask", action="store_true", help="show the profile only")
    test = commands.add("test", "check that runs can be trained there", _later("test"))
    test.add_argument("name", metavar="NAME", help="cluster")
    add_workspace(test)
    commands.add_later("setup", _SETUP, _set_up, _fill_setup)
    edit = commands.add("edit", "change a cluster, in $EDITOR or by --set", _later("edit"))
    edit.add_argument("name", metavar="NAME", help="cluster")
    edit.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help="set one entry, such as account=vision or gpus.a100.batch=8",
    )  # fmt: skip
    remove = commands.add(
        "remove", "remove a cluster's profile; nothing there is touched", _later("remove")
    )
    remove.add_argument("name", metavar="NAME", help="cluster")
    remove.add_argument("--yes", action="store_true", help="do not ask")


def _later(name: str) -> Callable[[argparse.Namespace], int]:
    """Return what does a sub-command: what lists clusters does not load what reaches one."""

    def work(args: argparse.Namespace) -> int:
        return int(getattr(import_module("cli.cluster.clusters_manage"), name)(args))

    return work


def _fill_add(parser: BatmanParser) -> None:
    from cli.cluster.clusters_manage import fill_add

    fill_add(parser)


def _fill_setup(parser: BatmanParser) -> None:
    from cli.cluster.clusters_setup import fill_setup

    fill_setup(parser)


def _set_up(args: argparse.Namespace) -> int:
    from cli.cluster.clusters_setup import set_up

    return set_up(args)


def run(args: argparse.Namespace) -> int:
    """Run the chosen sub-command and return the exit code."""
    return int(args.handler(args))


def _list(args: argparse.Namespace) -> int:
    names = list_profiles()
    rows = []
    if names:  # to check a profile takes pydantic
        from slurm.site.profiles import ProfileError, load_profile
    for name in names:
        try:
            profile = load_profile(name)
            rows.append({"name": name, "host": profile.host or "this machine",
                         "workspace": profile.workspace, "gpus": list(profile.gpus)})  # fmt: skip
        except ProfileError as error:
            rows.append({"name": name, "error": error.message})
    if args.json:
        say_json(rows)
        return Exit.OK
    if not rows:
        say("There are none. Add one with: batman clusters add NAME --host user@login.node")
        return Exit.OK
    say_table(
        ["cluster", "host", "workspace", "gpus"],
        [
            (row["name"], row.get("host"), row.get("error") or row.get("workspace"),
             ", ".join(row.get("gpus", [])))
            for row in rows
        ],
    )  # fmt: skip
    return Exit.OK


if __name__ == "__main__":
    sys.exit(run_module("cluster.clusters"))
