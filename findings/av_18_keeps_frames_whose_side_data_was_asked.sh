#!/usr/bin/env bash
# av (PyAV) 18.1.0 (PyPI), Python 3.11.
#
# Asking a decoded frame for `side_data` (where a film's display matrix is) ties the frame and the container of its
# side data into a circle of references: the frame is no longer freed when the loop goes on to the next, but when
# Python's garbage collector comes round. Its pictures do not count for the collector, so a film of large frames
# fills the memory in between.
#
# Seen, 240 frames of 1920×1080 (3 MB each), each asked for nothing but its side data, the collector off: all of
# them are still there at the end, and one more that the decoder has in hand; without asking, that one alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0 numpy==2.3.5
"$folder/env/bin/python" - "$folder/film.mp4" <<'PY' | tee "$folder/seen"
import gc
import sys

import av
import numpy as np

with av.open(sys.argv[1], "w") as film:
    stream = film.add_stream("mpeg4", rate=24)
    stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
    picture = np.zeros((1080, 1920, 3), np.uint8)
    for _ in range(240):
        film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    film.mux(stream.encode())


def left(ask: bool) -> int:
    """Return how many frames live on that nobody holds."""
    with av.open(sys.argv[1]) as film:
        for frame in film.decode(video=0):
            if ask:
                frame.side_data
        del frame
        alive = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    gc.collect()
    return alive


gc.disable()
print("not asked:", left(False))
print("asked:", left(True))
PY
[ "$(paste -sd' ' "$folder/seen")" = "not asked: 1 asked: 241" ] || { echo "changed"; exit 1; }
