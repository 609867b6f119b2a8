"""`batman import roboflow`: a version of a project on Roboflow."""

from __future__ import annotations

import argparse
import getpass
import os
import sys

from cli.exits import Exit
from cli.numbers import whole
from cli.original.options import add_original
from cli.parser import Subcommands
from core.common.errors import ImportFailed
from core.privacy.secrets import hide_argument


def add(commands: Subcommands) -> None:
    """Add the sub-command to `batman import`.

    `--workspace` is Roboflow's here, as its users know it; Batman's own is `--workspace-dir`, or
    `batman --workspace DIR import roboflow …`.
    """
    from cli.data.import_shared import add_report

    parser = commands.add("roboflow", "Roboflow: a version of a project", _run)
    parser.add_argument(
        "--workspace",
        dest="rf_workspace",
        required=True,
        metavar="NAME",
        help="Roboflow workspace, as in app.roboflow.com/WORKSPACE/PROJECT",
    )
    parser.add_argument(
        "--rf-project", required=True, metavar="NAME", help="Roboflow project, as in the address"
    )
    parser.add_argument("--version", type=whole(1), required=True, metavar="N", help="its version")
    parser.add_argument(
        "--api-key",
        type=_hidden,
        metavar="KEY",
        help="better not: shells keep what is typed; without it, $ROBOFLOW_API_KEY or a prompt",
    )
    parser.add_argument(
        "--project",
        required=True,
        metavar="PROJECT",
        help="project folder, or the name of a project in Batman's workspace",
    )
    parser.add_argument("--create", action="store_true", help="create the project if there is none")
    parser.add_argument(
        "--workspace-dir",
        dest="workspace_dir",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="folder of projects and runs (elsewhere --workspace)",
    )
    add_report(parser)
    add_original(parser, "importer roboflow")


def _run(args: argparse.Namespace) -> int:
    from cli.data.import_shared import importing, show_report
    from core.data.importers.services.roboflow import import_roboflow

    key = args.api_key or os.environ.get("ROBOFLOW_API_KEY", "").strip() or _ask()
    with importing(args) as (project, progress):
        report = import_roboflow(
            project,
            args.rf_workspace,
            args.rf_project,
            args.version,
            api_key=key,
            anyway=args.anyway,
            progress=progress,
        )
    show_report(report, args)
    return Exit.OK


def _hidden(key: str) -> str:
    """Take the key out of the process list as soon as it is read."""
    hide_argument(key)
    return key


def _ask() -> str:
    if not sys.stdin.isatty():
        raise ImportFailed(
            "There is no Roboflow API key.", "Set ROBOFLOW_API_KEY; on a terminal it is asked for."
        )
    return getpass.getpass("Roboflow API key (not shown): ")
