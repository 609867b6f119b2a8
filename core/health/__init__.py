"""The health of a project: what is wrong with its data, and what can be put right by itself."""

from core.health.check import check
from core.health.fixes import fix
from core.health.report import Finding, HealthReport, Severity

__all__ = ["Finding", "HealthReport", "Severity", "check", "fix"]
