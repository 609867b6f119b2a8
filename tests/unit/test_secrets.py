"""Keys stay out of texts and out of the list of processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.secrets import redact

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key abc/def is wrong", "key … is wrong"),
        ("at /x?api_key=abc%2Fdef&y=1", "at /x?api_key=…&y=1"),
        ("https://h/f.zip?key=other&z=2", "https://h/f.zip?key=…&z=2"),
        ("X-Amz-Signature=0f0f&X-Amz-Expires=9 end", "X-Amz-Signature=…&X-Amz-Expires=… end"),
        ("GoogleAccessId=me&Signature=zz", "GoogleAccessId=me&Signature=…"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_and_parameters_that_hold_one_are_masked(text: str, expected: str) -> None:
    assert redact(text, ["abc/def", ""]) == expected


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_an_argument_is_hidden_wherever_it_stands() -> None:
    code = (
        "import sys; from core.secrets import hide_argument; hide_argument('sécret');"
        "print(open('/proc/self/cmdline', 'rb').read()); print(sys.argv)"
    )
    words = [sys.executable, "-c", code.replace("'sécret'", "sys.argv[2]")]
    done = subprocess.run(
        [*words, "--key", "sécret", "--also=sécret", "rest"],
        cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert "sécret" not in done.stdout
    assert repr("sécret".encode())[2:-1] not in done.stdout
    assert "rest" in done.stdout
    assert "--also=" in done.stdout
