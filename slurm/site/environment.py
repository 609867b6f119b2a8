"""How Python with Batman comes to be on a cluster: an environment, after modules, or in an image.

All of it is shell text for sh and bash, every value quoted; what is missing is said in one line.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

# Exit codes of what is missing, which nothing else of a job's beginning has.
NO_MODULE, NO_IMAGE = 91, 92

# `module` is a function of login shells, which batch scripts do not have everywhere: it is taken
# from where Lmod and Environment Modules leave it. Old releases of the latter end with 0 whatever
# became of a module, so that what is loaded is looked at (module(1), LOADEDMODULES).
_MODULES = r"""type module >/dev/null 2>&1 || for init in "${LMOD_PKG:-}/init/sh" \
  "${MODULESHOME:-}/init/sh" /etc/profile.d/lmod.sh /etc/profile.d/modules.sh \
  /usr/share/lmod/lmod/init/sh /usr/share/modules/init/sh
do [ -r "$init" ] && { . "$init"; break; }; done
for name in NAMES; do
  said=$(type module 2>&1) || { echo "batman: there is no module system here: $said" >&2; exit 91; }
  module load "$name" >&2
  case ":${LOADEDMODULES:-}:" in
    *":$name:"* | *":$name/"*) ;;
    *) echo "batman: the module '$name' cannot be loaded on $(hostname)" >&2; exit 91 ;;
  esac
done"""

_IMAGE = r"""IMAGE=PLACE
CONTAINER=$(command -v apptainer || command -v singularity) || {
  echo "batman: there is no apptainer on $(hostname)" >&2; exit 92; }
[ -e "$IMAGE" ] || { echo "batman: there is no image '$IMAGE' on $(hostname)" >&2; exit 92; }"""


@dataclass(frozen=True)
class Environment:
    """What a cluster's Python needs before it runs: modules to load, an image to run in.

    `image` is an absolute path there (a file or a sandbox's folder; empty: none), in which the
    interpreter's name is looked up, and `binds` are further folders that are seen in it.
    """

    modules: tuple[str, ...] = ()
    image: str = ""
    binds: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the shell lines that go before: they end with `NO_MODULE` or `NO_IMAGE`."""
        lines = []
        if self.modules:
            names = " ".join(map(shlex.quote, self.modules))
            lines += _MODULES.replace("NAMES", names).splitlines()
        if self.image:
            lines += _IMAGE.replace("PLACE", shlex.quote(self.image)).splitlines()
        return lines

    def inside(self, python: str, places: Sequence[str], *, gpu: bool) -> str:
        """Return the shell words that stand for the interpreter `python` in the image.

        `places` are folders that it reads and writes, which are there under the same names; the
        home folder, /tmp and the current one are by default (apptainer exec).
        """
        words = ["--nv"] if gpu else []
        for place in dict.fromkeys((*places, *self.binds)):
            words += ["--bind", place]
        options = " ".join(map(shlex.quote, words))
        # Packages of the home folder are for another Python.
        return (
            f'"$CONTAINER" exec {options} --env PYTHONNOUSERSITE=1 "$IMAGE" {shlex.quote(python)}'
        )

    def said(self, code: int, stderr: bytes) -> str:
        """Return what was missing, for a command that ended with `code`; empty if nothing was."""
        if code not in (NO_MODULE, NO_IMAGE):
            return ""
        lines = stderr.decode(errors="replace").splitlines()
        told = [line.removeprefix("batman: ") for line in lines if line.startswith("batman: ")]
        return told[-1] if told else "modules or the image are not there"


# Nothing goes before.
PLAIN = Environment()
