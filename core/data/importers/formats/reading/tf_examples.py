"""TensorFlow's record files, and the message `tf.train.Example` in each record.

A record is its length (8 bytes, little-endian), the length's masked CRC32C (4), the data, the
data's masked CRC32C (4): tensorflow 2.x, `tensorflow/core/lib/io/record_writer.h`. The messages are
those of `tensorflow/core/example/example.proto` and `feature.proto`; no installed package has them,
so they are declared here for protobuf. Both checksums are looked at.
"""

from __future__ import annotations

import functools
import gzip
import importlib
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from core.common.errors import ImportFailed
from core.late import late
from core.processes.installation import how_to_install

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = late("numpy")


# The polynomial of CRC32C (Castagnoli), its bits reversed.
_POLYNOMIAL = 0x82F63B78
# From so many bytes on lanes of numpy are faster than a loop.
_LANES_FROM = 4096
# What protobuf itself takes as one message.
_LARGEST = 1 << 31
_STRING, _BYTES, _FLOAT, _INT64, _MESSAGE = 9, 12, 2, 3, 11


class Damaged(ValueError):
    """A file that is no TFRecord, or breaks off; the message says what was seen."""


def require_protobuf() -> None:
    """Raise `ImportFailed` unless protobuf is installed."""
    try:
        importlib.import_module("google.protobuf")
    except ImportError:
        raise ImportFailed(
            "TensorFlow's TFRecord needs the package protobuf, which is not installed.",
            f"Install it with: {how_to_install('batman-tui[train]')}; or export"
            " the data set as COCO or TensorFlow's CSV.",
        ) from None


class Example:
    """One `tf.train.Example`: lists of bytes, floats or integers by key."""

    def __init__(self, data: bytes) -> None:
        """Read the message. Raises `Damaged`."""
        message = _message()()
        try:
            message.ParseFromString(data)
        except Exception as error:  # protobuf's DecodeError
            raise Damaged(f"it is no tf.train.Example: {error}") from None
        self._features = message.features.feature

    @property
    def keys(self) -> set[str]:
        """The keys of all its features."""
        return set(self._features)

    def _list(self, key: str, kind: str) -> list[Any]:
        # A key that is asked for would be made.
        return list(getattr(self._features[key], kind).value) if key in self._features else []

    def raw(self, key: str) -> bytes:
        """Return the first bytes of a key, b"" where there are none."""
        return next(iter(self._list(key, "bytes_list")), b"")

    def texts(self, key: str) -> list[str]:
        """Return the texts of a key."""
        return [value.decode("utf-8", "replace") for value in self._list(key, "bytes_list")]

    def text(self, key: str) -> str:
        """Return the first text of a key, "" where there is none."""
        return next(iter(self.texts(key)), "")

    def floats(self, key: str) -> list[float]:
        """Return the numbers of a key."""
        return self._list(key, "float_list") or [float(n) for n in self._list(key, "int64_list")]

    def integers(self, key: str) -> list[int]:
        """Return the integers of a key."""
        return self._list(key, "int64_list")


def examples(file: Path) -> Iterator[Example]:
    """Yield the examples of a record file, packed with gzip or not. Raises `Damaged`."""
    try:
        with file.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if packed:
                with gzip.open(plain) as unpacked:
                    yield from map(Example, _records(cast("IO[bytes]", unpacked)))
            else:
                yield from map(Example, _records(plain))
    except (OSError, EOFError) as error:
        raise Damaged(f"it cannot be read: {error}") from None


def _records(file: IO[bytes]) -> Iterator[bytes]:
    while head := file.read(12):
        if len(head) < 12 or masked_crc(head[:8]) != struct.unpack("<I", head[8:])[0]:
            raise Damaged("it breaks off, or is no TFRecord: the checksum of a length is wrong")
        (length,) = struct.unpack("<Q", head[:8])
        if length > _LARGEST:
            raise Damaged("a record is longer than 2 GiB")
        data, tail = file.read(length), file.read(4)
        if len(data) < length or len(tail) < 4:
            raise Damaged("the file breaks off in a record")
        if masked_crc(data) != struct.unpack("<I", tail)[0]:
            raise Damaged("the checksum of its data is wrong")
        yield data


def masked_crc(data: bytes) -> int:
    """Return the CRC32C of `data` as record files have it: turned by 15 bits, plus a constant
    (`tensorflow/core/lib/hash/crc32c.h`).
    """
    crc, done = 0xFFFFFFFF, 0
    if len(data) >= _LANES_FROM:
        crc, done = _in_lanes(data, crc)
    crc = _advance(crc, data[done:]) ^ 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _advance(crc: int, data: bytes) -> int:
    table = _table().tolist()
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


def _in_lanes(data: bytes, crc: int) -> tuple[int, int]:
    """Return the register after most of `data`, begun with `crc`, and how many bytes that is.

    The bytes are cut into lanes that go on together, each begun with 0. The register is linear in
    its bits, so the state before a lane is carried over it by what the lane's length makes of each
    single bit, which 32 more lanes of zeros tell.
    """
    lanes = math.isqrt(len(data))
    length = len(data) // lanes
    bytes_ = np.zeros((length, lanes + 32), np.uint8)
    bytes_[:, :lanes] = np.frombuffer(data, np.uint8, lanes * length).reshape(lanes, length).T
    state = np.zeros(lanes + 32, np.uint32)
    state[lanes:] = np.uint32(1) << np.arange(32, dtype=np.uint32)
    table = _table()
    for column in bytes_:
        state = table[(state ^ column) & 0xFF] ^ (state >> 8)
    carried = state[lanes:].tolist()
    for after in state[:lanes].tolist():
        over, bit = 0, 0
        while crc:
            if crc & 1:
                over ^= carried[bit]
            crc >>= 1
            bit += 1
        crc = over ^ after
    return crc, lanes * length


@functools.cache
def _table() -> NDArray[np.uint32]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        return value

    return np.array(list(map(entry, range(256))), np.uint32)


@functools.cache
def _message() -> Any:
    """Return protobuf's class of `tf.train.Example`.

    It is declared in a pool of its own, so that TensorFlow's may be loaded beside it.
    """
    declared = importlib.import_module("google.protobuf.descriptor_pb2").FileDescriptorProto(
        name="batman/example.proto", package="tensorflow", syntax="proto3"
    )
    repeated, single = 3, 1

    def add(within: Any, name: str) -> Any:
        return within.add(name=name)

    def field(
        message: Any, name: str, number: int, kind: int, of: str = "", label: int = single
    ) -> Any:
        made = message.field.add(name=name, number=number, type=kind, label=label)
        if of:
            made.type_name = f".tensorflow.{of}"
        return made

    lists = (("BytesList", _BYTES), ("FloatList", _FLOAT), ("Int64List", _INT64))
    for name, kind in lists:
        field(add(declared.message_type, name), "value", 1, kind, label=repeated)
    feature = add(declared.message_type, "Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("bytes_list", "float_list", "int64_list"), 1):
        field(feature, name, number, _MESSAGE, lists[number - 1][0]).oneof_index = 0
    features = add(declared.message_type, "Features")
    entry = add(features.nested_type, "FeatureEntry")
    entry.options.map_entry = True
    field(entry, "key", 1, _STRING)
    field(entry, "value", 2, _MESSAGE, "Feature")
    field(features, "feature", 1, _MESSAGE, "Features.FeatureEntry", repeated)
    field(add(declared.message_type, "Example"), "features", 1, _MESSAGE, "Features")
    pool = importlib.import_module("google.protobuf.descriptor_pool").DescriptorPool()
    pool.Add(declared)
    factory = importlib.import_module("google.protobuf.message_factory")
    return factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
