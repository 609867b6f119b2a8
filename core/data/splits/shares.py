"""The shares of train, valid and test, and the seed, where nobody says others.

Defined once, for the training form, the command line and the list of images alike.
"""

from __future__ import annotations

import re
from typing import Any

DEFAULT_SHARES = (0.7, 0.15, 0.15)
DEFAULT_SEED = 42


def parse_shares(value: Any) -> tuple[float, ...]:
    """Return three shares that make 1 from text such as `70/15/15`, or from two or three numbers.

    Shares of a hundred and of one are both taken. Raises ValueError, which says what is wrong.
    """
    if isinstance(value, str):
        value = [part for part in re.split(r"[/,;:\s]+", value.strip()) if part]
    if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= 3:
        raise ValueError("give three shares, such as 70/15/15")
    try:
        shares = [float(share) for share in value]
    except (TypeError, ValueError):
        raise ValueError("give three numbers, such as 70/15/15") from None
    shares += [0.0] * (3 - len(shares))
    total = sum(shares)
    if not all(0 <= share <= 100 for share in shares):
        raise ValueError("shares lie between 0 and 1, or between 0 and 100")
    if abs(total - 100) < 0.5:
        shares = [share / 100 for share in shares]
    elif abs(total - 1) > 0.005:
        raise ValueError(f"the shares add up to {total:g}: they must make 1 or 100")
    if shares[0] <= 0 or shares[1] <= 0:
        raise ValueError("train and valid need a share above zero")
    return tuple(round(share, 6) for share in shares)
