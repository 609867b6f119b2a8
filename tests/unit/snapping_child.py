"""Stands for `core.autolabel.snap.model` in tests: the real lines, and a model without torch."""

from __future__ import annotations

import sys

from test_snap import opened

from core.autolabel.snap import model

if __name__ == "__main__":
    model.open_snapper = opened  # type: ignore[assignment]
    sys.exit(model.serve(sys.stdin, sys.stdout))
