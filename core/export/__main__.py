"""`python -m core.export`: an export in a process of its own; see `core.processes.job`."""

from __future__ import annotations

import sys

from core.export import ExportOptions, export
from core.processes.job import serve_job

if __name__ == "__main__":
    sys.exit(serve_job(ExportOptions, export))
