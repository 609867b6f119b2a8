"""What processes keep in memory that they share, and how much memory there is for them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import psutil
import pytest

from core.common.hardware import free_memory
from core.processes.shared_cache import SharedCache


def in_a_fork(work) -> int:
    """Run `work` in a forked process and return its exit code."""
    pid = os.fork()
    if not pid:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_what_one_process_keeps_the_others_find() -> None:
    cache = SharedCache(3, 100_000, loaders=2)
    assert cache.get(1) is None
    assert in_a_fork(lambda: 0 if cache.put(1, b"head", b"pixels", loader=1) else 1) == 0
    assert bytes(cache.get(1) or b"") == b"headpixels"
    assert in_a_fork(lambda: 0 if cache.put(0, b"other", loader=0) else 1) == 0
    assert in_a_fork(lambda: 0 if bytes(cache.get(0) or b"") == b"other" else 1) == 0
    assert bytes(cache.get(1) or b"") == b"headpixels"
    assert cache.get(2) is None


def test_each_part_is_filled_up_and_no_further() -> None:
    cache = SharedCache(4, 20_000, loaders=2)
    assert not cache.put(0, b"x"), "the parts are the loaders'"
    assert cache.put(0, bytes(6_000), loader=0)
    assert not cache.put(1, bytes(6_000), loader=0)
    assert cache.put(1, b"y" * 6_000, loader=1)
    assert cache.put(2, b"z" * 4_000, loader=0)
    assert [len(cache.get(at) or b"") for at in range(4)] == [6_000, 6_000, 4_000, 0]
    assert bytes(cache.get(1) or b"") == b"y" * 6_000
    assert bytes(cache.get(2) or b"") == b"z" * 4_000


def test_what_breaks_off_is_not_found_and_written_over() -> None:
    cache = SharedCache(2, 10_000)

    def breaks_off() -> int:
        cache._memory[:4] = b"half"  # as far as one came that is killed before it tells
        return 7

    assert in_a_fork(breaks_off) == 7
    assert cache.get(0) is None
    assert cache.put(0, b"whole")
    assert bytes(cache.get(0) or b"") == b"whole"


def test_a_process_that_is_not_forked_keeps_nothing() -> None:
    cache = SharedCache(3, 50_000)
    cache.put(0, b"here")
    other = pickle.loads(pickle.dumps(cache))
    assert other.get(0) is None
    assert not other.put(0, bytes(5_000))


@pytest.mark.parametrize(
    ("groups", "files", "left"),
    [
        ("0::/job/step\n", {"job/memory.max": "5000000", "job/step/memory.max": "max"}, 4_100_000),
        ("0::/away\n", {"memory.max": "3000000"}, 2_100_000),
        (
            "5:cpu,memory:/slurm/job_1\n0::/\n",
            {"memory/slurm/job_1/memory.limit_in_bytes": "2000000"},
            1_100_000,
        ),
        ("5:cpu:/x\n", {"memory/memory.limit_in_bytes": "2000000"}, None),
        ("", {}, None),
    ],
)
def test_free_memory_is_what_the_job_may_take(
    tmp_path: Path, groups: str, files: dict[str, str], left: int | None
) -> None:
    """A million in use, of which a tenth are files that may go."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, limit in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(limit + "\n")
        use = "memory.usage_in_bytes" if "limit_in" in name else "memory.current"
        (path.parent / use).write_text("1000000\n")
        line = "total_inactive_file" if "limit_in" in name else "inactive_file"
        (path.parent / "memory.stat").write_text(f"anon 5\n{line} 100000\n")
    free = free_memory(tmp_path)
    if left is None:
        assert free > min(10**8, psutil.virtual_memory().available // 2)
    else:
        assert free == left
