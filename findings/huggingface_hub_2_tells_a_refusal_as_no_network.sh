#!/usr/bin/env bash
# huggingface_hub 2.4.0 (PyPI), Python 3.11. No network but the package index: the hub is a server on loopback.
#
# `hf_hub_download` tells a 401 as HfHubHTTPError. A 403 or 404 whose answer lacks the hub's header X-Error-Code (a
# mirror's or a company's proxy has none) becomes LocalEntryNotFoundError, whose text speaks of the connection and of
# files that are not cached; the refusal itself is only its `__cause__`. With the header all are told by their kind.
#
# Seen: the seven lines at the end.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet huggingface_hub==2.4.0
cat >"$folder/show.py" <<'PY'
import http.server
import os
import sys
import threading

os.environ["HF_HOME"] = sys.argv[1] + "/home"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
answer = {}


class Hub(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(answer["status"])
        if answer["code"]:
            self.send_header("X-Error-Code", answer["code"])
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"

from huggingface_hub import hf_hub_download  # noqa: E402

for status, code in (
    (401, None), (401, "GatedRepo"), (403, None), (403, "GatedRepo"), (404, None), (404, "RepoNotFound"),
    (404, "EntryNotFound"),
):
    answer.update(status=status, code=code)
    try:
        hf_hub_download("someone/model", "config.json")
    except Exception as error:
        print(status, code, type(error).__name__, "from", type(error.__cause__).__name__)
PY
seen=$("$folder/env/bin/python" "$folder/show.py" "$folder" 2>/dev/null)
printf '%s\n' "$seen"
diff <(printf '%s\n' "$seen") - <<'SEEN'
401 None HfHubHTTPError from HTTPStatusError
401 GatedRepo GatedRepoError from HTTPStatusError
403 None LocalEntryNotFoundError from HfHubHTTPError
403 GatedRepo GatedRepoError from HTTPStatusError
404 None LocalEntryNotFoundError from HfHubHTTPError
404 RepoNotFound RepositoryNotFoundError from HTTPStatusError
404 EntryNotFound RemoteEntryNotFoundError from HTTPStatusError
SEEN
