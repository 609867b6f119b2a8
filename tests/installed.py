"""Whether a package is there, without importing it: that of rfdetr takes seven seconds.

Every worker of xdist imports every module of the tests, and would pay for what one of them needs
(torch, transformers and rfdetr: in time, in memory, and each time a test forks).
"""

from __future__ import annotations

import importlib.util

import pytest


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skip the tests of a module (`pytestmark`) where a package is not installed."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
