"""A generator of its own for each control, so that order and resume cannot matter."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, level: int, what: str, draw: int) -> np.random.Generator:
    """Return the generator of one control: ``what`` names the site or the condition it is for."""
    digest = hashlib.sha256(what.encode()).digest()
    return np.random.default_rng([seed, level, int.from_bytes(digest[:8], "little"), draw])
