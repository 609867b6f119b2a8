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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
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
