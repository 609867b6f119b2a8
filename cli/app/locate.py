"""`batman locate`: say where things lie; of one place the bare path, for scripts and editors."""

from __future__ import annotations

import argparse
import sys

from cli.answers import kept
from cli.answers.printing import say_json
from cli.common import add_workspace, run_module, workspace_of
from cli.exits import Exit
from cli.output import say, say_table
from cli.parser import add_json
from core.common.folders import cache_dir, config_dir

DESCRIPTION = "Print where the settings, clusters, themes, cache or workspace lie."
PLACES = ("config", "themes", "clusters", "cache", "workspace")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the place and the workspace."""
    parser.add_argument("place", nargs="?", choices=PLACES, help="one of them; else all")
    add_json(parser)
    add_workspace(parser)


def run(args: argparse.Namespace) -> int:
    """Print the path, or all of them, whether or not anything is there yet."""
    workspace = workspace_of(args).root
    places = {
        "config": config_dir() / "config.toml",
        "themes": config_dir() / "themes",
        "clusters": config_dir() / "clusters",
        "cache": cache_dir(),
        "workspace": workspace,
    }
    if args.json:
        say_json({name: str(places[name]) for name in PLACES if args.place in (None, name)})
    elif args.place is None:
        with kept.Hearing("batman locate", lambda: [str(workspace)]):
            say_table(["place", "path"], [(name, str(places[name])) for name in PLACES])
    else:
        say(str(places[args.place]))
    return Exit.OK


if __name__ == "__main__":
    sys.exit(run_module("app.locate"))
