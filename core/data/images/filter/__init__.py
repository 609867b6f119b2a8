"""Which images of a project are meant: what a person types, and what it finds."""

from core.data.images.filter.find import (
    SPLIT_NAMES,
    ImageFilter,
    Order,
    find_images,
    parse_filter,
    unfinished,
)
from core.data.images.filter.problems import filter_problems

__all__ = [
    "SPLIT_NAMES",
    "ImageFilter",
    "Order",
    "filter_problems",
    "find_images",
    "parse_filter",
    "unfinished",
]
