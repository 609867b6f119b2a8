"""`batman import` and `python -m cli.importer`: bring labelled images into a project."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from cli.common import (
    add_project,
    run_module,
)
from cli.data import import_other, import_roboflow, import_zoo, imports
from cli.data.import_shared import add_files, add_report, importing, show_report
from cli.exits import Exit
from cli.output import say
from cli.parser import BatmanParser, Handler, Subcommands
from core.common.errors import ImportFailed
from core.common.text import clean, plural
from core.data.importers import ImportReport, imported_before
from core.data.importers.detect_format import find_out
from core.data.importers.formats.registry import FORMATS
from core.data.importers.import_named import AUTO, import_named
from core.inference.records import COCO, CSV

DESCRIPTION = "Bring labelled images into a project; one import is one step that can be undone."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` one sub-command for each way in."""
    commands = Subcommands(parser)
    for name, what in (
        (AUTO, "whatever is recognised at the path: any of the formats that follow"),
        ("coco-dir", "COCO: Roboflow's folders, one JSON beside its images, or a ZIP"),
        ("yolo", "YOLO: a data.yaml, the folder that holds it, or a ZIP"),
        ("voc", "Pascal VOC: a folder or ZIP of XML annotations and images"),
        ("images", "pictures without labels: a folder, a ZIP or one file, to be labelled here"),
        *((item.name, f"{item.title}: {item.source}") for item in FORMATS),
    ):
        handler = _folder(partial(import_named, name=name), name)
        commands.add_later(name, what, handler, partial(_options, name))
    import_zoo.add(commands)
    import_roboflow.add(commands)
    import_other.add(commands)
    imports.add(commands)


def _options(name: str, command: BatmanParser) -> None:
    command.add_argument("source", type=Path, metavar="PATH", help="where the data set lies")
    add_files(command)
    if name in (AUTO, "coco-dir"):
        command.add_argument(
            "--images", type=Path, metavar="DIR", help="COCO: look for the pictures here first"
        )
    command.add_argument(
        "--again", action="store_true", help="take in what the project has already once more"
    )
    add_report(command)
    add_project(command, create=True)


def prepared(words: Sequence[str]) -> list[str]:
    """Return the arguments with the word for whatever is recognised, where a path comes first."""
    parser = BatmanParser()
    add_arguments(parser)
    first = words[0] if words else ""
    known = first.startswith("-") or first in parser.subcommands()
    named = not known and ("/" in first or first.startswith("~") or Path(first).exists())
    return [AUTO, *words] if named else list(words)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


def _refuse_predictions(args: argparse.Namespace) -> None:
    """Raise ImportFailed for what `infer` wrote: it is no label until a person has seen it."""
    source: Path = args.source
    inside = source.is_dir() and all((source / name).is_file() for name in (COCO, CSV))
    if inside or (source.name in (COCO, CSV) and source.is_file()):
        raise ImportFailed(
            f"'{clean(str(source))}' holds what a model found, not labels.",
            f"Take it as suggestions: batman labels import {shlex.quote(str(source))} --project "
            f"{shlex.quote(str(args.project))}",
        )


def _folder(importer: Callable[..., ImportReport], name: str) -> Handler:
    def handler(args: argparse.Namespace) -> int:
        if name == AUTO:
            _refuse_predictions(args)
        with importing(args) as (project, progress):
            before = None if args.again else imported_before(project, args.source)
            if before is not None:
                raise ImportFailed(
                    f"'{clean(str(args.source))}' is in the project already: import {before.id},"
                    f" {plural(before.images, 'image')}, {before.at.astimezone():%Y-%m-%d %H:%M}.",
                    f"Take that out first with batman import remove {before.id} --project"
                    f" {clean(str(args.project))}, or give --again to have it twice.",
                )
            if name == AUTO and (found := find_out(args.source)) is not None:
                say(f"This looks like {found.title} ({found.reason}).", "dim")
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
