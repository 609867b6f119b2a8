"""The errors Batman expects: each says what is wrong and what to do about it."""

from __future__ import annotations


class BatmanError(Exception):
    """Something the person can put right.

    `message` names the thing that is wrong in one sentence; `hint` says the way out and may be
    empty. Front ends show both; anything that is not a `BatmanError` is a defect and is shown
    with its traceback.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DiskFull(BatmanError):
    """A disk or a quota is full; nothing was changed."""


class BadName(BatmanError):
    """A name or relative path that cannot be used for a file."""


class ProjectError(BatmanError):
    """A project that is missing, exists already, or cannot be read."""


class ProjectLocked(ProjectError):
    """Another process is changing the project; `holder` says which, as far as it is known."""

    def __init__(self, message: str, hint: str = "", holder: str = "") -> None:
        super().__init__(message, hint)
        self.holder = holder


class ImportFailed(BatmanError):
    """A data set that cannot be read; the project is as it was."""


class ExportFailed(BatmanError):
    """A data set or model that cannot be written."""


class ClassError(BatmanError):
    """A change of classes that makes no sense, such as merging an unknown name."""


class ConfigError(BatmanError):
    """A setting that training cannot take."""


class RunError(BatmanError):
    """A run that is missing, or is not in a state for what was asked."""


class WeightsMissing(RunError):
    """Pretrained weights that are neither on this machine nor to be had from the network."""


class Cancelled(BatmanError):
    """The person stopped it; nothing was changed."""
