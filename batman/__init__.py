"""Batman from Python: `from batman import Client`.

What stands here stays; everything else in Batman's packages may change with any version.
"""

from __future__ import annotations

from core.common.errors import BatmanError
from core.evaluation.result import EvaluationResult
from slurm.client.calls import FunctionJob
from slurm.client.client import Client
from slurm.client.job import Job, JobFailed, wait_all
from slurm.client.passes import PassJob
from slurm.client.runs import RunResult, TrainJob

__all__ = [
    "BatmanError",
    "Client",
    "EvaluationResult",
    "FunctionJob",
    "Job",
    "JobFailed",
    "PassJob",
    "RunResult",
    "TrainJob",
    "wait_all",
]
