"""Hard-links files as it is told, in a process of its own; `hard_links` starts it.

It reads blocks from standard input: their length in bytes as eight digits, then paths with NUL
between them, a source and a target in turns. It ends with 0 when its input ends
after a whole block, with 1 at the first link that cannot be made, and when the process that started
it is gone. It imports next to nothing, so that it is at work within a hundredth of a second.
"""

import os
import sys


def main() -> int:
    """Make the links; return the exit status."""
    read, parent = sys.stdin.buffer.read, os.getppid()
    try:
        while head := read(8):
            block = read(int(head))
            if len(block) != int(head):
                return 1
            names = block.split(b"\0")
            for number, (source, target) in enumerate(zip(names[::2], names[1::2], strict=True)):
                # Links that nobody waits for any more would be in the way of the next import.
                if not number % 64 and os.getppid() != parent:
                    return 1
                os.link(source, target)
    except (OSError, ValueError, KeyboardInterrupt):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
