"""What the commands load: nothing that they do not need, so that they start at once."""

from __future__ import annotations

import importlib.util
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

from core.late import late, late_for, late_names, late_package, loading_beside

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
        "assert ssl is sys.modules['ssl'] is base_events.ssl is first\n"
        "assert type(ssl).__name__ == 'module' and first.SSLContext is SSLContext\n"
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


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that loads all it has, on the path, and gone again after the test."""
    package = tmp_path / "packed"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from packed.much import MUCH\nfrom packed.one import One, part\n__version__ = '3'\n"
    )
    (package / "much.py").write_text("MUCH = 1\n")
    (package / "one.py").write_text("class One: pass\ndef part(): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "packed"]:
        del sys.modules[name]


def test_a_package_is_used_in_parts_and_becomes_whole_in_place(packed: Path) -> None:
    late_package("packed", {"One": "packed.one"})
    import packed as late  # type: ignore[import-not-found]
    from packed import One  # type: ignore[import-not-found]

    assert importlib.util.find_spec("packed") is late.__spec__
    assert "packed.much" not in sys.modules
    # What goes through all modules asks for such names.
    assert not hasattr(late, "__wrapped__")
    assert late.one.One is One
    assert "packed.much" not in sys.modules
    kept = late.one
    assert late.MUCH == 1
    assert sys.modules["packed"] is late
    assert type(late).__name__ == "module"
    assert (late.one, late.One, late.__version__) == (kept, One, "3")
    assert late.__file__ == str(packed / "__init__.py")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = late.nothing
    late_package("packed", {})
    assert sys.modules["packed"] is late


def test_a_package_that_cannot_be_loaded_says_so_each_time(packed: Path) -> None:
    (packed / "much.py").write_text("raise RuntimeError('half installed')\n")
    late_package("packed", {})
    import packed as late

    for _ in range(2):
        with pytest.raises(RuntimeError, match="half installed"):
            _ = late.MUCH
    (packed / "much.py").write_text("MUCH = 22\n")
    importlib.invalidate_caches()
    assert late.MUCH == 22


def test_threads_that_ask_for_a_package_wait_until_it_is_whole(packed: Path) -> None:
    """One begins to load it, another asks it while it loads, a third imports what it loads."""
    (packed / "much.py").write_text(
        "import core.late_test_gate as gate\n"
        "gate.within.set()\nassert gate.asked.wait(60)\nMUCH = 1\n"
    )
    gate = ModuleType("core.late_test_gate")
    gate.within, gate.asked = threading.Event(), threading.Event()  # type: ignore[attr-defined]
    sys.modules["core.late_test_gate"] = gate
    late_package("packed", {})
    import packed as late

    seen: list[object] = []
    first = threading.Thread(target=lambda: seen.append(late.MUCH))
    first.start()
    try:
        assert gate.within.wait(60)
        others = [
            threading.Thread(target=lambda: seen.append(late.part.__name__)),
            threading.Thread(target=lambda: seen.append(importlib.import_module("packed.one").One)),
        ]
        for other in others:
            other.start()
        gate.asked.set()
        for thread in (first, *others):
            thread.join(60)
            assert not thread.is_alive()
    finally:
        gate.asked.set()
        del sys.modules["core.late_test_gate"]
    assert len(seen) == 3
    assert {1, "part", late.One} == set(seen)


def test_a_package_that_is_not_there_is_not_stood_for() -> None:
    late_package("no_such_package", {})
    late_package("no_such_package.part", {})
    late_package("json.decoder", {})
    assert not {"no_such_package", "no_such_package.part"} & sys.modules.keys()
    with pytest.raises(ImportError, match="no_such_package"):
        importlib.import_module("no_such_package")


def test_what_both_sides_need_is_there_before_either_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside_first.py").write_text("import threading\nIN = threading.current_thread()\n")
    (tmp_path / "beside_second.py").write_text("import sys\nSAW = 'beside_first' in sys.modules\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with loading_beside("beside_second", first="beside_first"):
        assert sys.modules["beside_first"].IN is threading.current_thread()
    assert sys.modules.pop("beside_second").SAW
    del sys.modules["beside_first"]
    # Where nothing is loaded beside, nothing is loaded.
    with loading_beside(first="beside_first"):
        assert "beside_first" not in sys.modules
