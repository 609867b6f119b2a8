#!/usr/bin/env bash
# The app in a browser, at http://localhost:5173: the same as `batman serve --port 5173`, which prints
# the link that lets one in.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$here/.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} exec "$python" -P -m cli.main serve --port 5173 "$@"
