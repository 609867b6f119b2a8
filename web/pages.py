"""Pages of one message, in Batman's look, that need nothing else from the server."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

STATIC = Path(__file__).with_name("static")


def message_page(title: str, text: str, hint: str = "", detail: str = "") -> str:
    """Return a page with a title, a sentence, what to do, and something to be read literally.

    All four are text, never HTML; empty ones are left out.
    """
    parts = [f"<p>{escape(text)}</p>"]
    if hint:
        parts.append(f'<p class="hint">{escape(hint)}</p>')
    if detail:
        parts.append(f"<pre>{escape(detail)}</pre>")
    return _page(title, "\n".join(parts))


def moved_page(place: str) -> str:
    """Return a page that leads on to `place` at once, in the history instead of itself."""
    link = escape(place, quote=True)
    refresh = f'<meta http-equiv="refresh" content="0; url={link}">'
    return _page("Batman", f'<p><a href="{link}">Go on</a></p>', refresh)


def _page(title: str, body: str, head: str = "") -> str:
    template = Template((STATIC / "message.html").read_text(encoding="utf-8"))
    style = (STATIC / "batman.css").read_text(encoding="utf-8")
    return template.substitute(title=escape(title), body=body, head=head, style=style)
