"""What was written on a host and is known to be right, so that it need not be read again.

A part of the program that takes files on a host (`receive.py`).
"""

import os

from slurm.sync.receiver.shared_folder import write_all

# What their names begin with. (No sum does.)
NOTES = b"notes."
# Of another version nothing is taken.
_VERSION = b"batman notes 1 "
# They are written after so many bytes of files: a kill takes no more of them.
_AT_ONCE = 4 << 20
# proc_sys_kernel(5): another one each time that the system starts.
_BOOT = "/proc/sys/kernel/random/boot_id"


class Notes:
    """What one has written here and knows to be right, in a file of its own that only grows.

    A line is a file's inode, length, both times in nanoseconds, and sum, as they were once it was
    written and closed. Whoever changes the file changes the time of the inode (st_ctime), which
    cannot be set back. What was still on its way to the disk is lost with the machine, so that a
    note holds until it starts again, and on no other that shares the folder (`_BOOT`). So what is
    vouched for is as right as what comes without a break. Where the system does not say which start
    of it this is, or the notes cannot be written, there are none. A kill takes those that are not
    written yet, and may leave a part of a line.
    """

    def __init__(self, incoming: bytes, own: bytes, begin: bytes) -> None:
        self._path = os.path.join(incoming, NOTES + own)
        self._begin = begin
        self._lines = []  # type: list[bytes]
        self._size = 0
        self._file = -1

    def add(self, path: bytes, digest: bytes) -> None:
        """Note a file that is written and closed."""
        if self._begin:
            try:
                facts = os.lstat(path)
            except FileNotFoundError:
                # Somebody else is through, and the folder has its name.
                return
            self.add_facts(facts, digest)

    def add_facts(self, facts: "os.stat_result", digest: bytes) -> None:
        """Note a file by what it was before it was read."""
        self._lines.append(note(facts, digest))
        self._size += facts.st_size
        if self._size >= _AT_ONCE:
            self.write()

    def write(self) -> None:
        """Have what is noted where a kill does not reach it."""
        lines, self._lines, self._size = self._lines, [], 0
        if not self._begin or not lines:
            return
        try:
            if self._file < 0:
                # Where the folder is gone, somebody else is through, and it stays so.
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                lines.insert(0, self._begin)
            write_all(self._file, b"\n".join(lines) + b"\n")
        except OSError:
            self._begin = b""


def notes_begin() -> bytes:
    """Return the first line of notes that hold here now; nothing where there can be none."""
    try:
        with open(_BOOT, "rb") as file:
            return _VERSION + file.read().strip()
    except OSError:
        return b""


def noted(
    incoming: bytes, files: "list[tuple[bytes, os.stat_result]]", begin: bytes
) -> "set[bytes]":
    """Return the notes of the same user among the `files` there that hold, as they `begin` so."""
    found = set()  # type: set[bytes]
    for name, facts in files if begin else ():
        # Not those that somebody else wrote, or may have written to.
        if name.startswith(NOTES) and facts.st_uid == os.geteuid() and not facts.st_mode & 0o22:
            try:
                with open(os.path.join(incoming, name), "rb") as file:
                    lines = file.read().split(b"\n")
            except OSError:
                continue
            # Behind the last line's end is nothing, or what a kill left of a line.
            if lines[0] == begin:
                found.update(lines[1:-1])
    return found


def note(facts: "os.stat_result", digest: bytes) -> bytes:
    """Return the line of a file whose content has the sum `digest`, in hexadecimal."""
    return b"%d %d %d %d %b" % (
        facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, digest
    )  # fmt: skip
