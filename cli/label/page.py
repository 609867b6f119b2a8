"""`batman label`: the labelling page in a browser; the same server as `batman serve`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cli.app import serve
from cli.common import add_placed_project, open_project, run_module, workspace_of
from cli.output import say
from cli.parser import BatmanParser
from core.common.errors import BatmanError
from core.common.text import clean
from core.common.workspace import Workspace

DESCRIPTION = (
    "Label in a browser; with a project, its page opens at once. Only who has the link that is"
    " printed comes in."
)


def add_arguments(parser: BatmanParser) -> None:
    """Give `parser` the options of `batman serve`, and the project to begin with."""
    serve.add_arguments(parser)
    add_placed_project(parser, required=False, workspace=False)
    parser.set_defaults(first="label", port=5173)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted.

    Raises BatmanError for an unknown project and for one in no workspace, and as `serve` does.
    """
    if args.project is not None:
        with open_project(args) as project:
            path = project.path.absolute()
        root = _workspace_with(path, workspace_of(args))
        if root != workspace_of(args).root:
            say(f"Serving the workspace of the project, {clean(str(root))}.")
            args.workspace_dir = str(root)
        args.project = path.name
    return serve.run(args)


def _workspace_with(project: Path, workspace: Workspace) -> Path:
    """Return the workspace to serve for the project in the folder `project`: this one if it is
    there, else the one that it lies in. Raises BatmanError where it lies in none.
    """
    for place in (project, project.resolve()):
        here = workspace.projects_dir / place.name
        if here.exists() and here.samefile(place):
            return workspace.root
        root = place.parents[2] if len(place.parents) > 2 else place
        if Workspace(root).projects_dir == place.parent:
            return root
    raise BatmanError(
        f"The page shows the projects of a workspace, and '{clean(str(project))}' lies in none.",
        f"Move it, or make a link to it, in {clean(str(workspace.projects_dir))}, and give its"
        " name.",
    )


if __name__ == "__main__":
    sys.exit(run_module("label.page"))
