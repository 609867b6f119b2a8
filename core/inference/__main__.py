"""`python -m core.inference`: inference in a process of its own; see `core.processes.job`."""

from __future__ import annotations

import sys

from core.inference import InferenceOptions, infer
from core.processes.job import serve_job

if __name__ == "__main__":
    sys.exit(serve_job(InferenceOptions, infer))
