#!/usr/bin/env bash
# Pillow 13.0.0 (PyPI), Python 3.11.
#
# A TIFF with an orientation has its turned size as soon as it is opened, while its orientation tag
# stands until the pixels are loaded; a JPEG keeps both as stored. Whoever reads size and tag of an
# unloaded picture, and turns the size by the tag, turns a TIFF twice.
#
# Seen, 40 by 20 pixels with tag 6: TIFF opened (20, 40) 6, loaded (20, 40) None; JPEG (40, 20) 6 both times.
# Batman lets Pillow turn a TIFF, and never turns it again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet pillow==13.0.0
"$folder/env/bin/python" - "$folder" <<'PY' | tee "$folder/seen"
import sys

from PIL import Image

exif = Image.Exif()
exif[274] = 6
for ending in ("tif", "jpg"):
    path = f"{sys.argv[1]}/a.{ending}"
    Image.new("RGB", (40, 20)).save(path, exif=exif)
    picture = Image.open(path)
    print(ending, "opened", picture.size, picture.getexif().get(274))
    picture.load()
    print(ending, "loaded", picture.size, picture.getexif().get(274))
PY
diff "$folder/seen" - <<'SEEN' || { echo "changed: size or tag differ"; exit 1; }
tif opened (20, 40) 6
tif loaded (20, 40) None
jpg opened (40, 20) 6
jpg loaded (40, 20) 6
SEEN
