#!/usr/bin/env bash
# plotext 5.3.2 and 6.1.0 (PyPI), Python 3.11.
#
# Every function of the module that 5.3.2 plots with (`plot`, `scatter`, `bar`, `plotsize`, `build`,
# `clear_figure`, …) is gone in 6.1.0, which has `plotext.figure()` instead and says nothing of the
# old names: a requirement of `plotext>=5.3` takes the new version, and the first call fails.
#
# Seen with 6.1.0: AttributeError for each of the six, and an attribute `figure` that 5.3.2 has not
# as a function of no arguments that returns a figure.
# Batman asks for plotext>=5.3,<6 (pyproject.toml).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 5.3.2 6.1.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet "plotext==$version"
  "$folder/$version/bin/python" - >"$folder/$version.txt" <<'PY'
import plotext
names = ("plot", "scatter", "bar", "plotsize", "build", "clear_figure")
print("there:", *(name for name in names if hasattr(plotext, name)))
PY
  echo "$version $(cat "$folder/$version.txt")"
done
grep -qx 'there: plot scatter bar plotsize build clear_figure' "$folder/5.3.2.txt" ||
  { echo "changed: 5.3.2 has other functions"; exit 1; }
grep -qx 'there:' "$folder/6.1.0.txt" || { echo "changed: 6.1.0 has some of them"; exit 1; }
