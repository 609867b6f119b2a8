"""`python -m slurm.attempts …`: the name under which job scripts call `slurm.job.attempts`.

A script that waits in a queue was written before whatever version runs it, so the name stays.
"""

from __future__ import annotations

import sys

from slurm.job.attempts import main

if __name__ == "__main__":
    sys.exit(main())
