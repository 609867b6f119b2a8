"""Who is at the other end: a host's key or certificate, checked as OpenSSH's `check_host_key` does.

What the known hosts files say is judged in `known_hosts`; here is what follows from it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import time
from collections.abc import Sequence
from typing import Any, Protocol

import paramiko
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from core.common.text import clean
from slurm.hosts.base import HostError
from slurm.hosts.known_hosts import (
    KnownKey,
    Status,
    add_key,
    find_keys,
    host_name,
    judge,
    judge_authority,
    match_pattern,
    order_algorithms,
)
from slurm.hosts.ssh_config import SshTarget


class Truster(Protocol):
    """Whoever says whether a new host is trusted."""

    def trust(self, host: str, kind: str, fingerprint: str) -> bool:
        """Return whether the person trusts a host key never seen before."""
        ...


class HostKeyChanged(HostError):
    """The host shows another key than the one that is known, or one that was revoked."""


_GCM = "aes128-gcm@openssh.com"
_CIPHERS: tuple[str, ...] = paramiko.Transport._preferred_ciphers  # type: ignore[attr-defined]


# RFC 4254, 5.1: SSH_OPEN_RESOURCE_SHORTAGE.
_SHORTAGE = 4


class Transport(paramiko.Transport):
    """paramiko's transport, which asks a host for a key that is known, certificates among them."""

    known: Sequence[KnownKey] = ()
    # paramiko's own order has AES-GCM last; in one step it takes a fifth less of a processor than
    # AES-CTR with an HMAC does. OpenSSH's own order has it before CBC.
    _preferred_ciphers = (_GCM, *(name for name in _CIPHERS if name != _GCM))

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """The host key algorithms to offer, best first."""
        return order_algorithms(super().preferred_keys, self.known)

    def open_channel(self, *words: Any, **options: Any) -> paramiko.Channel:
        """See `paramiko.Transport.open_channel`; may be called by several threads at once.

        paramiko keeps one refusal at a time: of two at once it tells one as anything that failed.
        """
        try:
            return super().open_channel(*words, **options)
        except paramiko.ChannelException:
            raise
        except paramiko.SSHException as error:
            if self.is_active() and str(error) == "Unable to open channel.":
                raise paramiko.ChannelException(_SHORTAGE, "Resource shortage") from None
            raise


def fingerprint(key: paramiko.PKey) -> str:
    """Return a key's fingerprint as OpenSSH prints it: SHA256 in base64 without padding."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def known_keys(target: SshTarget) -> list[KnownKey]:
    """Return what the known hosts files have for the host."""
    return find_keys(target.known_hosts, target.key_name)


def check_host_key(
    target: SshTarget, key: paramiko.PKey, truster: Truster, address: str | None = None
) -> bool:
    """Let a known key pass, ask about a new one, refuse a changed or revoked one.

    `address` is the IP address that was reached, without a proxy; CheckHostIP compares it. A key
    that the person trusts is added to the first file of theirs. Returns whether the key is the
    host's as far as anyone knows: False for one that contradicts the files while
    StrictHostKeyChecking is off; then no password may be sent. Raises `HostKeyChanged`, or
    `HostError` when the key is new and not trusted.
    """
    known = known_keys(target)
    authority_note = ""
    if _certificate(key) is not None:
        refusal = _certified(target, key, known)
        if refusal is None:
            return True
        authority_note = f" Its certificate does not count: {refusal}."
    elif any(line.marker == "cert-authority" for line in known):
        authority_note = " Its certificate authority is known, but it showed no certificate."
    status, line = judge(known, key.asbytes())
    if status is Status.NEW and target.host_key_alias is None and target.port != 22:
        # OpenSSH looks for the bare name too, and takes it only if it agrees.
        bare = judge(find_keys(target.known_hosts, target.hostname), key.asbytes())
        status = Status.KNOWN if bare[0] is Status.KNOWN else status
    ip_name = _address_to_check(target, address)
    ip_status, ip_line = Status.KNOWN, None
    if ip_name is not None:
        ip_status, ip_line = judge(find_keys(target.known_hosts, ip_name), key.asbytes())
    if status in (Status.REVOKED, Status.CHANGED):
        assert line is not None
        if target.strict == "no":
            return False
        raise _contradicted(target.key_name, key, status, line)
    if ip_status in (Status.REVOKED, Status.CHANGED) and target.strict != "no":
        assert ip_name is not None
        assert ip_line is not None
        raise _contradicted(ip_name, key, ip_status, ip_line)
    names = [target.key_name] if status is Status.NEW else []
    if ip_name is not None and ip_status is Status.NEW:
        names.append(ip_name)
    if status is Status.NEW:
        _ask(target, key, truster, authority_note)
    if names:
        _remember(target, names, key, must=status is Status.NEW and target.strict == "ask")
    return True


def _ask(target: SshTarget, key: paramiko.PKey, truster: Truster, note: str) -> None:
    """Pass if a new key may be trusted: by the configuration, or by the person."""
    kind, shown = key.get_name(), fingerprint(key)
    if target.strict in ("accept-new", "no"):
        return
    what = f"The host key of {clean(target.key_name)} ({kind} {shown}) is not known"
    if target.strict == "yes":
        raise HostError(
            f"{what}, and StrictHostKeyChecking is yes.{note}",
            f"Add its key to {_first(target)} once you know it from its administrators.",
        )
    if not truster.trust(target.key_name, kind, shown):
        raise HostError(f"{what}.{note}", "Connect once and confirm its fingerprint.")


def _remember(target: SshTarget, names: list[str], key: paramiko.PKey, *, must: bool) -> None:
    """Add the key under these names; a failure counts when the person was asked for it."""
    if not target.user_known_hosts:
        return
    file = target.user_known_hosts[0]
    try:
        add_key(file, names, key.get_name(), key.asbytes(), hashed=target.hash_known_hosts)
    except OSError as error:
        if must:
            raise HostError(
                f"The host key of {clean(target.key_name)} cannot be added to"
                f" '{clean(str(file))}': {error.strerror}.",
                "Make it writable, or name another file as UserKnownHostsFile.",
            ) from None


def _contradicted(name: str, key: paramiko.PKey, status: Status, line: KnownKey) -> HostKeyChanged:
    shown = f"{key.get_name()} {fingerprint(key)}"
    if status is Status.REVOKED:
        return HostKeyChanged(
            f"The host key of {clean(name)} ({shown}) was revoked: {clean(line.place)} says so.",
            "Do not connect. Ask its administrators for the host's new key.",
        )
    return HostKeyChanged(
        f"The host key of {clean(name)} has changed to {shown}; {clean(line.place)} has another"
        f" ({clean(line.kind)}). Somebody may be listening in, or the machine was set up anew.",
        f"Ask its administrators. If the new key is right:"
        f" ssh-keygen -R '{clean(name)}' -f '{clean(str(line.file))}'",
    )


def _address_to_check(target: SshTarget, address: str | None) -> str | None:
    """Return the name of the address in the files, or None where CheckHostIP has no say."""
    if not target.check_host_ip or address is None or address == target.hostname:
        return None
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(address).is_loopback:
            return None
    return host_name(address, target.port)


def _first(target: SshTarget) -> str:
    files = target.user_known_hosts or target.known_hosts
    return f"'{clean(str(files[0]))}'" if files else "a known hosts file"


# Certificates


def _certificate(key: paramiko.PKey) -> SSHCertificate | None:
    """Return the certificate that the host showed with its key, if it can be read."""
    blob = key.public_blob
    if blob is None:
        return None
    text = f"{blob.key_type} {base64.b64encode(blob.key_blob).decode()}"
    try:
        found = load_ssh_public_identity(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return found if isinstance(found, SSHCertificate) else None


def _certified(target: SshTarget, key: paramiko.PKey, known: Sequence[KnownKey]) -> str | None:
    """Return None when a known authority vouches for the key, else why not.

    As OpenSSH's `sshkey_cert_check_host`: for a host, valid now, for this name, without critical
    options, signed by a `@cert-authority` of the files. Raises `HostKeyChanged` for a revoked one.
    """
    certificate = _certificate(key)
    assert certificate is not None
    try:
        signer = certificate.signature_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except (ValueError, UnsupportedAlgorithm):
        return "its authority's key cannot be read"
    authority = base64.b64decode(signer.split()[1])
    status, line = judge_authority(known, key.asbytes(), authority)
    if status is Status.REVOKED:
        assert line is not None
        if target.strict == "no":
            return "it was revoked"
        raise _contradicted(target.key_name, key, status, line)
    if status is not Status.KNOWN:
        return "it is signed by none of the authorities that are known for this name"
    name = target.host_key_alias or target.hostname
    principals = [part.decode("latin-1") for part in certificate.valid_principals]
    if certificate.type is not SSHCertificateType.HOST:
        return "it is one of a user"
    if not certificate.valid_after <= time.time() < certificate.valid_before:
        return "it is not valid at this time"
    if principals and not any(match_pattern(name, pattern) for pattern in principals):
        return f"it is not for {clean(name)}"
    if certificate.critical_options:
        return "it has options that are not known here"
    try:
        certificate.verify_cert_signature()
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return "its signature is wrong"
    return None
