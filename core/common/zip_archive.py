"""ZIP archives from outside, unpacked into a folder of their own and nowhere else."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from core.common.errors import BadName, Cancelled, ImportFailed
from core.common.files import safe_relative
from core.common.full_disk import free_bytes, no_room_for
from core.common.text import clean, size

# Deflate reaches 1,032 : 1 on zeros. Photographs hardly shrink and annotations do by about 10,
# so a data set stays far below this; what lies above was made to fill a disk.
GROWTH = 20
ALLOWANCE = 256 * 1024 * 1024
MEMBERS = 2_000_000

# What zipfile lets out for archives that are not what they say: names that are not UTF-8 and
# offsets before the file's start (ValueError), fields that end early, packing that it cannot undo.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(ValueError, OverflowError, NotImplementedError, RuntimeError),
)
_CHUNK = 1 << 20


def extract_zip(
    archive: Path,
    target: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> int:
    """Unpack `archive` into the folder `target`, which is made, and return the number of files.

    Everything is looked at before anything is written: a member with an absolute path, `..`, a
    link or device, a name that is there twice, a password, or a sum of sizes beyond `GROWTH` times
    the archive and `ALLOWANCE` bytes raises `ImportFailed`, and so does a truncated or damaged
    archive (each member's CRC is checked). `progress` is told bytes so far and in all. Raises
    `Cancelled`. What was written before an error stays for the caller to remove.
    """
    name = clean(archive.name)
    try:
        with zipfile.ZipFile(archive) as file:
            members = _checked(file, archive.stat().st_size, name, target)
            total = sum(info.file_size for _, info in members)
            done = 0
            for path, info in members:
                path.parent.mkdir(parents=True, exist_ok=True)
                with file.open(info) as source, path.open("xb") as out:
                    while chunk := source.read(_CHUNK):
                        if cancelled is not None and cancelled():
                            raise Cancelled("The unpacking was stopped.")
                        out.write(chunk)
                        done += len(chunk)
                        if progress is not None:
                            progress(done, total)
    except _DAMAGED as error:
        raise ImportFailed(
            f"The archive '{name}' is damaged or incomplete: {clean(str(error))}.",
            "Download it again.",
        ) from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ImportFailed(
            f"The archive '{name}' holds the same path twice: {clean(str(error.filename))}.",
            "Ask whoever made it for a sound one.",
        ) from None
    except OSError as error:
        raise ImportFailed(
            f"The archive '{name}' could not be unpacked: {error.strerror or clean(str(error))}.",
            f"Check the space and permissions of '{clean(str(target))}'.",
        ) from None
    return len(members)


def _checked(
    file: zipfile.ZipFile, packed: int, name: str, target: Path
) -> list[tuple[Path, zipfile.ZipInfo]]:
    infos = file.infolist()
    if len(infos) > MEMBERS:
        raise ImportFailed(
            f"The archive '{name}' holds too many files: {len(infos):,}.",
            f"At most {MEMBERS:,} are taken from one. Unpack it, and import the folder.",
        )
    members = []
    for info in infos:
        shown = clean(info.filename)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ImportFailed(
                f"The archive '{name}' holds '{shown}', which is a link or a device.",
                "Only plain files are unpacked. Nothing was imported.",
            )
        if info.flag_bits & 1:
            raise ImportFailed(f"The archive '{name}' is locked with a password.")
        try:
            path = safe_relative(info.filename)
        except BadName as error:
            raise ImportFailed(
                f"The archive '{name}' holds an unsafe path: {error.message}",
                "Nothing was imported. Ask whoever made it for a sound one.",
            ) from None
        if not info.is_dir():
            members.append((target / path, info))
    total = sum(info.file_size for _, info in members)
    if total > packed * GROWTH + ALLOWANCE:
        raise ImportFailed(
            f"The archive '{name}' would grow from {size(packed)} to {size(total)}.",
            "That is no data set. Nothing was imported.",
        )
    target.mkdir(parents=True, exist_ok=True)
    if total > free_bytes(target):
        raise no_room_for(f"the archive '{name}'", total, target)
    return members
