"""The parser that every command uses: complete option names only, and help when one is misspelt."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from cli.answers import kept
from cli.exits import Exit
from cli.output import say_error
from core.common.text import clean, did_you_mean
from core.late import late

if TYPE_CHECKING:
    import difflib
else:
    difflib = late("difflib")

Handler = Callable[[argparse.Namespace], int]

# What an option of that meaning is called elsewhere (Ultralytics, MMDetection, Lightning, sbatch,
# other commands of ours), and here: of those that a command has, the first.
_MEANT: dict[str, tuple[str, ...]] = {
    "name": ("output-dir", "run", "project", "output"),
    "run-name": ("output-dir", "run"),
    "exp-name": ("output-dir", "run"),
    "experiment": ("output-dir", "run"),
    "save-dir": ("output-dir", "output"),
    "work-dir": ("output-dir", "output"),
    "out-dir": ("output-dir", "output"),
    "out": ("output", "output-dir"),
    "dest": ("output", "output-dir"),
    "folder": ("input", "output-dir", "workspace"),
    "dir": ("workspace", "output-dir"),
    "root": ("workspace",),
    "data": ("project", "dataset"),
    "dataset": ("project",),
    "source": ("input", "source"),
    "src": ("input", "source"),
    "images": ("input", "images"),
    "image": ("input",),
    "video": ("input",),
    "file": ("input", "report"),
    "path": ("input", "project"),
    "size": ("image-size", "model"),
    "imgsz": ("image-size",),
    "img": ("image-size",),
    "img-size": ("image-size",),
    "resolution": ("image-size",),
    "arch": ("model",),
    "backbone": ("model",),
    "weights": ("pretrained", "weights", "checkpoint"),
    "ckpt": ("resume", "checkpoint"),
    "checkpoint": ("resume", "run"),
    "model": ("run", "checkpoint", "with"),
    "load": ("resume", "checkpoint"),
    "continue": ("resume", "continue"),
    "from": ("resume", "source"),
    "finetune": ("pretrained",),
    "max-epochs": ("epochs",),
    "iterations": ("epochs",),
    "steps": ("epochs",),
    "bs": ("batch-size",),
    "batch": ("batch-size",),
    "accumulate": ("grad-accum",),
    "accumulation": ("grad-accum",),
    "learning-rate": ("lr",),
    "lr0": ("lr",),
    "scheduler": ("lr-scheduler",),
    "early-stopping": ("patience",),
    "early-stop": ("patience",),
    "wd": ("weight-decay",),
    "fp16": ("precision",),
    "half": ("precision",),
    "amp": ("precision",),
    "bf16": ("precision",),
    "gpus": ("num-gpus", "gpu", "device"),
    "gpu": ("gpu", "num-gpus", "device"),
    "cuda": ("device",),
    "cpu": ("cpus", "device"),
    "nodes": ("num-nodes",),
    "node": ("num-nodes",),
    "job-name": ("output-dir",),
    "script": ("dry-run",),
    "jobs": ("workers", "threads"),
    "threads": ("workers", "cpus"),
    "num-workers": ("workers",),
    "random-seed": ("seed",),
    "limit": ("max-samples", "max-per-class"),
    "num": ("max-samples",),
    "count": ("max-samples",),
    "n": ("max-samples",),
    "max": ("max-samples", "max-per-class"),
    "max-images": ("max-samples", "max-per-class"),
    "classes": ("classes", "filter-classes"),
    "class": ("filter-classes", "classes", "source"),
    "labels": ("classes", "annotate"),
    "conf": ("confidence", "least"),
    "conf-thres": ("confidence", "least"),
    "threshold": ("confidence", "least"),
    "score": ("confidence", "least"),
    "iou": ("match-thresh",),
    "save": ("output", "annotate"),
    "show": ("annotate",),
    "draw": ("annotate",),
    "format": ("formats", "json"),
    "type": ("formats", "gpu"),
    "subset": ("split",),
    "walltime": ("time",),
    "gres": ("gpu",),
    "memory": ("mem",),
    "queue": ("partition",),
    "login": ("host",),
    "user": ("host",),
    "port": ("host",),
    "server": ("host",),
    "logger": ("tensorboard", "wandb", "mlflow"),
    "background": ("detach",),
    "dry": ("dry-run",),
    "test": ("dry-run", "split"),
    "force": ("anyway", "yes"),
    "target": ("target", "output"),
    "old": ("old-name", "source"),
    "new": ("new-name", "target"),
    "into": ("target",),
    "text": ("prompt",),
    "status": ("filter",),
    "filter": ("where", "filter-classes"),
    "project": ("filter",),
    "desc": ("reverse",),
    "to": ("target", "new-name", "output"),
}


def _formatter() -> type[argparse.HelpFormatter]:
    """Return the formatter of help. Rich is loaded for it: what parses needs none of it."""
    from rich_argparse import RichHelpFormatter

    class Formatter(RichHelpFormatter):
        # Help and descriptions are plain text: "[a|b]" in them is no markup.
        group_name_formatter = str.capitalize
        text_markup = False
        help_markup = False

    return Formatter


class _Checking(argparse.HelpFormatter):
    """What argparse checks each argument with: it need not ask how wide the terminal is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=1000)


class BatmanParser(argparse.ArgumentParser):
    """An `ArgumentParser` that says what was probably meant, and ends with `Exit.WRONG`."""

    # While a shell asks what could come next, a line is unfinished and nothing about it is wrong.
    completing = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", _Checking)
        super().__init__(*args, **kwargs)
        self.needed: list[tuple[str, str]] = []
        """Attribute and name of what has to be given, by its place or as an option."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, and end with an error for what is not known.

        Each sub-command's parser is called through here, so that the nearest name is looked for
        among its own options.
        """
        words = list(sys.argv[1:] if args is None else args)
        if self.completing:
            return super().parse_known_args(words, namespace)
        if self._subparsers is None:
            # Before what is missing is complained of: it may be there, misspelt.
            given = words[: words.index("--")] if "--" in words else words
            self._unknown([word for word in given if self._no_option(word)])
        known, extra = super().parse_known_args(words, namespace)
        self._unknown(extra)
        missing = [name for dest, name in self.needed if getattr(known, dest, None) is None]
        if missing:
            # In argparse's words for what has only one way to be given.
            self.error(f"the following arguments are required: {', '.join(missing)}")
        return known, []

    def format_help(self) -> str:
        """Return the help, in colours where it goes to a terminal."""
        self.formatter_class = _formatter()
        return super().format_help()

    def print_help(self, file: Any = None) -> None:
        """Print the help, which is kept: the next time nothing is loaded for it."""
        text = self.format_help()
        self._print_message(text, sys.stdout if file is None else file)
        if file is None:
            kept.keep(self.prog, text)

    def format_usage(self) -> str:
        """Return the usage, as it stands in the help."""
        self.formatter_class = _formatter()
        return super().format_usage()

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and end with `Exit.WRONG`."""
        message = clean(message)
        hint = f"See {self.prog} --help."
        empty = re.match(r"argument (--[a-z-]+): expected (one|at least one) argument", message)
        if empty:
            hint = f"A value that begins with a dash is written {empty[1]}=-value. {hint}"
        say_error(message[:1].upper() + message[1:] + ("" if message[-1:] in ".?" else "."), hint)
        raise SystemExit(Exit.WRONG)

    def options(self) -> list[str]:
        """Return every option that the help shows, as it is written, such as `--json`."""
        actions = self._option_string_actions.items()
        return sorted(flag for flag, action in actions if action.help != argparse.SUPPRESS)

    def subcommands(self) -> list[str]:
        """Return the names of the sub-commands."""
        if self._subparsers is None:
            return []
        return [
            name
            for action in self._subparsers._group_actions
            if isinstance(action, argparse._SubParsersAction)
            for name in action.choices
        ]

    def _no_option(self, word: str) -> bool:
        return (
            word.startswith("--")
            and " " not in word
            and word.split("=", 1)[0] not in self._option_string_actions
        )

    def _unknown(self, extra: list[str]) -> None:
        if not extra:
            return
        options = [word for word in extra if re.match(r"--?[A-Za-z]", word)]
        if not options:
            self.error(f"unexpected argument '{extra[0]}'")
        word = options[0].split("=", 1)[0]
        guess = "' or '".join(meant_options(word, self.options()))
        near = f"; did you mean '{guess}'?" if guess else ""
        self.error(f"there is no option '{word}'{near}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            text = _with_guess(f"there is no '{value}' here", str(value), choices)
            raise argparse.ArgumentError(
                None if isinstance(action, argparse._SubParsersAction) else action,
                f"{text}{'' if text.endswith('?') else '.'} Choose from: {', '.join(choices)}",
            )


def meant_options(word: str, options: Iterable[str]) -> list[str]:
    """Return up to three of `options` that `word`, which is none of them, may be meant to be.

    By what it means, else by how it begins, else by the words it is made of, else by how it is
    spelled; an option that takes something back (`--no-augment`) only where the word says no.
    """
    bare = word.lstrip("-").replace("_", "-").casefold()
    known = {option[2:]: option for option in options if option.startswith("--")}
    no = bare.startswith("no-")
    names = [name for name in known if no == name.startswith("no-")]
    meant = [name for name in (bare, *_MEANT.get(bare, ())) if name in names][:1]
    if not meant and len(bare) > 1:
        meant = [name for name in names if name.startswith(bare)]
    if not meant:
        meant = [name for name in names if len(name) > 3 and bare.startswith(name)]
    if not meant:
        parts = {*bare.split("-")} - {"no"}
        meant = [
            name
            for name in names
            if (of := {*name.split("-")} - {"no"}) and (of <= parts or parts <= of)
        ]
    if not meant:
        # Names from elsewhere are misspelt, too.
        near = difflib.get_close_matches(bare, {*names, *_MEANT}, 3, 0.78)
        of_near = ([name] if name in names else _MEANT[name] for name in near)
        meant = list(dict.fromkeys(name for of in of_near for name in of if name in names))
    return [known[name] for name in meant[:3]]


def add_json(parser: argparse.ArgumentParser, *, default: object = False) -> None:
    """Give `parser` the option `--json`, once."""
    if "--json" not in parser._option_string_actions:
        parser.add_argument(
            "--json", action="store_true", default=default, help="print JSON, for programs"
        )


class _Parsers(dict[str, Any]):
    """The parsers of sub-commands by name; one that is a function is made when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        made = super().__getitem__(name)
        if not isinstance(made, argparse.ArgumentParser):
            self[name] = made = made()
        return made

    def values(self) -> Any:
        return [self[name] for name in self]

    def items(self) -> Any:
        return [(name, self[name]) for name in self]


class Subcommands:
    """The sub-commands of a command: `add` one, and `run` calls the function of the chosen one.

    Each of them has `--json`, a `group` of further ones aside.
    """

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._group = parser.add_subparsers(
            title="subcommands", metavar="SUBCOMMAND", required=True, parser_class=BatmanParser
        )
        self._prog: str = self._group._prog_prefix
        self._parsers = _Parsers()
        self._group.choices = self._group._name_parser_map = self._parsers

    def add_later(
        self,
        name: str,
        summary: str,
        handler: Handler,
        fill: Callable[[BatmanParser], None],
        *,
        json: bool = True,
    ) -> None:
        """Add a sub-command as `add` does; `fill` gives its parser the options once it is needed.

        For a command with so many of them that making all the parsers takes as long as its work.
        """
        group = self._group
        group._choices_actions.append(group._ChoicesPseudoAction(name, [], summary))

        def make() -> BatmanParser:
            parser = BatmanParser(prog=f"{self._prog} {name}", description=_sentence(summary))
            parser.set_defaults(handler=handler)
            if json:
                add_json(parser)
            fill(parser)
            return parser

        self._parsers[name] = make

    def add(self, name: str, summary: str, handler: Handler, *, json: bool = True) -> BatmanParser:
        """Return the parser of a new sub-command; `summary` is one lower-case line.

        Without `json` it gets no `--json` here: it has one that excludes other options.
        """
        parser = self.group(name, summary)
        parser.set_defaults(handler=handler)
        if json:
            add_json(parser)
        return parser

    def group(self, name: str, summary: str) -> BatmanParser:
        """Return the parser of a new sub-command that has sub-commands itself."""
        parser: BatmanParser = self._group.add_parser(
            name, help=summary, description=_sentence(summary)
        )
        return parser


def _sentence(summary: str) -> str:
    return summary[:1].upper() + summary[1:] + "."


def _with_guess(text: str, word: str, choices: Iterable[str]) -> str:
    guess = did_you_mean(word, choices)
    return f"{text}; {guess}" if guess else text
