#!/usr/bin/env bash
# onnxruntime 1.32.0 (PyPI, Linux x86-64), Python 3.11.
#
# Importing it, with no session made and no model loaded, leaves an identifier of the device and a
# database of events in the home folder, below .cache/Microsoft/DeveloperTools/.onnxruntime.
# With ORT_DISABLE_TELEMETRY=1 in the environment before the import, nothing is left.
#
# Seen: .cache/Microsoft/DeveloperTools/.onnxruntime/deviceid and onnxruntime.db
# Batman sets the variable in every process it starts; see docs/connections.md.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet onnxruntime==1.32.0
mkdir "$folder/home" "$folder/quiet"
run() { env -u ORT_DISABLE_TELEMETRY -u XDG_CACHE_HOME HOME="$1" "${@:2}" "$folder/env/bin/python" -c "import onnxruntime"; }
run "$folder/home" env
run "$folder/quiet" env ORT_DISABLE_TELEMETRY=1
left=$(cd "$folder/home" && find . -type f | sort)
quiet=$(cd "$folder/quiet" && find . -type f)
printf 'left by an import:\n%s\nleft with ORT_DISABLE_TELEMETRY=1:\n%s\n' "$left" "${quiet:-nothing}"
grep -q 'onnxruntime/deviceid' <<<"$left" || { echo "changed: no identifier is left any more"; exit 1; }
[ -z "$quiet" ] || { echo "changed: the variable does not keep it from writing"; exit 1; }
