"""Pictures that unfold to gigabytes: they wait for one another, and the largest are named."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.common.errors import ProjectError
from core.data.health.scan import scan
from core.data.images.decoding_memory import TOTAL, Budget, weight
from core.data.images.thumbnails import picture
from core.training.launch.image_check import check_image

SIDE = 8_000
SCAN = """
import sys
from pathlib import Path
from core.data.health.scan import scan
file = Path(sys.argv[1])
# Batches are of 256 files, so that each thread gets one of the large.
files = [(n, file if n % 256 == 0 else file.with_name("small.png")) for n in range(1024)]
found = scan(files, read=True, threads=4)
assert {item.state for item in found} == {"good"}, found
# Not ru_maxrss, which a child has from whoever forked it (getrusage(2)).
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) * 1024, found[0].mode, found[0].dhash)
"""


@pytest.fixture(autouse=True)
def _pillows_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """rfdetr 1.11.2 raises the limit for its process when it is imported (datasets/o365.py)."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1024**3 // 4 // 3)


def test_several_deep_pictures_at_once_take_less_than_a_gigabyte(tmp_path: Path) -> None:
    row = np.linspace(0, 65535, SIDE).astype(np.uint16)
    values = np.broadcast_to(row, (SIDE, SIDE))
    Image.fromarray(np.ascontiguousarray(values)).save(tmp_path / "deep.png", compress_level=1)
    Image.new("L", (8, 8)).save(tmp_path / "small.png")
    done = subprocess.run(
        [sys.executable, "-c", SCAN, str(tmp_path / "deep.png")],
        capture_output=True, text=True, check=True, timeout=300,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    peak, mode, dhash = done.stdout.split()
    assert mode == "I;16"
    assert int(dhash) == 2**64 - 1, "every cell is darker than its right neighbour"
    assert int(peak) < 1e9


def test_grey_of_a_deep_picture_is_the_same_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.data.images import deep_pictures as module

    values = np.random.default_rng(1).integers(100, 60_000, (37, 53)).astype(np.uint16)
    span = float(values.max()) - float(values.min())
    expected = ((values.astype(float) - values.min()) * (255 / span)).astype(np.uint8)
    for strip in (1, 200, 10**6):
        monkeypatch.setattr(module, "_STRIP", strip)
        assert np.array_equal(np.asarray(module.stretched(Image.fromarray(values))), expected)


def bomb(path: Path, side: int = 20_000) -> Path:
    """Write the beginning of a PNG whose header claims `side` × `side` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b""))
    return path


def test_a_picture_past_the_limit_is_named_with_the_way_out(tmp_path: Path) -> None:
    file = bomb(tmp_path / "huge.png")
    (found,) = scan([(1, file)], read=True)
    assert found.state == "bad"
    assert "179 million pixels" in found.reason or "178.957 million pixels" in found.reason
    assert "scale it down" in found.reason
    with pytest.raises(ProjectError, match=r"huge\.png.*scale it down"):
        picture(file, (64, 64))
    assert check_image(file).problem == "too many pixels"


def test_what_a_picture_takes() -> None:
    assert weight(Image.new("L", (10, 20))) == 200
    assert weight(Image.new("RGB", (10, 20)), extra=1) == 1000, "Pillow keeps RGB in four bytes"
    assert weight(Image.new("I;16", (10, 20)), extra=1) == 600
    data = io.BytesIO()
    Image.new("RGB", (800, 600)).save(data, "JPEG", progressive=True)
    with Image.open(data) as image:
        image.draft("L", (64, 64))
        assert weight(image, (800, 600)) == 100 * 75 + 800 * 600 * 6
    most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    assert most * 5 < TOTAL, "the largest that is read fits, with its grey copy"


def test_who_wants_more_than_is_left_waits() -> None:
    budget = Budget(100)
    done: list[str] = []
    inside, go = threading.Event(), threading.Event()

    def large() -> None:
        with budget.take(1000):  # alone, it gets it
            inside.set()
            assert go.wait(30)
            done.append("large")

    def small() -> None:
        with budget.take(1):
            done.append("small")

    first, second = threading.Thread(target=large), threading.Thread(target=small)
    first.start()
    assert inside.wait(30)
    second.start()
    go.set()
    first.join(30)
    second.join(30)
    assert done == ["large", "small"]


def test_a_failure_gives_its_room_back() -> None:
    budget = Budget(1)
    with pytest.raises(OSError, match="broken"), budget.take(1):
        raise OSError("broken")
    with budget.take(1):
        pass
