"""`batman export`: write a project for other programs, or a trained model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from cli.common import add_project, joined, open_project, run_module
from cli.exits import Exit
from cli.model import export_model
from cli.output import say
from cli.parser import Handler, Subcommands
from cli.progress import Stages
from core.common.text import plural
from core.data.exporters import (
    ExportReport,
    export_coco,
    export_createml,
    export_csv,
    export_cvat,
    export_kitti,
    export_label_studio,
    export_labelme,
    export_original,
    export_voc,
    export_yolo,
)

DESCRIPTION = "Write a project as a data set that other tools read, or a trained model."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` one sub-command for each format."""
    commands = Subcommands(parser)
    for name, what, exporter in (
        ("coco", "COCO in Roboflow's folders, which rfdetr and supervision read", export_coco),
        ("yolo", "YOLO: data.yaml, images and labels", export_yolo),
        ("voc", "Pascal VOC: XML annotations beside the images", export_voc),
        ("csv", "TensorFlow's CSV: a line for each box, a table for each split", export_csv),
        ("kitti", "KITTI: image_2 and label_2 in training, validation, testing", export_kitti),
        ("original", "a project of the original Batman", export_original),
        ("cvat", "CVAT for images 1.1: annotations.xml and images", export_cvat),
        ("label-studio", "Label Studio: tasks, labeling interface and images", export_label_studio),
        ("labelme", "labelme: a JSON file beside each picture", export_labelme),
        ("createml", "CreateML: a JSON file beside the pictures of each split", export_createml),
    ):
        command = commands.add(name, what, _exporting(exporter))
        command.add_argument("out", type=Path, metavar="OUT", help="folder to write, new or empty")
        add_project(command)
    export_model.add(commands)


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say and return the exit code."""
    return int(args.handler(args))


def _exporting(exporter: Callable[..., ExportReport]) -> Handler:
    def handler(args: argparse.Namespace) -> int:
        with open_project(args) as project, Stages() as show:
            report = exporter(
                project, args.out, progress=lambda at: show(at.stage, at.done, at.total)
            )
        splits = ", ".join(f"{name} {count:,}" for name, count in report.splits.items())
        say(
            f"Exported {plural(report.images, 'image')} ({splits}),"
            f" {plural(report.annotations, 'annotation')} and"
            f" {plural(len(report.classes), 'class')} to {report.path}."
        )
        if report.missing:
            say(
                f"Left out, for the file is gone: {joined(report.missing)}. See batman check.",
                "yellow",
            )
        for what, count in report.left_out.items():
            say(f"Left out: {count:,} × {what}.", "yellow")
        if report.turned:
            say(f"{plural(report.turned, 'picture')} written upright, as the boxes are.")
        return Exit.OK

    return handler


if __name__ == "__main__":
    sys.exit(run_module("data.export"))
