"""The driver of an app that is drawn in a browser: it ends with the server that started it."""

from __future__ import annotations

import os
import threading

from textual import messages
from textual.drivers.web_driver import WebDriver

# How long the app may take to end by itself, once nobody is there any more.
_GRACE_S = 10.0


class ServedDriver(WebDriver):
    """Textual's web driver, which reads what is typed from a pipe, and ends the app with the pipe.

    The pipe ends when the visitor has gone or the server is dead, `kill -9` included, on every
    system alike. Textual's own driver stops reading then and lets the app run on unseen.
    """

    def on_meta(self, packet_type: str, payload: dict[str, object]) -> None:
        """Take what the server tells; how large the page's cells are is for pictures."""
        width, height = payload.get("width"), payload.get("height")
        if packet_type != "cell":
            super().on_meta(packet_type, payload)
        elif isinstance(width, int) and isinstance(height, int):
            from batman_tui.widgets.picture.graphics import tell_cell

            tell_cell((width, height))

    def run_input_thread(self) -> None:
        """Hand on what is typed until the pipe ends, then end the app."""
        super().run_input_thread()
        if self.exit_event.is_set():
            return  # the app ended first
        # Should it hang, or be blocked by writing to a reader that is gone.
        last = threading.Timer(_GRACE_S, os._exit, (1,))
        last.daemon = True
        last.start()
        self._app.post_message(messages.ExitApp())
