"""Parts of large libraries that others import and training never uses: loaded when they are used.

For one name each, torchvision, Lightning and transformers load torch's compiler, torch's counter of
operations triton, and torchmetrics matplotlib: a fifth of what training imports. While the block of
`without_unused` runs, modules that ask for these names get stand-ins, each of which loads the real
thing when something is done with it: called, asked for an attribute, inherited from. What they
answer before that is true: nothing is an instance of a class that is not loaded, and nothing is
being compiled without a compiler.

Any other name of those modules, and any other module in them, loads the real ones at once: a
release that asks for more than those read here (torch 2.15.0, torchvision 0.29.2, transformers
5.23.0, Lightning 2.6.6, torchmetrics 1.8.2) costs time, no more. After the block only the compiler
is still stood in for, because each step of an optimiser imports it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any, Union

COMPILER = "torch._dynamo"
_LIBRARIES = (COMPILER, "triton", "matplotlib")


def _loaded(module: str) -> ModuleType | None:
    """Return the real `module` if it is loaded, or being loaded."""
    found = sys.modules.get(module)
    return None if isinstance(found, _LateModule) else found


def _real(module: str, name: str) -> Any:
    """Return `name` of the real `module`, which is loaded now if it was not."""
    if _loaded(module) is None:
        _withdraw_for(module)
        importlib.import_module(module)
    return getattr(sys.modules[module], name)


def _withdraw_for(module: str) -> None:
    """Withdraw what stands in for the library of `module`: its modules import each other.

    The compiler knows all of torch, and what stands in for it serves torch's other parts as well.
    """
    library = next(of for of in _LIBRARIES if module.startswith(of))
    for one in _LIBRARIES if library == COMPILER else (library,):
        _withdraw(one)


def _withdraw(library: str) -> None:
    """Take the stand-ins of `library` out of `sys.modules`."""
    for name, module in list(sys.modules.items()):
        if isinstance(module, _LateModule) and name.startswith(library):
            del sys.modules[name]


class _LateModule(ModuleType):
    """Stands in for the module of `spec`: the names in `late` are not loaded yet, others are."""

    def __init__(self, spec: ModuleSpec, late: Mapping[str, Any]) -> None:
        super().__init__(spec.name)
        self.__spec__, self.__file__ = spec, spec.origin
        if spec.submodule_search_locations is not None:
            self.__path__ = spec.submodule_search_locations
        self.__dict__["_late"] = late

    def __getattr__(self, name: str) -> Any:
        real = _loaded(self.__name__)
        if real is not None:
            return getattr(real, name)
        # `inspect` and `warnings` go through all modules and ask each for such names.
        if name.startswith("__") and name != "__version__":
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        late = self.__dict__["_late"]
        return late[name] if name in late else _real(self.__name__, name)


class _LateName:
    """Stands in for a class or function: the real one is loaded when something is done with it."""

    def __init__(self, module: str, name: str) -> None:
        self.__module__ = module
        self.__name__ = self.__qualname__ = name

    def _here(self) -> Any:
        return _real(self.__module__, self.__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._here()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._here(), name)

    def __getitem__(self, key: Any) -> Any:
        return self._here()[key]

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._here(),)

    def __instancecheck__(self, instance: Any) -> bool:
        real = getattr(_loaded(self.__module__), self.__name__, ())
        return isinstance(instance, real)

    def __subclasscheck__(self, subclass: Any) -> bool:
        real = getattr(_loaded(self.__module__), self.__name__, ())
        return issubclass(subclass, real)

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007 - in the end this is what it calls

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007

    def __reduce__(self) -> Any:
        return _real, (self.__module__, self.__name__)


# --- torch's compiler --------------------------------------------------------------------------

# What the compiler is to be told of functions once it is loaded.
_to_register: list[tuple[str, Any]] = []


def _disable(fn: Any = None, recursive: bool = True, **options: Any) -> Any:
    """`torch._dynamo.disable`: the function is called as it is while there is no compiler."""
    if fn is None:
        return functools.partial(_disable, recursive=recursive, **options)
    if _loaded(COMPILER) is not None or not isinstance(fn, FunctionType):
        return _real(COMPILER, "disable")(fn, recursive, **options)
    disabled: Any = None

    @functools.wraps(fn)
    def uncompiled(*args: Any, **kwargs: Any) -> Any:
        nonlocal disabled
        if disabled is None:
            disable = getattr(_loaded(COMPILER), "disable", None)
            if disable is None:
                return fn(*args, **kwargs)
            disabled = disable(fn, recursive, **options)
        return disabled(*args, **kwargs)

    return uncompiled


def _registering(name: str) -> Callable[[Any], Any]:
    """Return the decorator `name` of the compiler, which only takes note of the function."""

    def register(fn: Any) -> Any:
        if _loaded(COMPILER) is not None:
            return _real(COMPILER, name)(fn)
        _to_register.append((name, fn))
        return fn

    return register


def _graph_break(msg: str = "") -> None:
    """`torch._dynamo.graph_break`: outside what is being compiled it does nothing."""


def _optimizers_without_compiler() -> None:
    """Have torch's optimisers not load the compiler only to be left alone by it.

    Their methods do so when they are first called (`torch/_compile.py`, `_disable_dynamo`), unless
    it was done before.
    """
    from torch.optim import Optimizer

    for method in (Optimizer.add_param_group, Optimizer.zero_grad):
        plain = getattr(method, "__wrapped__", None)
        if plain is not None and not hasattr(plain, "__dynamo_disable"):
            plain.__dynamo_disable = _disable(plain, wrapping=False)


# --- matplotlib --------------------------------------------------------------------------------


class _LateContext(contextlib.ContextDecorator):
    """A context that is made when it is entered, also around a decorated function."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._entered: list[Any] = []

    def _recreate_cm(self) -> Any:
        return self._make()

    def __enter__(self) -> Any:
        self._entered.append(self._make())
        return self._entered[-1].__enter__()

    def __exit__(self, *error: Any) -> Any:
        return self._entered.pop().__exit__(*error)


class _LateStyle:
    """`matplotlib.pyplot.style`, whose `context` decorates functions that draw."""

    def context(self, *args: Any, **kwargs: Any) -> _LateContext:
        return _LateContext(lambda: _real("matplotlib.style", "context")(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        return getattr(_real("matplotlib", "style"), name)


# --- the table ---------------------------------------------------------------------------------

# By module, the names that others import from it, none of them to compare it by identity. Modules
# that are asked for as attributes of another stand in the table themselves.
_NAMES: dict[str, tuple[str, ...]] = {
    COMPILER: ("OptimizedModule",),
    "torch._dynamo.utils": ("is_compile_supported",),
    "triton": (),
    "triton.runtime": (),
    "triton.runtime.jit": ("JITFunction",),
    "matplotlib": (),
    "matplotlib.axes": ("Axes",),
    "matplotlib.colors": ("Colormap",),
    "matplotlib.pyplot": ("Figure",),
}  # fmt: skip

_OWN: dict[str, dict[str, Any]] = {
    COMPILER: {
        "disable": _disable,
        "graph_break": _graph_break,
        "allow_in_graph": _registering("allow_in_graph"),
        "assume_constant_result": _registering("assume_constant_result"),
    },
    "matplotlib.pyplot": {"style": _LateStyle()},
}


def _stand_in(library: str) -> None:
    """Put the stand-ins of `library` into `sys.modules`, unless one of the modules is there."""
    names = [name for name in _NAMES if name.startswith(library)]
    if any(name in sys.modules for name in names):
        return
    made: dict[str, _LateModule] = {}
    for name in names:
        parent = name.rpartition(".")[0]
        at = (made.get(parent) or sys.modules.get(parent)) if parent else None
        path: Sequence[str] | None = getattr(at, "__path__", None)
        spec = PathFinder.find_spec(name, path) if at is not None or not parent else None
        if spec is None:
            continue
        late = {of: _LateName(name, of) for of in _NAMES[name]} | _OWN.get(name, {})
        made[name] = _LateModule(spec, late)
    for name, module in made.items():
        parent, _, last = name.rpartition(".")
        holder = made.get(parent) or sys.modules.get(parent)
        if holder is not None:
            setattr(holder, last, module)
        sys.modules[name] = module


class _Finder(MetaPathFinder):
    """Loads the real package where a module in one that is stood in for is imported, and tells the
    compiler what it is to know when it is loaded.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == COMPILER:
            spec = PathFinder.find_spec(name, path)
            if spec is not None and spec.loader is not None:
                spec.loader = _Telling(spec.loader)
            return spec
        parent = name.rpartition(".")[0]
        if not isinstance(sys.modules.get(parent), _LateModule):
            return None
        _withdraw_for(parent)
        importlib.import_module(parent)
        module = sys.modules.get(name)
        spec = None if module is None else module.__spec__
        if module is not None and spec is not None:
            # Python would load it again, by this spec (importlib/_bootstrap.py, `_find_spec`).
            spec.loader = _Loaded(module, spec.loader)
        return spec


class _Loaded(Loader):
    """Gives `module`, which its package has loaded by itself, and its own `loader` back to it."""

    def __init__(self, module: ModuleType, loader: Any) -> None:
        self._module, self._loader = module, loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader


class _Telling(Loader):
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        # Whoever asks where the module comes from gets the answer that he knows.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        for name, fn in _to_register:
            getattr(module, name)(fn)
        _to_register.clear()


_finder = _Finder()


@contextlib.contextmanager
def without_unused() -> Iterator[None]:
    """Import libraries of training in the block without what they import for nothing.

    torch is imported first. Raises ImportError without it.
    """
    import torch  # noqa: F401

    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    for library in _LIBRARIES:
        _stand_in(library)
    if _loaded(COMPILER) is None:
        _optimizers_without_compiler()
    try:
        yield
    finally:
        for library in _LIBRARIES:
            if library != COMPILER:  # which every step of an optimiser imports
                _withdraw(library)
