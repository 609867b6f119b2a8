"""The shares of train, valid and test, and the seed, where nobody says others.

Defined once, for the training form, the command line and the list of images alike.
"""

from __future__ import annotations

DEFAULT_SHARES = (0.7, 0.15, 0.15)
DEFAULT_SEED = 42
