"""What one careful HTTP request needs: where it may go, what the answer says about the file."""

from __future__ import annotations

import base64
import http.client
import re
import urllib.parse
import urllib.request
from email.message import Message
from typing import IO, Any

from core.common.errors import BatmanError
from core.common.text import clean, whole_number


class DownloadFailed(BatmanError):
    """A file that could not be had; `status` is the HTTP status, or 0 when there was none."""

    def __init__(self, message: str, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status


def published_md5(answer: Message) -> str | None:
    """Return the MD5 in hexadecimal that a server's headers state, or None.

    `Content-MD5` is RFC 1864. Amazon S3's ETag is the MD5 of an object that was uploaded in one
    part and is not encrypted with a key of its own (S3 User Guide, "Checking object integrity");
    other servers use ETags of the same look for other things.
    """
    stated = str(answer.get("Content-MD5", ""))
    if re.fullmatch(r"[A-Za-z0-9+/]{22}==", stated):
        return base64.b64decode(stated).hex()
    etag = str(answer.get("ETag", "")).strip('"')
    encryption = str(answer.get("x-amz-server-side-encryption", "AES256"))
    if answer.get("Server") == "AmazonS3" and encryption == "AES256":
        return etag if re.fullmatch(r"[0-9a-f]{32}", etag) else None
    return None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to HTTP and HTTPS addresses only, and never from HTTPS back to HTTP."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
        headers: Any, newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise DownloadFailed(
                f"The server leads to an address that is not safe to follow ({clean(scheme)}).",
                "Check the address.",
                code,
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def opener() -> urllib.request.OpenerDirector:
    """Return what opens HTTP and HTTPS addresses, through the environment's proxies."""
    # Not `build_opener`, whose defaults also read files and FTP. Proxies come from the usual
    # environment variables.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def check_address(url: str, shown: str) -> None:
    """Raise `DownloadFailed` unless `url` is an HTTP address; the message says `shown`."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DownloadFailed(
            f"'{clean(shown)}' is not an address to download from.",
            "Give one that starts with http:// or https://.",
        )


def span(status: int, answer: Message) -> tuple[int, int | None]:
    """Return where the body starts in the file and how long the file is."""
    if status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", str(answer.get("Content-Range", "")))
        if not found:
            return -1, None
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = str(answer.get("Content-Length", ""))
    return 0, whole_number(length)


def reason_of(reason: object) -> str:
    """Return in a few words why a request failed, from the exception it raised."""
    reason = getattr(reason, "reason", reason)
    if isinstance(reason, TimeoutError):
        return "the server does not answer"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    if isinstance(reason, http.client.HTTPException):
        return f"the answer broke off ({type(reason).__name__})"
    return str(reason) or type(reason).__name__
