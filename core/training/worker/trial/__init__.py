"""What is tried before a training, by what trains: an augmentation, a few steps, batch sizes."""

from core.processes.late_libraries import without_unused
from core.processes.light_torchmetrics import import_torchmetrics

# Before the modules import what imports them.
with without_unused():
    import_torchmetrics()
    import core.training.worker.build  # noqa: F401
