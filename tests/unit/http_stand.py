"""A real HTTP server on loopback whose answers go wrong on request."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Status:
    """Answer with this status and no file."""

    code: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """Promise the whole file, and close the connection after `at` bytes of the answer."""

    at: int


@dataclass(frozen=True)
class Stall:
    """Promise the whole file, and fall silent after `at` bytes of the answer."""

    at: int


@dataclass(frozen=True)
class Length:
    """State this length, whatever the file's is."""

    stated: int


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    method: str
    path: str
    range: str | None
    query: dict[str, list[str]]


Fault = Status | Cut | Stall | Length
Page = Callable[["Asked"], tuple[int, bytes]]


class Site:
    """What the server has, what shall go wrong, and what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.pages: dict[str, Page] = {}
        self.headers: dict[str, str] = {}
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.ranges = True
        self.asked: list[Asked] = []
        self.silent = threading.Event()
        self.closing = threading.Event()

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [item.path for item in self.asked]

    def spoil(self, path: str, *faults: Fault, times: int = 1) -> None:
        """Have the next answers for `path` go wrong."""
        self.faults[path].extend(faults * times)


class _Handler(BaseHTTPRequestHandler):
    site: Site
    protocol_version = "HTTP/1.1"

    def version_string(self) -> str:
        return self.site.headers.get("Server", "stand/1")

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def do_GET(self) -> None:
        site, parts = self.site, urlsplit(self.path)
        asked = Asked(self.command, parts.path, self.headers.get("Range"), parse_qs(parts.query))
        site.asked.append(asked)
        fault = site.faults[parts.path].popleft() if site.faults[parts.path] else None
        if isinstance(fault, Status):
            self._answer(fault.code, b"", fault.headers)
        elif parts.path in site.pages:
            code, body = site.pages[parts.path](asked)
            self._answer(code, body, {"Content-Type": "application/json"})
        elif parts.path in site.files:
            self._file(parts.path, fault)
        else:
            self._answer(404, b'{"error": {"message": "not found"}}', {})

    def _answer(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _file(self, path: str, fault: Fault | None) -> None:
        site, body = self.site, self.site.files[path]
        etag = site.etags.get(path, f'"{hash(body) & 0xFFFFFFFF:x}"')
        headers = {"ETag": etag, **{k: v for k, v in site.headers.items() if k != "Server"}}
        code, total = 200, len(body)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and site.ranges and self.headers.get("If-Range", etag) == etag:
            start = int(wanted[1])
            if start >= total:
                self._answer(416, b"", {"Content-Range": f"bytes */{total}"})
                return
            code, body = 206, body[start:]
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        headers["Content-Length"] = str(fault.stated if isinstance(fault, Length) else len(body))
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        end = fault.at if isinstance(fault, Cut | Stall) else len(body)
        with contextlib.suppress(OSError):
            self.wfile.write(body[:end])
            self.wfile.flush()
        if isinstance(fault, Stall):
            site.silent.set()
            site.closing.wait(30)
        if fault is not None:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are what is tested."""


@contextlib.contextmanager
def serve() -> Iterator[Site]:
    """Run a server on a free port of 127.0.0.1 for the block."""
    site = Site()
    handler = type("Handler", (_Handler,), {"site": site})
    with _Server(("127.0.0.1", 0), handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield site
        finally:
            site.closing.set()
            server.shutdown()
            thread.join()
