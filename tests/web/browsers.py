"""Chromium for the tests of the labelling page, and how one waits for it."""

from __future__ import annotations

import shutil
import time
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--process-per-site",
]  # fmt: skip
WAIT_S = 20.0


def expect(locator: Any) -> Any:
    """Return what waits until a claim about a locator holds (`to_have_count` and such).

    The page is drawn after its state changes, a frame later.
    """
    from playwright.sync_api import expect as wait_for  # half a second of each worker's start

    wait_for.set_options(timeout=WAIT_S * 1000)
    return wait_for(locator)


def until(page: Any, expression: str, wait_s: float = WAIT_S) -> Any:
    """Wait until `expression` is true in the page, and return it.

    Not `wait_for_function`, which evaluates text inside the page: its policy forbids that.
    """
    ends = time.monotonic() + wait_s
    while not (value := page.evaluate(expression)):
        if time.monotonic() > ends:
            state = page.evaluate("window.batman ? JSON.stringify(batman.state()) : document.title")
            raise AssertionError(f"never true: {expression}; the page: {state}")
        page.wait_for_timeout(15)
    return value
