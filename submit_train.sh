#!/usr/bin/env bash
# Train on a SLURM cluster: the same as `batman submit`. See ./submit_train.sh --help.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$here/.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} exec "$python" -P -c \
  'import sys; from cli.common import run_module; sys.exit(run_module("cluster.submit", prog="./submit_train.sh"))' "$@"
