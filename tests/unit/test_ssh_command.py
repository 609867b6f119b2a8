"""A command's own output among what shells print, and input that may be begun anew."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from slurm.hosts.openssh import _Again
from slurm.hosts.ssh_command import Framed

MARK = "0123456789abcdef"


@pytest.mark.parametrize("data", [b"a", b"a line\n", b"\n0123", b"\n0123456789abcdefg", b"\n\n0"])
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_output_is_what_stands_between_the_marks(data: bytes, step: int) -> None:
    out = bytearray()
    framed = Framed(MARK, out.extend)
    told = f"greeting\n{MARK}\n".encode() + data + f"\n{MARK} 7\nfarewell".encode()
    for at in range(0, len(told), step):
        framed.feed(told[at : at + step])
    assert (bytes(out), framed.code) == (data, 7)


def test_output_is_passed_on_at_once_but_what_may_be_its_end() -> None:
    out = bytearray()
    framed = Framed(MARK, out.extend)
    # An answer that the sender waits for may be short, and the last thing for a while.
    framed.feed(f"{MARK}\nsaid".encode())
    assert bytes(out) == b"said"
    framed.feed(f" more\n{MARK[:5]}".encode())
    assert bytes(out) == b"said more"
    framed.feed(b"!")
    assert bytes(out) == f"said more\n{MARK[:5]}!".encode()
    framed.feed(f"\n{MARK} 12".encode())
    assert bytes(out).endswith(b"!")
    framed.feed(b"\n")
    assert framed.code == 12


def test_who_fed_a_command_that_was_refused_takes_no_piece_of_the_next() -> None:
    answered, waiting = threading.Event(), threading.Event()

    def source() -> Iterator[bytes]:
        yield b"one "
        waiting.set()
        assert answered.wait(20)
        yield b"two "
        yield b"three"

    framed = Framed(MARK, len)
    again = _Again(source(), framed)
    got: list[list[bytes]] = [[], []]

    def feed(which: int) -> None:
        got[which].extend(again)

    first = threading.Thread(target=feed, args=(0,))
    first.start()
    assert waiting.wait(20)
    # The first command was refused; its feeder still waits for the answer that the second gets.
    second = threading.Thread(target=feed, args=(1,))
    second.start()
    while again._turn < 2:
        threading.Event().wait(0.001)
    framed.feed(f"{MARK}\n".encode())
    answered.set()
    first.join(20)
    second.join(20)
    assert got == [[b"one "], [b"one ", b"two ", b"three"]]


@pytest.mark.parametrize("broken", [False, True], ids=["goes on", "breaks off"])
def test_what_a_command_is_begun_anew_with_waits_for_no_later_piece(broken: bool) -> None:
    """Nor does an error of the source stay with who fed the command that was refused."""
    begun, waiting, answered = (threading.Event() for _ in range(3))

    def source() -> Iterator[bytes]:
        yield b"question"
        waiting.set()
        # Comes only once the question has gone out again.
        assert answered.wait(20)
        if broken:
            raise OSError("the file is gone")
        yield b"rest"

    framed = Framed(MARK, len)
    again = _Again(source(), framed)
    first = threading.Thread(target=list, args=(again,))
    first.start()
    assert waiting.wait(20)
    got: list[bytes] = []
    raised: list[OSError] = []

    def feed() -> None:
        try:
            for piece in again:
                got.append(piece)
                begun.set()
        except OSError as error:
            raised.append(error)

    second = threading.Thread(target=feed)
    second.start()
    assert begun.wait(20)
    framed.feed(f"{MARK}\n".encode())
    answered.set()
    first.join(20)
    second.join(20)
    assert got == ([b"question"] if broken else [b"question", b"rest"])
    assert [str(error) for error in raised] == (["the file is gone"] if broken else [])
