#!/usr/bin/env bash
# pillow-heif 1.8.1 and Pillow 13.0.0 (PyPI), Python 3.11.
#
# The same picture with the same EXIF orientation 6 is opened unturned when Pillow's `save` wrote it
# and turned when `pillow_heif.from_pillow(picture).save` did.
#
# Seen, 40 by 20 pixels: Pillow's save (40, 20); from_pillow (20, 40).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet pillow==13.0.0 pillow-heif==1.8.1
"$folder/env/bin/python" - "$folder" <<'PY' | tee "$folder/seen"
import sys

import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()
exif = Image.Exif()
exif[274] = 6
picture = Image.new("RGB", (40, 20))
first, second = f"{sys.argv[1]}/first.heic", f"{sys.argv[1]}/second.heic"
picture.save(first, format="HEIF", exif=exif)
pillow_heif.from_pillow(picture).save(second, exif=exif.tobytes())
print("save", Image.open(first).size)
print("from_pillow", Image.open(second).size)
PY
diff "$folder/seen" - <<'SEEN' || { echo "changed: both are opened alike, or other sizes"; exit 1; }
save (40, 20)
from_pillow (20, 40)
SEEN
