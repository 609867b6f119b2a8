"""`batman serve`: the app in a browser, through the `serve` extra."""

from __future__ import annotations

import argparse
import importlib.util
import shlex
import sys

from cli.common import add_workspace, run_module, workspace_of
from cli.exits import Exit
from cli.output import say
from core.errors import BatmanError

DESCRIPTION = "Serve the app to a browser. Whoever reaches the port can do what you can do."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the address and the workspace."""
    parser.add_argument(
        "--host", default="localhost", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="port to listen on (default: %(default)s)"
    )
    add_workspace(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted. Raises BatmanError without the `serve` extra."""
    if importlib.util.find_spec("textual_serve") is None:
        raise BatmanError(
            "Serving needs the 'serve' extra.", "Install it: pip install 'batman-tui[serve]'."
        )
    if not 0 < args.port < 65536:
        raise BatmanError(f"There is no port {args.port}.", "Choose one from 1 to 65535.")
    from textual_serve.server import Server

    command = app_command(str(workspace_of(args).root))
    say(f"Open http://{args.host}:{args.port}; Ctrl-C ends it.")
    Server(command, host=args.host, port=args.port, title="Batman").serve()
    return Exit.OK


def app_command(workspace: str) -> str:
    """Return the shell line that starts the app for one visitor."""
    return shlex.join([sys.executable, "-m", "cli.tui", "--workspace", workspace])


if __name__ == "__main__":
    sys.exit(run_module("serve"))
