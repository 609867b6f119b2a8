"""Installing on the cluster: a script that goes on by itself, and is followed by reading its log.

A connection that breaks, or the end of this program, does not end it; whoever asks for the same
environment again follows the one that runs. It makes a folder of its own: nothing that is in use is
touched.
"""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.common.errors import BatmanError
from core.common.errors import Cancelled as WasCancelled
from core.common.progress import Cancelled, never
from core.common.text import clean
from slurm.hosts import Host, HostError
from slurm.sync.patience import PATIENCE_S, persist

COMPLETE = ".complete"
_LOOK_S = 1.0

# `$1` is the work folder. A process of another login node cannot be asked, but its log's age can.
_START = """
cd -- "$1" || exit 1
[ -f code ] && [ "$(cat code)" = 0 ] && { echo done; exit; }
if [ -f pid ] && [ ! -f code ]; then
  read -r host number <pid
  if [ "$host" = "$(hostname)" ]; then
    kill -0 "$number" 2>/dev/null && { echo running; exit; }
  elif [ -n "$(find log -mmin -10 2>/dev/null)" ]; then
    echo running; exit
  fi
fi
rm -f code
: >log
work='echo "$(hostname) $$" >pid; sh install.sh >log 2>&1; echo $? >code.new; mv code.new code'
if command -v setsid >/dev/null 2>&1; then
  setsid sh -c "$work" </dev/null >/dev/null 2>&1 &
else
  nohup sh -c "$work" </dev/null >/dev/null 2>&1 &
fi
echo started
"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Install:
    """An environment to be: where, with which Python and uv (empty: with pip), and of what.

    `wheel` is Batman's on the cluster. `requirements` are further lines; `files` are wheels on the
    cluster and all that is needed (None: the package index is asked). `extras` are Batman's own,
    taken with what they need where no other requirements are named. `uv_wheel` has uv in it,
    which is unpacked into `tools` first. `before` are shell lines, such as those that load modules.
    """

    env: str
    tools: str
    python: str
    uv: str
    wheel: str
    extras: str
    requirements: tuple[str, ...] = ()
    files: tuple[str, ...] | None = None
    uv_wheel: str = ""
    before: tuple[str, ...] = ()

    @property
    def work(self) -> str:
        """The folder beside the environment that has the script and its log."""
        return f"{self.env}.setup"


def install_script(install: Install, overrides: str) -> str:
    """Return the shell script that makes the environment, every value quoted."""
    quote = shlex.quote
    env, tools = install.env, install.tools
    lines = [
        "#!/bin/sh",
        "# Makes Batman's environment; run again it begins anew, once it is whole it does nothing.",
        *install.before,
        "set -e",
        f"ENV={quote(env)}",
        f'[ -f "$ENV/{COMPLETE}" ] && exit 0',
        'rm -rf -- "$ENV"',
    ]
    uv = install.uv
    if install.uv_wheel:
        uv = f"{tools}/uv"
        lines += [
            f"if [ ! -x {quote(uv)} ]; then",
            f"  rm -rf -- {quote(tools + '/uv.new')}; mkdir -p -- {quote(tools + '/uv.new')}",
            f"  {quote(install.python)} -m zipfile -e {quote(install.uv_wheel)}"
            f" {quote(tools + '/uv.new')} \\",
            f"    || unzip -q {quote(install.uv_wheel)} -d {quote(tools + '/uv.new')}",
            f"  chmod +x {quote(tools)}/uv.new/uv-*.data/scripts/uv",
            f"  mv -- {quote(tools)}/uv.new/uv-*.data/scripts/uv {quote(uv)}",
            f"  rm -rf -- {quote(tools + '/uv.new')}",
            "fi",
        ]
    if uv:
        # Beside the environment, so that files are linked, and off a small home.
        lines += [
            f"export UV_CACHE_DIR={quote(tools + '/uv-cache')}",
            f"export UV_PYTHON_INSTALL_DIR={quote(tools + '/python')}",
            # The site's own certificates, with which the index was found to answer.
            "export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1} UV_NATIVE_TLS=${UV_NATIVE_TLS:-1}",
            f'{quote(uv)} venv --quiet --python {quote(install.python)} "$ENV"',
        ]
        pip = f'{quote(uv)} pip install --python "$ENV/bin/python"'
    else:
        lines.append(f'{quote(install.python)} -m venv "$ENV"')
        pip = '"$ENV/bin/python" -m pip install --disable-pip-version-check --progress-bar off'
    if install.files is not None:
        listed = quote(f"{install.work}/wheels.txt")
        offline = "--offline --no-index" if uv else "--no-index"
        lines.append(f"{pip} {offline} --no-deps -r {listed}")
    elif install.requirements:
        lines += [
            f"{pip} -r {quote(install.work + '/requirements.txt')}",
            f"{pip} --no-deps {quote(install.wheel)}",
        ]
    else:
        override = f" --override {quote(install.work + '/overrides.txt')}" if uv else ""
        what = f"{install.wheel}[{install.extras}]" if install.extras else install.wheel
        lines.append(f"{pip}{override} {quote(what)}")
    lines += [
        '"$ENV/bin/python" -c "import core, slurm"',
        f': >"$ENV/{COMPLETE}"',
    ]
    texts = {
        "requirements.txt": "\n".join(install.requirements) if install.requirements else "",
        "wheels.txt": "\n".join(install.files) if install.files is not None else "",
        "overrides.txt": overrides.strip(),
    }
    head = [lines[0], lines[1]]
    for name, text in texts.items():
        if text and any(f"/{name}" in line for line in lines):
            path = quote(f"{install.work}/{name}")
            head += [f"cat >{path} <<'EOF_OF_LIST'", text, "EOF_OF_LIST"]
    return "\n".join([*head, *lines[2:]]) + "\n"


def run_install(
    host: Host,
    install: Install,
    script: str,
    say: Say,
    cancelled: Cancelled = never,
    patience_s: float = PATIENCE_S,
) -> None:
    """Start the script on the host, or find the one that runs, and wait for its end.

    `say` hears each line that it prints. Raises BatmanError with its last words when it fails,
    `HostError` when the host stays out of reach, `Cancelled`; it goes on there all the same.
    """
    work = install.work
    made = persist(lambda: host.run(["mkdir", "-p", "--", work]), cancelled, patience_s)
    if made.code:
        raise HostError(
            f"The folder for Batman cannot be made on {clean(host.name)}: {made.said}.",
            "Choose another with --folder.",
        )
    put_text(host, script, f"{work}/install.sh", cancelled, patience_s)
    begun = persist(lambda: host.run(["sh", "-c", _START, "sh", work]), cancelled, patience_s)
    if begun.text.strip() == "done":
        return
    if begun.text.strip() not in ("started", "running"):
        raise HostError(f"Installing could not be started on {clean(host.name)}: {begun.said}.")
    offset, rest, last = 0, b"", [""]
    while True:
        if cancelled():
            raise WasCancelled("Left; it goes on there. Setting up again follows it.")
        # In this order: what was written before the end is read after the end is seen.
        code = persist(lambda: host.read(f"{work}/code", 0, 16), cancelled, patience_s)
        data = persist(lambda o=offset: host.read(f"{work}/log", o, 65536), cancelled, patience_s)  # type: ignore[misc]
        offset += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            text = clean(line.decode(errors="replace").strip())
            if text:
                last = [*last[-20:], text]
                say(text)
        if data:
            continue
        if code.strip():
            break
        if not _alive(host, work, cancelled, patience_s):
            raise BatmanError(
                "Installing was ended on the cluster before it was done.",
                "Login nodes end what takes long or much memory at some sites. Setting up again"
                " begins anew.",
            )
        time.sleep(_LOOK_S)
    if code.strip() != b"0":
        # uv says what went wrong first, and then why.
        at = next((n for n, line in enumerate(last) if "error" in line.lower()), 0)
        raise BatmanError(
            f"Installing failed on {clean(host.name)}: {clean('; '.join(last[at:]))[:400]}.",
            f"All it said is in {clean(work)}/log there.",
        )


_ALIVE = """
cd -- "$1" && [ -f pid ] || { echo yes; exit; }
read -r host number <pid
[ "$host" != "$(hostname)" ] || kill -0 "$number" 2>/dev/null || [ -f code ] || { echo no; exit; }
echo yes
"""


def _alive(host: Host, work: str, cancelled: Cancelled, patience_s: float) -> bool:
    asked = persist(lambda: host.run(["sh", "-c", _ALIVE, "sh", work]), cancelled, patience_s)
    return asked.text.strip() != "no"


def put_text(
    host: Host, text: str, path: str, cancelled: Cancelled = never, patience_s: float = PATIENCE_S
) -> None:
    """Write a small text file on the host. Raises `HostError`."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        Path(file.name).chmod(0o644)
        persist(lambda: host.put(Path(file.name), path), cancelled, patience_s)


def shown(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return commands as lines that a person could type."""
    return [shlex.join(command) for command in commands]
