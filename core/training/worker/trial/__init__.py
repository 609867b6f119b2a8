"""What is tried before a training, by what trains: an augmentation, a few steps, batch sizes."""

from core.processes.light_torchmetrics import import_torchmetrics

# Before the modules import what imports it.
import_torchmetrics()
