"""What is tried before a training, by what trains: an augmentation, a few steps, batch sizes."""

from core.processes.light_imports import light_imports
from core.processes.light_torchmetrics import import_torchmetrics

# Before the modules import what imports them.
with light_imports():
    import_torchmetrics()
    import core.training.worker.build  # noqa: F401
