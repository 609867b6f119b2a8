"""`batman import` and `python -m cli.importer`: bring labelled images into a project."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cli.common import (
    add_project,
    run_module,
)
from cli.data import import_other, import_roboflow, import_zoo, imports
from cli.data.import_shared import add_files, add_report, importing, show_report
from cli.exits import Exit
from cli.parser import Handler, Subcommands
from core.common.errors import ImportFailed
from core.common.text import clean, plural
from core.data.importers import ImportReport, imported_before
from core.data.importers.formats.registry import FORMATS
from core.data.importers.import_named import AUTO, import_named

DESCRIPTION = "Bring labelled images into a project; one import is one step that can be undone."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` one sub-command for each way in."""
    commands = Subcommands(parser)
    for name, what in (
        (AUTO, "whatever is recognised at the path: any of the formats that follow"),
        ("coco-dir", "COCO: Roboflow's folders, one JSON beside its images, or a ZIP"),
        ("yolo", "YOLO: a data.yaml, the folder that holds it, or a ZIP"),
        ("voc", "Pascal VOC: a folder or ZIP of XML annotations and images"),
        *((item.name, f"{item.title}: {item.source}") for item in FORMATS),
    ):
        command = commands.add(name, what, _folder(partial(import_named, name=name)))
        command.add_argument("source", type=Path, metavar="PATH", help="where the data set lies")
        add_files(command)
        if name in (AUTO, "coco-dir"):
            command.add_argument(
                "--images",
                type=Path,
                metavar="DIR",
                help="COCO: look for the pictures here first",
            )
        command.add_argument(
            "--again", action="store_true", help="take in what the project has already once more"
        )
        add_report(command)
        add_project(command, create=True)
    import_zoo.add(commands)
    import_roboflow.add(commands)
    import_other.add(commands)
    imports.add(commands)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


def _folder(importer: Callable[..., ImportReport]) -> Handler:
    def handler(args: argparse.Namespace) -> int:
        with importing(args) as (project, progress):
            before = None if args.again else imported_before(project, args.source)
            if before is not None:
                raise ImportFailed(
                    f"'{clean(str(args.source))}' is in the project already: import {before.id},"
                    f" {plural(before.images, 'image')}, {before.at.astimezone():%Y-%m-%d %H:%M}.",
                    f"Take that out first with batman import remove {before.id} --project"
                    f" {clean(str(args.project))}, or give --again to have it twice.",
                )
            images = getattr(args, "images", None)
            report = importer(
                project,
                args.source,
                files=args.files,
                anyway=args.anyway,
                progress=progress,
                **({} if images is None else {"images": images}),
            )
        show_report(report, args)
        return Exit.OK

    return handler


if __name__ == "__main__":
    sys.exit(run_module("importer"))
