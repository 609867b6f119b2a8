"""What the commands load: nothing that they do not need, so that they start at once."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from abc import ABC
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from core.late import late, late_for, late_names, loading_beside

# What costs most of a start, of which a command that lists or helps needs at most a part.
HEAVY = {
    "numpy", "pydantic", "rich", "PIL", "paramiko", "textual", "torch", "psutil", "yaml", "cv2",
    "msgspec",
}  # fmt: skip
# By command: which of them it may load.
MAY: dict[str, set[str]] = {
    "--help": set(),
    "project list": set(),
    "locate": set(),
    "runs list": {"msgspec"},
    "clusters list": set(),
    "train --help": {"pydantic", "msgspec", "rich"},
    "runs --help": {"pydantic", "msgspec", "rich"},
    "evaluate --help": {"pydantic", "msgspec", "rich", "PIL", "yaml"},
}

PROGRAM = """
import sys
from cli.main import main
assert main(sys.argv[2:]) == 0
print("heavy:", ",".join(sorted(set(sys.argv[1].split(",")) & set(sys.modules))))
"""


@pytest.mark.parametrize("command", MAY)
def test_a_command_loads_what_it_needs(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONFIG_DIR", "CACHE_DIR", "WORKSPACE"):
        monkeypatch.setenv(f"BATMAN_{name}", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, ",".join(HEAVY), *command.split()],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    loaded = set(done.stdout.splitlines()[-1].removeprefix("heavy: ").split(",")) - {""}
    assert loaded <= MAY[command], loaded - MAY[command]


@pytest.mark.parametrize(
    "command", ["splits show --project p", "classes list --project p", "runs list", "runs show r"]
)
def test_what_shows_loads_no_more_once_it_was_shown(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONFIG_DIR", "CACHE_DIR", "WORKSPACE"):
        monkeypatch.setenv(f"BATMAN_{name}", str(tmp_path))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from commands import make_workspace

    make_workspace(tmp_path)
    # What has just been written might be written again within the same tick of the clock.
    for path in (*(tmp_path / "runs").rglob("*"), tmp_path / "runs" / "r"):
        os.utime(path, (1.7e9, 1.7e9))
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, ",".join(HEAVY), *command.split()],
            capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
    loaded = set(done.stdout.splitlines()[-1].removeprefix("heavy: ").split(",")) - {""}
    assert loaded <= {"msgspec"}


def test_a_late_module_is_loaded_with_the_first_thing_it_is_asked() -> None:
    code = (
        "import sys\nfrom core.late import late\nnp = late('numpy')\n"
        "assert 'numpy' not in sys.modules\nassert np.zeros(2).tolist() == [0.0, 0.0]\n"
        "assert 'zeros' in vars(np) and 'numpy' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_app_starts_without_tls_and_has_it_when_it_is_asked_for() -> None:
    code = (
        "import sys\nfrom cli.app.quick_start import quick_start\nquick_start()\n"
        "import batman_tui.app, batman_tui.first_screen, asyncio\n"
        "assert '_ssl' not in sys.modules\n"
        "from asyncio import base_events, sslproto\nimport ssl as first\n"
        "assert '_ssl' not in sys.modules, 'imported by name alone'\n"
        "async def open():\n"
        "    server = await asyncio.start_server(lambda _, out: out.close(), '127.0.0.1', 0)\n"
        "    port = server.sockets[0].getsockname()[1]\n"
        "    try:\n"
        "        await asyncio.open_connection('127.0.0.1', port, ssl=True)\n"
        "    except OSError:\n"
        "        pass  # as whoever it is has no TLS\n"
        "    else:\n"
        "        raise AssertionError\n"
        "asyncio.run(open())\n"
        "from ssl import SSLContext, create_default_context\nimport ssl\n"
        "assert ssl is sys.modules['ssl'] and ssl is not first\n"
        "assert first.SSLContext is SSLContext is base_events.ssl.SSLContext\n"
        "assert isinstance(create_default_context(), first.SSLContext)\n"
        "assert sslproto.SSLProtocol is asyncio.sslproto.SSLProtocol\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A library whose module `late_user` imports names of `late_heavy`, and that late."""
    (tmp_path / "late_heavy.py").write_text(
        "from abc import ABC, abstractmethod\n"
        "class Base(ABC):\n    kind = 'real'\n    @abstractmethod\n    def say(self): ...\n"
        "class Thing:\n    made = 3\n"
        "def twice(x):\n    return 2 * x\n"
    )
    (tmp_path / "late_user.py").write_text(
        "from late_heavy import Base, Thing as Renamed, twice\nimport late_heavy\n"
        "class Heir(Base):\n    def say(self):\n        return self.kind\n"
        "class Lazy(Base): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    late_for("late_heavy", "late_user", bases={"Base": ABC})
    yield importlib.import_module("late_user")
    for name in ("late_user", "late_heavy"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "use",
    ["twice(4) == 8", "Renamed.made == 3", "isinstance(Renamed(), Renamed)",
     "issubclass(Heir, Base)", "late_heavy.Thing.made == 3"],
)  # fmt: skip
def test_names_that_a_library_imports_are_loaded_when_they_are_used(
    use: str, library: ModuleType
) -> None:
    assert type(sys.modules["late_heavy"]) is not ModuleType
    assert eval(use, vars(library))
    real = importlib.import_module("late_heavy")
    assert type(real) is ModuleType
    assert (library.Base, library.Renamed, library.twice) == (real.Base, real.Thing, real.twice)
    assert library.Heir.__mro__ == (library.Heir, real.Base, *real.Base.__mro__[1:])
    assert library.Heir().say() == "real"
    with pytest.raises(TypeError, match="abstract"):
        library.Lazy()


def test_who_else_imports_names_has_the_real_ones(library: ModuleType) -> None:
    names: dict[str, Any] = {"__name__": "another"}
    exec("from late_heavy import Base", names)
    assert names["Base"] is library.Base is sys.modules["late_heavy"].Base
    assert issubclass(library.Heir, names["Base"])


def test_to_inherit_loads_what_it_is_not_known_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "late_strict.py").write_text("class Base:\n    __slots__ = ('x',)\n")
    (tmp_path / "late_heirs.py").write_text("from late_strict import Base\nclass Heir(Base): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    late_for("late_strict", "late_heirs")
    try:
        heirs = importlib.import_module("late_heirs")
        assert heirs.Heir.__base__ is heirs.Base is sys.modules["late_strict"].Base
    finally:
        for name in ("late_heirs", "late_strict"):
            sys.modules.pop(name, None)


def test_what_is_not_there_is_said_as_by_an_import() -> None:
    with pytest.raises(ImportError, match="no_such_module"):
        _ = late("no_such_module").anything
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = late("json").no_such_name
    with pytest.raises(AttributeError, match=r"'core\.data' has no attribute 'nothing'"):
        late_names("core.data", {"Project": "core.data.store"})("nothing")


@pytest.mark.parametrize(
    "package", ["core.data.importers", "core.data.exporters", "core.data.store"]
)
def test_every_name_of_a_late_package_is_there(package: str) -> None:
    module = __import__(package, fromlist=["*"])
    for name in module.__all__:
        assert callable(getattr(module, name)), name


def test_what_is_loaded_beside_a_block_is_there_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside_whole.py").write_text("import threading\nIN = threading.current_thread()\n")
    (tmp_path / "beside_broken.py").write_text("raise RuntimeError('half installed')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with loading_beside("beside_whole", "beside_broken", "beside_missing"):
        pass
    assert sys.modules.pop("beside_whole").IN is not threading.main_thread()
    with pytest.raises(RuntimeError, match="half installed"):
        __import__("beside_broken")
