"""A job has the cores that it was given, not those of its machine: no more threads than that."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.common.hardware import usable_cores
from core.data.health.scan import scan
from core.data.images.video import VideoReader
from core.inference.annotated_film import AnnotatedFilm
from core.models.prefetch import in_batches
from slurm.sync import sums

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="this system has no affinity"
)


@pytest.fixture
def one_core_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5})
    assert usable_cores() == 1


def test_who_counts_cores_asks_for_those_it_may_use() -> None:
    counting = [
        path.relative_to(ROOT).as_posix()
        for room in ("batman", "batman_tui", "cli", "core", "slurm", "web")
        for path in sorted((ROOT / room).rglob("*.py"))
        if re.search(r"\bcpu_count\b", path.read_text())
    ]
    assert counting == ["core/common/hardware.py"]


@pytest.mark.usefixtures("one_core_of_many")
def test_pictures_are_loaded_by_as_many_threads() -> None:
    threads: set[int] = set()
    for _ in in_batches(range(40), lambda _: threads.add(threading.get_ident()), 4):
        pass
    assert len(threads) == 1


@pytest.mark.usefixtures("one_core_of_many")
def test_files_are_scanned_by_two_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more, for they wait for the disk."""
    file = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(file)
    begun: list[str] = []
    start = threading.Thread.start
    monkeypatch.setattr(
        threading.Thread, "start", lambda self: begun.append(self.name) or start(self)
    )
    (found,) = scan([(1, file)], read=True)
    assert found.state == "good"
    assert begun == ["scan-0", "scan-1", "scan-2"]


@pytest.mark.usefixtures("one_core_of_many")
def test_sums_are_made_by_as_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"a")
    asked: list[int] = []
    pool = sums.ThreadPoolExecutor
    monkeypatch.setattr(sums, "ThreadPoolExecutor", lambda n: asked.append(n) or pool(n))
    assert [size for size, _ in sums.sum_files([str(tmp_path / "a")], lambda _: None)] == [1]
    assert asked == [1]


@pytest.mark.parametrize(("cores", "reads", "writes"), [(1, 1, 1), (3, 2, 2), (40, 8, 4)])
def test_films_are_decoded_and_encoded_by_as_many(
    cores: int, reads: int, writes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is left beside either."""
    av = pytest.importorskip("av")
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
            for packet in stream.encode(picture):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    reader = VideoReader(path)
    assert reader._stream.codec_context.thread_count == reads
    with AnnotatedFilm(tmp_path / "drawn.mp4", reader) as film:
        for frame in reader.frames():
            film.add(frame, [])
    assert film._stream.codec_context.thread_count == writes
    reader.close()
