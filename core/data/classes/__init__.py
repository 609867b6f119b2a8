"""The classes of a project: counted, merged, renamed, dropped; each step can be undone."""

from core.data.classes.edit import (
    ClassRow,
    Plan,
    add,
    class_ids,
    delete,
    list_classes,
    merge,
    plan,
    remap,
    rename,
)

__all__ = [
    "ClassRow",
    "Plan",
    "add",
    "class_ids",
    "delete",
    "list_classes",
    "merge",
    "plan",
    "remap",
    "rename",
]
