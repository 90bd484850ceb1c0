"""Paired statistics over mazes: arrays in, arrays out, explicit generator."""

from __future__ import annotations

import numpy as np

DRAWS = 2000
LEVEL = 0.95


def resamples(n: int, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """``int[draws, n]``: bootstrap samples of ``n`` mazes; one matrix serves all sites (paired)."""
    return rng.integers(n, size=(draws, n))


def blindness(tv_edited: np.ndarray, tv_clean: np.ndarray) -> np.ndarray:
    """``B = 1 - sum TV(edited, no_cheese) / sum TV(clean, no_cheese)``, summed over the last axis.

    A pooled ratio, so a maze where the cheese changes nothing divides nothing by zero. NaN where
    the cheese changes nothing in any maze.
    """
    return 1.0 - _ratio(np.sum(tv_edited, axis=-1), np.sum(tv_clean, axis=-1))


def competence(p_region_edited: np.ndarray, p_region_no_cheese: np.ndarray) -> np.ndarray:
    """Pooled P(top-right 5x5 before the cheese's cell) under the edit relative to the level without cheese."""
    return _ratio(np.sum(p_region_edited, axis=-1), np.sum(p_region_no_cheese, axis=-1))


def interval(samples: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval over the first axis, NaN left out."""
    tail = (1.0 - level) / 2.0
    if np.isnan(samples).all():
        blank = np.full(np.shape(samples)[1:], np.nan)
        return blank, blank
    low, high = np.nanquantile(samples, [tail, 1.0 - tail], axis=0)
    return low, high


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    top, bottom = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=bottom > 0)
