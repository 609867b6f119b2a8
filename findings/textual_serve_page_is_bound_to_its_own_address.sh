#!/usr/bin/env bash
# textual-serve 1.1.3 (PyPI), Python 3.11.
#
# The page that it serves names the server's own host and port as the address of its websocket, so
# a browser that came through a tunnel on another port cannot connect; and it asks
# fonts.googleapis.com for a font whose file the package ships.
#
# Seen, for a server on localhost:PORT asked with "Host: localhost:9999" (as through ssh -L 9999:…):
#   data-session-websocket-url="ws://localhost:PORT/ws"
#   https://fonts.googleapis.com/css2?family=Roboto+Mono…
# Batman serves a page of its own, with relative addresses and nothing from elsewhere; see docs/serve.md.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet textual-serve==1.1.3
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$folder/env/bin/python" - "$port" >"$folder/log" 2>&1 <<'PY' &
import sys
from textual_serve.server import Server
Server("true", host="localhost", port=int(sys.argv[1])).serve()
PY
server=$!
for _ in $(seq 100); do
  page=$(curl -s -H "Host: localhost:9999" "http://localhost:$port/") && break
  kill -0 "$server" || { cat "$folder/log"; exit 1; }
  read -rt 0.1 <> <(:) || true
done
grep -o 'data-session-websocket-url="[^"]*"' <<<"$page"
grep -o 'https://fonts\.googleapis\.com[^" ]*' <<<"$page"
grep -q "ws://localhost:$port/ws" <<<"$page" || { echo "changed: the address is not the server's own"; exit 1; }
shipped=$(find "$folder/env" -path '*textual_serve*' -name '*.ttf' -o -path '*textual_serve*' -name '*.woff*' | head -1)
[ -n "$shipped" ] || { echo "changed: no font is shipped"; exit 1; }
echo "shipped: ${shipped##*/}"
