"""`python -m core.training.worker RUN_DIR`: the training process (see `worker.main`)."""

from __future__ import annotations

import sys

from core.training.log.train_log import drop_unsaid
from core.training.worker.main import main

if __name__ == "__main__":
    code = main()
    drop_unsaid()
    sys.exit(code)
