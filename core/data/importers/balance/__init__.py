"""Where everything went that lay at the path of an import."""

from core.data.importers.balance.notes import Balance

__all__ = ["Balance"]
