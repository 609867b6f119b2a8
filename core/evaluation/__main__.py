"""`python -m core.evaluation`: evaluates in a process of its own; see `core.processes.job`."""

from __future__ import annotations

import sys
from pathlib import Path

from core.common.progress import Cancelled, Report
from core.evaluation.evaluate import EvaluationOptions, evaluate
from core.evaluation.result import evaluation_folder
from core.processes.job import serve_job


def _evaluate(options: EvaluationOptions, report: Report, cancelled: Cancelled) -> dict[str, str]:
    """Evaluate and return where the result lies, which is too much to send."""
    result = evaluate(options, report, cancelled)
    folder = options.output or evaluation_folder(Path(result.checkpoint).parent, result.split)
    return {"folder": str(folder)}


if __name__ == "__main__":
    sys.exit(serve_job(EvaluationOptions, _evaluate))
