"""Code in forks of one process that has begun: each finds it as the beginning left it.

For questions about what Python code is like after long imports. A start of its own would be the
imports again: 6 s of processor for those of training, where a fork is a tenth of a second.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

# Nothing but what Python has loaded by itself, and json, which all that is asked of here loads.
_FORKS = """
import json, os, sys
exec(compile(sys.argv[1], "begin", "exec"))
for line in sys.stdin:
    code, *files = json.loads(line)
    child = os.fork()
    if not child:
        for number, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        end = 1
        try:
            exec(compile(code, "code", "exec"))
            end = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Begun:
    """A process that has run `begin`, and runs code after it, each time as the first."""

    def __init__(self, begin: str, folder: Path) -> None:
        self._files = [str(folder / "out.txt"), str(folder / "err.txt")]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKS, begin],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, code: str) -> list[str]:
        """Return the lines that `code` prints; fail with what it complained of, should it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([code, *self._files]) + "\n")
        self._process.stdin.flush()
        ended = self._process.stdout.readline().strip()
        assert ended, f"the process ended as it began: {self._process.wait()}"
        printed, complained = (Path(file).read_text() for file in self._files)
        assert ended == "0", complained[-3000:]
        return printed.splitlines()

    def close(self) -> None:
        """End it; it waits for nothing but the next question."""
        self._process.communicate()
