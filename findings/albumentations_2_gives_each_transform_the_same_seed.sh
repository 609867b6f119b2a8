#!/usr/bin/env bash
# albumentations 2.0.8 (PyPI), Python 3.11.
#
# `Compose(seed=s)` and `Compose.set_random_seed(s)` hand the same seed to every transform, each of which makes
# generators of its own from it (`BaseCompose.set_random_seed` in core/composition.py,
# `BasicTransform.set_random_seed` in core/transforms_interface.py). Two transforms thus draw the same numbers:
# two flips that should each be tossed for come together or not at all.
#
# Seen, 400 pictures, a horizontal and a vertical flip at 0.5 each, seeded in either way: both or none, never one
# alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet albumentations==2.0.8
NO_ALBUMENTATIONS_UPDATE=1 "$folder/env/bin/python" - <<'PY' | tee "$folder/seen"
import albumentations as A
import numpy as np

picture = np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, 2)
late = A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])
late.set_random_seed(7)
early = A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)], seed=7)
names = ("none", "across", "down", "both")
for flips in (late, early):
    drawn = [int(flips(image=picture)["image"][0, 0, 0]) for _ in range(400)]
    print(*(name for corner, name in enumerate(names) if corner in drawn))
PY
[ "$(grep -cx 'none both' "$folder/seen")" = 2 ] || { echo "changed: the flips are drawn apart"; exit 1; }
