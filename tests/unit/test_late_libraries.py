"""What others import and training never uses is loaded when it is used, and is whole then."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from begun import Begun
from installed import needs

pytestmark = needs("rfdetr")

BEGIN = """
import sys
from core.processes.light_imports import light_imports
from core.processes.light_torchmetrics import import_torchmetrics

def there(*names):
    return [name for name in names if any((n + ".").startswith(name + ".") for n in sys.modules)]

with light_imports():
    import_torchmetrics()
    import core.training.worker.build
"""


Run = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run code after training's imports, each time as the first, and return what it prints."""
    begun = Begun(BEGIN, tmp_path_factory.mktemp("begun"))
    yield begun.run
    begun.close()


def run_alone(code: str) -> list[str]:
    """Return the lines that `code` prints in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def test_training_loads_no_compiler_and_nothing_to_draw_with(run: Run) -> None:
    told = run("""
import torch
weight = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.AdamW([weight], lr=0.1)
optimizer.zero_grad()
weight.sum().backward()
optimizer.step()
print(weight.sum().item() < 3)
print(torch.broadcast_shapes((3, 1), (2,)))
torch._check(weight.numel() == 3)
from rfdetr.models.matcher import _linear_sum_assignment as assign
print(assign([[2, 1], [1, 2]])[1].tolist())
print(there("torch._inductor", "triton", "sympy", "matplotlib", "scipy.linalg", "scipy.signal"))
print(type(sys.modules["torch._dynamo"]).__name__)
""")
    assert told == ["True", "torch.Size([3, 2])", "[1, 0]", "[]", "_LateModule"]


def test_the_compiler_is_whole_once_something_is_compiled(run: Run) -> None:
    """What was kept from it, what it was to be told, and what asked for its class."""
    told = run("""
import torch
from pytorch_lightning.utilities.compile import to_uncompiled
from pytorch_lightning.utilities.compile import OptimizedModule as late
from transformers import PreTrainedModel
from rfdetr.models.backbone.dinov2_with_windowed_attn import WindowedDinov2WithRegistersEmbeddings
from core.processes import late_libraries

known = PreTrainedModel.can_record_outputs.fget
compiling = []
with_us = late_libraries._disable(lambda: compiling.append(torch.compiler.is_compiling()))
inner = []

def whole(x):
    with_us()
    return x + 1

graphs = []
def backend(graph, inputs):
    graphs.append(graph)
    return graph.forward

print(isinstance(torch.nn.Linear(1, 1), late), "torch._inductor" in sys.modules)
print(torch.compile(whole, backend=backend)(torch.ones(1)).item(), compiling, len(graphs) > 0)
compiled = torch.compile(torch.nn.Linear(1, 1), backend=backend)
print(isinstance(compiled, late), type(compiled) is torch._dynamo.OptimizedModule)
print(type(torch._dynamo).__name__, torch._dynamo is sys.modules["torch._dynamo"])
from torch._dynamo import trace_rules
print(id(known) in trace_rules._allowed_callable_ids)
from torch.distributed.tensor import _decompositions
from torch.fx.experimental import symbolic_shapes
print(_decompositions.GuardOnDataDependentSymNode is symbolic_shapes.GuardOnDataDependentSymNode)
import pytorch_lightning.utilities.compile as asked
print(asked.OptimizedModule is torch._dynamo.OptimizedModule)
sizes = torch.compile(lambda x: x.expand(3, -1), backend=backend, dynamic=True)
print(sizes(torch.ones(1, 4)).shape)
import inspect
print(inspect.getsource(torch._dynamo)[:3] != "", type(torch._dynamo.__loader__).__name__)
""")
    assert told == [
        "False False",
        "2.0 [False] True",
        "True True",
        "module True",
        "True",
        "True",
        "True",
        "torch.Size([3, 4])",
        "True SourceFileLoader",
    ]


def test_a_module_of_the_compiler_is_loaded_once(run: Run) -> None:
    told = run("""
import torch._dynamo.config
import torch._dynamo.utils
print(torch._dynamo.config is sys.modules["torch._dynamo.config"])
print(torch._dynamo.config is sys.modules["torch._dynamo.eval_frame"].config)
print(type(torch._dynamo).__name__, torch._dynamo.config.__spec__.loader is not None)
""")
    assert told == ["True", "True", "module True"]


def test_another_name_loads_the_real_module_at_once() -> None:
    """Where a release asks for more than was foreseen, it gets it."""
    told = run_alone("""
import sys
from core.processes.late_libraries import without_unused
with without_unused():
    from torch._dynamo import disable, OptimizedModule
    from torch._dynamo import eval_frame
    import torch._dynamo.config
    from matplotlib import colormaps
    import matplotlib.pyplot as plt
print(type(sys.modules["torch._dynamo"]).__name__, eval_frame.__name__)
print(torch._dynamo.config is sys.modules["torch._dynamo.config"])
import matplotlib
print(type(matplotlib).__name__, colormaps is matplotlib.colormaps, plt is matplotlib.pyplot)
from torch._dynamo import OptimizedModule as real
class Own(OptimizedModule):
    pass
print(issubclass(real, OptimizedModule), Own.__bases__ == (real,))
""")
    assert told == ["module torch._dynamo.eval_frame", "True", "module True True", "True True"]


def test_a_figure_can_still_be_drawn(run: Run) -> None:
    told = run("""
import matplotlib
print(type(matplotlib).__name__)
matplotlib.use("agg")
import matplotlib.pyplot as plt
import torch
from torchmetrics.classification import BinaryAccuracy
metric = BinaryAccuracy()
metric.update(torch.tensor([1, 0, 1]), torch.tensor([1, 1, 1]))
figure, axes = metric.plot()
from torchmetrics.utilities import plot
print(type(figure) is plt.Figure, plot._AX_TYPE is matplotlib.axes.Axes, plot.plt is plt)
""")
    assert told == ["module", "True True True"]


def test_scipy_is_whole_once_more_of_it_is_wanted(run: Run) -> None:
    told = run("""
import scipy
from rfdetr.models.matcher import _linear_sum_assignment as assign
print(round(float(scipy.optimize.minimize(lambda x: (x[0] - 2) ** 2, [0.0]).x[0]), 3))
print(assign is scipy.optimize.linear_sum_assignment, scipy.optimize._lsap.__name__)
print(scipy.optimize is sys.modules["scipy.optimize"], type(scipy.optimize).__name__)
""")
    assert told == ["2.0", "True scipy.optimize._lsap", "True module"]


def test_sizes_that_are_no_symbols_are_weighed_without_symbols(run: Run) -> None:
    """As torch does: what is neither a bool nor a symbol is refused by the real thing."""
    told = run("""
from torch.fx.experimental.symbolic_shapes import expect_true, guard_or_false, is_nested_int
print(expect_true(True), expect_true(False), guard_or_false(True), is_nested_int(3), there("sympy"))
try:
    guard_or_false(3)
except AssertionError as error:
    print(error, there("sympy"))
from torch.fx.experimental import symbolic_shapes
print(symbolic_shapes.guard_or_false is guard_or_false, is_nested_int(3.5))
""")
    assert told[:2] == ["True False True False []", "Expected bool, got <class 'int'> ['sympy']"]
    assert told[2] == "True False"


def test_the_files_of_transformers_are_read_once_and_tell_the_same() -> None:
    told = run_alone("""
import collections, sys
opened = collections.Counter()

def heard(event, given):
    # Lists are made from the text; modules are loaded from bytes.
    if event == "open" and given[1] == "r" and "/transformers/models/" in str(given[0]):
        opened[given[0]] += 1

sys.addaudithook(heard)
from core.processes.light_transformers import models_read_once
with models_read_once():
    import transformers.models
print(len(opened) > 1000, set(opened.values()))
from transformers.utils import import_utils
print(import_utils.create_import_structure_from_path.__module__)
found = {}
define = import_utils.define_import_structure.__wrapped__  # which keeps its answers itself
for names in define(transformers.models.__file__).values():
    for module, objects in names.items():
        found |= dict.fromkeys(objects, module)
print(len(found) > 1000, found == {
    name: module for name, module in transformers.models._class_to_module.items() if name in found
})
print(max(opened.values()))
""")
    assert told == ["True {1}", "transformers.utils.import_utils", "True True", "2"]


def test_another_torch_and_whoever_asks_for_it_have_the_compiler_loaded() -> None:
    code = 'print(*map(bool, (there("torch._inductor"), there("matplotlib"))))'
    newer = 'import torch\ntorch.__version__ = "2.99.0"\n'
    assert run_alone(newer + BEGIN + code) == ["True False"]
    asked = 'import os\nos.environ["BATMAN_WHOLE_LIBRARIES"] = "1"\n'
    assert run_alone(asked + BEGIN + code) == ["True True"]
