"""The command line of Batman."""

import os

# `python -m cli.benchmark_latency` and its like, of the original Batman, say what to type here.
__path__.append(os.path.join(os.path.dirname(__file__), "original"))  # noqa: PTH118, PTH120
