#!/usr/bin/env bash
# albumentations 2.0.8 (PyPI), Python 3.11.
#
# `Compose.set_random_seed(s)` gives every transform a generator of its own that starts from the same
# seed, so that two transforms draw the same numbers: two flips that should each be tossed for come
# together or not at all.
#
# Seen, 400 pictures, a horizontal and a vertical flip at 0.5 each: both or none, never one alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet albumentations==2.0.8
NO_ALBUMENTATIONS_UPDATE=1 "$folder/env/bin/python" - <<'PY' | tee "$folder/seen"
import albumentations as A
import numpy as np

picture = np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, 2)
flips = A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])
flips.set_random_seed(7)
drawn = [int(flips(image=picture)["image"][0, 0, 0]) for _ in range(400)]
names = ("none", "across", "down", "both")
print(*(name for corner, name in enumerate(names) if corner in drawn))
PY
grep -qx 'none both' "$folder/seen" || { echo "changed: the flips are drawn apart"; exit 1; }
