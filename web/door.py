"""The door: who may reach what Batman serves to a browser.

A piece of its own that any aiohttp application joins with `Door.join`; what is behind it need not
know about it. A request comes in if

- its `Host` is a name of ours, so that no foreign name that was pointed at this machine is used
  (DNS rebinding);
- no other page made it: `Origin` and the fetch metadata say whose page it was (Fetch standard,
  "Origin header"; W3C "Fetch Metadata Request Headers");
- it comes from our own user, where a unix socket tells (SO_PEERCRED, unix(7));
- it holds the cookie that the link's token was exchanged for.

Token and cookie are made anew at each start and are kept in memory only: there is nothing on the
disk to take, and a link ends with the server that printed it.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import quote, urlencode

from aiohttp import web

from core.common.errors import BatmanError
from core.common.text import clean
from web.pages import message_page, moved_page

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
PARAMETER = "token"
# What a browser may do on our pages. Styles are inline too: xterm.js writes its own.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "Batman",
}
# A name or an address in brackets, and a port (RFC 3986, authority, without user and password).
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::([0-9]{1,5}))?", re.ASCII)
_PORTS = {"http": 80, "https": 443}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """Lets in who has the link of this start, from a page of ours, under a name of ours."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Make a door with a new token.

        `names` are the host names and addresses, besides this machine's loopback, under which a
        browser may ask: where it listens, or where a proxy does. Raises BatmanError for one that
        no host can have.
        """
        self.names = LOOPBACK | {host_name(name) for name in names}
        self._token = secrets.token_urlsafe(32)
        self._cookie = secrets.token_urlsafe(32)

    def link(self, address: str, path: str = "/") -> str:
        """Return `address`, such as `http://localhost:5173`, as the link that lets one in.

        It leads to `path`, which may end in a fragment, such as `/label/#/cranes`.
        """
        path, hash_, fragment = path.partition("#")
        return f"{address}{path}?{urlencode({PARAMETER: self._token})}{hash_}{fragment}"

    def join(self, app: web.Application) -> None:
        """Put `app` and the applications below it behind this door, before all it has so far."""
        app.middlewares.insert(0, self._guard)
        app.on_response_prepare.append(_add_headers)

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Return the answer of `handler`, of the exchange of a token, or a refusal."""
        hosts = request.headers.getall("Host", [])
        host = _authority(hosts[0]) if len(hosts) == 1 else None
        if host is None or host[0] not in self.names:
            return _refusal(
                "Not an address of this server",
                "Batman answers only under the names it was started with.",
                "Behind a proxy, name it: batman serve --allow-host NAME",
            )
        if _foreign_origin(request, host) or _foreign_fetch(request):
            return _refusal(
                "Asked for by another page",
                "Batman answers only to its own pages, not to those of other sites.",
                "Open Batman in a tab of its own.",
            )
        peer = peer_uid(request)
        if peer is not None and peer not in (os.getuid(), 0):
            return _refusal(
                "Not your socket", "This Batman belongs to another user of this machine.",
                "Start your own: batman serve",
            )  # fmt: skip
        name = f"batman-{host[1] or _PORTS[_scheme(request)]}"
        if PARAMETER in request.query and request.method == "GET":
            return self._exchange(request, name)
        if not _same(request.cookies.get(name, ""), self._cookie):
            return _locked("Batman is behind a door", "", hosts[0])
        return await handler(request)

    def _exchange(self, request: web.Request, cookie: str) -> web.StreamResponse:
        """Return the way to the address without the token, with the cookie that it is worth."""
        if not _same(request.query[PARAMETER], self._token):
            return _locked(
                "This link is not valid",
                "It is of another start of the server, or was cut.",
                request.headers["Host"],
            )
        # Relative to where the browser is: it may have come through a tunnel or a proxy.
        rest = [(key, value) for key, value in request.query.items() if key != PARAMETER]
        place = "./" + quote(request.path.rpartition("/")[2])
        place += f"?{urlencode(rest)}" if rest else ""
        answer: web.Response
        if request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
            answer = web.Response(status=303, headers={"Location": place})
        else:
            # Another page or file led here, so a browser would follow a redirect without our
            # strict cookie; the page that we answer with is our own, and leads on with it.
            answer = web.Response(text=moved_page(place), content_type="text/html")
        answer.set_cookie(
            cookie, self._cookie, path="/", httponly=True, samesite="Strict",
            secure=_scheme(request) == "https",
        )  # fmt: skip
        return answer


def host_name(text: str) -> str:
    """Return a host name or address as `Host` has it: lower case, IPv6 in brackets.

    Raises BatmanError for what is neither.
    """
    name = text.strip().lower()
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    found = _AUTHORITY.fullmatch(name)
    if found is None or found[2] is not None:
        raise BatmanError(
            f"'{clean(text)}' is not the name of a host.",
            "Give a name or an address without 'http://' and without a port.",
        )
    return name


def peer_uid(request: web.Request) -> int | None:
    """Return who is at the other end of a unix socket, as a user id; None if nobody can tell.

    `struct ucred` is three ints: process, user, group (unix(7)); Linux has it.
    """
    end = request.transport.get_extra_info("socket") if request.transport else None
    if end is None or end.family != socket.AF_UNIX or not hasattr(socket, "SO_PEERCRED"):
        return None
    raw = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[1])


async def _add_headers(_request: web.Request, answer: web.StreamResponse) -> None:
    """Give every answer what keeps a page to itself; a handler may have set its own."""
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers["Server"] = HEADERS["Server"]  # instead of aiohttp's, with its versions


def _foreign_origin(request: web.Request, host: tuple[str, int | None]) -> bool:
    """Return whether a page of another origin made the request: not the one in `Host`.

    A browser says so with each websocket and whatever is no GET; who sends none is no page. The
    port counts: at another one of the same host is somebody else's server.
    """
    origins = request.headers.getall("Origin", [])
    if not origins:
        return False
    scheme, _, rest = origins[0].lower().partition("://")
    origin = _authority(rest)
    if len(origins) > 1 or origin is None or scheme not in _PORTS:
        return True
    if _scheme(request) == "https" != scheme:
        return True
    default = _PORTS[scheme]
    return (origin[0], origin[1] or default) != (host[0], host[1] or default)


def _foreign_fetch(request: web.Request) -> bool:
    """Return whether another page's script, picture or frame asks; a link that leads here may."""
    if request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
        return False
    wanted = (request.headers.get("Sec-Fetch-Mode"), request.headers.get("Sec-Fetch-Dest"))
    return request.method != "GET" or wanted != ("navigate", "document")


def _authority(text: str) -> tuple[str, int | None] | None:
    found = _AUTHORITY.fullmatch(text.lower())
    return (found[1], int(found[2]) if found[2] else None) if found else None


def _scheme(request: web.Request) -> str:
    """Return `https` where a proxy says that the browser speaks it; it only makes us stricter."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return "https" if forwarded == "https" else request.scheme


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode(errors="replace"), wanted.encode())


def _refusal(title: str, text: str, hint: str) -> web.Response:
    """Return the page for a request that is none of ours."""
    return web.Response(text=message_page(title, text, hint), status=403, content_type="text/html")


def _locked(title: str, text: str, host: str) -> web.Response:
    """Return the page for who has not come in, which says how one does."""
    text = f"{text} Open the whole link that batman serve printed in the terminal where it runs."
    return web.Response(
        text=message_page(title, text, "It looks like this:", f"http://{host}/?{PARAMETER}=…"),
        status=401,
        content_type="text/html",
        headers={"WWW-Authenticate": 'Link realm="Batman"'},
    )
