"""`batman serve`: the app and the labelling page in a browser, through the `serve` extra."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import importlib.util
import os
import shlex
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from cli.common import add_workspace, run_module, workspace_of
from cli.exits import Exit
from cli.numbers import number
from cli.output import say, say_link
from core.common.errors import BatmanError
from core.common.files import expand_user
from core.processes.child_process import python_command, python_environment
from core.processes.installation import how_to_install

if TYPE_CHECKING:
    from web.door import Door

DESCRIPTION = (
    "Serve the app and the labelling page to a browser. Only who has the link that is printed"
    " comes in."
)
_LOCAL = ("localhost", "127.0.0.1", "::1", "[::1]")
_ANY = ("0.0.0.0", "::", "[::]")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` where to listen, who may come, and the workspace."""
    parser.add_argument(
        "--host", default="localhost", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=int,
        default=8000,
        help="port to listen on; with --socket, the one to open on your own machine "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--socket",
        metavar="PATH",
        help="listen on a unix socket that only you can open, instead of a port",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name under which a proxy shows it; may be given several times",
    )
    parser.add_argument(
        "--visitors",
        type=int,
        default=8,
        metavar="N",
        help="open pages at once, each with a process of its own (default: %(default)s)",
    )
    parser.add_argument(
        "--first",
        choices=("app", "label"),
        default="app",
        help="what the bare address opens: the app, or the labelling page (default: %(default)s)",
    )
    parser.add_argument(
        "--max-upload",
        type=number(0, above=True),
        default=20.0,
        metavar="GIB",
        help="the largest file that the labelling page takes (default: %(default)g)",
    )
    parser.add_argument("--open", action="store_true", help="open the link in a browser here")
    add_workspace(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted.

    Raises BatmanError without the `serve` extra and where nothing can listen.
    """
    missing = [name for name in ("aiohttp", "textual_serve") if not importlib.util.find_spec(name)]
    if missing:
        raise BatmanError(
            "Serving needs the 'serve' extra.",
            f"Install it with: {how_to_install('batman-tui[serve]')}",
        )
    if not 0 < args.port < 65536:
        raise BatmanError(f"There is no port {args.port}.", "Choose one from 1 to 65535.")
    if args.visitors < 1:
        raise BatmanError("Somebody must be let in.", "Give --visitors 1 or more.")
    import asyncio

    from web.app_server import AppServer, serve
    from web.door import Door
    from web.label.page import LabelPage
    from web.listen import listen_port, listen_socket, remove_socket

    command = app_command(str(workspace_of(args).root))
    path = expand_user(Path(args.socket)).absolute() if args.socket else None
    door = Door([*_names(args.host), *args.allow_host])
    sockets = [listen_socket(path)] if path else listen_port(args.host, args.port)
    home, label = _links(args, door)
    link = label if args.first == "label" else home
    try:
        with contextlib.ExitStack() as stack:

            def ready() -> None:
                _say_how(args, path, link, home if args.first == "label" else label)
                if args.open:
                    stack.enter_context(_opened(link))

            async def main() -> None:
                page = LabelPage(workspace_of(args), int(args.max_upload * (1 << 30)))
                server = AppServer(
                    door,
                    command,
                    python_environment(),
                    args.visitors,
                    page,
                    label_first=args.first == "label",
                )
                await serve(server, sockets, ready)

            asyncio.run(main())
    finally:
        if path:
            remove_socket(path, sockets[0])
    return Exit.OK


def _links(args: argparse.Namespace, door: Door) -> tuple[str, str]:
    """Return the links to the app and to the labelling page, of a project if one is named."""
    address, project = _address(args), getattr(args, "project", None)
    where = f"#/{quote(project, safe='')}" if project else ""
    home = "/app" if args.first == "label" else "/"
    # The bare address leads to the page, too: it is the shorter one to read off a screen.
    page = "/" if args.first == "label" and not where else f"/label/{where}"
    return door.link(address, home), door.link(address, page)


def app_command(workspace: str) -> list[str]:
    """Return the argument list that starts the app for one visitor."""
    return python_command("cli.app.tui", "--workspace", workspace)


def _names(host: str) -> list[str]:
    """Return the names under which a browser may reach `host`: all of this machine's for any."""
    if host not in _ANY:
        return [host]
    import psutil

    found = [socket.gethostname(), socket.getfqdn()]
    for addresses in psutil.net_if_addrs().values():
        found += [
            address.address.partition("%")[0]
            for address in addresses
            if address.family in (socket.AF_INET, socket.AF_INET6)
        ]
    return found


def _address(args: argparse.Namespace) -> str:
    """Return the address to open, without the token."""
    if args.socket or args.host in _LOCAL:
        # A tunnel ends at the person's own localhost.
        host = "localhost" if args.socket or args.host == "localhost" else args.host
    else:
        host = socket.gethostname() if args.host in _ANY else args.host
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{host}:{args.port}"


def _say_how(args: argparse.Namespace, path: Path | None, link: str, other: str) -> None:
    """Print the link and, where a browser is elsewhere, the way to it; then the other page's."""
    there = f"{getpass.getuser()}@{socket.gethostname()}"
    if path:
        say(f"Listening on {path}, which only you can open. On your own machine:")
        say(f"  ssh -L {args.port}:{shlex.quote(str(path))} {there}")
        say("and open there:")
        say_link(f"  {link}")
    else:
        say_link(f"Open {link}")
        if args.host in _LOCAL and "SSH_CONNECTION" in os.environ:
            say("On your own machine, after:")
            say(f"  ssh -L {args.port}:localhost:{args.port} {there}")
        if args.host not in _LOCAL:
            say("The network between can read along: a tunnel (ssh -L) or a proxy with https")
            say("keeps it out.")
    said = "The terminal app" if args.first == "label" else "Labelling, on a page of its own"
    say_link(f"{said}: {other}")
    say("Whoever has this link can do what you can do. Ctrl-C ends it.")
    sys.stdout.flush()


@contextlib.contextmanager
def _opened(link: str) -> Iterator[None]:
    """Open `link` in a browser of this desktop, for as long as the server runs.

    A browser's arguments can be read by everybody (`ps`), so it is given a file that only we can
    read and that leads on.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        say("There is no desktop here to open a browser on: open the link yourself.")
        sys.stdout.flush()
        yield
        return
    from web.pages import moved_page

    with tempfile.TemporaryDirectory(prefix="batman-") as folder:  # of mode 0700
        page = Path(folder) / "open.html"
        page.write_text(moved_page(link), encoding="utf-8")
        # Some browsers only return when they are closed.
        threading.Thread(target=_browse, args=(page.as_uri(),), daemon=True).start()
        yield


def _browse(address: str) -> None:
    if not webbrowser.open(address):
        say("No browser could be started: open the link yourself.")


if __name__ == "__main__":
    sys.exit(run_module("app.serve"))
