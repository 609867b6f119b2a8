"""Which of several training processes this one is, before anything heavy is imported.

torchrun sets RANK, srun SLURM_PROCID, and Lightning's own launcher LOCAL_RANK and NODE_RANK for
the processes that it starts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def under_torchrun(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in environ


def under_srun(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether srun started this process as one of several tasks."""
    return "SLURM_PROCID" in environ and int(environ.get("SLURM_NTASKS", "1") or 1) > 1


def is_rank_zero(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this is the process that writes the run folder."""
    if "RANK" in environ:
        return int(environ["RANK"]) == 0
    if under_srun(environ):
        return int(environ["SLURM_PROCID"]) == 0
    return int(environ.get("LOCAL_RANK", "0")) == 0 and int(environ.get("NODE_RANK", "0")) == 0
