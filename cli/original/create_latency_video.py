"""`python -m cli.create_latency_video` of the original Batman: says what there is instead."""

from __future__ import annotations

import sys

from cli.original.scripts import answer

if __name__ == "__main__":
    sys.exit(answer("create_latency_video"))
