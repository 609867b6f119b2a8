#!/usr/bin/env bash
# labelformat 0.1.17 with pydantic-xml 2.18.0, and lxml 6.0.2 beside them (PyPI), Python 3.11.
#
# CVAT begins its XML for images with a declaration that names the encoding. labelformat reads the file as text and
# hands it to pydantic-xml, which takes lxml where that is installed and Python's own parser else. lxml takes no text
# that declares an encoding: once lxml is in the environment, for whatever reason, the reader for CVAT refuses what
# CVAT writes, and reads it again without that line.
#
# Seen: without lxml one box either way; with it ValueError "... Unicode strings with encoding declaration are not
# supported ..." for the file as CVAT writes it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet labelformat==0.1.17 pydantic-xml==2.18.0
cd "$folder"
cat > read.py <<'PY'
from pathlib import Path

from labelformat.formats.cvat import CVATObjectDetectionInput

BODY = """<annotations><version>1.1</version><meta><task><labels><label><name>cell</name></label></labels></task></meta>
<image id="0" name="a.jpg" width="64" height="48">
<box label="cell" occluded="0" xtl="1.0" ytl="2.0" xbr="11.0" ybr="22.0" z_order="0"/>
</image></annotations>"""
for name, declaration in (("with", '<?xml version="1.0" encoding="utf-8"?>\n'), ("without", "")):
    path = Path(f"{name}.xml")
    path.write_text(declaration + BODY)
    try:
        read = sum(len(label.objects) for label in CVATObjectDetectionInput(path).get_labels())
        print(f"{name}: {read} box")
    except ValueError as error:
        print(f"{name}: {error}")
PY
"$folder/env/bin/python" read.py | tee alone
"$folder/env/bin/pip" install --quiet lxml==6.0.2
"$folder/env/bin/python" read.py | tee beside
[ "$(cat alone)" = $'with: 1 box\nwithout: 1 box' ] || { echo "changed: Python's own parser"; exit 1; }
grep -qx 'without: 1 box' beside || { echo "changed: lxml does not read it without the declaration"; exit 1; }
grep -q '^with: .*encoding declaration' beside || { echo "changed: lxml reads it with the declaration"; exit 1; }
