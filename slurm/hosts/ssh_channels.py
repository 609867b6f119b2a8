"""Room for channels on one SSH connection, shared by threads."""

from __future__ import annotations

import threading
import time

# OpenSSH's server allows 10 sessions a connection (sshd_config(5), MaxSessions) and the person may
# have others.
CHANNELS = 6
# A server that was only slow to close one refuses the next as well: one more is tried after this.
_TRY_MORE_S = 60.0


class Room:
    """How many channels are open and how many may be.

    Each `take` that says True is followed by a `give`. A server that refuses one more shows how
    many it really takes: from then on the next one waits until another is closed, and one more is
    tried now and then.
    """

    def __init__(self, most: int = CHANNELS) -> None:
        self._changed = threading.Condition()
        self._limit = self._most = most
        self._used = 0
        self._try_at = 0.0

    @property
    def most(self) -> int:
        """How many may be open at once, as far as is known."""
        return self._most

    def take(self, seconds: float = 0.0) -> bool:
        """Take the place of one channel, waiting up to `seconds` for it; return whether it is had.

        Threads that wait get it in no certain order.
        """
        until = time.monotonic() + seconds
        with self._changed:
            if self._most < self._limit and time.monotonic() > self._try_at:
                self._most += 1
                self._try_at = time.monotonic() + _TRY_MORE_S
            while self._used >= self._most:
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return False
            self._used += 1
            return True

    def give(self) -> None:
        """Give a place back: its channel is closed, or was never opened."""
        with self._changed:
            self._used -= 1
            self._changed.notify()

    def refused(self) -> None:
        """Note that the server refused a channel whose place was taken, and give the place back."""
        with self._changed:
            self._used -= 1
            # Where no other is open, the server may just not have closed the last one yet.
            self._most = max(1, min(self._most, self._used))
            self._try_at = time.monotonic() + _TRY_MORE_S
            self._changed.notify()
