#!/usr/bin/env bash
# transformers 5.23.0 (PyPI), Python 3.11; no torch is needed for it.
#
# `import transformers` loads none of its models, but opens and reads the source of each of them as text, to know
# which name lies in which module: and does so twice, once for the package and once for `transformers.models`, when
# that is imported too, as importing any model does. 1,669 files of models each time; with what is compiled in
# __pycache__ it does so all the same. On a file server each opening is asked for.
#
# Seen: `import transformers.models`: more than 1,500 files below models/ opened as text, each twice.
# Batman's trainer has the second question answered as the first was: 1.2 s of a processor, then 0.83.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet transformers==5.23.0
cat >"$folder/count.py" <<'PY'
import collections
import sys

opened = collections.Counter()

def hook(event, args):
    if event == "open" and isinstance(args[0], str) and "/transformers/models/" in args[0] and args[0].endswith(".py"):
        opened[args[0]] += 1

sys.addaudithook(hook)
import transformers.models

twice = sum(times == 2 for times in opened.values())
loaded = sum(name.startswith("transformers.models.") for name in sys.modules)
print(f"{len(opened)} files of models opened, {twice} of them twice; {loaded} modules of models loaded")
if twice < 1500 or loaded > 20:
    raise SystemExit("changed: the files of the models are no longer read twice")
PY
"$folder/env/bin/python" "$folder/count.py"  # compiles
"$folder/env/bin/python" "$folder/count.py"
