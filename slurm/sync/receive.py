"""Takes files on a host: a program that the host's own python3 runs, from 3.6 on.

It is sent as text (`slurm.sync.files_stream`), stands alone and imports nothing of ours. Beside the
folder that is to be, `TARGET.parts` has what is there and known to be right, under its own name,
and `TARGET.incoming` what came of large files so far. A small file is written once all of it came
and its sum is right; a large one under a name that only its writer knows, and renamed when its sum
is right. So two that send the same at once do each other no harm, whenever either ends.

    receive.py state TARGET
    receive.py take TARGET TOKEN TELL_EVERY
    receive.py check TARGET
    receive.py finish TARGET DIGEST
"""

import hashlib
import os
import shutil
import sys
import time
import zlib

READY = b"batman 1\n"
MANIFEST = b".manifest"
# Files up to this size are held in memory until they are known to be right.
SMALL = 1 << 20
# Exit codes: what came is not what was meant; what it was to go on from is not there any more.
DAMAGED, GONE = 9, 8
_PIECE = 256 << 10
# One that goes on with the same file leaves what others wrote to lately.
_LATELY_S = 60.0
# So often may the folders go from under one who writes.
_TRIES = 8


def state(target: bytes) -> int:
    """Tell whether the folder is whole, else what is free and what is there of it.

    `READY`, then `whole`, or the free bytes and, packed by zlib, entries that end with a zero byte:
    `f SIZE NAME` for a file, `p SIZE SUM` for what came of a large one.
    """
    out = sys.stdout.buffer
    out.write(READY)
    parts, incoming = target + b".parts", target + b".incoming"
    if os.path.isdir(target):
        # What one wrote who was not through yet when another was.
        _clear(parts, incoming)
        out.write(b"whole\n")
        return 0
    os.makedirs(parts, exist_ok=True)
    os.makedirs(incoming, exist_ok=True)
    os.chmod(parts, 0o755)
    facts = os.statvfs(parts)
    found = [b"f %d %s\0" % (size, name) for name, size in _listed(parts)]
    found += [b"p %d %s\0" % (size, name.partition(b".")[0]) for name, size in _listed(incoming)]
    out.write(b"%d\n" % (facts.f_bavail * facts.f_frsize))
    out.write(zlib.compress(b"".join(found), 1))
    return 0


def take(target: bytes, token: bytes, tell_every: int) -> int:
    """Take files from the input and tell, a line each time, how many bytes of them are written.

    Each is a line `SIZE FROM SUM NAME`, then its content from the byte FROM on.
    """
    parts, incoming = target + b".parts", target + b".incoming"
    source = os.fdopen(0, "rb", _PIECE)
    readline, read, sha256 = source.readline, source.read, hashlib.sha256
    done = told = 0
    while True:
        words = readline().rstrip(b"\n").split(b" ", 3)
        if len(words) < 4:
            break
        size, begin, name = int(words[0]), int(words[1]), words[3]
        if size <= SMALL:
            data = read(size)
            if len(data) < size:
                break
            if sha256(data).hexdigest().encode() != words[2]:
                return _damaged(name)
            _write_small(parts + b"/" + name, data)
            done += size
        else:
            mine = os.path.join(incoming, words[2] + b"." + token)
            with os.fdopen(_opened(mine, os.O_TRUNC), "wb", 0) as file:
                digest = hashlib.sha256()
                if begin and not _copy_begin(incoming, words[2], begin, mine, file, digest):
                    return GONE
                left = size - begin
                while left:
                    data = read(min(_PIECE, left))
                    if not data:
                        return 0
                    digest.update(data)
                    _write_all(file, data)
                    left -= len(data)
                    done += len(data)
                    if done - told >= tell_every:
                        told = done
                        _tell(done)
            if digest.hexdigest().encode() != words[2]:
                # Nor is what it began with any good.
                for other, _ in _listed(incoming):
                    if other.startswith(words[2]):
                        os.unlink(os.path.join(incoming, other))
                return _damaged(name)
            if not _renamed(mine, os.path.join(parts, name)):
                return GONE
        if done - told >= tell_every:
            told = done
            _tell(done)
    _tell(done)
    return 0


def check(target: bytes) -> int:
    """Read lines `SUM NAME`; remove the files that have another sum, and tell their names."""
    parts = target + b".parts"
    for line in sys.stdin.buffer:
        expected, _, name = line.rstrip(b"\n").partition(b" ")
        path = os.path.join(parts, name)
        try:
            digest = hashlib.sha256()
            with open(path, "rb", 0) as file:
                while True:
                    data = file.read(_PIECE)
                    if not data:
                        break
                    digest.update(data)
            if digest.hexdigest().encode() == expected:
                continue
            os.unlink(path)
        except FileNotFoundError:
            pass
        sys.stdout.buffer.write(name + b"\n")
    return 0


def finish(target: bytes, digest: str) -> int:
    """Give the folder its name, once everything that its manifest names is there."""
    parts, incoming = target + b".parts", target + b".incoming"
    if not os.path.isdir(target):
        try:
            with open(os.path.join(parts, MANIFEST), "rb") as file:
                manifest = file.read()
        except FileNotFoundError:
            return DAMAGED
        names = [line.partition(b"  ")[2] for line in manifest.splitlines()]
        if hashlib.sha256(manifest).hexdigest() != digest or not all(
            os.path.isfile(os.path.join(parts, name)) for name in names
        ):
            return DAMAGED
        try:
            os.rename(parts, target)
        except OSError:
            # Somebody else was faster, which is as good.
            if not os.path.isdir(target):
                raise
    _clear(parts, incoming)
    return 0


def _clear(*folders: bytes) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _listed(folder: bytes) -> "list[tuple[bytes, int]]":
    """Return the files below `folder`, by name from there, with their sizes.

    What goes meanwhile, as another who sends the same is through, is not there.
    """
    found = []
    waiting = [b""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(os.path.join(folder, below)) as entries:
                for entry in entries:
                    name = os.path.join(below, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(name)
                    else:
                        found.append((name, entry.stat(follow_symlinks=False).st_size))
        except FileNotFoundError:
            continue
    return found


def _opened(path: bytes, flags: int) -> int:
    """Open a file to write, made where it is not there, and so are the folders above it.

    Another who sends the same may take them away as soon as it is through.
    """
    tries = _TRIES
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o644)
        except FileNotFoundError:
            if not tries:
                raise
            tries -= 1
            _make_folder(path)


def _write_small(path: bytes, data: bytes) -> None:
    """Write a file whose content is known to be right; others may write the same to it."""
    size = None
    try:
        file = _opened(path, os.O_EXCL)
    except FileExistsError:
        file, size = _opened(path, 0), len(data)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        if size is not None:
            os.ftruncate(file, size)
    finally:
        # Some file systems say only now that the disk is full.
        os.close(file)


def _write_all(file: "object", data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]  # type: ignore[attr-defined]


def _renamed(mine: bytes, path: bytes) -> bool:
    """Give a file its name; return whether it was there still."""
    _make_folder(path)
    try:
        os.rename(mine, path)
    except FileNotFoundError:
        return False
    return True


def _make_folder(path: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)


def _copy_begin(
    incoming: bytes, wanted: bytes, size: int, mine: bytes, file: "object", digest: "object"
) -> bool:
    """Begin a large file with what came of it before, which is read anyway for its sum.

    Others may still write to theirs, so that it is copied. Returns whether there was so much.
    """
    for name, there in _listed(incoming):
        path = os.path.join(incoming, name)
        if path == mine or there < size or name.partition(b".")[0] != wanted:
            continue
        left = size
        with open(path, "rb", 0) as before:
            while left:
                data = before.read(min(_PIECE, left))
                if not data:
                    return False
                digest.update(data)  # type: ignore[attr-defined]
                _write_all(file, data)
                left -= len(data)
        if time.time() - os.stat(path).st_mtime > _LATELY_S:
            os.unlink(path)
        return True
    return False


def _tell(done: int) -> None:
    sys.stdout.buffer.write(b"%d\n" % done)
    sys.stdout.buffer.flush()


def _damaged(name: bytes) -> int:
    sys.stderr.buffer.write(b"not what was meant: " + name + b"\n")
    return DAMAGED


def main() -> int:
    """Do what the arguments say; an error of the system is told in one line."""
    what = sys.argv[1]
    target = os.fsencode(sys.argv[2])
    try:
        if what == "state":
            return state(target)
        if what == "take":
            return take(target, os.fsencode(sys.argv[3]), int(sys.argv[4]))
        if what == "check":
            return check(target)
        return finish(target, sys.argv[3])
    except OSError as error:
        place = os.fsdecode(error.filename) if error.filename else sys.argv[2]
        sys.stderr.write("%s: %s\n" % (place, error.strerror))
        return 1


if __name__ == "__main__":
    sys.exit(main())
