"""Takes files on a host: a program that the host's own python3 runs, from 3.6 on.

It is sent as text (`program.py`) with the two modules of ours that it imports. Beside the
folder that is to be, `TARGET.parts` has what is there and known to be right, under its own name,
and `TARGET.incoming` what came of large files so far. A small file is written once all of it came
and its sum is right; a large one under a name that only its writer knows, and renamed when its sum
is right. So two that send the same at once do each other no harm, whenever either ends.

Each that takes files notes in `TARGET.incoming` what it has written, and whoever goes on later sums
again only what no note vouches for (`Notes`). Where nothing breaks off no file is read again
either: what comes is summed as it comes.

    receive.py send TARGET TOKEN TELL_EVERY DIGEST
    receive.py take TARGET TOKEN TELL_EVERY LANE
    receive.py finish TARGET DIGEST

A long line is waited for as seldom as can be: `send` tells what is there and goes on as `take`,
looks meanwhile through what was there, and whichever of a sender's channels ends last gives the
folder its name.
"""

import _thread
import fcntl
import hashlib
import os
import sys
import time

from slurm.sync.receiver.notes import NOTES, Notes, note, noted, notes_begin
from slurm.sync.receiver.shared_folder import (
    clear,
    listed,
    opened,
    renamed,
    tried,
    walk,
    write_all,
    write_small,
)

READY = b"batman 1\n"
MANIFEST = b".manifest"
# Files up to this size are held in memory until they are known to be right.
SMALL = 1 << 20
# Exit codes: what came is not what was meant; what it was to go on from is not there any more.
DAMAGED, GONE = 9, 8
_PIECE = 256 << 10
# What is read at once of small files: more of it is out of the processor's cache again.
_BUFFER = 64 << 10
# What sshd may have written ahead, of which Linux gives 64 kB: the two take turns less often, which
# is a fifth of all the processor time that small files take. fcntl(2); its name is not in 3.6.
_SET_PIPE_SIZE, _PIPE = 1031, 1 << 20
# One that goes on with the same file leaves what others wrote to lately.
_LATELY_S = 60.0
# While it looks through what is there, it tells so often that it is alive.
_ALIVE_S = 10.0


def send(target: bytes, token: bytes, tell_every: int, digest: str) -> int:
    """Tell whether the folder is whole, else what is free and what is there of it; then `take`.

    `READY`, then `whole`, or a line of the free bytes and the length of what follows: packed by
    zlib, with a full stop behind it, entries that end with a zero byte, `f SIZE NAME` for a file,
    `p SIZE SUM` for what came of a large one. A manifest whose sum is not `digest` is not there.
    """
    import zlib

    out = sys.stdout.buffer
    # At once: how long it took tells how far away this is.
    out.write(READY)
    out.flush()
    parts, incoming = target + b".parts", target + b".incoming"
    if os.path.isdir(target):
        # What one wrote who was not through yet when another was.
        clear(parts, incoming)
        out.write(b"whole\n")
        return 0
    os.makedirs(parts, exist_ok=True)
    os.makedirs(incoming, exist_ok=True)
    os.chmod(parts, 0o755)
    facts = os.statvfs(parts)
    sums = _manifest(parts, digest)
    there = [entry for entry in listed(parts) if entry[0] != MANIFEST]
    came = listed(incoming)
    found = [b"f %d %s\0" % (facts.st_size, name) for name, facts in there]
    if sums is not None:
        found.append(b"f %d %s\0" % (os.path.getsize(os.path.join(parts, MANIFEST)), MANIFEST))
    found += [
        b"p %d %s\0" % (facts.st_size, name.partition(b".")[0])
        for name, facts in came
        if not name.startswith(NOTES)
    ]
    packed = zlib.compress(b"".join(found), 1) + b"."
    out.write(b"%d %d\n" % (facts.f_bavail * facts.f_frsize, len(packed)) + packed)
    out.flush()
    begin = notes_begin()
    notes = Notes(incoming, token + b".check", begin)
    check = _Check(parts, there, digest, notes, noted(incoming, came, begin))
    check.start(sums)
    return take(target, token, tell_every, b"0", begin, check)


def take(
    target: bytes,
    token: bytes,
    tell_every: int,
    lane: bytes,
    holds: bytes,
    check: "_Check | None" = None,
) -> int:
    """Take files from the input and tell, each time, how many bytes of them are written.

    What it tells ends with a zero byte: a line's end may be that of the output, and is not passed
    on at once. Each file is a line `SIZE FROM SUM NAME`, then its content from the byte FROM on. A
    line `not NAME` leaves a file out of the `check`; `end LANES DIGEST` is the last one, without
    which the sender was cut off. `done` tells that the folder has its name.
    Its notes begin with `holds`.
    """
    parts, incoming = target + b".parts", target + b".incoming"
    # Not where it is no pipe, or no Linux, or more than this user may have.
    tried(fcntl.fcntl, 0, _SET_PIPE_SIZE, _PIPE)
    source = os.fdopen(0, "rb", _BUFFER)
    readline, read, sha256 = source.readline, source.read, hashlib.sha256
    notes = Notes(incoming, token + b"." + lane, holds)
    done = told = 0
    while True:
        line, end, _ = readline().partition(b"\n")
        words = line.split(b" ", 3)
        if not end:
            break
        if words[0] == b"end":
            notes.write()
            mark = os.path.join(incoming, token + b"." + lane)
            return _end(target, mark, int(words[1]), os.fsdecode(words[2]), done, check)
        if words[0] == b"not" and check is not None:
            check.without.add(line[4:])
            continue
        size, begin, name = int(words[0]), int(words[1]), words[3]
        if size <= SMALL:
            data = read(size)
            if len(data) < size:
                break
            if sha256(data).hexdigest().encode() != words[2]:
                return _damaged(name)
            path = parts + b"/" + name
            write_small(path, data)
            done += size
        else:
            mine = os.path.join(incoming, words[2] + b"." + token + b"." + lane)
            with os.fdopen(opened(mine, os.O_TRUNC), "wb", 0) as file:
                digest = hashlib.sha256()
                if begin and not _copy_begin(
                    incoming, words[2], begin, mine, file.fileno(), digest
                ):
                    return GONE
                left = size - begin
                while left:
                    data = read(min(_PIECE, left))
                    if not data:
                        return 0
                    digest.update(data)
                    write_all(file.fileno(), data)
                    left -= len(data)
                    done += len(data)
                    if done - told >= tell_every:
                        told = done
                        _tell(done)
            if digest.hexdigest().encode() != words[2]:
                # Nor is what it began with any good.
                for other, _ in walk(incoming):
                    if other.startswith(words[2]):
                        os.unlink(os.path.join(incoming, other))
                return _damaged(name)
            path = os.path.join(parts, name)
            if not renamed(mine, path):
                return GONE
        notes.add(path, words[2])
        if name == MANIFEST and check is not None:
            check.start(_manifest(parts, check.digest))
        if done - told >= tell_every:
            told = done
            _tell(done)
    notes.write()
    _tell(done)
    return 0


class _Check:
    """Looks through the files that are there, beside the taking of others.

    Those that are `noted` are not read. `bad` has those that are not what the manifest says. They
    stay: others may write to them.
    """

    def __init__(
        self,
        parts: bytes,
        there: "list[tuple[bytes, os.stat_result]]",
        digest: str,
        notes: Notes,
        noted: "set[bytes]",
    ) -> None:
        self.parts, self.there, self.digest = parts, there, digest
        self.notes, self.noted = notes, noted
        self.bad = []  # type: list[bytes]
        self.without = set()  # type: set[bytes]
        # Held while it is at work. (threading takes as long to import as all the others.)
        self._lock = _thread.allocate_lock()
        self._begun = not there

    def start(self, sums: "dict[bytes, bytes] | None") -> None:
        """Begin, once it is known what the `sums` have to be."""
        if sums is not None and not self._begun:
            self._begun = True
            self._lock.acquire()
            _thread.start_new_thread(self._run, (sums,))

    def over(self, seconds: float) -> bool:
        """Wait up to `seconds` for the end; return whether it is over."""
        if not self._begun:
            # Without a manifest nothing of it is known to be right.
            self.bad = [name for name, _ in self.there]
        return self._lock.acquire(timeout=seconds)

    def _run(self, sums: "dict[bytes, bytes]") -> None:
        try:
            for name, facts in self.there:
                expected = sums.get(name)
                # What is no part of it stays, as what somebody else put there.
                if expected is None or note(facts, expected) in self.noted:
                    continue
                if _sum(os.path.join(self.parts, name)) == expected:
                    self.notes.add_facts(facts, expected)
                else:
                    self.bad.append(name)
            self.notes.write()
        finally:
            self._lock.release()


def _end(
    target: bytes, mark: bytes, lanes: int, digest: str, done: int, check: "_Check | None"
) -> int:
    """Tell what is wrong of what was there; else `finish`, if all other channels ended before."""
    if check is not None:
        while not check.over(_ALIVE_S):
            _tell(done)
        bad = [name for name in check.bad if name not in check.without]
        if bad:
            sys.stdout.buffer.write(b"".join(b"bad " + name + b"\0" for name in bad))
            _tell(done)
            return 0
    os.close(opened(mark, 0))
    folder, own = os.path.split(mark)
    begin = own.partition(b".")[0] + b"."
    ended = sum(name.startswith(begin) for name, _ in walk(folder))
    if ended >= lanes and finish(target, digest) == 0:
        sys.stdout.buffer.write(b"%d\0done\0" % done)
    else:
        _tell(done)
    return 0


def finish(target: bytes, digest: str) -> int:
    """Give the folder its name, once everything that its manifest names is there."""
    parts, incoming = target + b".parts", target + b".incoming"
    if not os.path.isdir(target):
        sums = _manifest(parts, digest)
        if sums is None or not set(sums).issubset(name for name, _ in walk(parts)):
            # Somebody else may have been through just now.
            if not os.path.isdir(target):
                return DAMAGED
        else:
            try:
                os.rename(parts, target)
            except OSError:
                # Somebody else was faster, which is as good.
                if not os.path.isdir(target):
                    raise
    clear(parts, incoming)
    return 0


def _manifest(parts: bytes, digest: str) -> "dict[bytes, bytes] | None":
    """Return the sums by name; None where the manifest is not there, or not right."""
    try:
        with open(os.path.join(parts, MANIFEST), "rb") as file:
            manifest = file.read()
    except OSError:
        return None
    if hashlib.sha256(manifest).hexdigest() != digest:
        return None
    # As sha256sum(1) writes it: 64 digits, two blanks, the name.
    return {line[66:]: line[:64] for line in manifest.split(b"\n")[:-1]}


def _sum(path: bytes) -> bytes:
    """Return a file's SHA-256; nothing where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb", 0) as file:
            while True:
                data = file.read(_PIECE)
                if not data:
                    break
                digest.update(data)
    except OSError:
        return b""
    return digest.hexdigest().encode()


def _copy_begin(
    incoming: bytes, wanted: bytes, size: int, mine: bytes, file: int, digest: "object"
) -> bool:
    """Begin a large file with what came of it before, which is read anyway for its sum.

    Others may still write to theirs, so that it is copied. Returns whether there was so much.
    """
    for name, facts in listed(incoming):
        path = os.path.join(incoming, name)
        if path == mine or facts.st_size < size or name.partition(b".")[0] != wanted:
            continue
        left = size
        try:
            with open(path, "rb", 0) as before:
                while left:
                    data = before.read(min(_PIECE, left))
                    if not data:
                        return False
                    digest.update(data)  # type: ignore[attr-defined]
                    write_all(file, data)
                    left -= len(data)
            if time.time() - os.stat(path).st_mtime > _LATELY_S:
                os.unlink(path)
        except FileNotFoundError:
            # Whoever wrote it came to its end meanwhile, and gave it its name.
            return not left
        return True
    return False


def _tell(done: int) -> None:
    sys.stdout.buffer.write(b"%d\0" % done)
    sys.stdout.buffer.flush()


def _damaged(name: bytes) -> int:
    sys.stderr.buffer.write(b"not what was meant: " + name + b"\n")
    return DAMAGED


def main() -> int:
    """Do what the arguments say; an error of the system is told in one line."""
    what = sys.argv[1]
    target = os.fsencode(sys.argv[2])
    try:
        if what == "send":
            return send(target, os.fsencode(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
        if what == "take":
            token, lane = os.fsencode(sys.argv[3]), os.fsencode(sys.argv[5])
            return take(target, token, int(sys.argv[4]), lane, notes_begin())
        return finish(target, sys.argv[3])
    except OSError as error:
        place = os.fsdecode(error.filename) if error.filename else sys.argv[2]
        sys.stderr.write("%s: %s\n" % (place, error.strerror))
        return 1


if __name__ == "__main__":
    sys.exit(main())
