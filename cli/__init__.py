"""The command line of Batman."""

from pathlib import Path

# `python -m cli.benchmark_latency` and its like, of the original Batman, say what to type here.
__path__.append(str(Path(__file__).parent / "original"))
