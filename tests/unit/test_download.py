"""Downloads against a real server on loopback that breaks off, stalls, lies and refuses."""

from __future__ import annotations

import base64
import hashlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_stand import Cut, Length, Site, Stall, Status, serve

from core.common.errors import Cancelled
from core.data.importers.services.download import (
    DownloadFailed,
    Job,
    Patience,
    download,
    download_many,
)

BODY = random.Random(7).randbytes(300_000)
MD5 = hashlib.md5(BODY).hexdigest()
QUICK = Patience(tries=3, first_wait_s=0.01, timeout_s=5)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as running:
        running.files["/a.bin"] = BODY
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "a.bin"


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_comes_whole_and_leaves_nothing_beside_it(site: Site, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    assert download(f"{site.url}/a.bin", target, progress=lambda *at: seen.append(at)) == target
    assert target.read_bytes() == BODY
    assert left(target) == ["a.bin"]
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    download(f"{site.url}/a.bin", target)
    assert len(site.asked) == 1


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_passing_error_is_tried_again(site: Site, target: Path, code: int) -> None:
    site.spoil("/a.bin", Status(code), times=2)
    download(f"{site.url}/a.bin", target, patience=QUICK)
    assert target.read_bytes() == BODY
    assert len(site.asked) == 3


def test_the_wait_the_server_asks_for_is_kept(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Status(429, {"Retry-After": "1"}))
    started = time.monotonic()
    download(f"{site.url}/a.bin", target, patience=QUICK)
    assert time.monotonic() - started >= 1


def test_errors_without_end_are_said_with_the_way_out(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Status(500), times=9)
    with pytest.raises(DownloadFailed, match="HTTP 500") as caught:
        download(f"{site.url}/a.bin", target, patience=QUICK)
    assert "goes on where it stopped" in caught.value.hint
    assert caught.value.status == 500
    assert len(site.asked) == QUICK.tries


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_refusal_is_not_tried_again(site: Site, target: Path, code: int) -> None:
    site.spoil("/a.bin", Status(code))
    with pytest.raises(DownloadFailed) as caught:
        download(f"{site.url}/a.bin", target, patience=QUICK)
    assert caught.value.status == code
    assert len(site.asked) == 1
    assert not target.exists()


def test_what_broke_off_goes_on_where_it_stopped(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Cut(100_000), Cut(50_000))
    download(f"{site.url}/a.bin", target, patience=QUICK, md5=MD5)
    assert target.read_bytes() == BODY
    assert [item.range for item in site.asked] == [None, "bytes=100000-", "bytes=150000-"]


def test_any_number_of_breaks_is_fine_while_bytes_come(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Cut(30_000), times=9)
    download(f"{site.url}/a.bin", target, patience=QUICK)
    assert target.read_bytes() == BODY
    assert len(site.asked) == 10


def test_a_server_that_knows_no_ranges_is_asked_for_all_again(site: Site, target: Path) -> None:
    site.ranges = False
    site.spoil("/a.bin", Cut(100_000))
    download(f"{site.url}/a.bin", target, patience=QUICK)
    assert target.read_bytes() == BODY


def test_a_part_of_another_version_is_not_gone_on_with(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Cut(100_000))
    with pytest.raises(DownloadFailed):
        download(f"{site.url}/a.bin", target, patience=Patience(tries=1))
    newer = bytes(reversed(BODY))
    site.files["/a.bin"] = newer
    download(f"{site.url}/a.bin", target, patience=QUICK)
    assert target.read_bytes() == newer


def test_a_part_of_another_address_is_not_gone_on_with(site: Site, target: Path) -> None:
    site.files["/b.bin"] = BODY[::-1]
    site.spoil("/b.bin", Cut(100_000))
    with pytest.raises(DownloadFailed):
        download(f"{site.url}/b.bin", target, patience=Patience(tries=1))
    download(f"{site.url}/a.bin", target, patience=QUICK)
    assert target.read_bytes() == BODY
    assert site.asked[-1].range is None


def test_a_part_that_is_whole_already_is_fetched_anew(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Cut(100_000))
    with pytest.raises(DownloadFailed):
        download(f"{site.url}/a.bin", target, patience=Patience(tries=1))
    target.with_name("a.bin.part").write_bytes(BODY)
    download(f"{site.url}/a.bin", target, patience=QUICK)
    assert target.read_bytes() == BODY


def test_silence_is_not_waited_for_without_end(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Stall(100_000))
    download(f"{site.url}/a.bin", target, patience=Patience(3, 0.01, timeout_s=0.3))
    assert target.read_bytes() == BODY
    assert site.asked[1].range == "bytes=100000-"


def test_a_length_beyond_the_file_counts_as_broken_off(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Length(len(BODY) + 5), times=99)
    with pytest.raises(DownloadFailed):
        download(f"{site.url}/a.bin", target, patience=QUICK)
    assert not target.exists()
    assert len(site.asked) <= QUICK.tries + 1


def test_a_length_short_of_the_file_shows_in_the_checksum(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Length(1000))
    download(f"{site.url}/a.bin", target, md5=MD5, patience=QUICK)
    assert target.read_bytes() == BODY


def test_a_wrong_checksum_is_never_accepted(site: Site, target: Path) -> None:
    with pytest.raises(DownloadFailed, match="checksum"):
        download(f"{site.url}/a.bin", target, md5="0" * 32, patience=QUICK)
    assert not target.exists()
    assert target.with_name("a.bin.part").stat().st_size == 0


def test_a_damaged_part_from_before_is_found_out_and_replaced(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Cut(100_000))
    with pytest.raises(DownloadFailed):
        download(f"{site.url}/a.bin", target, patience=Patience(tries=1))
    part = target.with_name("a.bin.part")
    part.write_bytes(b"x" * 10 + part.read_bytes()[10:])
    download(f"{site.url}/a.bin", target, md5=MD5, patience=QUICK)
    assert target.read_bytes() == BODY


def test_checksums_that_servers_publish_are_used(site: Site, target: Path) -> None:
    wrong = hashlib.md5(b"another file")
    site.headers = {"Content-MD5": base64.b64encode(wrong.digest()).decode()}
    with pytest.raises(DownloadFailed, match="checksum"):
        download(f"{site.url}/a.bin", target, patience=QUICK)
    site.headers = {"Server": "AmazonS3"}
    site.etags["/a.bin"] = f'"{wrong.hexdigest()}"'
    with pytest.raises(DownloadFailed, match="checksum"):
        download(f"{site.url}/a.bin", target, patience=QUICK)
    site.headers = {"Server": "nginx"}
    download(f"{site.url}/a.bin", target, patience=QUICK)
    assert target.read_bytes() == BODY


def test_an_s3_etag_of_many_parts_is_no_checksum(site: Site, target: Path) -> None:
    site.headers = {"Server": "AmazonS3"}
    site.etags["/a.bin"] = f'"{"0" * 32}-31"'
    download(f"{site.url}/a.bin", target, patience=QUICK)
    assert target.read_bytes() == BODY


def test_stopping_keeps_the_part_and_the_next_call_goes_on(site: Site, target: Path) -> None:
    seen: list[int] = []
    with pytest.raises(Cancelled):
        download(
            f"{site.url}/a.bin",
            target,
            progress=lambda done, total: seen.append(done),
            cancelled=lambda: bool(seen) and seen[-1] > 100_000,
        )
    have = target.with_name("a.bin.part").stat().st_size
    assert 100_000 < have < len(BODY)
    download(f"{site.url}/a.bin", target, patience=QUICK)
    assert target.read_bytes() == BODY
    assert site.asked[-1].range == f"bytes={have}-"


def test_waiting_for_a_new_try_can_be_stopped(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Status(503), times=3)
    with pytest.raises(Cancelled):
        download(
            f"{site.url}/a.bin",
            target,
            cancelled=lambda: bool(site.asked),
            patience=Patience(3, first_wait_s=60),
        )


def test_a_killed_download_goes_on(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Stall(131_072))
    code = "import sys; from pathlib import Path; "
    code += "from core.data.importers.services.download import download; "
    code += "download(sys.argv[1], Path(sys.argv[2]))"
    child = subprocess.Popen([sys.executable, "-c", code, f"{site.url}/a.bin", str(target)])
    part = target.with_name("a.bin.part")
    try:
        assert site.silent.wait(30)
        deadline = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    have = part.stat().st_size
    assert have > 0
    download(f"{site.url}/a.bin", target, md5=MD5, patience=QUICK)
    assert target.read_bytes() == BODY
    assert site.asked[-1].range == f"bytes={have}-"
    assert left(target) == ["a.bin"]


def test_two_at_once_download_it_once(site: Site, target: Path) -> None:
    together = threading.Barrier(2)

    def fetch() -> None:
        together.wait()
        download(f"{site.url}/a.bin", target, patience=QUICK)

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == BODY
    assert len(site.asked) == 1
    assert left(target) == ["a.bin"]


def test_redirects_stay_on_the_web(site: Site, target: Path) -> None:
    site.spoil("/old", Status(302, {"Location": f"{site.url}/a.bin"}))
    download(f"{site.url}/old", target, patience=QUICK)
    assert target.read_bytes() == BODY
    for bad in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
        site.spoil("/old", Status(302, {"Location": bad}))
        with pytest.raises(DownloadFailed, match=r"not safe|HTTP 302"):
            download(f"{site.url}/old", target.with_name("other"), patience=QUICK)
    assert not target.with_name("other").exists()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "/etc/passwd", "http://"])
def test_other_addresses_are_refused(url: str, target: Path) -> None:
    with pytest.raises(DownloadFailed, match="not an address"):
        download(url, target)


def test_a_secret_in_the_address_stays_out_of_messages_and_files(site: Site, target: Path) -> None:
    site.spoil("/a.bin", Cut(1000), times=5)
    url = f"{site.url}/a.bin?key=SECRET"
    with pytest.raises(DownloadFailed) as caught:
        download(url, target, patience=Patience(tries=1), shown="The export")
    assert caught.value.message.startswith("The export could not be downloaded")
    assert "SECRET" not in caught.value.message
    assert all(b"SECRET" not in path.read_bytes() for path in target.parent.iterdir())


def test_a_server_that_is_not_there_is_said_so(target: Path) -> None:
    with serve() as gone:
        url = gone.url
    with pytest.raises(DownloadFailed, match="refused"):
        download(f"{url}/a.bin", target, patience=QUICK)


def test_a_folder_that_cannot_be_written_is_said_so(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadFailed, match="could not be written"):
        download(f"{site.url}/a.bin", tmp_path / "file" / "a.bin")


def test_many_files_come_and_what_is_not_there_is_reported(site: Site, tmp_path: Path) -> None:
    for number in range(40):
        site.files[f"/{number}"] = str(number).encode() * 100
    site.spoil("/3", Status(500))
    site.spoil("/5", Cut(20))
    jobs = [Job(f"{site.url}/{n}", tmp_path / str(n)) for n in range(42)]
    told: dict[str, int] = {}
    download_many(
        jobs,
        threads=8,
        done=lambda job, error: told.update({job.target.name: error.status if error else 0}),
        patience=QUICK,
    )
    assert told == {str(n): 404 if n > 39 else 0 for n in range(42)}
    assert (tmp_path / "5").read_bytes() == b"5" * 100


def test_a_failure_stops_the_others(site: Site, tmp_path: Path) -> None:
    for number in range(200):
        site.files[f"/{number}"] = b"x"
    site.spoil("/0", Status(500), times=9)
    jobs = [Job(f"{site.url}/{n}", tmp_path / str(n)) for n in range(200)]
    site.faults["/0"].rotate()
    with pytest.raises(DownloadFailed, match="HTTP 500"):
        download_many(jobs, threads=2, done=lambda job, error: None, patience=Patience(1))
    assert len(site.asked) < 200


def test_many_can_be_stopped_and_an_error_of_the_caller_comes_out(
    site: Site, tmp_path: Path
) -> None:
    for number in range(50):
        site.files[f"/{number}"] = b"x"
    jobs = [Job(f"{site.url}/{n}", tmp_path / str(n)) for n in range(50)]
    count = 0

    def done(job: Job, error: DownloadFailed | None) -> None:
        nonlocal count
        count += 1

    with pytest.raises(Cancelled):
        download_many(jobs, threads=4, done=done, cancelled=lambda: count >= 10)
    assert 10 <= count < 50

    def broken(job: Job, error: DownloadFailed | None) -> None:
        raise RuntimeError("from the caller")

    with pytest.raises(RuntimeError, match="from the caller"):
        download_many(jobs, threads=4, done=broken)


def test_a_silent_server_does_not_hold_up_who_stops(site: Site, tmp_path: Path) -> None:
    site.spoil("/a.bin", Stall(1000))
    told: list[Job] = []
    started = time.monotonic()
    with pytest.raises(Cancelled):
        download_many(
            [Job(f"{site.url}/a.bin", tmp_path / "a.bin")],
            done=lambda job, error: told.append(job),
            cancelled=site.silent.is_set,
            patience=Patience(timeout_s=25),
        )
    assert time.monotonic() - started < 15
    assert told == []


def test_an_interrupt_ends_a_process_that_downloads(site: Site, tmp_path: Path) -> None:
    site.spoil("/a.bin", Stall(1000))
    code = (
        "import signal, sys; from pathlib import Path\n"
        # Also where whoever runs the tests ignores it, as a shell has its background jobs do.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from core.data.importers.services.download import Job, download_many\n"
        "download_many([Job(sys.argv[1], Path(sys.argv[2]))], done=lambda job, error: None)"
    )
    words = [sys.executable, "-c", code, f"{site.url}/a.bin", str(tmp_path / "a.bin")]
    child = subprocess.Popen(words, stderr=subprocess.PIPE)
    try:
        assert site.silent.wait(30)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=20)
    finally:
        child.kill()
        child.wait()
    assert b"KeyboardInterrupt" in errors
