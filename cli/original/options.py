"""Every option of the original Batman's four commands, and what it is here.

One table, which the parsers, the page docs/original.md and its test read. Source:
github.com/jugheadjones10/batman, `cli/{importer,classes,train,inference}.py` and `docs/cli/*.md` at
commits b7f48db8, 932f52b3 and 2dae4f27.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cli.exits import Exit
from cli.numbers import number
from cli.output import say_error
from core.common.text import clean


@dataclass(frozen=True)
class Option:
    """An option of the original.

    `way` is `same` where our parser has it by itself, `taken` where it does here what it did there
    and is left out of the help, `said` where it is taken and has nothing to do, and `refused`.
    `here` is what is told of it, in the documentation and on the terminal; `values` is an example
    of what follows it, `rest` what our parser has to hear besides. `argument` is for argparse.
    """

    command: str
    flags: tuple[str, ...]
    way: Literal["same", "taken", "said", "refused"]
    here: str
    values: tuple[str, ...] = ()
    argument: Mapping[str, Any] = field(default_factory=dict)


def _same(command: str, flags: str, values: str = "", here: str = "the same") -> Option:
    return Option(command, tuple(flags.split()), "same", here, tuple(values.split()))


def _taken(command: str, flags: str, values: str, here: str, **argument: Any) -> Option:
    return Option(command, tuple(flags.split()), "taken", here, tuple(values.split()), argument)


def _said(command: str, flags: str, values: str, here: str, **argument: Any) -> Option:
    return Option(command, tuple(flags.split()), "said", here, tuple(values.split()), argument)


def _refused(command: str, flags: str, values: str, here: str, **argument: Any) -> Option:
    return Option(command, tuple(flags.split()), "refused", here, tuple(values.split()), argument)


_SHARE = {"type": number(0, 1), "metavar": "X"}

OPTIONS = (
    _same("importer roboflow", "--project", "data/projects/p"),
    _same("importer roboflow", "--create", "", "the same; a project that is there is gone on with"),
    _same("importer roboflow", "--api-key", "k", "the same; better ROBOFLOW_API_KEY"),
    _same("importer roboflow", "--workspace", "w", "the same; Batman's own is --workspace-dir"),
    _same("importer roboflow", "--rf-project", "r"),
    _same("importer roboflow", "--version", "1"),
    _said(
        "importer roboflow", "--format", "coco",
        "Batman always downloads COCO; what comes in is the same in any format.",
    ),
    _same("importer coco", "--project", "data/projects/p"),
    _same("importer coco", "--create", "", "the same; a project that is there is gone on with"),
    _same("importer coco", "--classes", "person car", "the same; without it all 80"),
    _same("importer coco", "--split", "train", "train or validation: COCO's test has no boxes"),
    _same("importer coco", "--max-samples", "50"),
    _refused(
        "importer coco", "--coco-path", "set",
        "A COCO folder comes in with batman import coco-dir DIR --project PROJECT.",
    ),
    _same(
        "importer list", "--projects-dir", "data/projects",
        "the same; with --project the imports of one project",
    ),
    _same("classes list", "--project", "p"),
    _same("classes rename", "--project", "p"),
    _same("classes rename", "--old-name", "a"),
    _same("classes rename", "--new-name", "b"),
    _same("classes merge", "--project", "p"),
    _same("classes merge", "--source", "a b"),
    _same("classes merge", "--target", "c", "the same; it may be a new class"),
    _same("train", "--project", "p"),
    _same("train", "--dataset", "set", "the same; a project is made for the folder"),
    _same("train", "--checkpoint", "best.pth"),
    _taken(
        "train", "--output-dataset", "out",
        "the same, for a new or empty folder; else RUN/dataset has the prepared data set",
        metavar="DIR",
    ),
    _taken(
        "train", "--train-split", "0.8",
        "as --splits 80/5/15; splits are drawn anew unless --split-policy says otherwise", **_SHARE,
    ),
    _taken("train", "--val-split", "0.1", "as --train-split", **_SHARE),
    _taken("train", "--test-split", "0.15", "as --train-split", **_SHARE),
    _taken(
        "train", "--video-id", "all",
        "Batman trains on all of a project: all is taken, imports or a number where that is all"
        " there is; else it is told how to take the rest out",
        metavar="ID",
    ),
    _same("train", "--prepare-only"),
    _said(
        "train", "--no-clean", "",
        "Batman never removes a data set: --output-dataset takes a new or empty folder.",
    ),
    _same("train", "--filter-classes", "a|b", "the same; also `a,b` and `a b`"),
    _taken("train", "--max-frames-per-class", "50", "as --max-per-class", dest="max_per_class"),
    _same("train", "--output-dir", "runs/r", "the same; without it runs/PROJECT-MODEL-NUMBER"),
    _same("train", "--model", "base"),
    _same("train", "--epochs", "50"),
    _same("train", "--batch-size", "8"),
    _same("train", "--image-size", "640", "the same; the nearest size that the model takes"),
    _same("train", "--lr", "1e-4"),
    _same("train", "--device", "cpu"),
    _taken("train", "--num-workers", "2", "as --workers", dest="workers"),
    _same("train", "--patience", "10"),
    _same("train", "--resume", "runs/r/checkpoint_last.pth"),
    _same("train", "--grad-accum", "4"),
    _taken(
        "train", "--mps-fallback", "", "the same (PYTORCH_ENABLE_MPS_FALLBACK=1)",
        action="store_true",
    ),
    _taken(
        "train", "--inference", "a.jpg b.jpg", "as batman infer --checkpoint FILE --input PATH ...",
        nargs="+", metavar="PATH",
    ),
    _taken("train", "--confidence", "0.5", "the same, with --inference", **_SHARE),
    _taken(
        "train", "--inference-output", "out",
        "the same; without it predictions/MODEL-NUMBER", metavar="DIR",
    ),
    _same("train", "--export", "exports/m"),
    _same("train", "--seed", "42"),
    _same("train", "--classes", "a b", "the same; also 'a,b' and 'a|b' (with --export)"),
    _refused(
        "train", "--infer-after", "",
        "When it has trained: batman infer --latest --input VIDEO ...", nargs=0,
    ),
    _refused(
        "train", "--infer-test-only", "",
        "When it has trained: batman infer --latest --input VIDEO ...", nargs=0,
    ),
    _refused(
        "train", "--sources", "imports",
        "Batman trains on all of a project: batman import remove ID takes an import out, and"
        " batman classes undo brings it back.",
    ),
    _refused(
        "train", "--manual-split-strategy", "train_only",
        "Set the splits of single images with batman splits set.",
    ),
    _same("inference", "--checkpoint -c", "best.pth"),
    _same("inference", "--run -r", "r"),
    _same("inference", "--latest"),
    _same("inference", "--input -i", "a.jpg b.jpg"),
    _same("inference", "--output -o", "out", "the same; without it predictions/MODEL-NUMBER"),
    _taken(
        "inference", "--no-visualizations", "", "as --no-annotate",
        dest="annotate", action="store_false",
    ),
    _taken(
        "inference", "--no-json", "", "the same: detections.csv only",
        dest="coco", action="store_false",
    ),
    _said(
        "inference", "--model", "base", "The checkpoint says itself what size it is.",
    ),
    _same("inference", "--device", "cpu"),
    _same("inference", "--confidence -t", "0.5"),
    _taken(
        "inference", "--no-optimize", "", "the same", dest="optimise", action="store_false",
    ),
    _said(
        "inference", "--optimize-compile", "",
        "Batman traces the network by itself, after four full batches.", nargs=0,
    ),
    _same("inference", "--frame-interval -n", "5"),
    _same("inference", "--track"),
    _taken(
        "inference", "--no-kalman", "",
        "the same: between the frames that are looked at, boxes stand still",
        dest="predict", action="store_false",
    ),
    _same(
        "inference", "--track-thresh", "0.25",
        "the same; without it as --confidence",
    ),
    _same("inference", "--track-buffer", "30"),
    _same("inference", "--match-thresh", "0.8", "the same; without it 0.9"),
    _taken(
        "inference", "--project -p", "p",
        "the same: names for a checkpoint that has none of its own", metavar="PROJECT",
    ),
    _same("inference", "--classes", "a b", "the same; also 'a,b' and 'a|b'"),
)  # fmt: skip


def add_original(parser: argparse.ArgumentParser, command: str) -> None:
    """Give `parser` what the original's `command` has beside our options, left out of the help."""
    for option in OPTIONS:
        if option.command != command or option.way == "same":
            continue
        more = dict(option.argument)
        if option.way == "taken" and "dest" not in more:
            more["default"] = False if more.get("action") == "store_true" else None
        elif option.way == "taken":  # ours has the default
            more["default"] = argparse.SUPPRESS
        else:
            more |= {"action": _Told, "const": option, "default": argparse.SUPPRESS}
            more.setdefault("nargs", None if option.values else 0)
        parser.add_argument(*option.flags, help=argparse.SUPPRESS, **more)


class _Told(argparse.Action):
    """Says what is to be said of the option; ends where it is refused."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        option: Option = self.const
        if option.way == "refused":
            say_error(f"The option {option_string} of the original is not here.", option.here)
            raise SystemExit(Exit.WRONG)
        sys.stderr.write(clean(f"{option_string}: {option.here}") + "\n")
