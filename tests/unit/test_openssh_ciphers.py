"""Which cipher the system's ssh is asked to try first."""

from __future__ import annotations

import pytest

from slurm.hosts import openssh
from slurm.hosts.openssh import fast_ciphers


def test_aes_is_tried_first_among_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = "chacha20-poly1305@openssh.com,aes128-ctr,aes128-gcm@openssh.com"
    monkeypatch.setattr(openssh, "_reckons_aes", lambda: True)
    first = "Ciphers=aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr"
    assert fast_ciphers(usual) == [first]
    assert fast_ciphers("chacha20-poly1305@openssh.com,aes256-ctr") == []
    assert fast_ciphers("") == []
    monkeypatch.setattr(openssh, "_reckons_aes", lambda: False)
    assert fast_ciphers(usual) == []
