"""Parts of large libraries that others import and training never uses: loaded when they are used.

For a name or two, torchvision, Lightning and transformers load torch's compiler, torch's counter of
operations triton, its tensors on several machines sympy, torchmetrics matplotlib and the matcher
all of scipy.optimize: a third of what training imports. While the block of `without_unused` runs,
modules that ask for these names get stand-ins, each of which loads the real thing when something is
done with it: called, asked for an attribute, inherited from. What they answer before that is true:
nothing is an instance of a class that is not loaded, and nothing is being compiled without a
compiler. Once a module is loaded, whoever has a stand-in as a name of its own has the real thing.

Any other name of those modules, and any other module in them, loads the real ones at once: a
release that asks for more than those read here (torch 2.15.0, torchvision 0.29.2, transformers
5.23.0, Lightning 2.6.6, torchmetrics 1.8.2) costs time, no more. After the block only what each
training step imports is still stood in for, and scipy.optimize, which becomes itself in place. Five
functions of torch are written again here, for torch 2.15 alone: another release has its own parts
loaded. `BATMAN_WHOLE_LIBRARIES=1` has all of it loaded.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any, Union

from core.late import late_package
from core.processes.after_import import AfterImport

WHOLE = "BATMAN_WHOLE_LIBRARIES"
"""Environment variable that has every library loaded whole, should one of them be amiss."""

COMPILER = "torch._dynamo"
_READ_AGAINST = "2.15."
_SHAPES = "torch.fx.experimental.symbolic_shapes"
# What each training step imports: the optimiser the compiler, `torch.broadcast_shapes` the other.
_IN_STEPS = (COMPILER, _SHAPES)
_LIBRARIES = (*_IN_STEPS, "triton", "matplotlib")


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

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._here())

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


def _late_error(module: str, name: str) -> type[Exception]:
    """Return a stand-in for an exception: none of its kind is raised before it is loaded."""

    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        return _real(module, name)(*args, **kwargs)

    return type(name, (Exception,), {"__new__": new, "__module__": module})


# --- torch's compiler --------------------------------------------------------------------------

# What the compiler is to be told of functions once it is loaded.
_to_register: list[tuple[str, Any]] = []


def _register(compiler: ModuleType) -> None:
    for name, fn in _to_register:
        getattr(compiler, name)(fn)
    _to_register.clear()


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


# --- torch's sizes that are symbols ------------------------------------------------------------


def _guard_or_false(a: Any) -> bool:
    """`guard_or_false` of torch's symbolic shapes, which returns what is no symbol."""
    return a if type(a) is bool else bool(_real(_SHAPES, "guard_or_false")(a))


def _expect_true(a: Any, skip: int = 0) -> bool:
    """`expect_true` of torch's symbolic shapes; `skip` are frames of callers, ours is one more."""
    return a if type(a) is bool else bool(_real(_SHAPES, "expect_true")(a, skip + 1))


def _is_nested_int(s: Any) -> bool:
    """`is_nested_int` of torch's symbolic shapes: no plain number is."""
    return type(s) is not int and bool(_real(_SHAPES, "is_nested_int")(s))


# --- the table ---------------------------------------------------------------------------------

# By module, the names that others import from it, none of them to compare it by identity. Modules
# that are asked for as attributes of another stand in the table themselves.
_NAMES: dict[str, tuple[str, ...]] = {
    COMPILER: ("OptimizedModule",),
    "torch._dynamo.utils": ("is_compile_supported",),
    _SHAPES: (
        "guarding_hint_or_throw", "has_free_unbacked_symbols", "has_guarding_hint",
        "statically_known_true",
    ),
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
    _SHAPES: {
        "expect_true": _expect_true,
        "guard_or_false": _guard_or_false,
        "is_nested_int": _is_nested_int,
        "GuardOnDataDependentSymNode": _late_error(_SHAPES, "GuardOnDataDependentSymNode"),
    },
    "matplotlib.pyplot": {"style": _LateStyle()},
}

_THEN: dict[str, Callable[[ModuleType], None]] = {COMPILER: _register}

# What stands in for the modules that are not loaded yet.
_given: dict[str, _LateModule] = {}


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
        sys.modules[name] = _given[name] = module


def _put_in_place(real: ModuleType) -> None:
    """Give whoever has a stand-in for `real`, or for what is in it, the real thing."""
    if real.__name__ in _THEN:
        _THEN[real.__name__](real)
    given = _given.pop(real.__name__, None)
    if given is None:
        return
    late = given.__dict__["_late"].items()
    instead = {id(of): getattr(real, name) for name, of in late if hasattr(real, name)}
    instead[id(given)] = real
    for module in list(sys.modules.values()):
        if isinstance(module, _LateModule) or module is sys.modules[__name__]:
            continue
        names = getattr(module, "__dict__", {})
        for name, value in list(names.items()):
            if id(value) in instead:
                names[name] = instead[id(value)]


_after = AfterImport(dict.fromkeys(_NAMES, _put_in_place))


class _Finder(MetaPathFinder):
    """Loads the real package where a module in one that is stood in for is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
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


_finder = _Finder()


def load_whole() -> bool:
    """Tell whether every library is to be loaded whole, which the environment may ask for."""
    return os.environ.get(WHOLE, "") not in ("", "0")


def late_optimize() -> None:
    """Let scipy's `linear_sum_assignment` be imported without the rest of scipy.optimize.

    It is a module of its own in C, which needs nothing of the rest.
    """
    late_package("scipy.optimize", {"linear_sum_assignment": "scipy.optimize._lsap"})


@contextlib.contextmanager
def without_unused() -> Iterator[None]:
    """Import libraries of training in the block without what they import for nothing.

    torch is imported first. Raises ImportError without it.
    """
    import torch

    libraries: tuple[str, ...] = _LIBRARIES
    if load_whole():
        libraries = ()
    elif not torch.__version__.startswith(_READ_AGAINST):
        libraries = tuple(library for library in _LIBRARIES if library not in _IN_STEPS)
    if libraries:
        late_optimize()

    if _finder not in sys.meta_path:
        sys.meta_path[:0] = [_finder, _after]
    for library in libraries:
        _stand_in(library)
    if COMPILER in libraries and _loaded(COMPILER) is None:
        _optimizers_without_compiler()
    try:
        yield
    finally:
        for library in libraries:
            if library not in _IN_STEPS:
                _withdraw(library)
