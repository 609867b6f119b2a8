"""The health of a project: what is wrong with its data, and what can be put right by itself."""

from core.data.health.before_training import before_training, one_line
from core.data.health.check import check
from core.data.health.fixes import fix
from core.data.health.report import Finding, HealthReport, Severity

__all__ = [
    "Finding",
    "HealthReport",
    "Severity",
    "before_training",
    "check",
    "fix",
    "one_line",
]
