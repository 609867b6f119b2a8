#!/usr/bin/env bash
# Projects, videos and labelling in a browser, at http://localhost:5173, and the app beside them: the
# same as `batman label`, which prints the link that lets one in.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$here/.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} exec "$python" -P -m cli.main label --port 5173 "$@"
