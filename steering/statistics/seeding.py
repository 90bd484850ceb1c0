"""A generator of its own for each control, so that order and resume cannot matter."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, level: int, what: str, draw: int) -> np.random.Generator:
    """Return the random generator of one control.

    Args:
        seed: of the run, 0 or more.
        level: seed of the level, 0 or more.
        what: name of the site or the condition that it is for.
        draw: number of the draw, from 0.

    Returns:
        A generator that depends on these four alone.
    """
    digest = hashlib.sha256(what.encode()).digest()
    return np.random.default_rng([seed, level, int.from_bytes(digest[:8], "little"), draw])
