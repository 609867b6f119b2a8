"""Hosts: this machine, or one over SSH, behind one interface."""

from slurm.hosts.base import Completed, Host, HostError, NeedsPerson, NotConnected
from slurm.hosts.local import LocalHost

__all__ = ["Completed", "Host", "HostError", "LocalHost", "NeedsPerson", "NotConnected"]
