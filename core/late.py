"""Modules that are loaded when they are first used: what a command does not need costs it nothing.

A command that lists a few names starts in a fraction of the time that its libraries would take to
load, and opens fewer files, which network file systems charge for each. Types are for the checker:

    if TYPE_CHECKING:
        import numpy as np
    else:
        np = late("numpy")

`tests/unit/test_late.py` holds which modules a command may load.
"""

from __future__ import annotations

import importlib
import re
import sys
import threading
from abc import update_abstractmethods
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec, PathFinder
from types import MappingProxyType, ModuleType
from typing import Any, cast


class _Late(ModuleType):
    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self.__name__), name)
        # Found without this function from now on.
        self.__dict__[name] = value
        return value


def late(name: str) -> ModuleType:
    """Return a stand-in for the module `name`, which is loaded with the first thing it is asked.

    Errors of the import come then, ImportError among them. Not for modules whose values change.
    """
    return _Late(name)


# What stands for modules that nothing has been asked for yet, by name; and what is becoming one.
_standing: dict[str, _Standing] = {}
_becoming: dict[str, _Standing] = {}
# Never held while a module is imported: the import system's own locks order who waits for whom.
_lock = threading.Lock()
# The names with underscores that are in a module's own code.
_TOLD = ("__all__", "__version__")


class _Standing(ModuleType):
    """Stands for the module of its name, and is that module from the first thing it is asked on."""

    def __getattr__(self, name: str) -> Any:
        at = self.__name__
        # `inspect` and `warnings` go through all modules and ask each for such names.
        if name.startswith("__") and name not in _TOLD:
            raise AttributeError(f"module '{at}' has no attribute '{name}'")
        if at in _standing and "__path__" in self.__dict__:
            if name in self.__dict__["_elsewhere"]:
                value = getattr(importlib.import_module(self.__dict__["_elsewhere"][name]), name)
                self.__dict__[name] = value
                return value
            if PathFinder.find_spec(f"{at}.{name}", self.__path__) is not None:
                return importlib.import_module(f"{at}.{name}")
        with _lock:
            if _standing.pop(at, None) is not None:
                _becoming[at] = self
                sys.modules.pop(at, None)
        module = importlib.import_module(at)
        if module is not self:  # an import that failed has left nothing of it
            return getattr(module, name)
        if name in self.__dict__:
            return self.__dict__[name]
        raise AttributeError(f"module '{at}' has no attribute '{name}'")


class _Becoming:
    """Finds and loads a module into what stands for it.

    No child of `importlib.abc`, which loads `tempfile` and more, for every command.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _becoming:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader_state, spec.loader = spec.loader, cast("Any", self)
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return _becoming.pop(spec.name, None)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        assert spec is not None
        # Whoever asks where the module comes from gets the answer that he knows.
        module.__loader__ = spec.loader = loader = spec.loader_state
        spec.loader_state = None
        loader.exec_module(module)
        module.__dict__.pop("_elsewhere", None)
        module.__class__ = ModuleType


def late_for_all(*names: str) -> None:
    """Let other libraries load these modules, too, when they first ask them something.

    For what a library imports as it starts and uses much later or never, by `import NAME` or
    `from PACKAGE import NAME`. For modules in Python; one that is loaded already stays as it is.
    """
    for name in names:
        if name not in sys.modules:
            _stand(_Standing(name))


def late_package(name: str, names: Mapping[str, str]) -> None:
    """Let modules of the package `name` be imported without its own code, which is in `__init__`.

    For a package that loads all it has for whoever needs one module of it. `names` says of names
    that it has from modules of its own which those are; with any other name that it is asked for
    its code runs, and it is whole. No name may be that of a module in it. A package that is loaded
    already stays as it is, as does one that is not there.
    """
    if name in sys.modules:
        return
    parent, path = name.rpartition(".")[0], None
    with suppress(ImportError):
        path = importlib.import_module(parent).__path__ if parent else None
    spec = PathFinder.find_spec(name, path) if path or not parent else None
    if spec is None or spec.submodule_search_locations is None:
        return
    package = _Standing(name)
    package.__spec__, package.__file__ = spec, spec.origin
    package.__package__, package.__loader__ = name, spec.loader
    package.__path__ = spec.submodule_search_locations
    package.__dict__["_elsewhere"] = names
    _stand(package)


def _stand(module: _Standing) -> None:
    if not any(isinstance(finder, _Becoming) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Becoming())
    _standing[module.__name__] = sys.modules[module.__name__] = module


class _LateName:
    """Stands in for a class or a function: its module is loaded when something is done with it."""

    def __init__(self, module: _LateFor, name: str) -> None:
        self._late = module, name

    def _real(self) -> Any:
        module, name = self._late
        return getattr(module.loaded(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._real()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type]:
        module, name = self._late
        return (module.base(name),)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._real())

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._real())


class _LateFor(ModuleType):
    def __init__(self, name: str, importers: tuple[str, ...], bases: Mapping[str, type]) -> None:
        super().__init__(name)
        self.__dict__["_importers"] = importers
        self.__dict__["_bases"] = bases
        # What stands in where, by the names of a module, and what stands in as a base.
        self.__dict__["_given"] = []
        self.__dict__["_inherited"] = {}

    def __getattr__(self, name: str) -> Any:
        # Who asks: the module that imports something by name, or the machinery of imports.
        names = sys._getframe(1).f_globals
        if sys.modules.get(self.__name__) is not self or names["__name__"] not in self._importers:
            value = getattr(self.loaded(), name)
            # Found without this function from now on.
            self.__dict__[name] = value
            return value
        if name == "__path__":
            raise AttributeError(name)  # one that had it would be asked for modules in it
        found = _LateName(self, name)
        self._given.append((names, found))
        return found

    def base(self, name: str) -> type:
        """Return what to inherit from in place of the class `name`: the real one if need be."""
        if name not in self._bases:
            return cast("type", getattr(self.loaded(), name))
        if name not in self._inherited:
            base = self._bases[name]
            self._inherited[name] = type(base)(name, (base,), {"__module__": self.__name__})
        return cast("type", self._inherited[name])

    def loaded(self) -> ModuleType:
        """Load the module, and let all who have stand-ins have what these stand in for."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        module = importlib.import_module(self.__name__)
        while self._given:
            names, stands_in = self._given.pop()
            for key in [key for key, value in names.items() if value is stands_in]:
                names[key] = getattr(module, stands_in._late[1])
        while self._inherited:
            name, base = self._inherited.popitem()
            for heir in base.__subclasses__():
                bases = (getattr(module, name) if of is base else of for of in heir.__bases__)
                heir.__bases__ = tuple(bases)
                update_abstractmethods(heir)
        return module


def late_for(name: str, *importers: str, bases: Mapping[str, type] = MappingProxyType({})) -> None:
    """Let the modules `importers` of other libraries have names of the module `name` unloaded.

    For classes and functions that they ask it for as they are imported, `from NAME import ...`, and
    use much later or never. It is loaded when something is done with one of them, or when anybody
    else imports it, and then they have the real ones. To inherit from a class loads it, too, unless
    it is in `bases`, by its own only base: classes made of it have the real one once it is loaded
    (it must have neither slots nor an `__init_subclass__`). A module that is loaded already stays.
    """
    sys.modules.setdefault(name, _LateFor(name, importers, bases))


class _LatePattern:
    def __init__(self, pattern: str, flags: int) -> None:
        self._given = pattern, flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(*self._given), name)
        # Found without this function from now on.
        self.__dict__[name] = value
        return value


def late_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return what `re.compile` does, for its methods: it is compiled when one is first asked for.

    A few of them take as long to compile as a command may take to start.
    """
    return cast("re.Pattern[str]", _LatePattern(pattern, flags))


def late_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` for `package` (PEP 562) whose names lie in `modules`, by name.

    No name may be that of a module in the package: that would be the module once it is loaded.
    """

    def find(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        value = getattr(importlib.import_module(modules[name]), name)
        vars(importlib.import_module(package))[name] = value
        return value

    return find


@contextmanager
def loading_beside(*names: str, first: str = "") -> Iterator[None]:
    """Load modules in a thread while the block runs, for work that comes after it.

    Worth it where the block mostly waits or computes without Python's lock. The block's end waits
    for the loading. What cannot be loaded is left to whoever imports it, and its error is theirs.

    `first` is loaded before either begins. That has to be NumPy where both sides come to need it:
    modules in C import its inside, others NumPy itself, each waits for what the other has begun,
    and Python then lets one go on with a half of it, which fails (NumPy 2.4).
    """
    if names and first:
        importlib.import_module(first)

    def load() -> None:
        for name in names:
            try:
                importlib.import_module(name)
            except Exception:  # a broken package raises what it likes; see above
                return

    thread = threading.Thread(target=load, name="loading")
    thread.start()
    try:
        yield
    finally:
        thread.join()
