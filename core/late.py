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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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


class _LateForAll(_Late):
    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return super().__getattr__(name)


def late_for_all(*names: str) -> None:
    """Let other libraries load these modules, too, when they first ask them something.

    For what a library imports as it starts and uses much later or never, by `import NAME` or
    `from PACKAGE import NAME`. A module that is loaded already stays as it is.
    """
    for name in names:
        sys.modules.setdefault(name, _LateForAll(name))


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


class _LateFor(_LateForAll):
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
def loading_beside(*names: str) -> Iterator[None]:
    """Load modules in a thread while the block runs, for work that comes after it.

    Worth it where the block mostly waits or computes without Python's lock. The block's end waits
    for the loading. What cannot be loaded is left to whoever imports it, and its error is theirs.
    """

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
