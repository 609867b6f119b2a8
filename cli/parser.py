"""The parser that every command uses: complete option names only, and help when one is misspelt."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from rich_argparse import RichHelpFormatter

from cli.exits import Exit
from cli.output import say_error
from core.common.text import clean, did_you_mean

Handler = Callable[[argparse.Namespace], int]


class _Formatter(RichHelpFormatter):
    # Help and descriptions are plain text: "[a|b]" in them is no markup.
    group_name_formatter = str.capitalize
    text_markup = False
    help_markup = False


class BatmanParser(argparse.ArgumentParser):
    """An `ArgumentParser` that says what was probably meant, and ends with `Exit.WRONG`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", _Formatter)
        super().__init__(*args, **kwargs)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, and end with an error for what is not known.

        Each sub-command's parser is called through here, so that the nearest name is looked for
        among its own options.
        """
        words = list(sys.argv[1:] if args is None else args)
        if self._subparsers is None:
            # Before what is missing is complained of: it may be there, misspelt.
            given = words[: words.index("--")] if "--" in words else words
            self._unknown([word for word in given if self._no_option(word)])
        known, extra = super().parse_known_args(words, namespace)
        self._unknown(extra)
        return known, []

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
        self.error(_with_guess(f"there is no option '{word}'", word, self.options()))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            text = _with_guess(f"there is no '{value}' here", str(value), choices)
            raise argparse.ArgumentError(
                None if isinstance(action, argparse._SubParsersAction) else action,
                f"{text}{'' if text.endswith('?') else '.'} Choose from: {', '.join(choices)}",
            )


class Subcommands:
    """The sub-commands of a command: `add` one, and `run` calls the function of the chosen one."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._group = parser.add_subparsers(
            title="subcommands", metavar="SUBCOMMAND", required=True, parser_class=BatmanParser
        )

    def add(self, name: str, summary: str, handler: Handler) -> BatmanParser:
        """Return the parser of a new sub-command; `summary` is one lower-case line."""
        parser: BatmanParser = self._group.add_parser(
            name, help=summary, description=summary[:1].upper() + summary[1:] + "."
        )
        parser.set_defaults(handler=handler)
        return parser


def _with_guess(text: str, word: str, choices: Iterable[str]) -> str:
    guess = did_you_mean(word, choices)
    return f"{text}; {guess}" if guess else text
